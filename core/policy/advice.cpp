#include "policy/advice.hpp"

#include "base/units.hpp"
#include "policy/catalogue.hpp"

namespace tide {
namespace {

// A value at or beyond `bound` is bad: "Connection Pooling Configuration" and "Database Connection Pooling Feature" name
// these. Zero is a meaning of its own and never bad.
struct BadValue {
  std::string_view option;
  bool is_too_high;
  std::string_view bound;  // as the option's values are written
  std::string_view why;
  std::string_view hint;
};
constexpr BadValue kBadValues[] = {
    {"max_size", true, "1000", "a server works on far fewer at once; the rest only costs memory and time there",
     "begin with 10 to 50, and look at wait_p99_ms in pools"},
    {"min_size", true, "100", "so many connections are kept open without work",
     "begin with 2 to 10; the pool opens more when they are needed"},
    {"idle_timeout", false, "1s", "connections are closed and opened again between two requests",
     "30s or more is common"},
    {"connect_timeout", false, "100ms", "a server that is busy for a moment counts as gone", "2s or more is common"},
    {"connect_timeout", true, "1min", "it takes this long to see that a server is gone", "2s to 10s is common"},
    {"acquire_timeout", false, "1s", "callers give up in a short queue that would have served them",
     "2s to 10s is common"},
    {"acquire_timeout", true, "2min", "callers hang this long when the database is gone", "2s to 30s is common"},
    {"statement_timeout", false, "1s", "statements that are slow once in a while are ended", "30s is common"},
    {"statement_timeout", true, "5min", "a statement that hangs keeps its connection this long", "30s is common"},
    {"query_timeout", false, "1s", "statements that are slow once in a while are given up", "30s is common"},
    {"query_timeout", true, "5min", "a statement that hangs keeps its connection this long", "30s is common"},
};

std::string text_of(const Policy& policy, const Setting& setting) {
  return std::string(setting.name) + " " + format_value(policy, setting);
}

// As a number that grows with it; both are texts of the same option.
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
