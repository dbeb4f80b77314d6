#include "incidents.hpp"

#include <algorithm>

#include "world.hpp"

namespace tide::sim {

void Incidents::begin() {
  const uint64_t age = ++age_;
  world_.after(dice_.about(Span::millis(300)), [this, age] { come(age); });
}

void Incidents::end() {
  ++age_;
  over();
}

// One after the other, with a pause in between.
void Incidents::come(uint64_t age) {
  if (age != age_) return;
  constexpr Kind kKindsOfIncidents[] = {Kind::brownout, Kind::heavy, Kind::errors,
                                        Kind::errors,   Kind::leaks, Kind::resizing};
  const Kind kind = dice_.one_of(kKindsOfIncidents);
  Dice dice(dice_.seed());
  const Span lasts = dice.chance(0.3) ? dice.span(Span::seconds(2), Span::seconds(5)) : dice.about(Span::millis(300));
  knee_ = static_cast<double>(dice.between(1, 6));
  share_ = kind == Kind::errors ? 0.5 + 0.5 * dice.unit() : 0.1;
  if (world_.kinds().has(kind)) start(kind);
  world_.after(lasts, [this, age] {
    if (age != age_) return;
    over();
    world_.after(dice_.about(Span::millis(500)), [this, age] { come(age); });
  });
}

void Incidents::start(Kind kind) {
  world_.trace().say("incident: %s", kind_name(kind).data());
  current_ = kind;
  if (kind == Kind::resizing) resize(age_);
  if (kind != Kind::leaks) return;
  world_.order("set", R"({"option":"lease_timeout","value":"50ms"})");
  world_.order("set", R"({"option":"lease_timeout_action","value":"reclaim"})");
}

void Incidents::over() {
  if (current_) world_.trace().say("incident over");
  current_.reset();
}

void Incidents::resize(uint64_t age) {
  if (age != age_ || !is_on(Kind::resizing)) return;
  constexpr const char* kSizes[] = {"10", "200", "3", "50"};
  const char* size = dice_.one_of(kSizes);
  // A lower bound above the new size would cause a refusal.
  world_.order("set", R"({"option":"min_size","value":"2"})");
  world_.order("set", R"({"option":"burst_max_size","value":"0"})");
  world_.order("set", std::string(R"({"option":"max_size","value":")") + size + "\"}");
  world_.after(dice_.about(Span::millis(150)), [this, age] { resize(age); });
}

double Incidents::slowness(size_t leases) const {
  if (!is_on(Kind::brownout)) return 1;
  const double over = static_cast<double>(leases) / knee_;
  return std::clamp(over * over, 1.0, 100.0);
}

std::optional<Status> Incidents::answer() {
  if (is_on(Kind::heavy) && dice_.chance(share_)) world_.let_statement_last(dice_.about(Span::millis(20)));
  if (!is_on(Kind::errors) || !dice_.chance(share_)) return std::nullopt;
  Status failed = Status::error(Code::database, "out of shared memory");
  failed.text().sqlstate = "53200";
  return failed;
}

}  // namespace tide::sim
