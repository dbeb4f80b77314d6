#include "pool/query_digests.hpp"

#include <algorithm>

#include "segment/rings.hpp"

namespace tide {
namespace {

uint64_t at_least_zero(int64_t number) { return number > 0 ? static_cast<uint64_t>(number) : 0; }

// Everything but the sequence number, which the caller guards.
void start_digest(format::DigestRecord& record, uint64_t fingerprint, int64_t at_wall_ns) {
  for (format::Cell* cell :
       {&record.calls, &record.errors, &record.rows, &record.bytes, &record.total_ns, &record.max_ns, &record.wait_ns,
        &record.last_wall_ns, &record.repeats_max, &record.repeated_leases})
    put(*cell, 0);
  for (format::Cell& count : record.duration.count) put(count, 0);
  put(record.min_ns, ~uint64_t{0});
  put(record.first_wall_ns, at_least_zero(at_wall_ns));
  put(record.fingerprint, fingerprint);
  record.query.assign("");
}

}  // namespace

QueryDigests::QueryDigests(std::span<format::DigestRecord> records) : records_(records) {
  standings_.reserve(records.size());
  by_fingerprint_.reserve(records.size() + 1);
}

size_t QueryDigests::lowest() const {
  const auto found = std::min_element(standings_.begin(), standings_.end(),
                                      [](const Standing& a, const Standing& b) { return a.rank_ns < b.rank_ns; });
  return static_cast<size_t>(found - standings_.begin());
}

// The record for a fingerprint that has none.
size_t QueryDigests::place_for(uint64_t fingerprint) {
  size_t place = standings_.size();
  if (place < records_.size()) {
    standings_.emplace_back();
  } else {
    place = lowest();
    by_fingerprint_.erase(read(records_[place].fingerprint));
    standings_[place].has_text = false;
  }
  by_fingerprint_.emplace(fingerprint, place);
  return place;
}

void QueryDigests::add(const QuerySample& sample, int64_t at_wall_ns, const std::string* text) {
  const auto found = by_fingerprint_.find(sample.fingerprint);
  const bool is_new = found == by_fingerprint_.end();
  const size_t place = is_new ? place_for(sample.fingerprint) : found->second;
  format::DigestRecord& record = records_[place];
  Standing& standing = standings_[place];
  const uint64_t took_ns = at_least_zero(sample.took_ns), each_ns = took_ns / std::max(sample.calls, 1U);

  SeqWrite guard(record.seq);
  if (is_new) start_digest(record, sample.fingerprint, at_wall_ns);
  add_to(record.calls, sample.calls);
  add_to(record.errors, sample.errors);
  add_to(record.rows, at_least_zero(sample.rows));
  add_to(record.bytes, at_least_zero(sample.bytes));
  add_to(record.total_ns, took_ns);
  add_to(record.wait_ns, at_least_zero(sample.wait_ns));
  put(record.min_ns, std::min(read(record.min_ns), each_ns));
  put(record.max_ns, std::max(read(record.max_ns), each_ns));
  put(record.first_wall_ns, std::min(read(record.first_wall_ns), at_least_zero(at_wall_ns)));
  put(record.last_wall_ns, std::max(read(record.last_wall_ns), at_least_zero(at_wall_ns)));
  put(record.repeats_max, std::max<uint64_t>(read(record.repeats_max), sample.repeats));
  if (sample.repeats == kRepeatsMany) add_to(record.repeated_leases);
  add_to(record.duration.count[histogram_bucket_of_us(each_ns / 1000)], sample.calls);
  standing.rank_ns += took_ns;
  if (!standing.has_text && text != nullptr) {
    record.query.assign_shortened(*text);
    standing.has_text = true;
  }
}

void QueryDigests::clear() {
  for (size_t place = 0; place < standings_.size(); ++place) {
    SeqWrite guard(records_[place].seq);
    start_digest(records_[place], 0, 0);
  }
  standings_.clear();
  by_fingerprint_.clear();
}

}  // namespace tide
