// The catalogue as a whole: complete, consistent, and with the documented defaults.
#include <gtest/gtest.h>

#include <set>

#include "base/units.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

struct Documented {
  std::string_view name;
  std::string_view default_text;
};
constexpr Documented kDocumented[] = {
    {"preset", ""},
    {"min_size", "2"},
    {"max_size", "10"},
    {"min_idle", "0"},
    {"grow_step", "2"},
    {"max_connecting", "4"},
    {"burst", "on"},
    {"burst_max_size", "0"},
    {"burst_duration", "1min"},
    {"acquire_timeout", "10s"},
    {"max_waiting", "0"},
    {"reserve_size", "0"},
    {"fairness_window", "1ms"},
    {"connect_timeout", "5s"},
    {"keepalive", "on"},
    {"keepalive_idle", "10s"},
    {"idle_timeout", "10min"},
    {"max_lifetime", "30min"},
    {"lifetime_jitter", "0.1"},
    {"max_uses", "0"},
    {"validation_query", ""},
    {"validation_bypass", "500ms"},
    {"validation_interval", "30s"},
    {"validation_timeout", "2s"},
    {"max_validation_failures", "3"},
    {"retry_base", "200ms"},
    {"retry_max", "10s"},
    {"reset_on_release", "smart"},
    {"lease_timeout", "30s"},
    {"lease_timeout_action", "report"},
    {"leak_threshold", "10s"},
    {"statement_timeout", "30s"},
    {"query_timeout", "30s"},
    {"idle_in_transaction_timeout", "1min"},
    {"statement_cache_size", "128"},
    {"retry_attempts", "3"},
    {"commit_check", "on"},
    {"query_cache", "off"},
    {"query_cache_entries", "1000"},
    {"query_cache_bytes", "16MB"},
    {"query_cache_ttl", "10min"},
    {"query_cache_channel", ""},
    {"slow_query_threshold", "1s"},
    {"query_log_size", "256"},
    {"init_mode", "eager"},
    {"init_timeout", "30s"},
    {"shutdown_timeout", "15s"},
    {"scaling", "on"},
    {"scaling_interval", "1s"},
    {"sizing", "adaptive"},
    {"wait_objective", "10ms"},
    {"wait_objective_share", "0.008"},
    {"prediction", "auto"},
    {"scale_up_utilization", "0.8"},
    {"scale_up_wait", "1s"},
    {"scale_up_periods", "2"},
    {"scale_up_cooldown", "1min"},
    {"scale_down_utilization", "0.3"},
    {"scale_down_periods", "3"},
    {"scale_down_cooldown", "5min"},
    {"breaker", "on"},
    {"breaker_trip_after", "15s"},
    {"breaker_probe_interval", "1s"},
    {"health_interval", "30s"},
    {"health_max_response", "5s"},
    {"health_max_error_rate", "0.05"},
    {"health_min_healthy", "0"},
    {"health_max_utilization", "0.9"},
    {"recovery", "restart_connections,scale_pool"},
    {"recovery_max_attempts", "3"},
    {"emergency", "on"},
    {"emergency_below", "20"},
    {"emergency_max_size", "3"},
    {"alerts", "on"},
    {"alert_utilization", "0.9"},
    {"alert_wait", "5s"},
    {"alert_error_rate", "0.05"},
    {"alert_errors_per_hour", "10"},
    {"alert_waiting", "5"},
    {"alert_health_failure_rate", "0.2"},
    {"alert_memory", "0.8"},
    {"alert_slow_ratio", "0"},
    {"log", "alerts"},
    {"log_format", "key_value"},
    {"log_destination", "stderr"},
    {"notify_webhook_url", ""},
    {"notify_webhook_timeout", "5s"},
    {"notify_webhook_format", "alertmanager"},
    {"notify_webhook_secret", ""},
    {"memory_limit", "0"},
    {"pooler", "auto"},
    {"replica_url", ""},
    {"max_replica_lag", "10s"},
    {"read_your_writes", "off"},
    {"sqlite_access", "read_write"},
    {"sqlite_journal_mode", "wal"},
    {"sqlite_synchronous", "normal"},
    {"sqlite_cache_pages", "1000"},
    {"sqlite_foreign_keys", "on"},
    {"sqlite_temp_store", "memory"},
    {"sqlite_busy_timeout", "5s"},
    {"sqlite_max_read_transaction", "1min"},
    {"sqlite_wal_limit", "64MB"},
    {"publish", "on"},
    {"dir", ""},
    {"history_file", ""},
};

