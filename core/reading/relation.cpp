#include "reading/relation.hpp"

#include <array>

#include "reading/source.hpp"

namespace tide {
namespace {

using SourceOf = const Source& (*)();
constexpr SourceOf kSources[] = {
    pools_source,         pool_stats_source, pool_histograms_source, pool_history_source,   connections_source,
    leases_source,        waiters_source,    events_source,          scaling_events_source, alerts_source,
    health_checks_source, forecasts_source,  alert_rules_source,     settings_source,       commands_source,
    help_source,          presets_source,    health_source,          command_help_source,
};
constexpr size_t kRelations = std::size(kSources);

}  // namespace

std::span<const Relation> relations_catalogue() {
  static const std::array<Relation, kRelations> relations = [] {
    std::array<Relation, kRelations> made;
    for (size_t i = 0; i < kRelations; ++i) made[i] = kSources[i]().relation;
    return made;
  }();
  return relations;
}

const Relation* find_relation(std::string_view name) {
  for (const Relation& relation : relations_catalogue()) {
    if (relation.name == name) return &relation;
  }
  return nullptr;
}

const Source* find_source(std::string_view name) {
  for (const SourceOf source_of : kSources) {
    if (source_of().relation.name == name) return &source_of();
  }
  return nullptr;
}

}  // namespace tide
