/* Notifications of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/listen.h>
#include <tidepool/error.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace tidepool {

/** What a subscription is told: see TIDE_LISTEN_READY and the other kinds in <tidepool/listen.h>. */
using listen_event = tide_listen_event;

/**
 * A subscription to a channel, from pool::listen(). The destructor ends it: afterwards its function does not run and will not
 * be called; inside the function, that call is the last one.
 */
class subscription {
 public:
  /** Called by one thread at a time, in order; may end the subscription. It must not throw. */
  using function = std::function<void(const listen_event&)>;

  subscription(tide_pool* pool, const std::string& channel, function told)
      : told_(std::make_unique<std::shared_ptr<const function>>(std::make_shared<const function>(std::move(told)))) {
    detail::call(tide_listen, pool, channel.c_str(), &report, told_.get(), &handle_);
  }
  subscription(subscription&& other) noexcept
      : told_(std::move(other.told_)), handle_(std::exchange(other.handle_, {})) {}
  subscription& operator=(subscription&& other) noexcept {
    std::swap(told_, other.told_);
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~subscription() { tide_unlisten(handle_, nullptr); }  // no effect if the pool has been closed

  /** For functions of the C API. */
  tide_subscription native() const noexcept { return handle_; }

 private:
  static void report(void* context, const tide_listen_event* event) noexcept {
    // A copy: the function may destroy the subscription.
    const auto told = *static_cast<const std::shared_ptr<const function>*>(context);
    (*told)(*event);
  }

  std::unique_ptr<std::shared_ptr<const function>> told_;
  tide_subscription handle_{};
};

}  // namespace tidepool
