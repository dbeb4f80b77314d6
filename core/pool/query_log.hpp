// QueryLog: what becomes known of the statements that were executed.
//
// Every statement leaves one record. The thread that executed it appends it to the tape of its slot, which has one writer
// at a time (the holder, within its call) and one reader (the keeper); a statement that was slow or failed is also written
// into the log in the segment at once. The keeper adds the tapes up by fingerprint (pool/query_digests.hpp).
//
// Nothing waits: a record that finds its tape full is counted as lost (query_log_lost_total). Nothing that is kept
// contains a literal (statement/fingerprint.hpp, statement/masked_message.hpp).
// A tape also knows how often the current lease has executed a statement, so that the digests tell leases that repeat one.
// The fingerprint of a text is looked up in a table of the tape, by the hash of the text; only texts that are not in it are
// scanned.
// Threads: [holder] the thread that owns the slot; [keeper]; is_on() any.
// Failure: without memory the record is lost, and counted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "os/clock.hpp"
#include "policy/target.hpp"
#include "pool/ports.hpp"
#include "pool/query_digests.hpp"
#include "pool/query_forms.hpp"
#include "segment/board.hpp"
#include "segment/rings.hpp"
#include "segment/segment.hpp"
#include "statement/fingerprint.hpp"

namespace tide {

// A call on a lease that executed statements.
struct FinishedCall {
  LeaseId lease;
  uint64_t conn_id = 0;
  Instant ended;
  Span took;
  int64_t wait_ns = -1;  // of its lease, if this was the first call on it; -1: not measured
  const Status& status;
};

class QueryLog {
 public:
  // `size`: of the log of slow and failed statements; 0: nothing is recorded.
  QueryLog(Segment& segment, Board& board, Backend backend, int64_t size, const Clock& clock);
  ~QueryLog();
  QueryLog(const QueryLog&) = delete;
  QueryLog& operator=(const QueryLog&) = delete;

  bool is_on() const { return size_ != 0; }

  // [holder] Each returns whether the keeper should drain() soon.
  bool statement(const FinishedCall& call, std::string_view sql, int64_t rows, int64_t bytes) noexcept;
  bool batch(const FinishedCall& call, std::span<const QueryRequest> requests, std::span<const ResultTable> results,
             size_t failed_at) noexcept;
  // A statement that is read in pages is finished with the last page, with an error, or when it is closed.
  bool rows_opened(const FinishedCall& call, std::string_view sql, const ResultTable& page) noexcept;
  bool rows_fetched(const FinishedCall& call, const ResultTable& page) noexcept;
  bool rows_closed(const FinishedCall& call) noexcept;
  // The lease ends, possibly with open rows. By the thread that ended it.
  bool lease_ended(LeaseId lease, Instant now) noexcept;

  // [keeper] Adds up what the tapes contain. True: there is more, because the time of a step is limited.
  bool drain(Instant now);
  void clear(Instant now);
  void set_threshold(Span threshold) { threshold_ns_.store(threshold.ns(), std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kTapeRecords = 512;
  static constexpr size_t kKnownTexts = 256;
  static constexpr uint32_t kRecordsPerStep = 1U << 16;

  struct Entry {
    int64_t ended_ns = 0;
    QuerySample sample;
  };
  static_assert(sizeof(Entry) <= 64);
  struct KnownText {
    uint64_t hash = 0;
    uint64_t fingerprint = 0;  // 0: none
  };
  struct OpenRows {
    uint64_t lease = 0;  // 0: none
    NormalForm form;
    int64_t took_ns = 0;
    int64_t wait_ns = -1;
    int64_t rows = 0;
    uint64_t conn_id = 0;
  };
  // How often the current lease has executed each of the few statements that it executes most.
  class Repeats {
   public:
    // Counts a call; returns how many there have been.
    uint32_t count(uint64_t lease, uint64_t fingerprint);

   private:
    static constexpr size_t kStatements = 8;

    uint64_t lease_ = 0;
    uint32_t used_ = 0;
    uint32_t last_ = 0;  // place of the last one
    std::array<uint64_t, kStatements> fingerprints_{};
    std::array<uint32_t, kStatements> calls_{};
  };
  struct Tape {
    // The writer's.
    alignas(64) std::atomic<uint32_t> head{0};
    uint32_t tail_seen = 0;
    uint32_t generation = 0;
    Repeats repeats;
    OpenRows open;
    std::array<KnownText, kKnownTexts> known{};
    // The keeper's.
    alignas(64) std::atomic<uint32_t> tail{0};
    alignas(64) std::array<Entry, kTapeRecords> entries;
  };
  // What a record of the log says.
  struct Told {
    std::string_view query;
    QuerySample sample;
    std::string_view message;
  };

  Tape& tape_of(uint32_t slot);
  NormalForm form_of(std::string_view sql) const { return normal_form(sql, dialect_, may_be_string_); }
  uint64_t fingerprint_of(Tape& tape, std::string_view sql);
  bool push(Tape& tape, uint32_t slot, Instant ended, const QuerySample& sample);
  void lose(uint32_t slot, uint32_t records);
  bool is_shown(Span took, const Status& status) const {
    return !status || took.ns() >= threshold_ns_.load(std::memory_order_relaxed);
  }
  void show(const FinishedCall& call, const Told& told);
  void show_statement(const FinishedCall& call, std::string_view sql, const QuerySample& sample,
                      std::string_view message);
  bool push_batch(const FinishedCall& call, std::span<const QueryRequest> requests,
                  std::span<const ResultTable> results, size_t failed_at);
  bool finish_rows(Tape& tape, const FinishedCall& call);

  Board& board_;
  const Clock& clock_;
  const int64_t size_;
  const Dialect dialect_;
  const bool may_be_string_;
  std::atomic<int64_t> threshold_ns_{0};
  Ring<format::QueryRecord> log_;
  std::vector<std::atomic<Tape*>> tapes_;  // by slot; made at its first statement
  QueryForms forms_;
  QueryDigests digests_;
  uint32_t next_slot_ = 0;  // where drain() begins
};

// How many rows a statement returned or changed; -1: unknown.
int64_t rows_of(const ResultTable& result);

}  // namespace tide
