// The relation "waiters": the callers in the wait queue, oldest first. A segment contains a limited number of them; the
// total is pools.waiting.

#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kWaiterColumns[] = {
    {"ticket", integer, "", "Number of the request: of one priority, lower ones are served first."},
    {"tag", text, "", "Tag given by the caller.", masked},
    {"queued_at", time, "", "When the request was queued."},
    {"waited_ms", real, "ms", "How long the caller has waited."},
    {"deadline", time, "", "When the request times out; null is never."},
    {"priority", text, "",
     "normal or critical; critical requests are served first, and may take the connections of reserve_size.", open},
};

void add_waiters(const Attachment& segment, int64_t wall_now_ns, std::vector<Row>& out) {
  const auto vitals = segment.read_vitals();
  const cell::Moments moments(vitals, wall_now_ns);
  for (const format::Waiter& waiter : segment.read_waiters()) {
    const int64_t queued_mono = cell::signed_of(waiter.queued_mono);
    const int64_t deadline_mono = cell::signed_of(waiter.deadline_mono);
    out.push_back({
        cell::count(waiter.ticket),
        cell::text_or_null(waiter.tag),
        moments.at(queued_mono),
        moments.ms_since(queued_mono),
        deadline_mono >= cell::kNeverMono ? cell::none() : moments.at(deadline_mono),
        cell::text(waiter.priority == 0 ? "normal" : "critical"),
    });
  }
}

}  // namespace

const Source& waiters_source() {
  static constexpr Source kSource{{"waiters", "One row for each caller that waits for a connection.", kWaiterColumns},
                                  add_waiters};
  return kSource;
}

}  // namespace tide
