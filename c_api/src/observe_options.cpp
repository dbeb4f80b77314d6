// tide_option_check, tide_duration_parse, tide_default_directory: functions that do not need a pool.
#include <tidepool/observe.h>

#include <cstring>
#include <memory>

#include "base/text.hpp"
#include "base/units.hpp"
#include "cursor.hpp"
#include "guard.hpp"
#include "policy/parse.hpp"
#include "policy/settings.hpp"
#include "segment/directory.hpp"
#include "segment/local_pools.hpp"
#include "surroundings.hpp"

using namespace tide;

tide_status tide_option_check(const char* name, const char* value, const char** current_name, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (name == nullptr) return Status::error(Code::bad_argument, "name is NULL");
    const Setting* setting = find_setting(name);
    if (setting == nullptr) return unknown_option(name);
    if (value != nullptr) {
      Policy policy;
      if (Status assigned = assign_value(policy, *setting, value); !assigned) return assigned;
    }
    // The catalogue's names are literals, so they are NUL-terminated.
    if (current_name != nullptr) *current_name = setting->name.data();
    return Status::ok();
  });
}

namespace {

constexpr Column kFindingColumns[] = {
    {"kind", ColumnType::text, "", "error, advice or note.", Privacy::open},
    {"message", ColumnType::text, "", "Message, naming the option and its value.", Privacy::open},
    {"detail", ColumnType::text, "", "Accepted values, or the reason.", Privacy::open},
    {"hint", ColumnType::text, "", "Recommended change.", Privacy::open},
};
constexpr Relation kFindings{"findings", "Errors, advice and notes about options.", kFindingColumns};

Value text_or_null(const std::string& text) { return text.empty() ? Value{} : Value(text); }

}  // namespace

tide_status tide_options_check(const char* url, const char* options, tide_cursor** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr)
      return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_cursor *");
    const std::string_view text = options == nullptr ? "" : options;
    std::vector<Finding> findings;
    if (url == nullptr) {
      findings = check_options(std::nullopt, text, {}, Environment());
    } else {
      findings = check_options(url, text, local_pools().schemes(), process_environment());
    }
    auto cursor = std::make_unique<tide_cursor>();
    cursor->relation = &kFindings;
    for (const Finding& finding : findings) {
      cursor->rows.push_back({Value(std::string(finding_word(finding.kind))), Value(finding.about.message()),
                              text_or_null(finding.about.detail()), text_or_null(finding.about.hint())});
    }
    cursor->texts.resize(std::size(kFindingColumns));
    *out = cursor.release();
    return Status::ok();
  });
}

tide_status tide_duration_parse(const char* text, int64_t* microseconds, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (text == nullptr) return Status::error(Code::bad_argument, "text is NULL", "", "such as \"30s\"");
    if (microseconds == nullptr) return Status::error(Code::bad_argument, "microseconds is NULL");
    const auto span = parse_span(text);
    if (!span) {
      return Status::error(Code::bad_argument, in_quotes(text) + " is not a duration",
                           "accepted: a number with us, ms, s, min, h or d, or bare milliseconds; whole microseconds",
                           "write for example 500ms, 30s, 5min, 1h or 2d");
    }
    *microseconds = span->ns() / 1000;
    return Status::ok();
  });
}

tide_status tide_default_directory(char* path, size_t bytes, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (path == nullptr) return Status::error(Code::bad_argument, "path is NULL");
    const std::string directory = resolve_directory("");
    if (bytes <= directory.size()) {
      return Status::error(Code::bad_argument, "bytes is " + std::to_string(bytes),
                           "this directory needs " + std::to_string(directory.size() + 1), "4096 is always enough");
    }
    std::memcpy(path, directory.c_str(), directory.size() + 1);
    return Status::ok();
  });
}
