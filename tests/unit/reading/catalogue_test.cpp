// The catalogue is a stable interface: names and order of columns never change.
#include "reading/source.hpp"
#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

std::string columns_of(std::string_view name) {
  std::string out;
  const Relation* relation = find_relation(name);
  if (relation == nullptr) return "no such relation";
  for (const Column& column : relation->columns) out += (out.empty() ? "" : " ") + std::string(column.name);
  return out;
}

TEST(Catalogue, ColumnsAreStable) {
  EXPECT_EQ(
      columns_of("pools"),
      "instance_id pool source app host pid backend target db_user state size idle in_use connecting validating "
      "waiting oldest_wait_ms min_size max_size target_size limit_size size_source burst_until utilization health "
      "generation started_at sampled_at age_ms version breaker breaker_probe_at pooler");
  EXPECT_EQ(
      columns_of("pool_stats"),
      "instance_id pool acquires_total acquires_waited_total acquire_timeouts_total acquire_rejected_total "
      "releases_total connects_total connect_failures_total closed_idle_total closed_lifetime_total "
      "closed_uses_total closed_error_total closed_scale_total closed_control_total leases_overdue_total "
      "leases_reclaimed_total validations_total validation_failures_total queries_total query_errors_total "
      "transactions_total retries_total statement_cache_hits_total statement_cache_misses_total "
      "query_cache_hits_total query_cache_misses_total scale_up_total scale_down_total recoveries_total "
      "wait_ms_total use_ms_total connect_ms_total query_ms_total wait_p50_ms wait_p95_ms wait_p99_ms wait_max_ms "
      "use_p50_ms use_p99_ms query_p50_ms query_p99_ms size_peak in_use_peak waiting_peak memory_bytes last_error "
      "last_error_at stats_reset waits_over_objective_total alerts_fired_total overloads_total bursts_total "
      "efficiency slow_share prediction_accuracy wal_bytes emergencies_total recovery_attempts_total "
      "health_checks_total health_check_failures_total query_faults_total closed_total lived_ms_total "
      "leases_cancelled_total statement_cache_evictions_total statement_cache_bytes acquire_cancelled_total "
      "query_cache_entries "
      "query_cache_bytes checkpoints_total checkpoint_failures_total query_log_lost_total query_cache_shared_total "
      "query_cache_stale_total query_cache_evictions_total query_cache_invalidations_total query_cache_refused_total "
      "result_bytes_total retries_helped_total notifications_sent_total notification_failures_total "
      "notifications_dropped_total server_sessions server_sessions_max notifications_queued notified_at "
      "notification_error");
  EXPECT_EQ(columns_of("pool_histograms"), "instance_id pool metric le_ms count sum_ms");
  EXPECT_EQ(
      columns_of("pool_history"),
      "instance_id pool at resolution_ms size in_use_avg in_use_max waiting_max limit_size acquires timeouts "
      "errors wait_p99_ms use_ms predicted_in_use health measured_by queries query_errors faults query_ms query_p99_ms "
      "connects connect_failures query_cache_hits query_cache_misses result_bytes wait_ms waited replica_lag_ms "
      "covers_ms");
  EXPECT_EQ(columns_of("connections"),
            "instance_id pool conn_id state server_pid tag created_at state_since expires_at uses_total queries_total "
            "in_transaction last_error suspect_leak statements");
  EXPECT_EQ(columns_of("leases"),
            "instance_id pool lease_id conn_id tag thread_id acquired_at last_used_at age_ms idle_ms deadline overdue");
  EXPECT_EQ(columns_of("waiters"), "instance_id pool ticket tag queued_at waited_ms deadline priority");
  EXPECT_EQ(columns_of("events"), "instance_id pool seq at kind severity message detail");
  EXPECT_EQ(columns_of("scaling_events"),
            "instance_id pool seq at from_size to_size cause reason in_use waiting wait_p95_ms predicted_in_use actor");
  EXPECT_EQ(columns_of("alerts"),
            "instance_id pool alert_id rule severity state metric value threshold since last_seen occurrences "
            "resolved_at acked_by message advice acked_at");
  EXPECT_EQ(columns_of("health_checks"), "instance_id pool check_name status score value threshold message checked_at");
  EXPECT_EQ(columns_of("forecasts"),
            "instance_id pool at horizon_ms model predicted_in_use low high error_mape selected error_wape");
  EXPECT_EQ(columns_of("alert_rules"),
            "pool rule metric comparison threshold hold_ms severity enabled message advice clear_at built_in "
            "instance_id");
  EXPECT_EQ(columns_of("settings"),
            "instance_id pool name value unit default_value source applies min max description note");
  EXPECT_EQ(columns_of("commands"),
            "instance_id pool command_id issued_at actor verb arguments status applied_at generation message");
  EXPECT_EQ(columns_of("help"), "relation column_name type unit meaning privacy");
  EXPECT_EQ(columns_of("presets"), "preset option value document note");
  EXPECT_EQ(columns_of("health"), "instance_id pool healthy status issues recommendations checks");
  EXPECT_EQ(columns_of("command_help"), "command argument type required meaning");
  EXPECT_EQ(
      columns_of("wal"),
      "instance_id pool wal_bytes limit_bytes frames frames_checkpointed last_checkpoint last_checkpoint_at blocked_ms "
      "oldest_reader_ms oldest_reader_tag oldest_reader_lease_id oldest_reader_conn_id last_error");
  for (const char* name : {"slow_queries", "failed_queries"}) {
    EXPECT_EQ(columns_of(name),
              "instance_id pool seq at tag fingerprint query duration_ms wait_ms rows sqlstate message conn_id bytes");
  }
  EXPECT_EQ(columns_of("queries"),
            "instance_id pool fingerprint query calls errors total_ms min_ms max_ms p50_ms p99_ms rows bytes wait_ms "
            "first_seen last_seen repeats_max repeated_leases");
  EXPECT_EQ(columns_of("targets"),
            "instance_id pool pool_group role target serving lag_ms lsn size in_use waiting reads_total errors_total "
            "last_checked_at left_out_since why");
  EXPECT_EQ(columns_of("insights"),
            "instance_id pool severity subject finding evidence advice option_name option_value");
  EXPECT_EQ(columns_of("tags"),
            "instance_id pool tag in_use waiting samples_total held_ms_total waited_ms_total longest_ms last_seen");
  EXPECT_EQ(columns_of("metrics"), "name prometheus_name instrument unit attribute source history meaning");
  EXPECT_EQ(columns_of("segments"),
            "path pool instance_id status layout_version size_bytes owner mode message controllable");
  EXPECT_EQ(relations_catalogue().size(), 28u);
  EXPECT_EQ(find_relation("pool"), nullptr);
}

