// A whole pool over the fake server in virtual time: the keeper is stepped when it requested it, callers hold leases
// across steps, and results are read as an observer reads them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "driver/fake/connector.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "segment/attach.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {

class LivedPool : public testing::Test {
 protected:
  static constexpr uint64_t kKey = 4713;

  void open(const std::string& options) {
    auto parsed = parse_options("sqlite::memory:", options, {}, [](const char*) -> const char* { return nullptr; });
    ASSERT_TRUE(parsed.is_ok()) << parsed.status().message();
    PoolSpec spec;
    spec.name = "test";
    spec.target = parsed->target;
    spec.policy = parsed->policy;
    spec.sources = parsed->sources;
    spec.pool_key = kKey;
    if (furnish_) furnish_(spec);
    auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(*server_, parsed->policy), clock_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    pool_ = opened.take();
  }
  void TearDown() override {
    if (pool_ == nullptr) return;
    close(Span());
  }
  void close(Span timeout) {
    pool_->keeper().begin_close(clock_.now() + timeout);
    while (!pool_->keeper().is_closed()) clock_.advance(std::max(pool_->keeper().step(), Span::millis(1)));
  }
  void run(Span span) {
    const Instant end = clock_.now() + span;
    while (clock_.now() < end) {
      const Span next = pool_->keeper().step();
      clock_.advance(std::clamp(next, Span::micros(100), std::max(Span::micros(100), end - clock_.now())));
    }
    pool_->keeper().step();
  }
  // Holds what it gets until give_back().
  void ask(Span timeout) {
    const Visit visit(Presence::key_of_pool(kKey));
    LeaseId lease = pool_->acquire_idle("test", LeaseMode::read_write);
    if (lease.bits != 0) return leases_.push_back(lease);
    const auto done = [this](Code code, LeaseId got, const Status&) {
      if (code == Code::ok) {
        leases_.push_back(got);
      } else {
        ++refused_;
      }
    };
    (void)pool_->acquire_async({"test", LeaseMode::read_write, timeout}, done);
  }
  void give_back() {
    for (const LeaseId lease : std::exchange(leases_, {})) {
      const Visit visit(Presence::key_of_slot(kKey, lease.slot()));
      (void)pool_->release(lease);
    }
  }
  // `n` callers request leases and hold what they get for one second.
  void second(int n, Span timeout) {
    for (int i = 0; i < n; ++i) ask(timeout);
    run(Span::seconds(1));
    give_back();
  }

  PoolState state() { return static_cast<PoolState>(read(pool_->segment().vitals().state)); }
  int64_t vital(const format::Cell& cell) { return static_cast<int64_t>(read(cell)); }
  int64_t target() { return vital(pool_->segment().vitals().target_size); }
  int64_t limit() { return vital(pool_->segment().vitals().limit_size); }
  struct Event {
    uint64_t number;
    uint32_t severity;
    std::string message, detail;
  };
  std::vector<Event> events(EventKind kind) {
    auto segment = Attachment::from_fd(pool_->segment().fd());
    std::vector<Event> out;
    for (const format::JournalRecord& event : segment->read_journal()) {
      if (event.kind != static_cast<uint32_t>(kind)) continue;
      out.push_back({event.stamp - 1, event.severity, event.message.str(), event.detail.str()});
    }
    return out;
  }
  std::vector<format::ScalingRecord> scaling() { return Attachment::from_fd(pool_->segment().fd())->read_scaling(); }
  struct Answer {
    uint32_t status = 0;
    std::string message;
  };
  Answer obeyed(const std::string& verb) {
    const uint64_t id = pool_->keeper().post(verb, "{}", "test");
    run(Span::seconds(2));
    for (const format::CommandRecord& command : Attachment::from_fd(pool_->segment().fd())->read_commands()) {
      if (command.command_id == id) return {command.status, command.message.str()};
    }
    ADD_FAILURE() << "no record of " << verb;
    return {};
  }
  // Alert rules that were announced.
  std::set<std::string> alerts() {
    std::set<std::string> rules;
    for (const Event& event : events(EventKind::alert_firing)) {
      rules.insert(event.message.substr(0, event.message.find(':')));
    }
    return rules;
  }

  std::function<void(PoolSpec&)> furnish_;  // further settings for opening the pool
  ManualClock clock_;
  std::optional<fake::FakeServer> server_{std::in_place, 42, clock_};
  std::unique_ptr<Pool> pool_;
  std::vector<LeaseId> leases_;
  int refused_ = 0;
};

}  // namespace tide::test
