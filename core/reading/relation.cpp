#include "reading/relation.hpp"

#include <array>

#include "reading/source.hpp"

namespace tide {
namespace {

using SourceOf = const Source& (*)();
constexpr SourceOf kSources[] = {
    pools_source,         pool_stats_source,     pool_histograms_source, pool_history_source,   connections_source,
    leases_source,        waiters_source,        events_source,          scaling_events_source, alerts_source,
    health_checks_source, forecasts_source,      alert_rules_source,     settings_source,       commands_source,
    help_source,          presets_source,        health_source,          command_help_source,   wal_source,
    slow_queries_source,  failed_queries_source, queries_source,         targets_source,        insights_source,
    tags_source,          metrics_source,
};
constexpr size_t kRelations = std::size(kSources);
constexpr Column kIdentity[] = {
    {"instance_id", ColumnType::text, "", "Identifier of the pool's instance: 32 hexadecimal digits, never reused.",
     Privacy::open},
    {"pool", ColumnType::text, "", "The pool's name.", Privacy::open},
};

}  // namespace

std::span<const Relation> relations_catalogue() {
  static const std::array<Relation, kRelations> relations = [] {
    static std::vector<Column> columns[kRelations];
    std::array<Relation, kRelations> made;
    for (size_t i = 0; i < kRelations; ++i) {
      const Source& source = kSources[i]();
      if (source.is_identified()) columns[i].assign(std::begin(kIdentity), std::end(kIdentity));
      columns[i].insert(columns[i].end(), source.relation.columns.begin(), source.relation.columns.end());
      made[i] = {source.relation.name, source.relation.meaning, columns[i]};
    }
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
