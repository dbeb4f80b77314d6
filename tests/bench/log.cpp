// What does the query log cost? Statements of a database that does nothing, through the pool, on held leases of eight
// threads: with the log and without it, in alternating rounds of one run. Also: a new text for every statement (each is
// scanned), every statement slow, and what is lost at 100,000 statements a second.
#include <cstdio>
#include <functional>
#include <thread>

#include "bench.hpp"
#include "pool/pool.hpp"
#include "pool/thread_keeper.hpp"
#include "segment/attach.hpp"

namespace {

using namespace tide;  // NOLINT: a program

constexpr uint32_t kThreads = 8;
constexpr int kRounds = 7;
constexpr int kStatements = 50'000;  // of a thread, a round

// Answers at once.
class Nothing final : public Connection {
 public:
  void* native() noexcept override { return this; }
  Status begin_lease(LeaseMode, Instant) override { return Status::ok(); }
  Status query(const QueryRequest&, ResultTable&) override { return Status::ok(); }
  Settled settle(ResetMode) noexcept override { return Settled::clean; }
  void cancel(uint64_t) noexcept override {}
  SessionFacts facts() const noexcept override { return {}; }
  bool end_transaction(std::string_view, uint64_t) noexcept override { return false; }
  void disarm() noexcept override {}
  void abandon() noexcept override {}
};

class NothingConnector final : public Connector {
 public:
  void open(uint32_t slot, Instant, Instant) override {
    answer(Completion::Kind::opened, slot, std::make_unique<Nothing>());
  }
  void validate(uint32_t slot, Connection&, Instant, Instant) override { answer(Completion::Kind::validated, slot); }
  void reset(uint32_t slot, Connection&, ResetMode, Instant, Instant) override {
    answer(Completion::Kind::reset_done, slot);
  }
  void close(uint32_t slot, std::unique_ptr<Connection>, Instant) override { answer(Completion::Kind::closed, slot); }
  Instant step(Instant, std::vector<Completion>& out) override {
    for (Completion& done : done_) out.push_back(std::move(done));
    done_.clear();
    return Instant::never();
  }
  void set_policy(const Policy&) override {}

