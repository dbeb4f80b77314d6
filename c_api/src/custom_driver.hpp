// CustomDriver: calls a driver that a program registered.
//
// C callbacks must not throw; an exception that leaves one ends the process, as in any C code.
// Threads: see driver/threaded/blocking_driver.hpp. Failure: as reported by the driver's messages.
#pragma once

#include <string>

#include <tidepool/tidepool.h>

#include "driver/threaded/blocking_driver.hpp"

namespace tide {

class CustomDriver final : public BlockingDriver {
 public:
  // `handle` is that of the pool for which the program's functions are called.
  CustomDriver(const tide_driver& driver, std::string url, const Clock& clock, uint64_t handle)
      : driver_(driver), url_(std::move(url)), clock_(clock), handle_(handle) {}

  Opened open(Instant deadline) override;
  Status validate(Connection& session, Instant deadline) override;
  Status reset(Connection& session, ResetMode mode, Instant deadline) override;
  std::string whose() const override { return "the driver's"; }
  std::string hint() const override {
    return "Functions of a driver must return by their deadline; its context remains in use until then.";
  }
  bool may_overlap() const noexcept override { return (driver_.flags & TIDE_DRIVER_CONCURRENT) != 0; }

 private:
  int64_t ms_left(Instant deadline) const;

  const tide_driver driver_;
  const std::string url_;
  const Clock& clock_;
  const uint64_t handle_;
};

}  // namespace tide
