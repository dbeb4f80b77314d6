#include "world.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "policy/settings.hpp"
#include "pool/keeper.hpp"

namespace tide::programs {
namespace {

using fake::Fault;

constexpr int kSize = 8;
const Span kOwnTimeout = Span::nanos(-1);

uint64_t next_key() {
  static uint64_t last = uint64_t{1} << 33;
  return ++last;
}

struct Thrown : std::runtime_error {
  Thrown() : std::runtime_error("of the program") {}
};

Policy policy_of(const Program& program) {
  Policy policy;
  policy.min_size = policy.max_size = policy.max_connecting = kSize;
  policy.scaling = false;
  policy.breaker = false;
  policy.emergency = false;
  policy.health_interval = Span();
  policy.validation_interval = Span();
  policy.acquire_timeout = Span();
  policy.retry_base = Span::millis(1);
  policy.retry_max = Span::millis(8);
  policy.commit_check = program.is_checked;
  return policy;
}

std::string key_text(int key) { return "k" + std::to_string(key); }
int key_of(int id) { return id % kKeys; }
int digit_of(int64_t value, int id) { return static_cast<int>(value >> (2 * (id / kKeys)) & 3); }

}  // namespace

std::string World::add_text(int id) {
  return "add " + key_text(key_of(id)) + " " + std::to_string(int64_t{1} << (2 * (id / kKeys)));
}

World::World(const Program& program, Break broken, Counts& counts)
    : program_(program),
      broken_(broken),
      counts_(counts),
      server_(program.seed, clock_),
      actors_(kActors),
      truths_(kAddsMax + 2, Truth::absent) {
  fake::Latencies latencies;
  latencies.open = latencies.validate = latencies.reset = latencies.close = {Span::micros(500), Span()};
  server_.set_latencies(latencies);
  server_.set_may_end_others(program.may_end_others);
  PoolSpec spec;
  spec.name = "programs";
  spec.target.backend = Backend::custom;
  spec.policy = policy_of(program);
  spec.pool_key = next_key();
  spec.sources.resize(settings_catalogue().size());
  spec.seed = program.seed;
  const Policy policy = spec.policy;
  auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(server_, policy), clock_);
  if (!opened) std::abort();
  pool_ = opened.take();
  pass(Span::millis(2));
  service_ = std::make_unique<Service>(*pool_, ServiceNeeds{[this](Span span) { pass(span); }, program.seed});
  server_.set_faults([this](std::string_view sql) { return fault_for(sql); });
}

World::~World() {
  server_.set_faults({});
  service_.reset();
  pool_->keeper().begin_close(clock_.now());
  for (int i = 0; i < 100 && !pool_->keeper().is_closed(); ++i) pass(Span::millis(100));
}

void World::pass(Span span) {
  constexpr Span kStep = Span::millis(5);
  const Instant end = clock_.now() + span;
  pool_->keeper().step();
  while (clock_.now() < end) {
    clock_.advance(std::min(kStep, end - clock_.now()));
    pool_->keeper().step();
  }
}

void World::complain(const std::string& what) {
  if (!complaint_.empty()) return;
  complaint_ = what;
  if (step_ != nullptr) complaint_ += " (" + text_of(*step_) + ")";
}

Fault World::fault_for(std::string_view) {
  if (std::exchange(is_restart_due_, false)) {
    server_.restart();
    ++restarts_;
  }
  ++statements_;
  if (step_ == nullptr) return Fault::none;
  for (const FaultAt& at : step_->faults) {
    if (at.nth != statements_) continue;
    if (at.fault == Fault::lost_undecided) has_undecided_ = true;
    if (at.restarts) is_restart_due_ = true;
    return at.fault;
  }
  return Fault::none;
}

std::string World::run() {
  while (next_step_ < program_.steps.size() && complaint_.empty()) carry_out(program_.steps[next_step_++]);
  check_end();
  return complaint_;
}

void World::carry_out(const Step& step) {
  const Step* const outer = std::exchange(step_, &step);
  const int outer_statements = std::exchange(statements_, 0);
  has_undecided_ = false;
  was_down_ = false;
  Actor& actor = actors_[static_cast<size_t>(step.actor)];
  const std::vector<int32_t> pids = server_.pids();
  switch (step.kind) {
    case Kind::pass: pass(Span::millis(step.number)); break;
    case Kind::kill:
      if (!pids.empty()) server_.kill(pids[static_cast<size_t>(step.number) % pids.size()]);
      break;
    case Kind::restart:
      server_.restart();
      ++restarts_;
      break;
    case Kind::decide: server_.decide(step.number == 1); break;
    case Kind::down_and_up:
      server_.go_down();
      server_.schedule_up(clock_.now() + Span::millis(step.number));
      break;
    default:
      if (actor.transaction == 0)
        carry_out_outside(step, actor);
      else if (!actor.has_ended_body)
        carry_out_in(step, actor);
  }
  step_ = outer;
  statements_ = outer_statements;
}

