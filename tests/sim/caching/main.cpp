// Random programs of cached queries, writes, invalidations and faults, in virtual time, against a model of the data. A failing
// one is made smaller while it fails in the same way, and printed.
//
// What is checked of each answer:
//   old      the data is not older than its time allows, nor than the last invalidation of its key or tag, the last outage of the
//            channel or, if the database is watched, the last commit before the call
//   error    an error is that of the call's own query
//   volatile a volatile statement is executed, unless the caller accepts others
//   bound    entries and bytes are within the bounds
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.hpp"
#include "driver/fake/connector.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "pool/pool.hpp"
#include "service/cache/cached_calls.hpp"
#include "sim/random_programs.hpp"
#include "unit/driver/support.hpp"

namespace {

using namespace tide;
using test::check_of;
using test::ManualClock;

constexpr int kKeys = 3;
constexpr int kTags = 2;  // of key k: k % kTags

// How changes become known: by a watch of the database, by a channel, or only by what the program tells.
enum class Mode : uint8_t { watched, channel, told };
enum class Kind : uint8_t {
  query,
  write,
  clear_key,
  clear_tag,
  clear_all,
  notify,
  lose,
  listen,
  pass,
  work,
  shed,
  resize,
  turn
};
constexpr const char* kKindNames[] = {"query",  "write", "clear_key", "clear_tag", "clear_all", "notify", "lose",
                                      "listen", "pass",  "work",      "shed",      "resize",    "turn"};
enum class Break : uint8_t { nothing, forget_invalidation, forget_commit };

struct Step {
  Kind kind = Kind::query;
  int key = 0;
  int number = 0;  // of milliseconds, of entries; of a notification: what it names
  int ttl_ms = 0;  // 0: that of the policy
  int stale_ms = 0;
  int during = 0;        // steps that follow are made while the query is executed
  bool has_key = false;  // given instead of derived
  bool is_volatile = false;
  bool accepts_volatile = false;
  bool is_first = false;
  bool fails = false;
  bool is_huge = false;
};

struct Program {
  uint64_t seed = 0;
  Mode mode = Mode::told;
  std::vector<Step> steps;
};

struct Counts {
  uint64_t programs = 0, executed = 0, cached = 0, failed = 0;
};

Program make_program(uint64_t seed) {
  Rng rng(seed);
  Program program;
  program.seed = seed;
  program.mode = static_cast<Mode>(rng.below(3));
  const size_t count = 5 + rng.below(60);
  for (size_t i = 0; i < count; ++i) {
    Step step;
    static constexpr Kind kRare[] = {Kind::write,     Kind::write,  Kind::write,  Kind::write, Kind::clear_key,
                                     Kind::clear_tag, Kind::pass,   Kind::pass,   Kind::pass,  Kind::clear_all,
                                     Kind::notify,    Kind::work,   Kind::notify, Kind::lose,  Kind::listen,
                                     Kind::shed,      Kind::resize, Kind::turn,   Kind::work};
    step.kind = rng.below(10) < 7 ? Kind::query : kRare[rng.below(std::size(kRare))];
    step.key = static_cast<int>(rng.below(kKeys));
    step.number = static_cast<int>(rng.below(step.kind == Kind::pass ? 2000 : step.kind == Kind::resize ? 8 : 3));
    step.ttl_ms = rng.below(2) == 0 ? 0 : 500 * static_cast<int>(1 + rng.below(4));
    step.stale_ms = rng.below(3) == 0 ? 1000 : 0;
    step.during = rng.below(4) == 0 ? static_cast<int>(1 + rng.below(4)) : 0;
    step.has_key = rng.below(3) == 0;
    step.is_volatile = rng.below(12) == 0;
    step.accepts_volatile = rng.below(8) == 0;
    step.is_first = rng.below(8) == 0;
    step.fails = rng.below(8) == 0;
    step.is_huge = rng.below(12) == 0;
    program.steps.push_back(step);
  }
  return program;
}

std::string text_of(const Step& step) {
  std::string text = std::string(kKindNames[static_cast<int>(step.kind)]) + " k" + std::to_string(step.key) + " " +
                     std::to_string(step.number);
  if (step.kind != Kind::query) return text;
  text += " ttl " + std::to_string(step.ttl_ms) + " stale " + std::to_string(step.stale_ms) + " during " +
          std::to_string(step.during);
  for (const auto& [is_so, word] : {std::pair{step.has_key, " given"},
                                    {step.is_volatile, " volatile"},
                                    {step.accepts_volatile, " accepted"},
                                    {step.is_first, " first"},
                                    {step.fails, " fails"},
                                    {step.is_huge, " huge"}}) {
    if (is_so) text += word;
  }
  return text;
}

class CountingWatch final : public ChangeWatch {
 public:
  bool read(ChangeMark& out) noexcept override {
    out = {};
    out.words[0] = commits;
    return true;
  }
  bool is_current(const ChangeMark& mark) noexcept override { return mark.words[0] == commits; }
  uint64_t commits = 1;
};

// A pool that lends its clock and its segment; its connections are not used.
struct Stage {
  explicit Stage(Mode mode) : watch(mode == Mode::watched ? std::make_shared<CountingWatch>() : nullptr) {
    server.set_watch(watch);
    PoolSpec spec;
    spec.name = "caching";
    spec.target.shown = "model";
    spec.target.backend = mode == Mode::channel ? Backend::postgresql : Backend::custom;
    spec.policy.init_mode = InitMode::lazy;
    spec.policy.min_size = 0;
    spec.pool_key = uint64_t{1} << 34 | static_cast<uint64_t>(mode);
    spec.sources.resize(settings_catalogue().size());
    auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server, Policy()), clock);
    if (!opened) std::abort();
    pool = opened.take();
  }
  ~Stage() {
    pool->keeper().begin_close(clock.now());
    while (!pool->keeper().is_closed()) {
      clock.advance(Span::millis(100));
      pool->keeper().step();
    }
  }
  ManualClock clock;
  fake::FakeServer server{1, clock};
  const std::shared_ptr<CountingWatch> watch;
  std::unique_ptr<Pool> pool;
};

