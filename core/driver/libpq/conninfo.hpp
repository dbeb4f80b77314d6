// ConnectWords: what libpq is told at a connect: the target's own words, and the policy's where the target is silent.
//
// Threads: a value. Failure: parse() and words() answer with a Status that never holds a password.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "policy/policy.hpp"

namespace tide::libpq {

// Which settings of the session a connect sends as start-up options.
enum class StartupOptions : uint8_t {
  all,      // the policy's and the target's
  targets,  // the target's alone
  none,
};

// The items of a list with commas, such as that of hosts; empty ones are kept.
std::vector<std::string> split_list(std::string_view list);

class ConnectWords {
 public:
  // `connect_text` is a URL or key words, as libpq takes them.
  static Result<ConnectWords> parse(const std::string& connect_text);

  // Key and value of everything one connect is given. `rotation` begins the list of hosts further behind: libpq itself
  // would spend the whole time on a first host that says nothing. `password` replaces the target's own. The first
  // dbname may be a connection string: PQconnectStartParams() has to be told to expand it.
  std::vector<std::pair<std::string, std::string>> words(const Policy& policy, const std::string& application,
                                                         size_t rotation, const std::string* password,
                                                         StartupOptions sent = StartupOptions::all) const;
  // The dbname that is one.
  static std::pair<std::string, std::string> no_options() { return {"dbname", "options=''"}; }
  // The start-up options of the target itself, or of the environment.
  std::string target_options() const;
  size_t hosts() const;

 private:
  const std::string* find(std::string_view key) const;
  std::vector<std::pair<std::string, std::string>> given_;
};

}  // namespace tide::libpq
