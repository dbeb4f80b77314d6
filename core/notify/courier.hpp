// Courier: one delivery over HTTP at a time.
//
// Redirects are not followed, because a signature and its body belong to the configured receiver: they count as
// failures. At most kAnswerBytesMax bytes of an answer are read; none is kept. Between two deliveries nothing is open.
// No error contains anything of the URL but its origin: what libcurl would say may contain the rest.
// Threads: post() one at a time; close_in_child() in a forked child.
// Failure: described in `error`; a result without a status.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <string>

#include "notify/http_library.hpp"
#include "notify/outbox.hpp"
#include "os/clock.hpp"
#include "os/descriptor.hpp"

namespace tide {

class Courier {
 public:
  static constexpr size_t kAnswerBytesMax = 64 * 1024;

  Courier(const HttpLibrary& library, std::string url, Span timeout);

  // Ends early when `give_up` says so; it is asked whenever `wake` rings, and at least once a second.
  DeliveryResult post(const Letter& letter, const Clock& clock, const Bell& wake,
                      const std::function<Instant()>& give_up, std::string& error);
  // The sockets that the parent has open, in its child.
  void close_in_child() noexcept;

 private:
  class Transfer;
  // Up to two while the addresses of a host are tried, and one for its name.
  std::array<std::atomic<int>, 4> sockets_;

  const HttpLibrary& library_;
  const std::string url_;
  const Span timeout_;
};

}  // namespace tide
