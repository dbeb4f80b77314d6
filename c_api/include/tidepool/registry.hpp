/* Registries of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/registry.h>
#include <tidepool/error.hpp>
#include <tidepool/options.hpp>
#include <tidepool/pool.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tidepool {

/**
 * Several pools with shared options, each opened at its first use: `registry.pool("users", "sqlite:///var/lib/users.db")`. The
 * destructor closes them as close() does. Used by any number of threads at once, except for moving and closing.
 */
class registry {
 public:
  /** See tide_registry_open(). */
  explicit registry(const std::string& options = {}) : registry(pool_options{.options = options}) {}
  /** Name and URL are not used. The functions are called for all pools. */
  explicit registry(pool_options shared) : kept_(std::make_unique<pool_options>(std::move(shared))) {
    const tide_pool_options with = detail::native_of(*kept_);
    detail::call(tide_registry_open, kept_->options.c_str(), &with, &handle_);
  }
  registry(registry&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), kept_(std::move(other.kept_)) {}
  registry& operator=(registry&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~registry() { close_with(-1, nullptr); }

  /** The pool of a name, which is opened at the first call: see tide_registry_pool(). */
  pool_view pool(const std::string& name, const std::string& url = {}, const std::string& options = {}) {
    tide_pool* made = nullptr;
    detail::call(tide_registry_pool, handle_, name.c_str(), url.c_str(), options.c_str(), &made);
    return pool_view(made);
  }
  expected<pool_view> try_pool(const std::string& name, const std::string& url = {}, const std::string& options = {}) {
    return attempt([&] { return pool(name, url, options); });
  }
  /** The pool of a target, named after its file or database. */
  pool_view pool_of(const std::string& url, const std::string& options = {}) {
    tide_pool* made = nullptr;
    detail::call(tide_registry_pool, handle_, nullptr, url.c_str(), options.c_str(), &made);
    return pool_view(made);
  }
  /** A pool that is open; opens nothing. Throws an error with the status TIDE_NOT_FOUND. */
  pool_view find(const std::string& name) const {
    tide_pool* made = nullptr;
    detail::call(tide_registry_find, handle_, name.c_str(), &made);
    return pool_view(made);
  }

  /** Drain all pools and close them: see tide_registry_close(). Throws a timeout_error if leases had to be revoked. */
  void close(std::optional<std::chrono::milliseconds> timeout = std::nullopt) {
    tide_error why = TIDE_ERROR_INIT;
    if (close_with(detail::ms_of(timeout), &why) != TIDE_OK) error(why).raise();
  }

  /** For functions of the C API. */
  tide_registry* native() const noexcept { return handle_; }

 private:
  tide_status close_with(int64_t timeout_ms, tide_error* why) noexcept {
    if (handle_ == nullptr) return TIDE_OK;
    const tide_status status = tide_registry_close(handle_, timeout_ms, why);
    if (status == TIDE_BAD_ARGUMENT) return status;  // called by a callback: still open
    handle_ = nullptr;
    // After a timeout callbacks may still be running.
    if (status == TIDE_TIMEOUT && kept_ != nullptr && (kept_->on_event || kept_->on_credential)) {
      static_cast<void>(kept_.release());
    }
    return status;
  }

  tide_registry* handle_ = nullptr;
  std::unique_ptr<pool_options> kept_;  // at an address that the callbacks know
};

}  // namespace tidepool
