// What the tests of this room share: an environment that is a map, and the text of a whole Status.
#pragma once

#include <map>
#include <string>

#include "policy/parse.hpp"

namespace tide::test {

using Variables = std::map<std::string, std::string>;

inline EnvironmentReader reader_of(Variables variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

inline std::string whole_text(const Status& status) {
  return status.message() + " | " + status.detail() + " | " + status.hint();
}

inline Result<ParsedOptions> parse(std::string_view url, std::string_view options = {}, Variables variables = {},
                                   std::span<const std::string> custom_schemes = {}) {
  return parse_options(url, options, custom_schemes, reader_of(std::move(variables)));
}

inline SettingSource source_of(const ParsedOptions& parsed, std::string_view name) {
  return parsed.sources.at(static_cast<size_t>(find_setting(name) - settings_catalogue().data()));
}

inline bool contains(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

}  // namespace tide::test
