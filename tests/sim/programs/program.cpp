#include "program.hpp"

#include "base/rng.hpp"

namespace tide::programs {
namespace {

using fake::Fault;

FaultAt draw_fault(Rng& rng) {
  constexpr Fault kFaults[] = {Fault::lost_unsent, Fault::lost_unexecuted, Fault::lost_executed, Fault::lost_undecided,
                               Fault::late,        Fault::conflict,        Fault::deadlock,      Fault::cancelled};
  FaultAt at;
  at.fault = kFaults[rng.below(std::size(kFaults))];
  at.nth = 1 + static_cast<int>(rng.below(3));
  at.restarts = rng.chance(0.08);
  return at;
}

struct Maker {
  explicit Maker(uint64_t seed) : rng(seed) { program.seed = seed; }

  Kind kind_for(int actor) {
    if (rng.chance(0.12)) {
      constexpr Kind kWorld[] = {Kind::pass, Kind::pass, Kind::kill, Kind::restart, Kind::decide, Kind::down_and_up};
      return kWorld[rng.below(std::size(kWorld))];
    }
    if (!is_inside[static_cast<size_t>(actor)]) {
      constexpr Kind kOutside[] = {Kind::add,   Kind::add,   Kind::get,   Kind::alter,    Kind::state,
                                   Kind::batch, Kind::begin, Kind::begin, Kind::transact, Kind::transact};
      return kOutside[rng.below(std::size(kOutside))];
    }
    constexpr Kind kInside[] = {Kind::add,       Kind::add,       Kind::add,   Kind::get,         Kind::alter,
                                Kind::savepoint, Kind::savepoint, Kind::state, Kind::rollback_to, Kind::release,
                                Kind::end,       Kind::end,       Kind::end};
    const Kind kind = kInside[rng.below(std::size(kInside))];
    if (kind != Kind::end || is_body[static_cast<size_t>(actor)]) return kind;
    return rng.chance(0.75) ? Kind::commit : Kind::rollback;
  }
  void add_step() {
    Step step;
    step.actor = static_cast<int>(rng.below(kActors));
    step.kind = kind_for(step.actor);
    step.key = static_cast<int>(rng.below(kKeys));
    step.number = static_cast<int>(rng.below(3));
    const auto actor = static_cast<size_t>(step.actor);
    switch (step.kind) {
      case Kind::add:
        step.id = last_id++;
        step.key = step.id % kKeys;
        break;
      case Kind::batch:
        step.id = last_id;
        last_id += 2;
        break;
      case Kind::begin:
      case Kind::transact:
        is_inside[actor] = true;
        is_body[actor] = step.kind == Kind::transact;
        step.number = rng.chance(0.15) ? 50 : 0;
        break;
      case Kind::end:
        step.number = rng.chance(0.8) ? 0 : rng.chance(0.3) ? 9 : 1;
        is_inside[actor] = false;
        break;
      case Kind::commit:
      case Kind::rollback: is_inside[actor] = false; break;
      case Kind::pass: step.number = 1 << rng.below(8); break;
      case Kind::down_and_up: step.number = 1 << rng.below(8); break;
      default: break;
    }
    const double chance = step.kind == Kind::commit || step.kind == Kind::end ? 0.5 : 0.12;
    for (FaultAt& fault : step.faults) {
      if (rng.chance(chance)) fault = draw_fault(rng);
    }
    program.steps.push_back(step);
  }

  Rng rng;
  Program program;
  std::array<bool, kActors> is_inside = {}, is_body = {};
  int last_id = 0;
};

const char* name_of(Kind kind) {
  constexpr const char* kNames[] = {"add",      "get",  "alter",     "state",       "batch",   "begin",
                                    "transact", "end",  "savepoint", "rollback_to", "release", "commit",
                                    "rollback", "pass", "kill",      "restart",     "decide",  "down_and_up"};
  return kNames[static_cast<size_t>(kind)];
}

const char* name_of(Fault fault) {
  constexpr const char* kNames[] = {"none", "lost_unsent", "lost_unexecuted", "lost_executed", "lost_undecided",
                                    "late", "conflict",    "deadlock",        "cancelled"};
  return kNames[static_cast<size_t>(fault)];
}

}  // namespace

Program make_program(uint64_t seed) {
  Maker maker(seed);
  maker.program.is_checked = maker.rng.chance(0.9);
  maker.program.may_end_others = maker.rng.chance(0.8);
  const size_t steps = 5 + maker.rng.below(40);
  while (maker.program.steps.size() < steps && maker.last_id + 2 < kAddsMax) maker.add_step();
  return maker.program;
}

std::string text_of(const Step& step) {
  std::string text = "actor " + std::to_string(step.actor) + ": " + name_of(step.kind);
  text += " key " + std::to_string(step.key) + " number " + std::to_string(step.number);
  if (step.kind == Kind::add || step.kind == Kind::batch) text += " id " + std::to_string(step.id);
  for (const FaultAt& fault : step.faults) {
    if (fault.nth == 0) continue;
    text += std::string(", ") + name_of(fault.fault) + " at statement " + std::to_string(fault.nth);
    if (fault.restarts) text += " and restart";
  }
  return text;
}

}  // namespace tide::programs