TEST(Catalogue, WritableColumns) {
  std::string writable;
  for (const Relation& relation : relations_catalogue()) {
    for (const Column& column : relation.columns) {
      if (!column.setters.empty()) writable += std::string(relation.name) + "." + std::string(column.name) + " ";
    }
  }
  EXPECT_EQ(writable, "pools.state pools.min_size pools.max_size pools.target_size alerts.acked_by settings.value ");
}

// Every text and JSON column of every relation is listed on one side; a new one must be added.
TEST(Catalogue, PrivacyOfTextColumns) {
  const auto with = [](Privacy privacy) {
    std::string out;
    for (const Relation& relation : relations_catalogue()) {
      std::string names;
      for (const Column& column : relation.columns) {
        const bool is_of_words = column.type == ColumnType::text || column.type == ColumnType::json;
        EXPECT_TRUE(is_of_words || column.privacy == Privacy::open) << column.name;
        if (is_of_words && column.privacy == privacy) names += " " + std::string(column.name);
      }
      if (!names.empty()) out += std::string(relation.name) + ":" + names + "\n";
    }
    return out;
  };
  EXPECT_EQ(with(Privacy::masked),
            "pools: target db_user\n"
            "pool_stats: last_error notification_error\n"
            "connections: tag last_error\n"
            "leases: tag\n"
            "waiters: tag\n"
            "events: message detail\n"
            "scaling_events: reason actor\n"
            "alerts: acked_by message advice\n"
            "health_checks: message\n"
            "alert_rules: message advice\n"
            "commands: actor arguments message\n"
            "health: issues checks\n"
            "wal: oldest_reader_tag last_error\n"
            "slow_queries: tag query message\n"
            "failed_queries: tag query message\n"
            "queries: query\n"
            "targets: target why\n"
            "insights: finding evidence advice\n"
            "tags: tag\n"
            "segments: path owner message\n");
  EXPECT_EQ(with(Privacy::open),
            "pools: instance_id pool source app host backend state size_source version breaker pooler\n"
            "pool_stats: instance_id pool\n"
            "pool_histograms: instance_id pool metric\n"
            "pool_history: instance_id pool measured_by\n"
            "connections: instance_id pool state\n"
            "leases: instance_id pool\n"
            "waiters: instance_id pool priority\n"
            "events: instance_id pool kind severity\n"
            "scaling_events: instance_id pool cause\n"
            "alerts: instance_id pool rule severity state metric\n"
            "health_checks: instance_id pool check_name status\n"
            "forecasts: instance_id pool model\n"
            "alert_rules: pool rule metric comparison severity instance_id\n"
            "settings: instance_id pool name value unit default_value source applies min max description note\n"
            "commands: instance_id pool verb status\n"
            "help: relation column_name type unit meaning privacy\n"
            "presets: preset option value document note\n"
            "health: instance_id pool status recommendations\n"
            "command_help: command argument type meaning\n"
            "wal: instance_id pool last_checkpoint\n"
            "slow_queries: instance_id pool fingerprint sqlstate\n"
            "failed_queries: instance_id pool fingerprint sqlstate\n"
            "queries: instance_id pool fingerprint\n"
            "targets: instance_id pool pool_group role lsn\n"
            "insights: instance_id pool severity subject option_name option_value\n"
            "tags: instance_id pool\n"
            "metrics: name prometheus_name instrument unit attribute source history meaning\n"
            "segments: pool instance_id status mode\n");
}

