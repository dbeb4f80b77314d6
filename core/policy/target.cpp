#include "policy/target.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "policy/conninfo.hpp"
#include "policy/url.hpp"

namespace tide {
namespace {

constexpr std::string_view kForms =
    "Accepted are sqlite:///path/file.db, sqlite::memory:, a path that ends in .db, .sqlite or .sqlite3, "
    "postgresql://host/dbname, and libpq keywords such as \"host=... dbname=...\".";

bool is_sqlite_file(std::string_view text) {
  const std::string_view path = text.substr(0, text.find('?'));
  return path.ends_with(".db") || path.ends_with(".sqlite") || path.ends_with(".sqlite3");
}

Status unknown_scheme(std::string_view scheme, std::span<const std::string> custom_schemes) {
  std::vector<std::string_view> known = {"sqlite", "postgresql", "postgres"};
  known.insert(known.end(), custom_schemes.begin(), custom_schemes.end());
  std::string detail = "Known schemes are";
  for (const std::string_view name : known) detail += (name == known.front() ? " " : ", ") + std::string(name);
  detail += ".";
  const std::string_view nearest = nearest_name(scheme, known);
  return Status::error(Code::unsupported, "unknown scheme " + in_quotes(scheme) + " in the URL", detail,
                       nearest.empty() ? "Write a file name that contains a colon as ./name."
                                       : "Did you mean \"" + std::string(nearest) + "\"?");
}

// A registered driver receives its URL as given, without the options.
Result<ParsedTarget> parse_custom(std::string_view url, std::string_view scheme) {
  const size_t mark = std::min(url.find('?'), url.size());
  Result<SplitQuery> query = split_query(url.substr(std::min(mark + 1, url.size())));
  if (!query) return query.take_status();
  std::string_view rest = url.substr(scheme.size() + 1, mark - scheme.size() - 1);
  const bool has_slashes = rest.starts_with("//");
  if (has_slashes) rest.remove_prefix(2);

  ParsedTarget parsed;
  const std::string prefix = std::string(scheme) + (has_slashes ? "://" : ":");
  const size_t at = rest.rfind('@');
  if (at != std::string_view::npos) {
    const std::string_view user_info = rest.substr(0, at);
    const auto user = percent_decoded(user_info.substr(0, user_info.find(':')));
    if (!user) {
      return Status::error(Code::bad_argument, "the user name in the URL is not valid percent-encoded UTF-8", {},
                           "Write \"%\", \"@\", \":\" and \"/\" in it as %25, %40, %3A and %2F.");
    }
    parsed.target.user = *user;
    rest.remove_prefix(at + 1);
  }
  parsed.target.backend = Backend::custom;
  parsed.target.scheme = std::string(scheme);
  parsed.target.connect_text = std::string(url.substr(0, mark)) + query->rest();
  parsed.target.shown = without_password(prefix + std::string(rest));
  parsed.options = std::move(query->options);
  return parsed;
}

}  // namespace

Result<ParsedTarget> parse_target(std::string_view url, std::span<const std::string> custom_schemes) {
  if (url.size() > kUrlBytesMax) {
    return Status::error(Code::bad_argument, "the URL is too long (" + std::to_string(url.size()) + " bytes)",
                         "The maximum is " + std::to_string(kUrlBytesMax) + " bytes.");
  }
  if (!is_plain_utf8(url)) {
    return Status::error(Code::bad_argument, "the URL is not valid UTF-8, or contains a NUL byte", std::string(kForms),
                         "Convert it to UTF-8; file names in other encodings are not supported.");
  }
  const std::string_view scheme = scheme_of(url);
  if (scheme == "sqlite") return parse_sqlite_url(url.substr(scheme.size() + 1));
  if (scheme == "postgresql" || scheme == "postgres") return parse_postgresql_url(url);
  for (const std::string& custom : custom_schemes) {
    if (scheme == custom) return parse_custom(url, scheme);
  }
  if (!scheme.empty()) return unknown_scheme(scheme, custom_schemes);
  if (looks_like_conninfo(url)) return parse_postgresql_words(url);
  if (is_sqlite_file(url)) return parse_sqlite_path(url);
  return Status::error(
      Code::bad_argument, "the URL has an unknown format", std::string(kForms),
      url == ":memory:" ? "Write sqlite::memory:." : "Write an SQLite file with another name as sqlite:path.");
}

}  // namespace tide