Status World::query(const Actor& actor, const std::string& sql) {
  Call call;
  call.sql = sql;
  if (actor.transaction != 0) return service_->run_in(actor.transaction, call, kOwnTimeout, table_);
  return service_->run(call, {}, table_);
}

// ---- outside of transactions ----------------------------------------------------------------------------------------

void World::carry_out_outside(const Step& step, Actor& actor) {
  switch (step.kind) {
    case Kind::add: {
      const Status status = query(actor, add_text(step.id));
      actor.effects = {step.id};
      // Whether a statement on its own was executed before its connection was lost is not found out.
      const bool is_lost =
          status.sqlstate().starts_with("08") || status.sqlstate().starts_with("57P") || status.code == Code::timeout;
      conclude(actor, status, !is_lost || status.is_unexecuted);
      break;
    }
    case Kind::batch: {
      const std::string first = add_text(step.id), second = add_text(step.id + 1);
      std::vector<Call> calls(2);
      calls[0].sql = first;
      calls[1].sql = second;
      std::vector<ResultTable> out;
      const Status status = service_->batch(calls, {}, out);
      actor.effects = {step.id, step.id + 1};
      conclude(actor, status);
      break;
    }
    case Kind::get:
      if (query(actor, "get " + key_text(step.key))) check_read(table_, step.key, nullptr);
      break;
    case Kind::alter: (void)query(actor, "set"); break;
    case Kind::state:
      if (query(actor, "state")) check_state(table_, false);
      break;
    case Kind::begin: {
      TransactionTerms terms;
      if (step.number != 0) terms.timeout = Span::millis(step.number);
      TransactionId id = 0;
      if (!service_->begin(terms, id)) break;
      forget(actor);
      actor.transaction = id;
      actor.restarts_before = restarts_;
      break;
    }
    case Kind::transact: transact(step, actor); break;
    default: break;  // of a transaction that could not begin, or is not in the program any more
  }
}

// ---- transactions ---------------------------------------------------------------------------------------------------

void World::forget(Actor& actor) { actor = Actor(); }

void World::carry_out_in(const Step& step, Actor& actor) {
  if (actor.is_body && step.kind != Kind::end) actor.steps.push_back(next_step_ - 1);
  const std::string name = "s" + std::to_string(step.number);
  switch (step.kind) {
    case Kind::add:
      truths_[static_cast<size_t>(step.id)] = Truth::pending;
      (query(actor, add_text(step.id)) ? actor.effects : actor.undone).insert(step.id);
      break;
    case Kind::get:
      if (query(actor, "get " + key_text(step.key))) check_read(table_, step.key, &actor);
      break;
    case Kind::alter: actor.has_altered = query(actor, "set").is_ok() || actor.has_altered; break;
    case Kind::state:
      if (query(actor, "state")) check_state(table_, actor.has_altered);
      break;
    case Kind::savepoint:
      if (service_->savepoint(actor.transaction, name)) actor.savepoints.push_back({step.number, actor.effects});
      break;
    case Kind::rollback_to:
    case Kind::release: {
      const auto found = std::find_if(actor.savepoints.rbegin(), actor.savepoints.rend(),
                                      [&](const Savepoint& s) { return s.name == step.number; });
      const bool is_return = step.kind == Kind::rollback_to;
      const Status status =
          is_return ? service_->rollback_to(actor.transaction, name) : service_->release(actor.transaction, name);
      if (!status) break;
      if (found == actor.savepoints.rend()) return complain("false: there is no such savepoint");
      if (is_return) {
        for (const int id : actor.effects) {
          if (!found->effects.contains(id)) actor.undone.insert(id);
        }
        actor.effects = found->effects;
      }
      actor.savepoints.erase(is_return ? found.base() : std::prev(found.base()), actor.savepoints.end());
      break;
    }
    case Kind::commit:
    case Kind::rollback:
      if (!actor.is_body) end_handle(step, actor);
      break;
    case Kind::end:
      if (!actor.is_body) break;
      actor.has_ended_body = true;
      actor.answer = step.number;
      break;
    default: break;
  }
}

void World::end_handle(const Step& step, Actor& actor) {
  const TransactionId id = actor.transaction;
  Status status = Status::error(Code::rolled_back, "");
  if (step.kind == Kind::commit)
    status = service_->commit(id);
  else if (Status rolled_back = service_->rollback(id); !rolled_back)
    complain("false: a rollback fails: " + rolled_back.message());
  conclude(actor, status);
  if (service_->commit(id).code != Code::refused) complain("false: a transaction ends twice");
}

// The steps of others go on within the body, up to its end.
void World::run_until_end(int number) {
  const Actor& actor = actors_[static_cast<size_t>(number)];
  while (!actor.has_ended_body && next_step_ < program_.steps.size() && complaint_.empty())
    carry_out(program_.steps[next_step_++]);
}

