#include "policy/other_words.hpp"

#include <span>

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
// Something that is always so here: false cannot be had.
constexpr OtherWord always(std::string_view name, std::string_view note, std::string_view way) {
  return {name, WordKind::ignored, "", kNothing, kNothing, false, note, way, false};
}
constexpr OtherWord placing(std::string_view name, std::string_view key_word, bool is_secret = false) {
  return {name, WordKind::target, key_word, kNothing, kNothing, true, "", "", is_secret};
}
constexpr OtherWord hidden(OtherWord word) {
  word.is_secret = true;
  return word;
}

constexpr std::string_view kPoolIsThePoint =
    "a pool is what this opens; where none is wanted, connect with the driver itself";
constexpr std::string_view kNoQueryCache = "results are not cached: every statement asks the database";
constexpr std::string_view kNoWebhook =
    "nothing is sent to a web address: alerts are in the relation alerts, in the log and told to the event callback";

constexpr OtherWord kOtherWords[] = {
    switching("optimizeForCloudflareWorkers", "preset", "serverless", kNothing,
              "it chooses the preset serverless, but for a preset that is named"),
    switching("healthCheckConfig.enabled", "health_interval", kNothing, "0"),
    switching("enableHealthCheck", "health_interval", kNothing, "0"),
    switching("enableHealthChecks", "health_interval", kNothing, "0"),
    switching("autoRecovery.enabled", "recovery", kNothing, ""),
    switching("enableAutoRecovery", "recovery", kNothing, ""),
    switching("prediction.enabled", "prediction", kNothing, "off"),
    switching("enablePredictiveScaling", "prediction", kNothing, "off"),
    switching("enableLogging", "log", "events", "off"),

    always("enableEnhancedPool", "this pool has no other form", kPoolIsThePoint),
    always("usePool", "a pool is what this opens", kPoolIsThePoint),
    always("enableMetrics", "everything is always measured",
           "measuring cannot be switched off; plane=off publishes nothing to other processes"),
    ignoring("metricsIntervalMs", "figures are current whenever they are read; pool_history has each second"),
    ignoring("reapInterval", "a connection is closed at the moment it is due"),
    ignoring("retryAttempts",
             "failed connects are tried again until one succeeds, with the pauses of retry_base; callers give up at "
             "acquire_timeout"),
    ignoring("enableQueryCache", kNoQueryCache),
    ignoring("maxCacheSize", kNoQueryCache),
    ignoring("enableStatementPooling", "statements are prepared as the program asks for it"),
    ignoring("enableWebhook", kNoWebhook),
    hidden(ignoring("webhookUrl", kNoWebhook)),
    ignoring("webhookTimeoutMs", kNoWebhook),

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
