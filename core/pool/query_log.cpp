#include "pool/query_log.hpp"

#include <algorithm>
#include <exception>

#include "base/text.hpp"
#include "statement/masked_message.hpp"

namespace tide {
namespace {

constexpr size_t kSqlstateBytes = 5;

// The clock of the log is that of the wall: records have the time at which they ended.
int64_t wall_time_of(Instant at, Instant now, int64_t wall_now_ns) { return wall_now_ns - (now - at).ns(); }

}  // namespace

int64_t rows_of(const ResultTable& result) { return result.columns() > 0 ? result.rows() : result.affected(); }

QueryLog::QueryLog(Segment& segment, Board& board, Backend backend, int64_t size, const Clock& clock)
    : board_(board),
      clock_(clock),
      size_(size),
      dialect_(backend == Backend::sqlite ? Dialect::sqlite : Dialect::postgresql),
      may_be_string_(backend != Backend::postgresql),
      log_(segment.query_log(), segment.header().query_log.count),
      tapes_(size == 0 ? 0 : board.capacity()),
      digests_(std::span(segment.digests(), segment.header().digests.count)) {}

QueryLog::~QueryLog() {
  for (std::atomic<Tape*>& tape : tapes_) delete tape.load(std::memory_order_relaxed);
}

// ---- the holder

QueryLog::Tape& QueryLog::tape_of(uint32_t slot) {
  if (Tape* tape = tapes_[slot].load(std::memory_order_acquire)) return *tape;
  auto* tape = new Tape();
  tapes_[slot].store(tape, std::memory_order_release);
  return *tape;
}

uint64_t QueryLog::fingerprint_of(Tape& tape, std::string_view sql) {
  if (const uint32_t generation = forms_.generation(); generation != tape.generation) {
    tape.known = {};
    tape.generation = generation;
  }
  const uint64_t hash = hash_of_text(sql);
  KnownText& known = tape.known[hash % kKnownTexts];
  if (known.hash == hash && known.fingerprint != 0) return known.fingerprint;
  const NormalForm form = form_of(sql);
  forms_.keep(form.fingerprint, form.text);
  known = {hash, form.fingerprint};
  return form.fingerprint;
}

// With more statements than places, one that was called least is forgotten: a loop of up to kStatements is seen, a longer one
// is not.
uint32_t QueryLog::Repeats::count(uint64_t lease, uint64_t fingerprint) {
  if (lease_ != lease) {
    lease_ = lease;
    used_ = last_ = 0;
  }
  if (last_ < used_ && fingerprints_[last_] == fingerprint) return ++calls_[last_];
  for (last_ = 0; last_ < used_; ++last_) {
    if (fingerprints_[last_] == fingerprint) return ++calls_[last_];
  }
  if (used_ == kStatements) {
    last_ = static_cast<uint32_t>(std::min_element(calls_.begin(), calls_.end()) - calls_.begin());
  } else {
    ++used_;
  }
  fingerprints_[last_] = fingerprint;
  return calls_[last_] = 1;
}

bool QueryLog::push(Tape& tape, uint32_t slot, Instant ended, const QuerySample& sample) {
  const uint32_t head = tape.head.load(std::memory_order_relaxed);
  if (head - tape.tail_seen >= kTapeRecords / 2) tape.tail_seen = tape.tail.load(std::memory_order_acquire);
  const uint32_t used = head - tape.tail_seen;
  if (used >= kTapeRecords) {
    lose(slot, sample.calls);
    return true;
  }
  tape.entries[head % kTapeRecords] = {ended.ns(), sample};
  tape.head.store(head + 1, std::memory_order_release);
  return used == kTapeRecords / 2;
}

void QueryLog::lose(uint32_t slot, uint32_t records) {
  format::SlotStats& stats = board_.stats(slot);
  SeqWrite guard(stats.seq);
  add_to(stats.query_log_lost_total, records);
}

void QueryLog::show(const FinishedCall& call, const Told& told) {
  const Status& status = call.status;
  const std::string message = status ? std::string(told.message) : masked_message(status.message(), status.sqlstate());
  const std::string_view state = status.sqlstate();
  const bool is_state = !status && state.size() == kSqlstateBytes &&
                        std::all_of(state.begin(), state.end(), [](char c) { return is_digit(c) || is_letter(c); });
  const bool is_slow = call.took.ns() >= threshold_ns_.load(std::memory_order_relaxed);
  const int64_t wall_ns = wall_time_of(call.ended, clock_.now(), clock_.wall_ns());
  log_.append([&](format::QueryRecord& record) {
    record.at_wall_ns = wall_ns;
    record.fingerprint = told.sample.fingerprint;
    record.conn_id = call.conn_id;
    record.duration_ns = std::max<int64_t>(0, call.took.ns());
    record.wait_ns = told.sample.wait_ns;
    record.rows = told.sample.rows;
    record.bytes = told.sample.bytes;
    record.is_slow = is_slow ? 1 : 0;
    record.is_failed = status ? 0 : 1;
    std::fill(std::begin(record.sqlstate), std::end(record.sqlstate), '\0');
    if (is_state) std::copy(state.begin(), state.end(), record.sqlstate);
    record.tag = board_.slot(call.lease.slot()).tag;
    record.message.assign_shortened(message);
    record.query.assign_shortened(told.query);
  });
}

void QueryLog::show_statement(const FinishedCall& call, std::string_view sql, const QuerySample& sample,
                              std::string_view message) {
  const NormalForm form = form_of(sql);
  show(call, {form.text, sample, message});
}

bool QueryLog::statement(const FinishedCall& call, std::string_view sql, int64_t rows, int64_t bytes) noexcept {
  const uint32_t slot = call.lease.slot();
  try {
    Tape& tape = tape_of(slot);
    QuerySample sample{fingerprint_of(tape, sql), call.took.ns(), call.wait_ns, rows, bytes};
    sample.repeats = tape.repeats.count(call.lease.bits, sample.fingerprint);
    if (!call.status) sample.errors = 1;
    if (is_shown(call.took, call.status)) show_statement(call, sql, sample, "");
    return push(tape, slot, call.ended, sample);
  } catch (const std::exception&) {
    lose(slot, 1);
    return false;
  }
}

bool QueryLog::batch(const FinishedCall& call, std::span<const QueryRequest> requests,
                     std::span<const ResultTable> results, size_t failed_at) noexcept {
  if (requests.empty()) return false;
  try {
    return push_batch(call, requests, results, failed_at);
  } catch (const std::exception&) {
    lose(call.lease.slot(), static_cast<uint32_t>(requests.size()));
    return false;
  }
}

// The duration is that of the whole: every statement that was executed gets an equal share. Neighbours with the same text
// are one record of the tape, and the log gets one for the batch.
bool QueryLog::push_batch(const FinishedCall& call, std::span<const QueryRequest> requests,
                          std::span<const ResultTable> results, size_t failed_at) {
  const uint32_t slot = call.lease.slot();
  Tape& tape = tape_of(slot);
  const size_t last = call.status ? requests.size() - 1 : std::min(failed_at, requests.size() - 1);
  const auto executed = static_cast<int64_t>(last) + 1;
  QuerySample whole{0, call.took.ns(), call.wait_ns, call.status ? 0 : -1, call.status ? 0 : -1};
  bool is_urgent = false;
  for (size_t i = 0; i <= last;) {
    QuerySample sample{fingerprint_of(tape, requests[i].sql), 0, i == 0 ? call.wait_ns : -1};
    const size_t first = i;
    for (; i <= last && requests[i].sql == requests[first].sql; ++i) {
      if (i >= results.size()) continue;
      const int64_t rows = rows_of(results[i]), bytes = results[i].value_bytes();
      if (rows >= 0) sample.rows = std::max<int64_t>(sample.rows, 0) + rows;
      if (bytes >= 0) sample.bytes = std::max<int64_t>(sample.bytes, 0) + bytes;
    }
    sample.calls = static_cast<uint32_t>(i - first);
    sample.took_ns = call.took.ns() / executed * static_cast<int64_t>(i - first);
    if (!call.status && i > last) sample.errors = 1;
    whole.rows += std::max<int64_t>(sample.rows, 0);
    whole.bytes += std::max<int64_t>(sample.bytes, 0);
    const bool is_subject = call.status ? first == 0 : i > last;
    if (is_subject) whole.fingerprint = sample.fingerprint;
    is_urgent = push(tape, slot, call.ended, sample) || is_urgent;
  }
  if (!call.status) whole.rows = whole.bytes = -1;
  if (is_shown(call.took, call.status)) {
    const std::string message =
        "batch of " + std::to_string(requests.size()) + " statements; the duration is that of all";
    show_statement(call, requests[call.status ? 0 : last].sql, whole, message);
  }
  return is_urgent;
}

bool QueryLog::rows_opened(const FinishedCall& call, std::string_view sql, const ResultTable& page) noexcept {
  if (!call.status || page.is_last_page()) {
    return statement(call, sql, call.status ? rows_of(page) : -1, call.status ? page.value_bytes() : -1);
  }
  const uint32_t slot = call.lease.slot();
  try {
    Tape& tape = tape_of(slot);
    tape.open = {};
    tape.open.form = form_of(sql);
    forms_.keep(tape.open.form.fingerprint, tape.open.form.text);
    tape.open.took_ns = call.took.ns();
    tape.open.wait_ns = call.wait_ns;
    tape.open.rows = page.rows();
    tape.open.conn_id = call.conn_id;
    tape.open.lease = call.lease.bits;
  } catch (const std::exception&) {
    lose(slot, 1);
  }
  return false;
}

bool QueryLog::rows_fetched(const FinishedCall& call, const ResultTable& page) noexcept {
  Tape* const tape = tapes_[call.lease.slot()].load(std::memory_order_acquire);
  if (tape == nullptr || tape->open.lease != call.lease.bits) return false;
  tape->open.took_ns += call.took.ns();
  if (call.status) tape->open.rows += page.rows();
  return !call.status || page.is_last_page() ? finish_rows(*tape, call) : false;
}

bool QueryLog::rows_closed(const FinishedCall& call) noexcept {
  Tape* const tape = tapes_[call.lease.slot()].load(std::memory_order_acquire);
  if (tape == nullptr || tape->open.lease != call.lease.bits) return false;
  tape->open.took_ns += call.took.ns();
  return finish_rows(*tape, call);
}

bool QueryLog::lease_ended(LeaseId lease, Instant now) noexcept {
  if (!is_on()) return false;
  Tape* const tape = tapes_[lease.slot()].load(std::memory_order_acquire);
  if (tape == nullptr || tape->open.lease != lease.bits) return false;
  const Status ok;
  return finish_rows(*tape, {lease, tape->open.conn_id, now, Span{}, -1, ok});
}

bool QueryLog::finish_rows(Tape& tape, const FinishedCall& call) {
  const OpenRows open = std::move(tape.open);
  tape.open.lease = 0;
  const FinishedCall whole{call.lease, call.conn_id, call.ended, Span::nanos(open.took_ns), open.wait_ns, call.status};
  QuerySample sample{open.form.fingerprint, open.took_ns, open.wait_ns, open.rows};
  sample.repeats = tape.repeats.count(call.lease.bits, sample.fingerprint);
  if (!call.status) sample.errors = 1;
  try {
    if (is_shown(whole.took, whole.status)) show(whole, {open.form.text, sample, ""});
  } catch (const std::exception&) {
    lose(call.lease.slot(), 1);
    return false;
  }
  return push(tape, call.lease.slot(), call.ended, sample);
}

// ---- the keeper

bool QueryLog::drain(Instant now) {
  if (!is_on()) return false;
  const int64_t wall_now_ns = clock_.wall_ns();
  const uint32_t used = board_.used();
  uint32_t left = kRecordsPerStep;
  for (uint32_t i = 0; i < used && left != 0; ++i) {
    const uint32_t slot = next_slot_ = (next_slot_ + 1) % used;
    Tape* const tape = tapes_[slot].load(std::memory_order_acquire);
    if (tape == nullptr) continue;
    uint32_t tail = tape->tail.load(std::memory_order_relaxed);
    const uint32_t head = tape->head.load(std::memory_order_acquire);
    for (; tail != head && left != 0; ++tail, --left) {
      const Entry& entry = tape->entries[tail % kTapeRecords];
      digests_.add(entry.sample, wall_time_of(Instant::at_ns(entry.ended_ns), now, wall_now_ns),
                   forms_.find(entry.sample.fingerprint));
    }
    tape->tail.store(tail, std::memory_order_release);
  }
  if (forms_.is_short()) forms_.sweep([this](uint64_t fingerprint) { return digests_.has(fingerprint); });
  return left == 0;
}

void QueryLog::clear(Instant now) {
  if (!is_on()) return;
  // As often as full tapes of all slots need.
  for (uint32_t left = 1 + board_.capacity() / (kRecordsPerStep / kTapeRecords); left > 0 && drain(now); --left) {
  }
  digests_.clear();
  log_.clear([](format::QueryRecord& record) {
    record.tag.assign("");
    record.message.assign("");
    record.query.assign("");
  });
  forms_.sweep([](uint64_t) { return false; });
}

}  // namespace tide
