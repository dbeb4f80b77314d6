#include "policy/environment.hpp"

#include <algorithm>
#include <array>

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "policy/conninfo.hpp"
#include "policy/given.hpp"
#include "policy/other_words.hpp"

namespace tide {
namespace {

constexpr std::string_view kPrefix = "TIDEPOOL_";

std::string read_variable(const Environment& environment, const std::string& name) {
  const char* const value = environment.read ? environment.read(name.c_str()) : nullptr;
  return value != nullptr ? std::string(value) : std::string{};
}

std::string variable_of(std::string_view option) {
  std::string name(kPrefix);
  for (const char c : option) name.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return name;
}

// A variable of other pools. DEBUG is used by many programs, so it has an effect only with the value used there.
struct OtherVariable {
  const char* name;
  std::string_view option;  // an option's name or another word
  std::string_view only = {};
  std::string_view value = {};
};
constexpr OtherVariable kOtherVariables[] = {
    {"HEALTH_CHECK_INTERVAL", "health_interval"},
    {"DEBUG", "log", "true", "debug"},
    {"ENABLE_POOL_LOGGING", "enableLogging"},
};

// Kubernetes sets "TIDEPOOL_PORT_5432_TCP_ADDR" and the like in every container if there is a service of that name.
bool is_of_kubernetes(std::string_view name) {
  const std::string_view rest = name.substr(kPrefix.size());
  return rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_");
}

}  // namespace

std::vector<GivenOption> options_from_environment(const Environment& environment) {
  std::vector<GivenOption> given;
  const auto is_given = [&](std::string_view option) {
    return std::any_of(given.begin(), given.end(), [&](const GivenOption& g) { return g.name == option; });
  };
  for (const Setting& setting : settings_catalogue()) {
    const std::string variable = variable_of(setting.name);
    std::string value = read_variable(environment, variable);
    if (!value.empty()) {
      given.push_back({std::string(setting.name), std::move(value), "environment variable " + variable});
    }
  }
  for (const OtherVariable& other : kOtherVariables) {
    const std::string value = read_variable(environment, other.name);
    if (value.empty() || (!other.only.empty() && value != other.only)) continue;
    const OtherWord* const word = find_other_word(other.option);
    if (is_given(word != nullptr ? word->option : other.option)) continue;
    given.push_back({std::string(other.option), other.value.empty() ? value : std::string(other.value),
                     "environment variable " + std::string(other.name)});
  }
  return given;
}

void refuse_unknown_variables(const Environment& environment, std::vector<Status>& refusals) {
  // The directory, and variables of the scripts of the examples and tests.
  std::vector<std::string_view> known = {"dir", "library", "extension", "build", "source", "pg_config"};
  for (const Setting& setting : settings_catalogue()) known.push_back(setting.name);
  for (const std::string& name : environment.names) {
    if (!name.starts_with(kPrefix) || is_of_kubernetes(name) || read_variable(environment, name).empty()) continue;
    const auto means_it = [&](std::string_view option) { return variable_of(option) == name; };
    if (std::any_of(known.begin(), known.end(), means_it)) continue;
    const std::string_view nearest = nearest_name(std::string_view(name).substr(kPrefix.size()), known);
    refusals.push_back(Status::error(Code::bad_option, "unknown environment variable " + in_quotes(name),
                                     "The variable of an option is TIDEPOOL_ followed by its name in capitals.",
                                     nearest.empty() ? "Unset it, or see the relation \"settings\" for all options."
                                                     : "Did you mean " + variable_of(nearest) + "?"));
  }
}

Result<EnvironmentUrl> url_from_environment(const Environment& environment) {
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
    return Status::error(Code::bad_argument, "no database specified: the URL is empty",
                         "None of DATABASE_URL, DB_HOST and DB_NAME is set in the environment.",
                         "Specify a URL such as sqlite:///path/file.db or postgresql://host/dbname.");
  }
  if (parts[0].value.empty()) parts[0].value = "localhost";
  for (const Part& part : parts) {
    if (part.value.empty()) continue;
    url += (url.empty() ? "" : " ") + std::string(part.key) + "=" + conninfo_quoted(part.value);
  }
  return EnvironmentUrl{std::move(url), "environment variables DB_HOST, DB_PORT, DB_NAME, DB_USERNAME"};
}

}  // namespace tide
