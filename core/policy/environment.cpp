#include "policy/environment.hpp"

#include <array>

#include "base/text.hpp"
#include "policy/conninfo.hpp"

namespace tide {
namespace {

std::string read_variable(const EnvironmentReader& environment, const std::string& name) {
  const char* const value = environment ? environment(name.c_str()) : nullptr;
  return value != nullptr ? std::string(value) : std::string{};
}

std::string variable_of(const Setting& setting) {
  std::string name = "TIDEPOOL_";
  for (const char c : setting.name) name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return name;
}

}  // namespace

std::vector<GivenOption> options_from_environment(const EnvironmentReader& environment) {
  std::vector<GivenOption> given;
  for (const Setting& setting : settings_catalogue()) {
    const std::string variable = variable_of(setting);
    std::string value = read_variable(environment, variable);
    if (!value.empty()) {
      given.push_back({std::string(setting.name), std::move(value), "environment variable " + variable});
    }
  }
  return given;
}

Result<EnvironmentUrl> url_from_environment(const EnvironmentReader& environment) {
  std::string url = read_variable(environment, "DATABASE_URL");
  if (!trimmed_blanks(url).empty()) return EnvironmentUrl{std::move(url), "environment variable DATABASE_URL"};

  struct Part {
    std::string_view key;
    std::string value;
  };
  std::array<Part, 5> parts = {{{"host", read_variable(environment, "DB_HOST")},
                                {"port", read_variable(environment, "DB_PORT")},
                                {"dbname", read_variable(environment, "DB_NAME")},
                                {"user", read_variable(environment, "DB_USERNAME")},
                                {"password", read_variable(environment, "DB_PASSWORD")}}};
  if (parts[0].value.empty() && parts[2].value.empty()) {
    return Status::error(Code::bad_argument, "no database is named: the URL is empty",
                         "neither DATABASE_URL, DB_HOST nor DB_NAME is set in the environment",
                         "give a URL such as sqlite:///path/file.db or postgresql://host/dbname");
  }
  if (parts[0].value.empty()) parts[0].value = "localhost";
  for (const Part& part : parts) {
    if (part.value.empty()) continue;
    url += (url.empty() ? "" : " ") + std::string(part.key) + "=" + conninfo_quoted(part.value);
  }
  return EnvironmentUrl{std::move(url), "environment variables DB_HOST, DB_PORT, DB_NAME, DB_USERNAME"};
}

}  // namespace tide