int World::body(const Step& step, Actor& actor, TransactionId id, bool is_first) {
  Actor before = std::exchange(actor, Actor());
  actor.transaction = id;
  actor.is_body = true;
  actor.restarts_before = restarts_;
  if (is_first) {
    run_until_end(step.actor);
  } else {
    ++counts_.repeated;
    actor.answer = before.answer;
    for (const size_t at : before.steps) {
      const size_t next = std::exchange(next_step_, at + 1);
      Step again = program_.steps[at];
      again.faults = {};
      carry_out(again);
      next_step_ = next;
    }
  }
  actor.has_ended_body = true;
  if (actor.answer == 9) throw Thrown();
  return actor.answer;
}

void World::transact(const Step& step, Actor& actor) {
  TransactionTerms terms;
  if (step.number != 0) terms.timeout = Span::millis(step.number);
  bool is_first = true;
  Status status = Status::error(Code::rolled_back, "");
  Step ending;  // its faults meet the COMMIT
  forget(actor);
  actor.restarts_before = restarts_;
  try {
    status = service_->transact(terms, [&](TransactionId id) {
      const bool is_repetition = !std::exchange(is_first, false);
      const int answer = body(step, actor, id, !is_repetition);
      ending.faults = {};
      const Step& last = program_.steps[next_step_ - 1];
      if (!is_repetition && last.kind == Kind::end && last.actor == step.actor) ending = last;
      step_ = &ending;
      statements_ = 0;
      return answer;
    });
  } catch (const Thrown&) {
    if (actor.answer != 9) complain("false: nothing was thrown");
  }
  conclude(actor, status);
}

bool World::may_be_unknown(const Actor& actor) const {
  return !program_.is_checked || restarts_ != actor.restarts_before || is_restart_due_ ||
         (has_undecided_ && !program_.may_end_others) || step_->kind == Kind::batch;
}

// Of the transaction of an actor, or of its statement.
void World::conclude(Actor& actor, const Status& told, bool is_error_certain) {
  const Status status = broken_ == Break::forget_commit && told ? Status::error(Code::database, "broken") : told;
  Truth truth = Truth::absent;
  if (status) {
    truth = Truth::present;
    ++counts_.committed;
  } else if (status.code == Code::unknown_outcome || !is_error_certain) {
    truth = Truth::either;
    ++counts_.unknown;
    unknown_.push_back(actor.effects);
    if (is_error_certain && !may_be_unknown(actor)) complain("unknown: " + status.detail());
  } else {
    ++counts_.failed;
  }
  for (const int id : actor.undone) truths_[static_cast<size_t>(id)] = Truth::absent;
  for (const int id : actor.effects) truths_[static_cast<size_t>(id)] = truth;
  forget(actor);
}

// ---- checks ---------------------------------------------------------------------------------------------------------

void World::check_read(const ResultTable& table, int key, const Actor* actor) {
  const char* text = table.text(0, 0);
  const int64_t value = text == nullptr ? 0 : std::atoll(text);
  for (int id = key; id < kAddsMax; id += kKeys) {
    const Truth truth = truths_[static_cast<size_t>(id)];
    const int digit = digit_of(value, id);
    const bool is_own = actor != nullptr && actor->effects.contains(id);
    const std::string which = " the add with id " + std::to_string(id);
    if (digit > 1) complain("twice:" + which);
    if (digit == 0 && is_own) complain("dirty: a transaction does not see" + which + " of its own");
    if (digit == 0 && truth == Truth::present && actor == nullptr) complain("lost:" + which);
    if (digit == 1 && truth == Truth::absent) complain("false: told to have failed:" + which);
    if (digit == 1 && truth == Truth::pending && !is_own) complain("dirty: a read sees" + which);
  }
}

void World::check_state(const ResultTable& table, bool has_altered) {
  if (!has_altered && std::string_view(table.text(0, 0)) != "clean") complain("dirty: state of another lease");
}

void World::check_end() {
  step_ = nullptr;
  for (Actor& actor : actors_) {
    if (actor.transaction == 0) continue;
    (void)service_->rollback(actor.transaction);
    conclude(actor, Status::error(Code::rolled_back, ""));
  }
  server_.decide(program_.seed % 2 == 0);
  const fake::StoreValues values = server_.store();
  std::map<int, int> digits;
  for (int key = 0; key < kKeys; ++key) {
    const auto found = values.find(key_text(key));
    const std::string text = found == values.end() ? "0" : found->second;
    ResultTable table;
    table.set_columns(columns_named({"value"}));
    table.add_text(text);
    check_read(table, key, nullptr);
    for (int id = key; id < kAddsMax; id += kKeys) digits[id] = digit_of(std::atoll(text.c_str()), id);
  }
  for (const Ids& ids : unknown_) {
    const auto present = std::count_if(ids.begin(), ids.end(), [&](int id) { return digits[id] == 1; });
    if (present != 0 && static_cast<size_t>(present) != ids.size()) complain("parts: of a transaction");
  }
  if (!complaint_.empty()) return;
  pass(Span::millis(300));
  for (int i = 0; i < kSize; ++i) {
    LeaseId lease;
    const Visit visit(Presence::key_of_pool(pool_->key()));
    if (pool_->acquire({"end", LeaseMode::read_write, Span()}, lease) != Code::ok) return complain("leak: of a lease");
  }
}

}  // namespace tide::programs
