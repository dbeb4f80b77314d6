#include <filesystem>

#include "base/text.hpp"
#include "policy/target.hpp"
#include "policy/url.hpp"

namespace tide {
namespace {

constexpr std::string_view kMemory = ":memory:";

Status bad_path(const std::string& what, std::string hint) {
  return Status::error(Code::bad_argument, what,
                       "Accepted are sqlite:///absolute/path.db, sqlite:relative.db and sqlite::memory:.",
                       std::move(hint));
}

Status unknown_parameter(const QueryParameter& parameter) {
  if (lacks_prefix(parameter.name)) return missing_prefix(parameter.name);
  return Status::error(Code::bad_argument, "unknown parameter " + in_quotes(parameter.name) + " in an SQLite URL",
                       "Accepted are mode=ro, mode=rwc, immutable=1 and tidepool.<option>=.",
                       "Write a \"?\" in a file name as %3F, after sqlite:.");
}

// Parameters of SQLite that determine how a file is opened. mode=rwc is the default of a pool.
Status take_access(const QueryParameter& parameter, std::vector<GivenOption>& options) {
  const bool is_read_only = parameter.name == "mode" && parameter.value == "ro";
  const bool is_immutable = parameter.name == "immutable" && parameter.value == "1";
  if (is_read_only || is_immutable) {
    const std::string_view access = is_immutable ? "immutable" : "read_only";
    for (GivenOption& option : options) {
      if (option.name != "sqlite_access" || option.where.empty()) continue;
      if (is_immutable) option.value = access;  // of mode=ro&immutable=1 the stronger applies
      return Status::ok();
    }
    options.push_back({"sqlite_access", std::string(access), "URL parameter " + parameter.name});
    return Status::ok();
  }
  const bool says_default = (parameter.name == "mode" && parameter.value == "rwc") ||
                            (parameter.name == "immutable" && parameter.value == "0");
  if (says_default) return Status::ok();
  if (parameter.name != "mode" && parameter.name != "immutable") return unknown_parameter(parameter);
  return Status::error(
      Code::bad_argument, "invalid value for parameter " + in_quotes(parameter.name) + " in an SQLite URL",
      "Accepted are mode=ro, mode=rwc, immutable=0 and immutable=1.", "Write a database in memory as sqlite::memory:.");
}

// The path is made absolute at once, because it would denote another file after chdir() and in other processes.
Result<std::string> absolute_path(const std::string& path) {
  if (path.empty())
    return bad_path("the SQLite URL does not specify a file", "Write a database in memory as sqlite::memory:.");
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (error) return Status::error(Code::unavailable, "could not determine the working directory: " + error.message());
  if (!absolute.has_filename()) return bad_path("the SQLite URL specifies a directory", "Add the name of the file.");
  if (absolute.filename() == kMemory) {
    return bad_path("\":memory:\" after a path is not a database in memory", "Write sqlite::memory:.");
  }
  return absolute.string();
}

Result<ParsedTarget> make_target(const std::string& path, std::string_view query_text) {
  Result<SplitQuery> query = split_query(query_text);
  if (!query) return query.take_status();
  ParsedTarget parsed;
  parsed.options = std::move(query->options);
  for (const QueryParameter& parameter : query->others) {
    if (Status status = take_access(parameter, parsed.options); !status) return status;
  }
  parsed.target.backend = Backend::sqlite;
  parsed.target.scheme = "sqlite";
  if (path == kMemory) {
    parsed.target.connect_text = std::string(kMemory);
  } else {
    Result<std::string> absolute = absolute_path(path);
    if (!absolute) return absolute.take_status();
    parsed.target.connect_text = absolute.take();
  }
  parsed.target.shown = parsed.target.connect_text;
  return parsed;
}

std::string_view query_of(std::string_view text) {
  const size_t mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view{} : text.substr(mark + 1);
}

}  // namespace

Result<ParsedTarget> parse_sqlite_url(std::string_view text) {
  std::string_view path = text.substr(0, text.find('?'));
  if (path.starts_with("//")) {
    if (!path.starts_with("///")) {
      return bad_path("the SQLite URL has two slashes after the scheme",
                      "Write three slashes before an absolute path (sqlite:///path/file.db), and none before a "
                      "relative one (sqlite:file.db).");
    }
    path.remove_prefix(2);
  }
  const auto decoded = percent_decoded(path);
  if (!decoded) {
    return bad_path("the path in the SQLite URL is not valid percent-encoded UTF-8", "Write \"%\" as %25.");
  }
  return make_target(*decoded, query_of(text));
}

Result<ParsedTarget> parse_sqlite_path(std::string_view text) {
  return make_target(std::string(text.substr(0, text.find('?'))), query_of(text));
}

}  // namespace tide