TEST(Catalogue, HasTheDocumentedOptionsInOrderWithTheirDefaults) {
  const auto catalogue = settings_catalogue();
  ASSERT_EQ(catalogue.size(), std::size(kDocumented));
  for (size_t i = 0; i < catalogue.size(); ++i) {
    EXPECT_EQ(catalogue[i].name, kDocumented[i].name);
    EXPECT_EQ(catalogue[i].default_text, kDocumented[i].default_text) << catalogue[i].name;
  }
}

TEST(Catalogue, DefaultTextIsWhatAFreshPolicyFormats) {
  for (const Setting& setting : settings_catalogue()) {
    EXPECT_EQ(setting.default_text, format_value(Policy{}, setting)) << setting.name;
  }
}

TEST(Catalogue, EveryDefaultIsAcceptedAndFreeOfContradictions) {
  EXPECT_TRUE(check_policy(Policy{}));
  for (const Setting& setting : settings_catalogue()) {
    Policy policy;
    const Status status = assign_value(policy, setting, setting.default_text);
    EXPECT_TRUE(status) << setting.name << ": " << status.message();
  }
}

TEST(Catalogue, EveryOptionHasAShortDescription) {
  for (const Setting& setting : settings_catalogue()) {
    ASSERT_FALSE(setting.description.empty()) << setting.name;
    EXPECT_EQ(setting.description.back(), '.') << setting.name;
    EXPECT_LE(setting.description.size(), 160U) << setting.name;
    EXPECT_GE(setting.description.size(), 20U) << setting.name;
  }
}

