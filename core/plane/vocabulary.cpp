#include "plane/vocabulary.hpp"

namespace tide::vocabulary {
namespace {

constexpr std::string_view kBackends[] = {"postgresql", "sqlite", "custom"};
constexpr std::string_view kPoolStates[] = {"starting", "running",   "paused", "draining",
                                            "degraded", "emergency", "closed"};
constexpr std::string_view kSizeSources[] = {"config", "autoscale", "predicted", "manual",
                                             "burst",  "emergency", "budget"};
constexpr std::string_view kSeverities[] = {"info", "warning", "critical"};
constexpr std::string_view kEventKinds[] = {"pool_open",
                                            "pool_closed",
                                            "connect_error",
                                            "connection_lost",
                                            "validation_failed",
                                            "lease_overdue",
                                            "lease_cancelled",
                                            "lease_revoked",
                                            "leak_suspected",
                                            "transaction_ended",
                                            "scale_up",
                                            "scale_down",
                                            "burst_on",
                                            "burst_off",
                                            "pause",
                                            "resume",
                                            "drain",
                                            "recycle",
                                            "setting_changed",
                                            "command_refused",
                                            "acquire_timeout",
                                            "init",
                                            "stats_reset",
                                            "server_notice"};
constexpr std::string_view kVerbs[] = {"scale",   "burst", "end_burst",        "set",    "pause",      "resume",
                                       "recycle", "drain", "close_connection", "revoke", "reset_stats"};
constexpr std::string_view kCommandStatuses[] = {"queued", "applied", "refused", "expired"};

}  // namespace

std::span<const std::string_view> backends() { return kBackends; }
std::span<const std::string_view> pool_states() { return kPoolStates; }
std::span<const std::string_view> size_sources() { return kSizeSources; }
std::span<const std::string_view> severities() { return kSeverities; }
std::span<const std::string_view> event_kinds() { return kEventKinds; }
std::span<const std::string_view> verbs() { return kVerbs; }
std::span<const std::string_view> command_statuses() { return kCommandStatuses; }

std::string_view word(std::span<const std::string_view> words, uint64_t number) {
  return number < words.size() ? words[number] : std::string_view("unknown");
}

}  // namespace tide::vocabulary
