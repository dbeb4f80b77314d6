// Shared by the tests of options: a pool with an option value given at open or set later.
#pragma once

#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "unit/pool/lived_pool.hpp"

namespace tide::test {

// A process that uses 600 MB.
class Memory final : public ResourceProbe {
 public:
  ProcessResources sample(int64_t limit) override {
    ProcessResources resources;
    resources.memory_bytes = 600 << 20;
    resources.memory_limit_bytes = static_cast<double>(limit != 0 ? limit : int64_t{1} << 40);
    return resources;
  }
};

class OptionEffect : public LivedPool {
 protected:
  // The result observed in a pool that has this test's option at `value`; `options` are the others.
  template <class Look>
  auto with(const std::string& value, const std::string& options, Look look) {
    const Setting& setting = *find_setting(name());
    const auto seen = [&](bool is_told_later) {
      clean();
      open(quiet(options) + (is_told_later ? "" : " " + name() + "='" + value + "'"));
      run(Span::seconds(2));
      if (is_told_later) {
        EXPECT_EQ(set(name(), value), "");
        if (setting.applies == Applies::new_connections) renew();
      }
      return look();
    };
    const auto at_open = seen(false);
    if (setting.applies != Applies::reopen) {
      EXPECT_EQ(seen(true), at_open) << name() << " set to " << value << " later";
    }
    return at_open;
  }

  static std::string name() { return testing::UnitTest::GetInstance()->current_test_info()->name(); }

  // Automatic changes are off, unless the test says otherwise.
  static std::string quiet(const std::string& options) {
    std::string out = options;
    for (const char* word : {"min_size=1", "max_size=8", "scaling=off", "burst=off", "recovery=''", "emergency=off",
                             "health_interval=0", "validation_interval=0", "lease_timeout=0", "lifetime_jitter=0"}) {
      const std::string option(word, std::string_view(word).find('='));
      if ((" " + out).find(" " + option + "=") == std::string::npos && option != name()) out += std::string(" ") + word;
    }
    return out;
  }

  void clean() {
    if (pool_ != nullptr) {
      give_back();
      close(Span());
      pool_.reset();
    }
    leases_.clear();
    refused_ = 0;
    server_.emplace(42, clock_);
    server_->set_time_passes([this](Span span) { clock_.advance(span); });
  }
  void order(const std::string& verb, const std::string& arguments = "{}") {
    pool_->keeper().post(verb, arguments, "test");
    run(Span::millis(20));
  }
  // The reason for a refusal; empty: accepted.
  std::string set(const std::string& option, const std::string& value) {
    const uint64_t id =
        pool_->keeper().post("set", R"({"option":")" + option + R"(","value":")" + value + "\"}", "test");
    run(Span::millis(20));
    for (const format::CommandRecord& command : seen().read_commands()) {
      if (command.command_id != id) continue;
      return command.status == static_cast<uint32_t>(CommandStatus::applied) ? "" : command.message.str();
    }
    return "no record";
  }
  void renew() {
    order("recycle", R"({"spread":"0s"})");
    run(Span::seconds(3));
  }

  Attachment seen() { return std::move(*Attachment::from_fd(pool_->segment().fd())); }
  std::vector<SlotCopy> living() {
    std::vector<SlotCopy> slots = seen().read_slots();
    std::erase_if(slots, [](const SlotCopy& slot) { return slot.word.state() != SlotState::idle; });
    return slots;
  }
  uint64_t connects() { return seen().read_totals()->connects_total; }
  uint64_t connect_failures() { return seen().read_totals()->connect_failures_total; }
  uint64_t closed_idle() { return seen().read_totals()->closed_idle_total; }
  uint64_t closed_for_uses() { return seen().read_totals()->closed_uses_total; }
  uint64_t validations() { return seen().read_totals()->validations_total; }
  uint64_t validation_failures() { return seen().read_totals()->validation_failures_total; }
  int64_t size() { return static_cast<int64_t>(server_->sessions_now()); }
  std::string check(HealthCheck which) {
    const format::HealthRecord health = seen().read_health()->record[static_cast<size_t>(which)];
    return health.checked_wall_ns == 0 ? "not made" : health.status == 0 ? "ok" : "not ok";
  }

  void ask_for(int n, Span timeout = Span()) {
    for (int i = 0; i < n; ++i) ask(timeout);
  }
  // Seconds until the condition is true, rounded; -1: not within 150 s.
  template <class Condition>
  int64_t seconds_until(Condition condition) {
    const Instant began = clock_.now();
    for (int i = 0; i < 1500; ++i) {
      if (condition()) return std::llround((clock_.now() - began).seconds_exact());
      run(Span::millis(100));
    }
    return -1;
  }
  // The decisions of the threshold sizer, not the effect of waiting callers.
  std::vector<format::ScalingRecord> grown_by_rule() {
    std::vector<format::ScalingRecord> rows = scaling();
    std::erase_if(rows, [](const format::ScalingRecord& row) { return !row.reason.view().starts_with("utilization"); });
    return rows;
  }
  bool happened(EventKind kind) { return !events(kind).empty(); }
  Status query(std::string_view sql) {
    const Visit visit(Presence::key_of_slot(kKey, leases_.back().slot()));
    ResultTable table;
    return pool_->query(leases_.back(), {sql, {}, Instant::never()}, table);
  }
  void statements(int n, int failing = 0) {
    if (leases_.empty()) ask(Span::seconds(1));
    for (int i = 0; i < n; ++i) (void)query(i < failing ? "nonsense" : "one");
  }
  int64_t size_after_random_load() {
    Rng dice(7);
    for (int i = 0; i < 6000; ++i) {
      for (int n = 0; n < 12; ++n) {
        if (dice.below(4) == 0) ask(sec(2));
      }
      run(sec(0.1));
      give_back();
    }
    return target();
  }
  static Span sec(double s) { return Span::millis(static_cast<int64_t>(s * 1000)); }

  std::vector<std::string> lines_;  // of the log
  std::set<LogFormat> formats_;
};

}  // namespace tide::test
