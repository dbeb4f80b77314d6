#include "drivers.hpp"

#include <cstring>
#include <mutex>
#include <optional>

#include "base/text.hpp"
#include "callbacks.hpp"
#include "custom_driver.hpp"
#include "driver/libpq/connector.hpp"
#include "driver/libpq/listening.hpp"
#include "driver/libpq/target_probe.hpp"
#include "driver/sqlite/connector.hpp"
#include "driver/threaded/connector.hpp"
#include "guard.hpp"
#include "home.hpp"
#include "structs.hpp"

namespace tide {
namespace {

constexpr size_t kDriversMax = 16;

struct Registered {
  std::string scheme;
  tide_driver driver;
};

struct Registry {
  std::mutex mutex;
  std::vector<Registered> drivers;
  static Registry& instance() {
    static Registry* registry = new Registry();
    return *registry;
  }
};

Status check_scheme(const char* scheme) {
  const std::string_view text = scheme == nullptr ? std::string_view{} : std::string_view(scheme, strnlen(scheme, 64));
  const bool is_good = text.size() >= 2 && text.size() <= 30 &&
                       text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == text.npos;
  if (is_good) return Status::ok();
  return Status::error(Code::bad_argument, in_quotes(text) + " is not a valid scheme",
                       "accepted: 2 to 30 lower-case letters and digits");
}

Status register_driver(const char* scheme, const tide_driver* given) {
  if (Status checked = check_scheme(scheme); !checked) return checked;
  tide_driver driver = TIDE_DRIVER_INIT;
  if (given == nullptr) return Status::error(Code::bad_argument, "driver is NULL");
  if (Status read = read_struct(given, "tide_driver", driver); !read) return read;
  if (driver.open == nullptr || driver.close == nullptr) {
    return Status::error(Code::bad_argument, "functions open and close are required",
                         "validate, reset and cancel may be NULL");
  }
  if ((driver.flags & ~uint64_t{TIDE_DRIVER_CONCURRENT}) != 0) {
    return Status::error(Code::bad_argument, "flags contains unknown bits", "accepted: 0 or TIDE_DRIVER_CONCURRENT");
  }
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  bool is_taken = false;
  for (const char* own : {"sqlite", "postgresql", "postgres"}) is_taken = is_taken || std::strcmp(own, scheme) == 0;
  for (const Registered& other : registry.drivers) is_taken = is_taken || other.scheme == scheme;
  if (is_taken)
    return Status::error(Code::refused, "scheme \"" + std::string(scheme) + "\" is already registered", "",
                         "choose another one");
  if (registry.drivers.size() >= kDriversMax) return Status::error(Code::refused, "16 drivers are already registered");
  registry.drivers.push_back({scheme, driver});
  lend_private_pools();
  return Status::ok();
}

std::optional<tide_driver> find_driver(const std::string& scheme) {
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  for (const Registered& r : registry.drivers) {
    if (r.scheme == scheme) return r.driver;
  }
  return std::nullopt;
}

std::function<Status(std::string&)> credentials_of(const std::shared_ptr<Callbacks>& callbacks) {
  if (!callbacks->has_credentials()) return nullptr;
  return [callbacks](std::string& password) { return callbacks->ask_credential(password); };
}

// The sessions of a group are only with servers of its role: no write reaches a standby, no read a promoted one.
std::string session_attrs_of(TargetRole role) {
  switch (role) {
    case TargetRole::primary: return "primary";
    case TargetRole::replica: return "standby";
    case TargetRole::single: break;
  }
  return {};
}

}  // namespace

void hold_drivers_for_fork() noexcept { Registry::instance().mutex.lock(); }

void release_drivers_after_fork() noexcept { Registry::instance().mutex.unlock(); }

std::vector<std::string> registered_schemes() {
  Registry& registry = Registry::instance();
  const std::lock_guard lock(registry.mutex);
  std::vector<std::string> out;
  for (const Registered& r : registry.drivers) out.push_back(r.scheme);
  return out;
}

Result<std::unique_ptr<Connector>> make_connector(const Target& target, const Policy& policy, const Clock& clock,
                                                  const std::string& application,
                                                  const std::shared_ptr<Callbacks>& callbacks, uint64_t handle,
                                                  TargetRole role) {
  switch (target.backend) {
    case Backend::sqlite:
      if (Status checked = check_sqlite_target(target.connect_text); !checked) return checked;
      if (target.connect_text == ":memory:") return make_sqlite_connector(target.connect_text, policy, clock);
      return make_threaded_sqlite_connector(target.connect_text, policy, clock);
    case Backend::postgresql:
      return make_postgresql_connector(
          {target.connect_text, application, credentials_of(callbacks), session_attrs_of(role)}, policy, clock);
    case Backend::custom: break;
  }
  if (const std::optional<tide_driver> driver = find_driver(target.scheme)) {
    return make_threaded_connector(std::make_unique<CustomDriver>(*driver, target.connect_text, clock, handle), clock);
  }
  return Status::error(Code::unsupported, "no driver for \"" + target.scheme + "\"");
}

ListeningMaker make_listening(const Target& target, const std::string& application,
                              const std::shared_ptr<Callbacks>& callbacks) {
  if (target.backend != Backend::postgresql) return nullptr;
  return [to = PostgresqlTarget{target.connect_text, application, credentials_of(callbacks)}](const Policy& policy) {
    return make_postgresql_listening_port(to, policy);
  };
}

std::unique_ptr<TargetProbe> make_probe(const Target& target, const Policy& policy, const Clock& clock,
                                        const std::string& application, const std::shared_ptr<Callbacks>& callbacks,
                                        TargetRole role) {
  return make_postgresql_probe({target.connect_text, application, credentials_of(callbacks), session_attrs_of(role)},
                               policy, clock);
}

}  // namespace tide

tide_status tide_register_driver(const char* scheme, const tide_driver* driver, tide_error* err) {
  return tide::guarded(err, [&] { return tide::register_driver(scheme, driver); });
}
