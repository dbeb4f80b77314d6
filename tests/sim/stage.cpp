#include "stage.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "driver/fake/connector.hpp"
#include "policy/settings.hpp"
#include "pool/keeper.hpp"
#include "segment/rings.hpp"

namespace tide::sim {
namespace {

constexpr Span kSlack = Span::millis(1);

uint64_t next_pool_key() {
  static uint64_t last = uint64_t{1} << 32;  // disjoint from those of the worlds
  return ++last;
}

}  // namespace

// ---- one pool -------------------------------------------------------------------------------------------------------

Player::Player(Stage& stage, const Policy& policy, uint64_t seed, size_t number)
    : stage_(stage), dice_(seed), number_(number), health_monitor_(stage.trace_), records_(stage.trace_) {
  PoolSpec spec;
  spec.name = "sim";
  spec.target.backend = Backend::custom;
  spec.policy = policy;
  spec.sources.resize(settings_catalogue().size());
  spec.pool_key = next_pool_key();
  spec.seed = seed;
  spec.probe = probe_;
  spec.events.mask = 1U << static_cast<uint32_t>(PoolEvent::error);
  spec.events.call = [this](PoolEvent event, uint64_t, uint64_t, const char* text) {
    health_monitor_.told(*pool_, event, text, stage_.now());
  };
  auto opened = Pool::open(std::move(spec), std::make_unique<fake::FakeConnector>(stage.server_, policy), stage.clock_);
  TIDE_ASSERT(opened.is_ok());
  pool_ = opened.take();
  keeper_due_ = stage.now();
}

Player::~Player() = default;

void Player::set_load(double rate, Span hold) {
  rate_ = rate;
  hold_ = hold;
  come(++age_);
}

void Player::come(uint64_t age) {
  if (age != age_ || rate_ <= 0) return;
  stage_.after(dice_.about(Span::nanos(static_cast<int64_t>(1e9 / rate_))), [this, age] {
    if (age != age_) return;
    ask();
    come(age);
  });
}

void Player::ask() {
  const uint64_t number = ++asked_;
  const Span timeout = pool_->keeper().policy().acquire_timeout;
  deadlines_[number] = stage_.now() + timeout;
  const bool is_refusing = HealthChecker::is_refusing(*pool_);
  const Code code = pool_->acquire_async({}, [this, number](Code answer, LeaseId lease, const Status&) {
    if (deadlines_.erase(number) == 0) stage_.trace().complain("I7", "a request is answered a second time");
    if (answer == Code::ok) return hold(lease);
    stage_.trace().say("request %llu of pool %zu: %s, %s", static_cast<unsigned long long>(number), number_,
                       code_name(answer), HealthChecker::ills(*pool_).c_str());
    ++refused_;
  });
  if (code == Code::ok) {
    if (is_refusing && deadlines_.contains(number))
      stage_.trace().complain("breaker", "it is open, but a request may wait");
    return;
  }
  deadlines_.erase(number);
  stage_.trace().say("request %llu of pool %zu: %s", static_cast<unsigned long long>(number), number_, code_name(code));
  ++refused_;
}

void Player::hold(LeaseId lease) {
  ++served_;
  stage_.after(dice_.about(hold_), [this, lease] {
    ResultTable result;
    (void)pool_->query(lease, {"one", {}, Instant::never()}, result);
    (void)pool_->release(lease);
  });
}

void Player::post(const std::string& verb, const std::string& arguments) {
  pool_->keeper().post(verb, arguments, "sim");
}

void Player::turn() {
  is_poked_ = false;
  const Span wait = pool_->keeper().step();
  keeper_due_ = pool_->keeper().is_closed() ? Instant::never() : stage_.now() + wait;
  health_monitor_.turned(*pool_, stage_.now(), Span());
  records_.turned(*pool_);
  check_waiters();
}

// I7: the deadlines of consecutive requests differ little.
void Player::check_waiters() {
  if (deadlines_.empty()) return;
  const auto& [number, deadline] = *deadlines_.begin();
  if (stage_.now() - deadline > kSlack) {
    stage_.trace().complain("I7", "request %llu of pool %zu still waits at its deadline",
                            static_cast<unsigned long long>(number), number_);
  }
}

// ---- all of them ----------------------------------------------------------------------------------------------------

Stage::Stage(uint64_t seed, bool is_shown)
    : dice_(seed * 11 + 1), trace_(is_shown), server_(seed * 11 + 2, clock_), epoll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
  TIDE_ASSERT(epoll_fd_ >= 0);
  server_.set_handler([this](const QueryRequest&, ResultTable&) -> std::optional<Status> {
    if (failing_share_ <= 0 || !dice_.chance(failing_share_)) return std::nullopt;
    Status failed = Status::error(Code::database, "out of shared memory");
    failed.text().sqlstate = "53200";
    return failed;
  });
}

Stage::~Stage() { close(epoll_fd_); }

Player& Stage::add(const Policy& policy) {
  players_.push_back(std::make_unique<Player>(*this, policy, dice_.seed(), players_.size()));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = players_.size() - 1;
  TIDE_ASSERT(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, players_.back()->pool().keeper().fd(), &event) == 0);
  return *players_.back();
}

void Stage::look_for_pokes() {
  std::array<epoll_event, 16> events{};
  const int n = epoll_wait(epoll_fd_, events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < n; ++i) {
    Player& player = *players_[events[static_cast<size_t>(i)].data.u64];
    if (player.pool().keeper().is_closed()) continue;
    player.keeper_due_ = now();
  }
}

bool Stage::step(Instant until) {
  if (trace_.is_broken()) return false;
  look_for_pokes();
  Player* next = nullptr;
  for (const auto& player : players_) {
    if (next == nullptr || player->keeper_due_ < next->keeper_due_) next = player.get();
  }
  const Instant event_at = agenda_.next();
  const bool is_keeper = next != nullptr && next->keeper_due_ <= event_at;
  const Instant at = is_keeper ? next->keeper_due_ : event_at;
  if (at > until) {
    clock_.move_to(latest(until, now()));
    return false;
  }
  clock_.move_to(latest(at, now()));
  trace_.set_place(++steps_, now());
  if (is_keeper) {
    next->turn();
  } else {
    agenda_.take()();
  }
  return !trace_.is_broken();
}

void Stage::run_until(Instant until) {
  while (step(until)) {
  }
}

void Stage::poke_all() {
  for (const auto& player : players_) player->pool().keeper().poke();
}

void Stage::close_all() {
  if (trace_.is_broken()) return;
  for (const auto& player : players_) {
    player->set_load(0, Span());
    player->pool().keeper().begin_close(now() + Span::seconds(1));
  }
  const auto is_open = [](const auto& player) { return !player->pool().keeper().is_closed(); };
  const bool is_done =
      run_while([&] { return std::any_of(players_.begin(), players_.end(), is_open); }, Span::seconds(10));
  if (!is_done && !trace_.is_broken()) trace_.complain("close", "it does not end");
}

}  // namespace tide::sim
