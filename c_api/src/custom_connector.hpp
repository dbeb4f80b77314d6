// CustomConnector: a driver that a program registered, seen as a Connector.
//
// The program's calls are synchronous, so step() makes them one at a time, on the keeper; each gets what is left of its
// deadline. A thrown exception must not come out of C callbacks; what comes anyway ends the process, as in any C code.
// Threads: as pool/ports.hpp says.
#pragma once

#include <string>
#include <vector>

#include <tidepool/tidepool.h>

#include "pool/ports.hpp"

namespace tide {

class CustomConnector final : public Connector {
 public:
  CustomConnector(const tide_driver& driver, std::string url, const Clock& clock, uint64_t handle)
      : driver_(driver), url_(std::move(url)), clock_(clock), handle_(handle) {}

  void open(uint32_t slot, Instant now, Instant deadline) override;
  void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) override;
  void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) override;
  void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) override;
  Instant step(Instant now, std::vector<Completion>& out) override;
  void set_policy(const Policy&) override {}

 private:
  struct Work {
    Completion::Kind wanted;
    uint32_t slot;
    Connection* connection;
    std::unique_ptr<Connection> owned;
    Instant deadline;
  };
  void carry_out(Work& work, std::vector<Completion>& out);

  const tide_driver driver_;
  const std::string url_;
  const Clock& clock_;
  const uint64_t handle_;  // of the pool, for CallbackScope
  std::vector<Work> work_;
};

}  // namespace tide