 private:
  void answer(Completion::Kind kind, uint32_t slot, std::unique_ptr<Connection> connection = nullptr) {
    Completion done{};
    done.kind = kind;
    done.slot = slot;
    done.connection = std::move(connection);
    done_.push_back(std::move(done));
  }
  std::vector<Completion> done_;
};

class Rig {
 public:
  explicit Rig(int64_t log_size, Span threshold = Span::seconds(1)) {
    static uint64_t keys = 1;
    Policy policy;
    policy.min_size = policy.max_size = kThreads;
    policy.scaling = policy.alerts = false;
    policy.query_log_size = log_size;
    policy.slow_query_threshold = threshold;
    PoolSpec spec;
    spec.name = "bench";
    spec.target.shown = "nothing";
    spec.policy = policy;
    spec.pool_key = ++keys;
    spec.sources.resize(settings_catalogue().size());
    auto opened = Pool::open(std::move(spec), std::make_unique<NothingConnector>(), SystemClock::instance());
    if (!opened) std::abort();
    pool_ = opened.take();
    keeper_ = std::make_unique<ThreadKeeper>(pool_->keeper());
    for (LeaseId& lease : leases_) {
      const Visit visit(Presence::key_of_pool(pool_->key()));
      if (pool_->acquire({"bench", LeaseMode::read_write, Span::seconds(10)}, lease) != Code::ok) std::abort();
    }
  }
  ~Rig() {
    for (const LeaseId lease : leases_) {
      const Visit visit(Presence::key_of_slot(pool_->key(), lease.slot()));
      (void)pool_->release(lease);
    }
    keeper_->close(SystemClock::instance().now() + Span::seconds(10));
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void query(uint32_t thread, std::string_view sql) {
    const LeaseId lease = leases_[thread];
    const Visit visit(Presence::key_of_slot(pool_->key(), lease.slot()));
    ResultTable table;
    if (!pool_->query(lease, {sql, {}}, table)) std::abort();
  }
  uint64_t lost() {
    format::CounterSums sums{};
    for (uint32_t slot = 0; slot < pool_->segment().capacity(); ++slot)
      format::add_counters(sums, pool_->segment().slot_stats()[slot]);
    return sums[static_cast<size_t>(Counter::query_log_lost_total)];
  }

 private:
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<ThreadKeeper> keeper_;
  LeaseId leases_[kThreads];
};

// The texts of an application: a few statements of about 100 bytes.
std::vector<std::string> texts() {
  std::vector<std::string> out;
  for (int i = 0; i < 20; ++i)
    out.push_back(
        "SELECT id, name, price, stock FROM products p JOIN categories c USING (category_id) WHERE c.id = $1 AND "
        "p.kind = " +
        std::to_string(i));
  return out;
}

// Processor time of a thread for one statement, which other programs on the machine do not change.
int64_t thread_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

double ns_per_statement(Rig& rig, const std::function<void(uint32_t, int)>& run, int statements) {
  (void)rig;
  std::vector<std::thread> crew;
  std::atomic<int64_t> ns{0};
  for (uint32_t t = 0; t < kThreads; ++t) {
    crew.emplace_back([&, t] {
      const int64_t began = thread_ns();
      for (int i = 0; i < statements; ++i) run(t, i);
      ns += thread_ns() - began;
    });
  }
  for (std::thread& thread : crew) thread.join();
  return static_cast<double>(ns.load()) / (static_cast<double>(statements) * kThreads);
}

// At this many statements a second in all; returns how many were executed.
uint64_t at_rate(Rig& rig, int per_second, const std::vector<std::string>& known) {
  constexpr int kSeconds = 2;
  std::vector<std::thread> crew;
  std::atomic<uint64_t> executed{0};
  for (uint32_t t = 0; t < kThreads; ++t) {
    crew.emplace_back([&, t] {
      const int64_t began = bench::now_ns(), gap_ns = int64_t{1'000'000'000} * kThreads / per_second;
      int64_t i = 0;
      for (; i * gap_ns < int64_t{kSeconds} * 1'000'000'000; ++i) {
        while (bench::now_ns() - began < i * gap_ns) std::this_thread::sleep_for(std::chrono::microseconds(200));
        rig.query(t, known[static_cast<size_t>(i) % known.size()]);
      }
      executed += static_cast<uint64_t>(i);
    });
  }
  for (std::thread& thread : crew) thread.join();
  return executed;
}

}  // namespace

int main() {
  const std::vector<std::string> known = texts();
  std::vector<std::string> fresh[kThreads];
  for (uint32_t t = 0; t < kThreads; ++t) {
    for (int i = 0; i < kStatements / 10; ++i)
      fresh[t].push_back(known[0] + std::to_string(i) + "." + std::to_string(t));
  }
  Rig off(0), on(256), slow(256, Span{});
  std::vector<double> off_ns, on_ns, fresh_ns, slow_ns;
  const auto usual = [&](Rig& rig) {
    return [&](uint32_t t, int i) { rig.query(t, known[static_cast<size_t>(i) % known.size()]); };
  };
  for (int round = 0; round < kRounds; ++round) {
    off_ns.push_back(ns_per_statement(off, usual(off), kStatements));
    on_ns.push_back(ns_per_statement(on, usual(on), kStatements));
    fresh_ns.push_back(ns_per_statement(
        on, [&](uint32_t t, int i) { on.query(t, fresh[t][static_cast<size_t>(i)]); }, kStatements / 10));
    slow_ns.push_back(ns_per_statement(slow, usual(slow), kStatements / 10));
  }
  const double base = bench::median(off_ns);
  std::printf("a statement of a database that does nothing, %u threads, ns of processor time (median of %d rounds)\n",
              kThreads, kRounds);
  std::printf("  without the log                  %8.1f\n", base);
  std::printf("  with the log                     %8.1f   %+8.1f (at most 150)\n", bench::median(on_ns),
              bench::median(on_ns) - base);
  std::printf("  every text new                   %8.1f   %+8.1f\n", bench::median(fresh_ns),
              bench::median(fresh_ns) - base);
  std::printf("  every statement slow             %8.1f   %+8.1f\n", bench::median(slow_ns),
              bench::median(slow_ns) - base);
  const uint64_t lost_before = on.lost();
  const uint64_t executed = at_rate(on, 100'000, known);
  std::printf("at 100,000 statements a second: %llu executed, %llu lost\n", static_cast<unsigned long long>(executed),
              static_cast<unsigned long long>(on.lost() - lost_before));
  std::printf("as fast as it goes: %llu of %llu lost\n", static_cast<unsigned long long>(lost_before),
              static_cast<unsigned long long>(uint64_t{kRounds} * kThreads * (kStatements + kStatements / 10)));
  return 0;
}
