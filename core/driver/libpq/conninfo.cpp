#include "driver/libpq/conninfo.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "driver/libpq/session_settings.hpp"
#include "policy/parse.hpp"

namespace tide::libpq {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

std::string rotated(const std::string& list, size_t by) {
  std::vector<std::string> items = split_list(list);
  std::rotate(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(by % items.size()), items.end());
  std::string out;
  for (const std::string& item : items) out.append(&item == items.data() ? "" : ",").append(item);
  return out;
}

// A value that libpq would take from the environment or the service file; it must not be overridden.
std::string environment_value(std::string_view key) {
  const Options defaults(PQconndefaults());
  for (const PQconninfoOption* o = defaults.get(); o != nullptr && o->keyword != nullptr; ++o) {
    if (key == o->keyword && o->val != nullptr) return o->val;
  }
  return {};
}

// As startup options instead of SET: no round trip, and RESET ALL restores them. They precede those of the target, so that
// the latter apply.
std::string policy_options(const Policy& policy) {
  std::string out;
  for (const auto& [name, value] : session_settings(policy)) {
    out.append("-c ").append(name).append("=").append(value).append(" ");
  }
  return out;
}

std::string seconds(Span span) { return std::to_string(std::max<int64_t>(1, span.ms() / 1000)); }

}  // namespace

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> out(1);
  for (const char c : list) {
    if (c == ',') {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

Result<ConnectWords> ConnectWords::parse(const std::string& connect_text) {
  char* why = nullptr;
  const Options options(PQconninfoParse(connect_text.c_str(), &why));
  const std::string message = why == nullptr ? "out of memory" : without_password(why);
  PQfreemem(why);
  if (options == nullptr) {
    return Status::error(Code::bad_argument,
                         "libpq rejected the connection string: " + message.substr(0, message.find('\n')), "",
                         "See \"Connection Strings\" in the PostgreSQL documentation.");
  }
  ConnectWords out;
  for (const PQconninfoOption* o = options.get(); o->keyword != nullptr; ++o) {
    if (o->val != nullptr) out.given_.emplace_back(o->keyword, o->val);
  }
  return out;
}

const std::string* ConnectWords::find(std::string_view key) const {
  for (const auto& [name, value] : given_) {
    if (name == key) return &value;
  }
  return nullptr;
}

size_t ConnectWords::hosts() const {
  const std::string* list = find("hostaddr");
  if (list == nullptr) list = find("host");
  return list == nullptr ? 1 : split_list(*list).size();
}

Words ConnectWords::words(const Policy& policy, const std::string& application, size_t rotation,
                          const std::string* password, StartupOptions sent) const {
  Words out;
  const auto add_default = [&](const char* key, std::string value) {
    if (find(key) == nullptr) out.emplace_back(key, std::move(value));
  };
  for (const auto& [key, value] : given_) {
    if (key == "password" && password != nullptr) continue;
    const bool is_list = key == "host" || key == "hostaddr" || (key == "port" && split_list(value).size() > 1);
    out.emplace_back(key, is_list ? rotated(value, rotation) : value);
  }
  if (password != nullptr) out.emplace_back("password", *password);
  add_default("fallback_application_name", application.substr(0, 63));
  if (environment_value("client_encoding").empty()) add_default("client_encoding", "UTF8");
  if (policy.keepalive) {
    // Three probes at intervals of a third of the idle time: a dead peer is detected after twice keepalive_idle.
    const Span apart = Span::nanos(policy.keepalive_idle.ns() / 3);
    add_default("keepalives", "1");
    add_default("keepalives_idle", seconds(policy.keepalive_idle));
    add_default("keepalives_interval", seconds(apart));
    add_default("keepalives_count", "3");
    add_default("tcp_user_timeout", std::to_string(2 * policy.keepalive_idle.ms()));
  } else {
    add_default("keepalives", "0");
  }
  std::string options = sent == StartupOptions::all ? policy_options(policy) : std::string();
  if (sent == StartupOptions::targets || !options.empty()) options += target_options();
  if (options.empty() && sent != StartupOptions::none) return out;
  std::erase_if(out, [](const auto& word) { return word.first == "options"; });
  if (!options.empty()) {
    out.emplace_back("options", options);
  } else if (!environment_value("options").empty()) {
    // libpq treats an empty value as not set and uses the environment, but not within a connection string.
    out.insert(out.begin(), no_options());
  }
  return out;
}

std::string ConnectWords::target_options() const {
  const std::string* given = find("options");
  return given != nullptr ? *given : environment_value("options");
}

pg_conn* start_connecting(const Words& words) {
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : words) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  const bool is_expanded = !words.empty() && words.front() == ConnectWords::no_options();
  return PQconnectStartParams(keys.data(), values.data(), is_expanded ? 1 : 0);
}

}  // namespace tide::libpq