class World {
 public:
  World(Stage& stage, const Program& program, Break broken, Counts& counts)
      : stage_(stage),
        program_(program),
        broken_(broken),
        counts_(counts),
        values_(kKeys),
        calls_(
            *stage.pool,
            [this](const Call& call, const CallTerms& terms, ResultTable& out) { return execute(call, terms, out); },
            [this](std::function<void()> work) {
              works_.push_back(std::move(work));
              return Status::ok();
            }) {
    policy_.query_cache = true;
    policy_.query_cache_entries = 8;
    policy_.query_cache_bytes = 64 << 10;
    policy_.query_cache_ttl = Span::seconds(2);
    if (program.mode == Mode::channel) policy_.query_cache_channel = "changes";
    calls_.cache().set_policy(policy_);
    for (std::vector<Version>& versions : values_) versions.emplace_back();
    if (program.mode == Mode::channel && program.seed % 4 != 0) {
      is_listening_ = true;
      cache().listening();
    }
  }

  std::string run() {
    run_steps(program_.steps.size());
    while (complaint_.empty() && !works_.empty()) work();
    return complaint_;
  }

 private:
  // Of a value; those before the last one were superseded.
  struct Version {
    Instant until = Instant::never();
    uint64_t until_step = ~uint64_t{0};
  };

  QueryCache& cache() { return calls_.cache(); }
  Instant now() const { return stage_.clock.now(); }
  void complain(const char* check, const std::string& what) {
    if (complaint_.empty()) complaint_ = std::string(check) + ": " + what;
  }

  void run_steps(size_t count) {
    for (; count > 0 && at_ < program_.steps.size() && complaint_.empty(); --count) {
      const Step& step = program_.steps[at_++];
      ++step_number_;
      take(step);
      if (cache().entries() > static_cast<size_t>(policy_.query_cache_entries) ||
          cache().bytes() > static_cast<size_t>(policy_.query_cache_bytes))
        complain("bound", std::to_string(cache().entries()) + " entries");
    }
  }

  void take(const Step& step) {
    switch (step.kind) {
      case Kind::query: query(step); break;
      case Kind::write: write(step.key); break;
      case Kind::clear_key: invalidate(step.key, false, [&] { cache().clear_key(key_of(step.key)); }); break;
      case Kind::clear_tag: invalidate(step.key % kTags, true, [&] { cache().clear_tag(tag_of(step.key)); }); break;
      case Kind::clear_all: invalidate_all([&] { cache().clear(); }); break;
      case Kind::notify: notify(step); break;
      case Kind::lose:
        if (program_.mode != Mode::channel) break;
        cache().lost();
        is_listening_ = false;
        break;
      case Kind::listen:
        if (program_.mode != Mode::channel) break;
        is_listening_ = true;
        invalidate_all([&] { cache().listening(); });
        break;
      case Kind::pass: stage_.clock.advance(Span::millis(step.number)); break;
      case Kind::work:
        if (!works_.empty()) work();
        break;
      case Kind::shed: cache().shed_memory(); break;
      case Kind::resize:
        policy_.query_cache_entries = 1 + step.number;
        cache().set_policy(policy_);
        break;
      case Kind::turn:
        policy_.query_cache = !policy_.query_cache || step.number != 0;
        cache().set_policy(policy_);
        break;
    }
  }