TEST(Catalogue, UnitAndBoundsFollowTheKind) {
  for (const Setting& setting : settings_catalogue()) {
    SCOPED_TRACE(setting.name);
    switch (setting.kind) {
      case SettingKind::duration:
        EXPECT_EQ(setting.unit, "ms");
        EXPECT_TRUE(parse_span(setting.min_text).has_value());
        EXPECT_TRUE(parse_span(setting.max_text).has_value());
        EXPECT_LE(*parse_span(setting.max_text), Span::seconds(30 * 86'400));
        break;
      case SettingKind::ratio: EXPECT_EQ(setting.unit, "ratio"); break;
      case SettingKind::integer: EXPECT_FALSE(setting.unit.empty()); break;
      case SettingKind::bytes:
        EXPECT_EQ(setting.unit, "bytes");
        EXPECT_TRUE(parse_bytes(setting.max_text).has_value());
        break;
      case SettingKind::boolean:
      case SettingKind::choice: EXPECT_EQ(setting.min_text, ""); [[fallthrough]];
      case SettingKind::text: EXPECT_EQ(setting.unit, "");
    }
    const bool is_number = setting.kind == SettingKind::duration || setting.kind == SettingKind::ratio ||
                           setting.kind == SettingKind::integer || setting.kind == SettingKind::bytes;
    EXPECT_EQ(is_number, !setting.min_text.empty());
    EXPECT_EQ(setting.kind == SettingKind::choice, !setting.choices.empty());
  }
}

// PostgreSQL's and SQLite's own timeouts are 32-bit milliseconds.
TEST(Catalogue, DatabaseTimeoutsFitIntoThirtyTwoBits) {
  for (const std::string_view name :
       {"statement_timeout", "query_timeout", "idle_in_transaction_timeout", "sqlite_busy_timeout"}) {
    EXPECT_LE(parse_span(find_setting(name)->max_text)->ms(), std::numeric_limits<int32_t>::max()) << name;
  }
  EXPECT_EQ(parse_span(find_setting("acquire_timeout")->max_text)->ms(), 86'400'000);
}

TEST(Catalogue, DescriptionsOfDurationsExplainZero) {
  for (const Setting& setting : settings_catalogue()) {
    if (setting.kind != SettingKind::duration || setting.min_text != "0") continue;
    EXPECT_TRUE(contains(setting.description, " 0: ")) << setting.name;
  }
}

TEST(Catalogue, NamesAreUniqueAmongCurrentAndOldNames) {
  std::set<std::string_view> seen;
  for (const Setting& setting : settings_catalogue()) {
    EXPECT_TRUE(seen.insert(setting.name).second) << setting.name;
    for (const std::string_view old_name : setting.old_names) EXPECT_TRUE(seen.insert(old_name).second) << old_name;
  }
}

struct OldName {
  std::string_view old_name;
  std::string_view name;
};
constexpr OldName kOldNames[] = {
    {"environment", "preset"},
    {"minConnections", "min_size"},
    {"min", "min_size"},
    {"poolSize", "min_size"},
    {"maxConnections", "max_size"},
    {"max", "max_size"},
    {"connectionIncrement", "grow_step"},
    {"enableBurstMode", "burst"},
    {"acquireTimeoutMs", "acquire_timeout"},
    {"acquireTimeout", "acquire_timeout"},
    {"acquireTimeoutMillis", "acquire_timeout"},
    {"connectionTimeoutMs", "connect_timeout"},
    {"connectionTimeoutMillis", "connect_timeout"},
    {"keepAlive", "keepalive"},
    {"keepAliveInitialDelayMillis", "keepalive_idle"},
    {"idleTimeoutMs", "idle_timeout"},
    {"idleTimeout", "idle_timeout"},
    {"idleTimeoutMillis", "idle_timeout"},
    {"idleConnectionTimeoutMs", "idle_timeout"},
    {"maxLifetimeMs", "max_lifetime"},
    {"maxConnectionAge", "max_lifetime"},
    {"maxLifetime", "max_lifetime"},
    {"maxUses", "max_uses"},
    {"validationQuery", "validation_query"},
    {"validationIntervalMs", "validation_interval"},
    {"timeoutMs", "validation_timeout"},
    {"healthCheckConfig.timeoutMs", "validation_timeout"},
    {"maxValidationFailures", "max_validation_failures"},
    {"retryDelayMs", "retry_base"},
    {"retryAttempts", "retry_attempts"},
    {"leaseTimeout", "lease_timeout"},
    {"statementTimeout", "statement_timeout"},
    {"queryTimeout", "query_timeout"},
    {"shutdownTimeout", "shutdown_timeout"},
    {"enableQueryCache", "query_cache"},
    {"maxCacheSize", "query_cache_entries"},
    {"ttl", "query_cache_ttl"},
    {"enableAutoScaling", "scaling"},
    {"adaptiveSizingConfig.enabled", "scaling"},
    {"evaluationIntervalMs", "scaling_interval"},
    {"prediction.model", "prediction"},
    {"circuitBreaker", "breaker"},
    {"healthCheckIntervalMs", "health_interval"},
    {"healthCheckInterval", "health_interval"},
    {"healthCheckConfig.intervalMs", "health_interval"},
    {"maxResponseTime", "health_max_response"},
    {"maxErrorRate", "health_max_error_rate"},
    {"minHealthyConnections", "health_min_healthy"},
    {"maxPoolUtilization", "health_max_utilization"},
    {"autoRecovery.strategies", "recovery"},
    {"maxRecoveryAttempts", "recovery_max_attempts"},
    {"recoveryAttempts", "recovery_max_attempts"},
    {"autoRecovery.maxRecoveryAttempts", "recovery_max_attempts"},
    {"emergencyMode.enabled", "emergency"},
    {"emergencyMode.threshold", "emergency_below"},
    {"emergencyMode.maxConnections", "emergency_max_size"},
    {"connectionUtilization", "alert_utilization"},
    {"acquisitionWaitTime", "alert_wait"},
    {"slowQueryThresholdMs", "alert_wait"},
    {"errorRate", "alert_error_rate"},
    {"healthFailureRate", "alert_health_failure_rate"},
    {"monitoringConfig.enabled", "alerts"},
    {"notify_log", "log"},
    {"enableConsoleLogging", "log"},
    {"webhookUrl", "notify_webhook_url"},
    {"webhookTimeoutMs", "notify_webhook_timeout"},
    {"scaleUpThreshold", "scale_up_utilization"},
    {"scaleUp.utilization", "scale_up_utilization"},
    {"scaleUp.waitTime", "scale_up_wait"},
    {"scaleUp.consecutivePeriods", "scale_up_periods"},
    {"scaleUpCooldown", "scale_up_cooldown"},
    {"scaleDownThreshold", "scale_down_utilization"},
    {"scaleDown.utilization", "scale_down_utilization"},
    {"scaleDown.consecutivePeriods", "scale_down_periods"},
    {"scaleDownCooldown", "scale_down_cooldown"},
};

TEST(Catalogue, FindsEveryOldName) {
  size_t count = 0;
  for (const OldName& old : kOldNames) {
    const Setting* const setting = find_setting(old.old_name);
    ASSERT_NE(setting, nullptr) << old.old_name;
    EXPECT_EQ(setting->name, old.name);
  }
  for (const Setting& setting : settings_catalogue()) count += setting.old_names.size();
  EXPECT_EQ(count, std::size(kOldNames)) << "an old name is missing from this table";
}

TEST(Catalogue, OtherNamesAreUnknown) {
  for (const std::string_view name : {"", "MAX_SIZE", "Max_size", "max-size", " max_size", "retryattempts",
                                      "keepalive_", "enabled", "reapInterval", "utilization", "tidepool.max_size"}) {
    EXPECT_EQ(find_setting(name), nullptr) << name;
  }
}

TEST(UnknownOption, SuggestsTheMostSimilarCurrentAndOldName) {
  const Status status = unknown_option("max_conections");
  EXPECT_EQ(status.code, Code::bad_option);
  EXPECT_TRUE(contains(status.message(), "\"max_conections\"")) << status.message();
  EXPECT_TRUE(contains(status.hint(), "max_size")) << status.hint();
  EXPECT_TRUE(contains(status.hint(), "maxConnections")) << status.hint();
  EXPECT_TRUE(contains(unknown_option("maxsize").hint(), "max_size"));
  EXPECT_TRUE(contains(unknown_option("idle_time_out").hint(), "idle_timeout"));
  EXPECT_TRUE(contains(unknown_option("tidepool.max_size").hint(), "prefix"));
}

TEST(UnknownOption, NoSuggestionWithoutASimilarName) {
  EXPECT_EQ(unknown_option("xyzzyplughquux").hint(), "");
  EXPECT_FALSE(unknown_option("").is_ok());
}

TEST(UnknownOption, QuotedTextIsBounded) {
  const Status status = unknown_option(std::string(5000, 'x'));
  EXPECT_LT(status.message().size(), 120U);
  EXPECT_TRUE(contains(status.message(), "..."));
}

TEST(Catalogue, SourcesAndAppliesHaveNames) {
  EXPECT_EQ(word(SettingSource::default_), "default");
  EXPECT_EQ(word(SettingSource::preset), "preset");
  EXPECT_EQ(word(SettingSource::environment), "environment");
  EXPECT_EQ(word(SettingSource::url), "url");
  EXPECT_EQ(word(SettingSource::options), "options");
  EXPECT_EQ(word(SettingSource::manual), "manual");
  EXPECT_EQ(applies_name(Applies::now), "now");
  EXPECT_EQ(applies_name(Applies::new_connections), "new_connections");
  EXPECT_EQ(applies_name(Applies::reopen), "reopen");
}

}  // namespace
}  // namespace tide
