#include "brain/shrink.hpp"

#include <algorithm>

namespace tide::brain {
namespace {

void retire_highest(Desk& desk, Phase phase, int64_t n) {
  for (const SlotCensus& slot : HighestFirst{desk.census().slots}) {
    if (n <= 0) return;
    if (!desk.is_staying(slot, phase)) continue;
    desk.retire(slot, CloseReason::scale);
    --n;
  }
}

int64_t above_target(const Desk& desk) {
  if (desk.census().waiting > 0) return 0;
  const Counts& counts = desk.counts();
  const int64_t wanted = desk.ledger().target + desk.ledger().spares;
  // Connects that test whether a full server has room are not surplus before they are answered.
  const int64_t probes = std::min(counts.opening, desk.bounds().probe);
  return std::min(counts.staying() - probes - wanted, counts.idle - desk.policy().min_idle);
}

}  // namespace

void shrink(Desk& desk) {
  const Counts& counts = desk.counts();
  const int64_t above_limit = counts.staying() - desk.bounds().limit - desk.bounds().probe;
  const int64_t from_idle = std::min(counts.idle, std::max(above_limit, above_target(desk)));
  const int64_t rest = above_limit - std::max<int64_t>(from_idle, 0) - counts.opening;
  const int64_t from_held = std::min(counts.held, rest);
  retire_highest(desk, Phase::idle, from_idle);
  retire_highest(desk, Phase::held, from_held);
  retire_highest(desk, Phase::leased, rest - std::max<int64_t>(from_held, 0));
}

}  // namespace tide::brain