  static std::string key_of(int key) { return "key" + std::to_string(key); }
  static std::string tag_of(int key) { return "tag" + std::to_string(key % kTags); }

  void write(int key) {
    std::vector<Version>& versions = values_[static_cast<size_t>(key)];
    versions.back().until = now();
    versions.back().until_step = step_number_;
    versions.emplace_back();
    if (stage_.watch != nullptr && !(broken_ == Break::forget_commit && key == 1)) ++stage_.watch->commits;
  }
  // A tag concerns every query of its keys; a given key, those that gave it.
  void invalidate(int which, bool is_tag, const std::function<void()>& tell) {
    if (broken_ != Break::forget_invalidation || which != 1) tell();
    (is_tag ? told_tags_ : told_keys_)[which] = step_number_;
  }
  void invalidate_all(const std::function<void()>& tell) {
    tell();
    told_all_ = step_number_;
  }
  void notify(const Step& step) {
    if (program_.mode != Mode::channel || !is_listening_) return;
    if (step.number == 0) invalidate(step.key, false, [&] { cache().notified(key_of(step.key)); });
    if (step.number == 1) invalidate(step.key % kTags, true, [&] { cache().notified("tag:" + tag_of(step.key)); });
    if (step.number == 2) invalidate_all([&] { cache().notified(""); });
  }
  void work() {
    const std::function<void()> work = std::move(works_.front());
    works_.pop_front();
    fails_ = false;
    during_ = 0;
    work();
  }

