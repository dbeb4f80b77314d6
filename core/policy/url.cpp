#include "policy/url.hpp"

#include "base/text.hpp"

namespace tide {
namespace {

Status malformed_parameter(size_t number, const std::string& what) {
  return Status::error(Code::bad_argument, "URL parameter " + std::to_string(number) + " " + what,
                       "Parameters have the form name=value and are separated by \"&\".",
                       "Write \"%\", \"&\", \"#\" and blanks in a value as %25, %26, %23 and %20.");
}

}  // namespace

std::string_view scheme_of(std::string_view url) {
  if (url.empty() || !is_letter(url.front())) return {};
  size_t i = 0;
  while (i < url.size() &&
         (is_letter(url[i]) || is_digit(url[i]) || url[i] == '+' || url[i] == '-' || url[i] == '.' || url[i] == '_'))
    ++i;
  return i < url.size() && url[i] == ':' ? url.substr(0, i) : std::string_view{};
}

std::string SplitQuery::rest() const {
  std::string out;
  for (const QueryParameter& parameter : others) out.append(out.empty() ? "?" : "&").append(parameter.raw);
  return out;
}

Result<SplitQuery> split_query(std::string_view query) {
  SplitQuery split;
  for (size_t number = 1; !query.empty(); ++number) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view raw = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = raw.find('=');
    if (equals == std::string_view::npos) return malformed_parameter(number, "has no \"=\"");
    auto name = percent_decoded(raw.substr(0, equals));
    auto value = percent_decoded(raw.substr(equals + 1));
    if (!name || !value) return malformed_parameter(number, "is not valid percent-encoded UTF-8");
    if (name->empty()) return malformed_parameter(number, "has no name");
    if (name->starts_with(kOptionPrefix)) {
      split.options.push_back({name->substr(kOptionPrefix.size()), std::move(*value), "in the URL"});
    } else {
      split.others.push_back({raw, std::move(*name), std::move(*value)});
    }
  }
  return split;
}

bool lacks_prefix(std::string_view name) { return name != "connect_timeout" && find_setting(name) != nullptr; }

Status missing_prefix(std::string_view name) {
  const std::string known(name);
  return Status::error(Code::bad_argument, "option \"" + known + "\" in the URL lacks the prefix \"tidepool.\"",
                       "Options of the pool in a URL have this prefix.", "Write tidepool." + known + "=...");
}

}  // namespace tide
