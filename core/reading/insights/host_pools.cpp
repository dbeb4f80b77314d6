#include "reading/insights/host_pools.hpp"

#include <algorithm>

#include "model/words.hpp"
#include "reading/counts.hpp"

namespace tide {

const std::vector<HostPool>& HostPools::all() {
  if (pools_) return *pools_;
  pools_.emplace();
  for_each_segment({directory_, "", ""}, [&](Attachment& segment) {
    const auto vitals = segment.read_vitals();
    const std::string_view state = state_word(segment.liveness(), vitals);
    if (!vitals || (state != word(PoolState::running) && state != word(PoolState::degraded))) return;
    const HeaderCopy& header = segment.header();
    const SlotCounts counts = count_slots(segment.read_slots());
    const auto queue = segment.read_queue();
    const uint64_t waiting = queue ? queue->waiting.load(std::memory_order_relaxed) : 0;
    pools_->push_back({header.instance_id, header.pool, header.target, header.backend,
                       static_cast<int64_t>(counts.in_use()), static_cast<int64_t>(counts.of(SlotState::idle)),
                       static_cast<int64_t>(std::min<uint64_t>(waiting, kHostCountMost)),
                       std::clamp<int64_t>(vitals->max_size, 0, kHostCountMost)});
  });
  return *pools_;
}

}  // namespace tide
