// Attachment, the younger half: what the pool's own watch over it wrote down. A segment of an owner that kept no such
// watch has no regions for it, and nothing is read.
#include <algorithm>
#include <cstring>

#include "plane/attach.hpp"
#include "plane/copying.hpp"

namespace tide {

std::vector<AlertCopy> Attachment::read_alerts() const {
  std::vector<AlertCopy> out;
  const format::Region& region = regions_.alerts;
  // As read_slot_stats() does: three system calls for all, and more only for those that are being written.
  std::vector<Raw<format::AlertRecord>> before(region.count), records(region.count), after(region.count);
  const size_t bytes = size_t{region.count} * sizeof(format::AlertRecord);
  if (bytes == 0 || !read_bytes(region.offset, before.data(), bytes) ||
      !read_bytes(region.offset, records.data(), bytes) || !read_bytes(region.offset, after.data(), bytes)) {
    return out;
  }
  for (size_t i = 0; i < records.size(); ++i) {
    uint64_t seq = 0;
    uint64_t seq_after = 0;
    std::memcpy(&seq, before[i].bytes, sizeof seq);
    std::memcpy(&seq_after, after[i].bytes, sizeof seq_after);
    if (seq != seq_after || seq % 2 != 0) {
      const uint64_t offset = region.offset + i * sizeof(format::AlertRecord);
      if (!read_behind_seq(offset, records[i].bytes, sizeof records[i].bytes)) continue;
    }
    AlertCopy copy = copy_of(records[i].get());
    if (copy.alert_id != 0) out.push_back(std::move(copy));
  }
  std::sort(out.begin(), out.end(), [](const AlertCopy& a, const AlertCopy& b) { return a.alert_id < b.alert_id; });
  return out;
}

std::vector<AlertRuleCopy> Attachment::read_alert_rules() const {
  std::vector<AlertRuleCopy> out;
  auto raw = std::make_unique<Raw<format::AlertRulesBlock>>();
  const format::Region& region = regions_.alert_rules;
  if (region.count == 0 || !read_behind_seq(region.offset, raw->bytes, sizeof raw->bytes)) return out;
  const format::AlertRulesBlock& block = raw->get();
  for (uint64_t i = 0; i < block.count && i < format::kAlertRulesMax; ++i) out.push_back(copy_of(block.record[i]));
  return out;
}

std::vector<HealthCopy> Attachment::read_health() const {
  std::vector<HealthCopy> out;
  Raw<format::HealthBlock> raw;
  const format::Region& region = regions_.health;
  if (region.count == 0 || !read_behind_seq(region.offset, raw.bytes, sizeof raw.bytes)) return out;
  for (uint32_t check = 0; check < format::kHealthChecks; ++check) {
    const format::HealthRecord& record = raw.get().record[check];
    if (record.checked_wall_ns != 0) out.push_back(copy_of(record, check));
  }
  return out;
}

std::optional<ForecastsCopy> Attachment::read_forecasts() const {
  auto raw = std::make_unique<Raw<format::ForecastsBlock>>();
  const format::Region& region = regions_.forecasts;
  if (region.count == 0 || !read_behind_seq(region.offset, raw->bytes, sizeof raw->bytes)) return std::nullopt;
  if (raw->get().seq.load(std::memory_order_relaxed) == 0) return std::nullopt;  // zeros that nobody measured
  return copy_of(raw->get());
}

std::optional<TalliesCopy> Attachment::read_tallies() const {
  Raw<format::Tallies> raw;
  const format::Region& region = regions_.tallies;
  if (region.count == 0 || !read_behind_seq(region.offset, raw.bytes, sizeof raw.bytes)) return std::nullopt;
  return copy_of(raw.get());
}

}  // namespace tide
