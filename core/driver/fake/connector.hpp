// FakeConnector: passes the requests of a pool to a FakeServer; virtual time is an argument of every call.
//
// Threads: only the keeper; the script of the server may be changed by other threads.
// Failure: completions, as scripted. A session killed by the server is reported by `lost` or by the failure of the request
//          in progress, never by both.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "driver/fake/server.hpp"
#include "driver/fake/session.hpp"
#include "policy/policy.hpp"

namespace tide::fake {

class FakeConnector final : public Connector {
 public:
  FakeConnector(FakeServer& server, const Policy& policy) : server_(server), policy_(policy) {}
  ~FakeConnector() override;
  FakeConnector(const FakeConnector&) = delete;
  FakeConnector& operator=(const FakeConnector&) = delete;

  void open(uint32_t slot, Instant now, Instant deadline) override;
  void validate(uint32_t slot, Connection& connection, Instant now, Instant deadline) override;
  void survey(uint32_t slot, Connection& connection, Instant now, Instant deadline) override;
  void reset(uint32_t slot, Connection& connection, ResetMode mode, Instant now, Instant deadline) override;
  void close(uint32_t slot, std::unique_ptr<Connection> connection, Instant now) override;
  bool finish_disarm(uint32_t slot, Connection& connection, Instant now) override;
  Instant step(Instant now, std::vector<Completion>& out) override;
  FileFacts file_facts() override { return server_.file(); }
  void set_policy(const Policy& policy) override { policy_ = policy; }
  std::shared_ptr<ChangeWatch> change_watch() override { return server_.watch(); }
  void abandon() noexcept override { is_abandoned_ = true; }

 private:
  enum class Kind : uint8_t { open, validate, survey, reset, close };
  struct Request {
    Kind kind;
    uint32_t slot;
    Instant due;
    Instant deadline;
    OpenFate fate = OpenFate::succeed;
    Status refusal;                            // of an open that fails
    FakeServer::Client* connection = nullptr;  // of validate, survey and reset
    std::unique_ptr<Connection> owned;         // of close
  };
  using Session = FakeServer::Session;

  // With the server's mutex held.
  void check_free(uint32_t slot) const;
  Session& session_of(uint32_t slot);
  void send(Kind kind, uint32_t slot, Connection& connection, const Latency& latency, Instant now, Instant deadline);
  bool is_pending(uint32_t slot) const;
  // The instant at which it really ends, which may have moved since it was sent.
  Instant due_of(const Request& request, Instant now);
  Completion finish(Request& request, Instant now);
  Completion finish_open(Request& request, Instant now);
  void tell_losses(std::vector<Completion>& out);

  FakeServer& server_;
  Policy policy_;
  std::vector<Request> requests_;                          // in the order they were made
  std::map<uint32_t, Instant> disarms_;                    // under way, by slot; done at that instant
  std::map<uint32_t, std::shared_ptr<Session>> sessions_;  // by slot, from the open request on
  bool is_abandoned_ = false;
};

}  // namespace tide::fake