  // Sees the data at its begin.
  Status execute(const Call& call, const CallTerms&, ResultTable& out) {
    ++executed_;
    ++counts_.executed;
    const bool fails = fails_;
    const int during = std::exchange(during_, 0);
    const bool is_huge = is_huge_;
    const size_t key = static_cast<size_t>(call.params[0].integer);
    const size_t version = values_[key].size() - 1;
    run_steps(static_cast<size_t>(during));
    out.clear();
    if (fails) return Status::error(Code::database, "failed as requested");
    out.set_columns(columns_named({"key", "version", "filler"}));
    out.add_integer(static_cast<int64_t>(key));
    out.add_integer(static_cast<int64_t>(version));
    out.add_text(std::string(is_huge ? 20'000 : 10, 'x'));
    return Status::ok();
  }

  void query(const Step& step) {
    const SqlValue param = SqlValue::of(int64_t{step.key});
    Call call;
    call.kind = step.is_first ? Call::Kind::first : Call::Kind::query;
    call.sql = step.is_volatile ? "select k, v, random() from t where k = $1" : "select k, v, f from t where k = $1";
    call.params = {&param, 1};
    const std::string tags = "other " + tag_of(step.key);
    // A key that is given also says which statement it is for.
    const std::string key = key_of(step.key);
    CallTerms terms;
    terms.timeout = depth_ > 0 ? Span() : Span::seconds(5);
    terms.cache.is_wanted = true;
    terms.cache.ttl = Span::millis(step.ttl_ms);
    terms.cache.stale = Span::millis(step.stale_ms);
    terms.cache.accepts_volatile = step.accepts_volatile;
    terms.cache.tags = tags;
    if (step.has_key) terms.cache.key = key;

    const Instant began = now();
    const uint64_t began_step = step_number_;
    const auto told_of = [](const std::map<int, uint64_t>& told, int which) {
      const auto found = told.find(which);
      return found == told.end() ? uint64_t{0} : found->second;
    };
    uint64_t told = std::max(told_all_, told_of(told_tags_, step.key % kTags));
    if (step.has_key) told = std::max(told, told_of(told_keys_, step.key));
    const bool was_served = policy_.query_cache && (program_.mode != Mode::channel || is_listening_);
    const Span ttl = step.ttl_ms == 0 ? policy_.query_cache_ttl : terms.cache.ttl;

    const uint64_t executed = executed_;
    fails_ = step.fails;
    is_huge_ = step.is_huge;
    during_ = step.during;
    ++depth_;
    ResultTable out;
    const Status status = calls_.run(call, terms, out);
    --depth_;
    during_ = 0;
    const bool was_executed = executed_ != executed;
    if (!status) {
      ++counts_.failed;
      const bool is_own = was_executed && step.fails;
      const bool has_waited = depth_ > 0 && status.code == Code::timeout;
      if (!is_own && !has_waited) complain("error", status.message());
      return;
    }
    if (!was_executed) ++counts_.cached;
    if (!was_executed && (!was_served || (step.is_volatile && !step.accepts_volatile && !step.has_key)))
      complain(was_served ? "volatile" : "old", text_of(step) + " was answered from the cache");
    if (out.rows() != 1 || out.cell(0, 0).integer != step.key)
      return complain("old", text_of(step) + " got the result of another query");
    const Version& version = values_[static_cast<size_t>(step.key)][static_cast<size_t>(out.cell(0, 1).integer)];
    if (version.until_step == ~uint64_t{0}) return;
    const bool is_timely = version.until > began - ttl - terms.cache.stale;
    const bool is_after_told = version.until_step > told;
    const bool is_after_commit = stage_.watch == nullptr || version.until_step > began_step;
    if (!is_timely || !is_after_told || !is_after_commit)
      complain("old", text_of(step) + " got version " + std::to_string(out.cell(0, 1).integer) +
                          (!is_timely       ? ", out of its time"
                           : !is_after_told ? ", invalidated"
                                            : ", committed over"));
  }

  Stage& stage_;
  const Program& program_;
  const Break broken_;
  Counts& counts_;
  Policy policy_;
  std::vector<std::vector<Version>> values_;
  std::map<int, uint64_t> told_keys_, told_tags_;  // the step of the last invalidation
  uint64_t told_all_ = 0;
  bool is_listening_ = false;
  std::deque<std::function<void()>> works_;
  size_t at_ = 0;
  uint64_t step_number_ = 1;
  uint64_t executed_ = 0;
  int depth_ = 0;
  int during_ = 0;
  bool fails_ = false;
  bool is_huge_ = false;
  std::string complaint_;
  CachedCalls calls_;
};

class Theatre {
 public:
  std::string outcome_of(const Program& program, Break broken, Counts& counts) {
    std::unique_ptr<Stage>& stage = stages_[static_cast<size_t>(program.mode)];
    if (stage == nullptr) stage = std::make_unique<Stage>(program.mode);
    return World(*stage, program, broken, counts).run();
  }

 private:
  std::array<std::unique_ptr<Stage>, 3> stages_;
};

// Removes steps as long as the same check fails.
Program make_smaller(Theatre& theatre, const Program& program, Break broken) {
  Counts unused;
  const std::string check = check_of(theatre.outcome_of(program, broken, unused));
  return test::with_fewer_steps(
      program, [&](const Program& smaller) { return check_of(theatre.outcome_of(smaller, broken, unused)) == check; });
}

void print(const Program& program, const std::string& complaint) {
  std::printf("%s\n  --seed %llu, mode %d, %zu steps:\n", complaint.c_str(),
              static_cast<unsigned long long>(program.seed), static_cast<int>(program.mode), program.steps.size());
  for (const Step& step : program.steps) std::printf("  %s\n", text_of(step).c_str());
}

// The checks notice what is done wrong on purpose, and the program becomes small.
int test_self(Theatre& theatre) {
  for (const Break broken : {Break::forget_invalidation, Break::forget_commit}) {
    Counts unused;
    bool is_noticed = false;
    for (uint64_t seed = 1; seed < 2000 && !is_noticed; ++seed) {
      const Program program = make_program(seed);
      const std::string complaint = theatre.outcome_of(program, broken, unused);
      if (complaint.empty() || program.steps.size() < 20) continue;
      const Program smaller = make_smaller(theatre, program, broken);
      print(smaller, theatre.outcome_of(smaller, broken, unused));
      if (smaller.steps.size() > 8) return 1;
      is_noticed = true;
    }
    if (!is_noticed) {
      std::printf("nothing was noticed\n");
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = test::program_arguments(argc, argv);
  if (!arguments) return 2;
  Theatre theatre;
  if (arguments->is_self_test) return test_self(theatre);
  Counts counts;
  for (uint64_t seed = arguments->first; seed < arguments->first + arguments->programs; ++seed) {
    const Program program = make_program(seed);
    ++counts.programs;
    const std::string complaint = theatre.outcome_of(program, Break::nothing, counts);
    if (complaint.empty()) continue;
    print(program, complaint);
    const Program smaller = make_smaller(theatre, program, Break::nothing);
    Counts unused;
    std::printf("\n");
    print(smaller, theatre.outcome_of(smaller, Break::nothing, unused));
    return 1;
  }
  std::printf("%llu programs: %llu queries executed, %llu answered from the cache, %llu failed\n",
              static_cast<unsigned long long>(counts.programs), static_cast<unsigned long long>(counts.executed),
              static_cast<unsigned long long>(counts.cached), static_cast<unsigned long long>(counts.failed));
  return counts.cached > counts.programs ? 0 : 1;
}