TEST(Catalogue, NamesMatchTypeAndUnit) {
  for (const Relation& relation : relations_catalogue()) {
    EXPECT_TRUE(relation.meaning.ends_with('.')) << relation.name;
    for (const Column& column : relation.columns) {
      const std::string where = std::string(relation.name) + "." + std::string(column.name);
      EXPECT_TRUE(column.meaning.ends_with('.')) << where;
      if (column.name.ends_with("_ms")) {
        EXPECT_EQ(column.unit, "ms") << where;
        EXPECT_EQ(column.type, ColumnType::real) << where;
      } else if (column.name.ends_with("_ms_total")) {
        EXPECT_EQ(column.type, ColumnType::real) << where;
      } else if (column.name.ends_with("_total")) {
        EXPECT_EQ(column.type, ColumnType::integer) << where;
      } else if (column.name == "clear_at") {  // a value of the metric, not a moment
        EXPECT_EQ(column.type, ColumnType::real) << where;
      } else if (column.name == "at" || column.name.ends_with("_at")) {
        EXPECT_EQ(column.type, ColumnType::time) << where;
      }
    }
  }
}

TEST(Catalogue, RefusesForeignRelations) {
  std::vector<Row> rows;
  const Relation foreign{"pg_class", "Not ours.", {}};
  EXPECT_EQ(read_relation(foreign, {}, 0, rows).code, Code::not_found);
  EXPECT_TRUE(rows.empty());
}

TEST(Catalogue, HelpShowsEveryColumn) {
  const test::Table help("help", {"/nonexistent", "", ""});
  size_t expected = 0;
  for (const Relation& relation : relations_catalogue()) expected += 1 + relation.columns.size();
  ASSERT_EQ(help.size(), expected);
  EXPECT_EQ(help.at(0, "relation"), test::text("pools"));
  EXPECT_TRUE(is_null(help.at(0, "column_name")));
  EXPECT_TRUE(is_null(help.at(0, "type")));
  EXPECT_EQ(help.at(1, "column_name"), test::text("instance_id"));
  EXPECT_EQ(help.at(1, "type"), test::text("text"));
  EXPECT_TRUE(is_null(help.at(1, "unit")));
  EXPECT_EQ(help.at(17, "column_name"), test::text("oldest_wait_ms"));
  EXPECT_EQ(help.at(17, "type"), test::text("double precision"));
  EXPECT_EQ(help.at(17, "unit"), test::text("ms"));
  EXPECT_TRUE(is_null(help.at(0, "privacy")));
  EXPECT_EQ(help.at(1, "privacy"), test::text("open"));
  EXPECT_EQ(help.at(8, "column_name"), test::text("target"));
  EXPECT_EQ(help.at(8, "privacy"), test::text("masked"));
}

}  // namespace
TEST(CommandHelp, HasARowForEachCommandAndArgument) {
  std::vector<Row> rows;
  find_source("command_help")->add_fixed_rows(rows);
  size_t expected = std::size(kCommands);
  for (const CommandInfo& command : kCommands) expected += command.arguments.size();
  ASSERT_EQ(rows.size(), expected);
  EXPECT_EQ(std::get<std::string>(rows[0][0]), "scale");
  EXPECT_EQ(std::get<std::string>(rows[1][1]), "target_size");
}

}  // namespace tide
