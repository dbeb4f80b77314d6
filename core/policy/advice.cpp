#include "policy/advice.hpp"

#include "base/units.hpp"
#include "policy/catalogue.hpp"

namespace tide {
namespace {

// A value at or beyond `bound` is rarely useful, according to "Connection Pooling Configuration" and "Database Connection
// Pooling Feature". Zero has a special meaning and is never reported.
struct BadValue {
  std::string_view option;
  bool is_too_high;
  std::string_view bound;  // as the option's values are written
  std::string_view why;
  std::string_view hint;
};
constexpr BadValue kBadValues[] = {
    {"max_size", true, "1000",
     "A server executes far fewer statements at the same time; more connections only cost memory and time there.",
     "Start with 10 to 50, and watch wait_p99_ms in pool_stats."},
    {"min_size", true, "100", "This many connections are kept open even without load.",
     "Start with 2 to 10; the pool opens more when they are needed."},
    {"idle_timeout", false, "1s", "Connections may be closed and reopened between two requests.",
     "30s or more is common."},
    {"connect_timeout", false, "100ms", "A server that is busy for a moment is considered unavailable.",
     "2s or more is common."},
    {"connect_timeout", true, "1min", "It takes this long to detect that a server is unavailable.",
     "2s to 10s is common."},
    {"acquire_timeout", false, "1s", "Callers time out in a short queue that would have served them.",
     "2s to 10s is common."},
    {"acquire_timeout", true, "2min", "Callers block this long if the database is unavailable.",
     "2s to 30s is common."},
    {"statement_timeout", false, "1s", "Statements that are occasionally slow are cancelled.", "30s is common."},
    {"statement_timeout", true, "5min", "A statement that hangs occupies its connection this long.", "30s is common."},
    {"query_timeout", false, "1s", "Statements that are occasionally slow are abandoned.", "30s is common."},
    {"query_timeout", true, "5min", "A statement that hangs occupies its connection this long.", "30s is common."},
};

std::string text_of(const Policy& policy, const Setting& setting) {
  return std::string(setting.name) + " " + format_value(policy, setting);
}

// The value as a number, to compare it with another value of the same option.
double size_of(const Setting& setting, std::string_view value) {
  Policy policy;
  if (!assign_value(policy, setting, value)) return 0;
  const Member& member = member_of(setting);
  if (const auto* const span = std::get_if<Span Policy::*>(&member)) return (policy.**span).seconds_exact();
  if (const auto* const number = std::get_if<int64_t Policy::*>(&member)) return static_cast<double>(policy.**number);
  return 0;
}

void add_bad_values(const ParsedOptions& parsed, const Setting& setting, std::vector<Finding>& out) {
  const double value = size_of(setting, format_value(parsed.policy, setting));
  for (const BadValue& bad : kBadValues) {
    if (bad.option != setting.name || value == 0) continue;
    const double bound = size_of(setting, bad.bound);
    if (bad.is_too_high ? value < bound : value > bound) continue;
    out.push_back({Finding::Kind::advice,
                   Status::error(Code::bad_option,
                                 text_of(parsed.policy, setting) + " is very " +
                                     (setting.kind == SettingKind::duration ? (bad.is_too_high ? "long" : "short")
                                                                            : (bad.is_too_high ? "high" : "low")),
                                 std::string(bad.why), std::string(bad.hint))});
  }
}

}  // namespace

std::string_view backend_name(Backend backend) {
  switch (backend) {
    case Backend::postgresql: return "postgresql";
    case Backend::sqlite: return "sqlite";
    case Backend::custom: return "custom";
  }
  return "unknown";
}

std::vector<Finding> advise(const ParsedOptions& parsed, bool has_target) {
  std::vector<Finding> findings;
  std::vector<Finding> notes;
  const std::span<const Setting> settings = settings_catalogue();
  for (size_t i = 0; i < settings.size(); ++i) {
    if (parsed.sources[i] <= SettingSource::preset) continue;
    add_bad_values(parsed, settings[i], findings);
    const bool is_about_target = needs(settings[i], "backend", "postgresql") || needs(settings[i], "backend", "sqlite");
    if (is_about_target && !has_target) continue;
    const std::string why = why_without_effect(parsed.policy, backend_name(parsed.target.backend), settings[i]);
    if (why.empty()) continue;
    notes.push_back(
        {Finding::Kind::note, Status::error(Code::bad_option, text_of(parsed.policy, settings[i]) + ": " + why)});
  }
  for (const SettingNote& note : parsed.notes) {
    notes.push_back({Finding::Kind::note, Status::error(Code::bad_option, note.name + ": " + note.value,
                                                        std::string(note_of_word(note.name)))});
  }
  findings.insert(findings.end(), notes.begin(), notes.end());
  return findings;
}

}  // namespace tide
