// ConnectWords: the parameters for libpq: those of the target, and those of the policy that the target does not set.
//
// Threads: a value. Failure: parse() and words() return a Status that never contains a password.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "policy/policy.hpp"

struct pg_conn;

namespace tide::libpq {

// Which session settings are sent as startup options.
enum class StartupOptions : uint8_t {
  all,      // those of the policy and of the target
  targets,  // those of the target only
  none,
};

// The elements of a comma-separated list, such as that of hosts; empty ones are kept.
std::vector<std::string> split_list(std::string_view list);

// Keys and values of parameters.
using Words = std::vector<std::pair<std::string, std::string>>;

class ConnectWords {
 public:
  // `connect_text` is a URL or keywords, as for libpq.
  static Result<ConnectWords> parse(const std::string& connect_text);

  // Keys and values of all parameters. `rotation` rotates the list of hosts, because libpq would spend all of the time on a
  // first host that does not respond. `password` replaces that of the target. For start_connecting().
  Words words(const Policy& policy, const std::string& application, size_t rotation, const std::string* password,
              StartupOptions sent = StartupOptions::all) const;
  // The first of the words, if libpq must take no options from the environment: a dbname that is a connection string.
  static Words::value_type no_options() { return {"dbname", "options=''"}; }
  // The startup options of the target, or of the environment.
  std::string target_options() const;
  size_t hosts() const;
  // Unless the target sets it.
  void set_default(const std::string& key, const std::string& value) {
    if (find(key) == nullptr) given_.emplace_back(key, value);
  }

 private:
  const std::string* find(std::string_view key) const;
  Words given_;
};

// Begins a connection with the words of a ConnectWords, which the caller owns; nullptr: no memory. It reads files, and looks up
// the first name.
pg_conn* start_connecting(const Words& words);

}  // namespace tide::libpq
