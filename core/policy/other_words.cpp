#include "policy/other_words.hpp"

namespace tide {
namespace {

using Set = std::optional<std::string_view>;
constexpr Set kNothing;

constexpr OtherWord switching(std::string_view name, std::string_view option, Set when_on, Set when_off,
                              std::string_view note = {}) {
  return {name, WordKind::switch_, option, when_on, when_off, true, note, "", false};
}
constexpr OtherWord ignoring(std::string_view name, std::string_view note) {
  return {name, WordKind::ignored, "", kNothing, kNothing, true, note, "", false};
}
// A feature that is always on: false is an error.
constexpr OtherWord always(std::string_view name, std::string_view note, std::string_view way) {
  return {name, WordKind::ignored, "", kNothing, kNothing, false, note, way, false};
}
constexpr OtherWord placing(std::string_view name, std::string_view key_word, bool is_secret = false) {
  return {name, WordKind::target, key_word, kNothing, kNothing, true, "", "", is_secret};
}

constexpr std::string_view kPoolIsThePoint = "Use max_size=0 to open a connection for each lease.";

constexpr OtherWord kOtherWords[] = {
    switching("optimizeForCloudflareWorkers", "preset", "serverless", kNothing,
              "Selects the preset serverless, unless a preset is specified."),
    switching("healthCheckConfig.enabled", "health_interval", kNothing, "0"),
    switching("enableHealthCheck", "health_interval", kNothing, "0"),
    switching("enableHealthChecks", "health_interval", kNothing, "0"),
    switching("autoRecovery.enabled", "recovery", kNothing, ""),
    switching("enableAutoRecovery", "recovery", kNothing, ""),
    switching("prediction.enabled", "prediction", kNothing, "off"),
    switching("enablePredictiveScaling", "prediction", kNothing, "off"),
    switching("enableLogging", "log", "events", "off"),
    switching("enableStatementPooling", "statement_cache_size", kNothing, "0"),
    switching("usePool", "max_size", kNothing, "0"),
    switching("enableWebhook", "notify_webhook_url", kNothing, ""),

    always("enableEnhancedPool", "Ignored: there is only one kind of pool.", kPoolIsThePoint),
    always("enableMetrics", "Ignored: metrics are always collected.",
           "Use publish=off to publish nothing to other processes."),
    ignoring("metricsIntervalMs", "Ignored: metrics are always current; pool_history has a row for each second."),
    ignoring("reapInterval", "Ignored: connections are closed when they are due, without an interval."),

    placing("host", "host"),
    placing("port", "port"),
    placing("database", "dbname"),
    placing("username", "user"),
    placing("user", "user"),
    placing("password", "password", true),
    placing("dbPath", "sqlite"),
};

}  // namespace

const OtherWord* find_other_word(std::string_view name) {
  for (const OtherWord& word : kOtherWords) {
    if (word.name == name) return &word;
  }
  return nullptr;
}

}  // namespace tide
