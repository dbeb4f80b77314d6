// Source: a relation together with the function that produces its rows, defined next to its columns.
#pragma once

#include <cstdint>
#include <vector>

#include "reading/relation.hpp"
#include "reading/value.hpp"
#include "segment/attach.hpp"

namespace tide {

struct Source {
  Relation relation;
  // Appends the rows of one segment, as of `wall_now_ns`. nullptr: the relation has no rows per segment.
  void (*add_rows)(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) = nullptr;
  // Appends rows that do not depend on a segment.
  void (*add_fixed_rows)(std::vector<Row>& out) = nullptr;
  bool has_own_identity = false;  // its own columns contain instance_id and pool

  bool is_identified() const { return add_rows != nullptr && !has_own_identity; }
};

const Source& pools_source();
const Source& pool_stats_source();
const Source& pool_histograms_source();
const Source& pool_history_source();
const Source& connections_source();
const Source& leases_source();
const Source& waiters_source();
const Source& events_source();
const Source& scaling_events_source();
const Source& alerts_source();
const Source& health_checks_source();
const Source& forecasts_source();
const Source& alert_rules_source();
const Source& settings_source();
const Source& commands_source();
const Source& presets_source();
const Source& health_source();
const Source& help_source();
const Source& command_help_source();
const Source& wal_source();
const Source& slow_queries_source();
const Source& failed_queries_source();
const Source& queries_source();
const Source& targets_source();
const Source& insights_source();
const Source& tags_source();
const Source& metrics_source();

// The source of a relation of the catalogue; nullptr for other relations.
const Source* find_source(std::string_view name);

}  // namespace tide
