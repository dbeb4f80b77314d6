#include "pool/tag_table.hpp"

#include <algorithm>
#include <functional>

#include "segment/rings.hpp"

namespace tide {
namespace {

uint64_t at_least_zero(int64_t number) { return number > 0 ? static_cast<uint64_t>(number) : 0; }

}  // namespace

TagTable::TagTable(std::span<format::TagRecord> records) : records_(records.first(std::min(records.size(), kTags))) {}

void TagTable::step(int segment_fd, uint32_t slots_used, Instant now, int64_t wall_now_ns) {
  if (!sampled_at_.is_set()) sampled_at_ = now;
  const Span elapsed = now - sampled_at_;
  if (elapsed < Span::seconds(1 + slots_used / kSlotsPerSecond)) return;
  // Read as observers do: holders write meanwhile.
  const auto segment = Attachment::from_fd(segment_fd);
  if (!segment) return;
  sampled_at_ = now;
  look(*segment, now);
  finish(elapsed, wall_now_ns);
}

void TagTable::look(const Attachment& segment, Instant now) {
  for (const SlotCopy& slot : segment.read_slots()) {
    if (slot.is_whole && slot.word.state() == SlotState::leased)
      see_lease(slot.tag, now - Instant::at_ns(slot.acquired_mono));
  }
  for (const format::Waiter& waiter : segment.read_waiters()) see_waiter(clean_text(waiter.tag));
}

TagTable::Standing& TagTable::standing_of(std::string_view tag) {
  const std::string_view kept = utf8_prefix(tag, FixedText<64>::kBytesMax);
  const uint64_t hash = std::hash<std::string_view>()(kept);
  for (size_t place = 0; place < used_; ++place) {
    if (hashes_[place] == hash && standings_[place].tag.view() == kept) return standings_[place];
  }
  size_t place = used_;
  uint64_t inherited = 0;
  if (place < records_.size()) {
    ++used_;
  } else {
    const auto lowest = std::min_element(standings_.begin(), standings_.begin() + static_cast<ptrdiff_t>(used_),
                                         [](const Standing& a, const Standing& b) { return a.rank < b.rank; });
    place = static_cast<size_t>(lowest - standings_.begin());
    inherited = lowest->rank;
  }
  hashes_[place] = hash;
  standings_[place] = {};
  standings_[place].tag.assign(kept);
  standings_[place].rank = inherited;
  return standings_[place];
}

void TagTable::see_lease(std::string_view tag, Span held) {
  if (records_.empty()) return;
  Standing& standing = standing_of(tag);
  ++standing.rank;
  ++standing.in_use;
  standing.longest_ns = std::max(standing.longest_ns, at_least_zero(held.ns()));
}

void TagTable::see_waiter(std::string_view tag) {
  if (records_.empty()) return;
  Standing& standing = standing_of(tag);
  ++standing.rank;
  ++standing.waiting;
}

void TagTable::finish(Span elapsed, int64_t wall_now_ns) {
  const uint64_t elapsed_ns = at_least_zero(elapsed.ns());
  for (size_t place = 0; place < used_; ++place) {
    Standing& standing = standings_[place];
    const uint64_t seen = standing.in_use + standing.waiting;
    // Its record says how many were seen at the last sample.
    const bool was_seen = read(records_[place].in_use) + read(records_[place].waiting) != 0;
    if (seen == 0 && !was_seen) continue;
    standing.samples += seen;
    standing.held_ns += standing.in_use * elapsed_ns;
    standing.waiting_ns += standing.waiting * elapsed_ns;
    if (seen != 0) standing.last_wall_ns = wall_now_ns;
    show(place);
    standing.in_use = standing.waiting = 0;
  }
}

void TagTable::show(size_t place) {
  const Standing& standing = standings_[place];
  format::TagRecord& record = records_[place];
  SeqWrite guard(record.seq);
  put(record.samples, standing.samples);
  put(record.held_ns_total, standing.held_ns);
  put(record.waiting_ns_total, standing.waiting_ns);
  put(record.longest_ns, standing.longest_ns);
  put(record.in_use, standing.in_use);
  put(record.waiting, standing.waiting);
  put(record.last_wall_ns, at_least_zero(standing.last_wall_ns));
  record.tag = standing.tag;
}

void TagTable::clear() {
  for (size_t place = 0; place < used_; ++place) {
    standings_[place] = {};
    show(place);
  }
  used_ = 0;
}

}  // namespace tide
