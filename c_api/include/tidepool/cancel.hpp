/* Cancelling calls from another thread. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/cancel.h>
#include <tidepool/error.hpp>

#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

namespace tidepool {

/**
 * What cancels calls: `pool.with({.cancel = gone}).query("select ...")`, while another thread may call gone.trip(). One for any number of
 * calls, requests and transactions of any number of pools: see tide_cancel_token. They throw a cancelled_error.
 *
 * It must exist until the calls have returned; coroutines and open transactions may outlive it.
 */
class cancel_source {
 public:
  cancel_source() : own_(std::make_unique<state>()) { detail::call(tide_cancel_token_new, &own_->token); }
  /** Is tripped when a stop is requested: `cancel_source gone(stop_token)`. */
  explicit cancel_source(std::stop_token stop) : cancel_source() {
    own_->on_stop.emplace(std::move(stop), tripper{own_->token});
  }
  cancel_source(cancel_source&&) noexcept = default;
  cancel_source& operator=(cancel_source&&) noexcept = default;

  /** Cancel what uses it; callbacks of what waited for a connection may be called before this returns. It stays tripped. */
  void trip() noexcept { tide_cancel_token_trip(own_->token); }
  bool is_tripped() const noexcept { return tide_cancel_token_is_tripped(own_->token) != 0; }

  /** For functions of the C API. */
  tide_cancel_token* native() const noexcept { return own_->token; }

 private:
  struct tripper {
    tide_cancel_token* token;
    void operator()() const noexcept { tide_cancel_token_trip(token); }
  };
  struct state {
    state() = default;
    state(const state&) = delete;
    state& operator=(const state&) = delete;
    ~state() {
      on_stop.reset();  // waits for a tripper that runs
      tide_cancel_token_free(token);
    }
    tide_cancel_token* token = nullptr;
    std::optional<std::stop_callback<tripper>> on_stop;
  };

  std::unique_ptr<state> own_;
};

/** A cancel_source in options; none by default. */
class cancel_token {
 public:
  constexpr cancel_token() noexcept = default;
  cancel_token(const cancel_source& source) noexcept : native_(source.native()) {}
  constexpr explicit cancel_token(tide_cancel_token* native) noexcept : native_(native) {}

  constexpr tide_cancel_token* native() const noexcept { return native_; }

 private:
  tide_cancel_token* native_ = nullptr;
};

}  // namespace tidepool
