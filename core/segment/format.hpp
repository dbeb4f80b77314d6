// The byte layout of a segment, version 6. README.md beside this file lists the offsets; a test compares the two.
//
// A segment is written only by its owner and read by other processes with pread(). Every struct here has a fixed size
// and fixed offsets (static_asserted below); a change of either requires a new kLayoutVersion. Cells that are written
// while others read them are relaxed atomics; data that must be consistent is protected by a sequence number (odd:
// being written).
//
// Times are nanoseconds of the host's monotonic clock axis ("mono") unless the name says wall (since 1970). The
// header's anchor converts one to the other.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/fixed_text.hpp"
#include "model/commands.hpp"
#include "model/counters.hpp"
#include "model/regions.hpp"
#include "segment/format_cell.hpp"
#include "segment/histogram.hpp"

namespace tide::format {

inline constexpr char kMagic[8] = {'T', 'I', 'D', 'E', 'P', 'O', 'O', 'L'};
inline constexpr uint32_t kLayoutVersion = 6;
inline constexpr uint64_t kSegmentBytesMax = uint64_t{64} << 20;

struct Region {
  uint64_t offset;  // from the beginning of the file; a multiple of 64
  uint32_t count;   // records
  uint32_t stride;  // bytes per record; must equal the size of the record's struct
};
static_assert(sizeof(Region) == 16);
// A region with the type of its records.
template <typename Record>
struct RegionOf : Region {};

#define TIDE_REGION_MEMBER(name, Record, count, meaning) RegionOf<struct Record> name;
#define TIDE_REGION_NUMBER(name, Record, count, meaning) +1
inline constexpr size_t kRegions = 0 TIDE_REGIONS(TIDE_REGION_NUMBER);

// Flags of Header::flags. Readers ignore unknown bits.
inline constexpr uint32_t kHeaderHosted = 1;  // a database server hosts the pool for its backends

// Written once, before the file is renamed to its final name.
struct Header {
  char magic[8];
  uint32_t layout_version;
  uint32_t header_bytes;
  uint64_t total_bytes;
  uint8_t instance_id[16];
  int64_t started_wall_ns;
  uint32_t pid;
  uint32_t uid;
  uint32_t backend;  // 0 postgresql, 1 sqlite, 2 custom
  uint32_t flags;    // kHeader...
  FixedText<64> pool;
  FixedText<64> app;
  FixedText<64> host;
  FixedText<64> db_user;
  FixedText<64> version;
  FixedText<512> target;  // without credentials
  TIDE_REGIONS(TIDE_REGION_MEMBER)
  uint8_t zero[4096 - 64 - 832 - kRegions * sizeof(Region)];
};
static_assert(sizeof(Header) == 4096 && offsetof(Header, pool) == 64 && offsetof(Header, vitals) == 896);
#undef TIDE_REGION_MEMBER
#undef TIDE_REGION_NUMBER

// Written by the keeper, all protected by `seq`. NaN in a double: not measured.
struct Vitals {
  Cell seq;
  Cell topology_seq;    // odd while slots are being filled or emptied; even and unchanged: the set is stable
  Cell heartbeat_mono;  // last tick of the keeper
  Cell anchor_mono;     // the same moment on both axes
  Cell anchor_wall;
  Cell state;  // PoolState
  Cell min_size;
  Cell max_size;
  Cell target_size;
  Cell limit_size;
  Cell size_source;       // SizeSource
  Cell burst_until_mono;  // 0: not bursting
  Cell generation;
  Cell health;               // 0..100, or ~0: not measured
  Cell slots_used;           // (*) slots from this index on were never used
  Cell lease_timeout_ns;     // 0: leases are never overdue
  Cell memory_bytes;         // ~0: not measured
  Cell wal_bytes;            // 0: not measured; else one more than the bytes
  Cell server_sessions;      // all clients' sessions at the server; 0: not measured; else one more than the number
  Cell server_sessions_max;  // 0: not measured; else one more than the number
  CellOf<double> wait_p50_ms, wait_p95_ms, wait_p99_ms, wait_max_ms;  // of the last minute
  CellOf<double> use_p50_ms, use_p99_ms, query_p50_ms, query_p99_ms;
  Cell breaker;             // BreakerState
  Cell breaker_probe_mono;  // 0: no probe is scheduled
  Cell pooler;              // 0: unknown; 1 none, 2 session, 3 transaction
  Cell reserved;
};
static_assert(sizeof(Vitals) == 256);

// Counters are cells, declared by their list in model/counters.hpp. The rest of the cache line is padding, so that no
// other record shares the line.
#define TIDE_CELL(name, unit, opentelemetry, meaning) Cell name;
constexpr size_t filler(size_t cells) { return 8 - cells % 8; }

// Written under the wait queue's mutex.
struct QueueStats {
  Cell seq;
  Cell waiting;
  Cell head_since_mono;  // 0: nobody waits
  Cell waiting_peak;
  TIDE_QUEUE_COUNTERS(TIDE_CELL)
  Cell reserved[filler(4 + kQueueCounters)];
};

// Written by the keeper, protected by `seq`.
struct KeeperStats {
  Cell seq;
  TIDE_KEEPER_COUNTERS(TIDE_CELL)
  Cell size_peak;
  Cell in_use_peak;  // (*) raised by callers that lease
  Cell stats_reset_wall;
  Cell last_error_wall;  // 0: none yet
  FixedText<256> last_error;
  HistogramCells connect;
  Cell reserved[filler(5 + kKeeperCounters + 32 + kHistogramBuckets)];
};

// One cache line is read and written by every lease. `word` is a SlotWord. The rest is written by the owner of the slot
// and protected by `seq`, except for the cells marked (*), which are independent.
struct Slot {
  Cell word;
  Cell seq;
  Cell acquired_mono;   // begin of the current or last lease
  Cell last_used_mono;  // (*) last use by the holder, or the return
  TIDE_LEASE_COUNTERS(TIDE_CELL)
  Cell expires_mono;     // ~0>>1: never
  Cell32 thread_id;      // of the holder
  Cell32 flags;          // (*) SlotFlag and Retirement, written by the keeper
  Cell acquires_before;  // acquires_total when this connection was opened: uses = acquires_total - this
  FixedText<64> tag;     // of the current or last lease
  Cell conn_id;          // 0: no connection
  Cell born_mono;
  Cell since_mono;      // (*) begin of the state; for leased and idle see acquired_mono and last_used_mono
  Cell validated_mono;  // (*)
  Cell queries_before;
  Cell32 server_pid;
  Cell32 is_in_transaction;  // (*)
  Cell holder_generation;    // of the lease that tag, thread_id and acquired_mono belong to
  Cell32 statements;         // (*) prepared ones that the connection holds
  Cell32 reserved;
  FixedText<64> last_error;
};
static_assert(sizeof(Slot) == 256 && offsetof(Slot, tag) == 64 && offsetof(Slot, conn_id) == 128);

enum SlotFlag : uint32_t {
  kFlagOverdue = 2,
  kFlagSuspect = 4,
};

// The rest of Slot::flags, bits 8 to 15: the connection is closed on return, and the reason.
struct Retirement {
  CloseReason reason = CloseReason::none;  // none: it is not closed

  explicit operator bool() const { return reason != CloseReason::none; }
  static Retirement of(const Slot& slot) {
    return {static_cast<CloseReason>(slot.flags.load(std::memory_order_relaxed) >> 8 & 0xFF)};
  }
  void put_into(Slot& slot) const {
    const uint32_t others = slot.flags.load(std::memory_order_relaxed) & ~uint32_t{0xFF00};
    slot.flags.store(others | static_cast<uint32_t>(reason) << 8, std::memory_order_relaxed);
  }
};

// Written by the owner of the slot, protected by `seq`, except for the cell marked (*), which is independent.
struct SlotStats {
  Cell seq;
  TIDE_SLOT_COUNTERS(TIDE_CELL)
  HistogramCells wait;  // leases that waited; all others waited 0
  HistogramCells use;
  HistogramCells query;
  Cell statement_bytes;  // (*) of the prepared statements of the slot's connection
  Cell reserved[filler(2 + kSlotCounters + 3 * kHistogramBuckets)];
};

// Written by the keeper, protected by `seq`: the brain's counters, and the total lifetime of closed connections.
struct Tallies {
  Cell seq;
  TIDE_TALLY_COUNTERS(TIDE_CELL)
  Cell reserved[filler(1 + kTallyCounters)];
};

// A stripe of the query cache. Its counters are added to by any thread; `entries` and `bytes` are written by the thread
// that changes this part of the cache. Every cell is independent.
struct CacheStats {
  TIDE_CACHE_COUNTERS(TIDE_CELL)
  Cell entries;
  Cell bytes;
  Cell reserved[filler(2 + kCacheCounters)];
};

// The webhook. Written by its thread and by whoever gives it an alert, in turn; protected by `seq`.
struct NotifyStats {
  Cell seq;
  TIDE_NOTIFY_COUNTERS(TIDE_CELL)
  Cell queued;     // notifications that wait to be sent
  Cell sent_wall;  // last success; 0: none yet
  FixedText<208> last_error;
};
static_assert(sizeof(NotifyStats) == 256);
#undef TIDE_CELL

// The counters at the last reset_stats(), which readers subtract; written by the keeper, protected by `seq`.
struct Baseline {
  Cell seq;
  Cell counter[kCounters];  // by Counter; sums for the counters of slots
  HistogramCells wait, use, query, connect;
  Cell reserved[filler(1 + kCounters + 4 * kHistogramBuckets)];
};
static_assert(sizeof(QueueStats) % 64 == 0 && sizeof(KeeperStats) % 64 == 0 && sizeof(SlotStats) % 64 == 0);
static_assert(sizeof(CacheStats) % 64 == 0 && sizeof(Tallies) % 64 == 0 && sizeof(Baseline) % 64 == 0);

// Adds the counters of a record to the sums, by Counter.
using CounterSums = std::array<uint64_t, kCounters>;
#define TIDE_ADD(name, unit, opentelemetry, meaning) \
  sums[static_cast<size_t>(Counter::name)] += from.name.load(std::memory_order_relaxed);
inline void add_counters(CounterSums& sums, const QueueStats& from) { TIDE_QUEUE_COUNTERS(TIDE_ADD) }
inline void add_counters(CounterSums& sums, const KeeperStats& from) { TIDE_KEEPER_COUNTERS(TIDE_ADD) }
inline void add_counters(CounterSums& sums, const Slot& from) { TIDE_LEASE_COUNTERS(TIDE_ADD) }
inline void add_counters(CounterSums& sums, const SlotStats& from) { TIDE_SLOT_COUNTERS(TIDE_ADD) }
inline void add_counters(CounterSums& sums, const CacheStats& from) { TIDE_CACHE_COUNTERS(TIDE_ADD) }
inline void add_counters(CounterSums& sums, const Tallies& from) { TIDE_TALLY_COUNTERS(TIDE_ADD) }
inline void add_counters(CounterSums& sums, const NotifyStats& from) { TIDE_NOTIFY_COUNTERS(TIDE_ADD) }
#undef TIDE_ADD

// Written under the wait queue's mutex, protected by `seq`. ticket 0: free.
struct Waiter {
  Cell seq;
  Cell ticket;
  Cell queued_mono;
  Cell deadline_mono;
  FixedText<64> tag;
  Cell priority;  // 0 normal, 1 critical
  Cell reserved[3];
};
static_assert(sizeof(Waiter) == 128);

// Rings: record number i (from 0) is stored at place i % count with stamp i + 1. 0: never written.
inline constexpr uint64_t kStampBusy = ~uint64_t{0};  // being written
struct HistoryRecord {
  Cell stamp;
  int64_t at_wall_ns;  // end of the interval
  uint32_t size, limit_size, in_use_max, waiting_max;
  double in_use_avg;
  uint64_t acquires;
  uint64_t timeouts;
  uint64_t errors;     // query errors and connect failures
  double wait_p99_ms;  // NaN: nobody was served
  double use_ms;
  double predicted_in_use;  // NaN: no forecast
  int32_t health;           // -1: not measured
  uint32_t covers_ms;       // the time that was measured; 0 in a record that no owner wrote
  uint8_t instance_id[16];  // that measured it: a pool takes over the history of its predecessor
  uint64_t queries;
  uint64_t query_errors;
  uint64_t faults;  // query errors that count for health
  double query_ms;
  double query_p99_ms;  // NaN: there was none
  uint64_t connects;
  uint64_t connect_failures;
  uint64_t query_cache_hits;
  uint64_t query_cache_misses;
  uint64_t result_bytes;
  double wait_ms;         // of leases and of requests that failed
  double replica_lag_ms;  // NaN: not measured, or not a replica
  uint64_t waited;        // leases whose callers had to wait
  uint64_t reserved2;
};
static_assert(sizeof(HistoryRecord) == 224);

struct JournalRecord {
  Cell stamp;
  int64_t at_wall_ns;
  uint32_t kind;      // EventKind
  uint32_t severity;  // Severity
  FixedText<168> message;
  FixedText<192> detail;  // a JSON object, or empty
};
static_assert(sizeof(JournalRecord) == 384);

struct ScalingRecord {
  Cell stamp;
  int64_t at_wall_ns;
  uint32_t from_size, to_size, cause, in_use, waiting, reserved;
  double wait_p95_ms;       // NaN: nobody waited
  double predicted_in_use;  // NaN: no forecast
  FixedText<136> reason;
  FixedText<64> actor;
};
static_assert(sizeof(ScalingRecord) == 256);

// A statement that was slow or failed.
struct QueryRecord {
  Cell stamp;
  int64_t at_wall_ns;    // when it ended
  uint64_t fingerprint;  // of the text without literals
  uint64_t conn_id;
  int64_t duration_ns;
  int64_t wait_ns;  // of its lease, if that was taken for this statement; -1: not measured
  int64_t rows;     // -1: unknown
  int64_t bytes;    // of the result; -1: unknown
  uint32_t is_slow;
  uint32_t is_failed;
  char sqlstate[8];  // "": no error, or one that has none
  FixedText<64> tag;
  FixedText<256> message;  // of the error; without the values that it quotes
  FixedText<624> query;    // without literals
};
static_assert(sizeof(QueryRecord) == 1024);

// The statements with one fingerprint; protected by `seq`. fingerprint 0: free.
struct DigestRecord {
  Cell seq;
  Cell fingerprint;
  Cell calls;
  Cell errors;
  Cell rows;
  Cell bytes;
  Cell total_ns, min_ns, max_ns;
  Cell wait_ns;  // total
  Cell first_wall_ns, last_wall_ns;
  HistogramCells duration;
  Cell repeats_max;      // most executions within one lease
  Cell repeated_leases;  // leases that executed it very often, see pool/query_log.hpp
  FixedText<480> query;  // without literals
};
static_assert(sizeof(DigestRecord) == 1024);

// What leases of one tag hold, as sampled by the keeper once a second; protected by `seq`. samples 0: free.
struct TagRecord {
  Cell seq;
  Cell samples;        // leases and waiting callers seen with this tag
  Cell held_ns_total;  // a lease that is seen counts for the whole second
  Cell waiting_ns_total;
  Cell longest_ns;    // longest lease that was seen
  Cell in_use;        // at last_wall_ns
  Cell waiting;       // at last_wall_ns
  Cell last_wall_ns;  // last sample that saw it
  FixedText<64> tag;
};
static_assert(sizeof(TagRecord) == 128);

// Written by whoever routes reads, protected by `seq`.
struct TargetVitals {
  Cell seq;
  Cell role;        // TargetRole
  Cell is_serving;  // 1: gets reads
  Cell lag_ns;      // ~0: not measured, or not a replica
  Cell lsn;         // last position replayed (replica) or written (primary); 0: unknown
  Cell checked_mono;
  Cell reads_total;     // reads that were sent to it
  Cell errors_total;    // failures for which it was left out
  Cell left_out_mono;   // since when it gets no reads; 0: it does
  FixedText<64> group;  // name of the pool that it belongs to
  FixedText<120> why;   // why it gets no reads
};
static_assert(sizeof(TargetVitals) == 256);

// Written by the keeper, protected by `seq`.
struct WalVitals {
  Cell seq;
  Cell frames;        // in the WAL, at the last commit
  Cell frames_done;   // of these, in the database file
  Cell last_wall_ns;  // of the last checkpoint; 0: none yet
  Cell last_kind;     // CheckpointKind
  Cell blocked_mono;  // since when readers have kept the WAL from being reset; 0: they do not
  Cell reader_mono;   // begin of the oldest read transaction of this pool; 0: there is none
  Cell reader_lease;  // that holds it; 0: no lease
  Cell reader_conn_id;
  Cell reserved;
  FixedText<64> reader_tag;
  FixedText<112> last_error;  // of a checkpoint
};
static_assert(sizeof(WalVitals) == 256);

// Written by the thread that listens, protected by `seq`.
struct ListenerVitals {
  Cell seq;
  Cell state;    // ListenerState
  Cell conn_id;  // 0: no connection
  Cell born_mono;
  Cell since_mono;  // begin of the state
  Cell channels;
  Cell notifications_total;
  Cell gaps_total;
  Cell connects_total;
  Cell server_pid;
  FixedText<176> last_error;
};
static_assert(sizeof(ListenerVitals) == 256);

struct CommandRecord {
  Cell stamp;
  uint64_t command_id;
  int64_t issued_wall_ns;
  int64_t applied_wall_ns;  // 0: not yet
  uint32_t reserved;
  uint32_t status;      // CommandStatus
  uint64_t generation;  // after the command was applied
  FixedText<64> actor;
  FixedText<32> verb;        // as received, or "unknown"
  FixedText<896> arguments;  // JSON, as long as in MailboxCommand
  FixedText<240> message;
};
static_assert(sizeof(CommandRecord) == 1280);

struct SettingRecord {
  FixedText<48> name;
  FixedText<136> value;
  uint32_t source;   // SettingSource
  uint32_t is_note;  // 1: no option value but a note: on the option of this name, or on a word that is not an option
};
static_assert(sizeof(SettingRecord) == 192);

inline constexpr uint32_t kSettingsMax = 192;
struct SettingsBlock {
  Cell seq;
  uint64_t count;
  uint64_t reserved[6];
  SettingRecord record[kSettingsMax];
};
static_assert(sizeof(SettingsBlock) == 64 + 192 * 192);

// Written by the keeper, each protected by its own `seq`. alert_id 0: never used. A new alert replaces a resolved one.
struct AlertRecord {
  Cell seq;
  uint64_t alert_id;          // instance bits, then a number, as in command ids
  int64_t since_wall_ns;      // when the condition began to hold
  int64_t last_seen_wall_ns;  // when the condition last held
  int64_t resolved_wall_ns;   // 0: not yet
  int64_t acked_wall_ns;      // 0: not acknowledged
  uint64_t occurrences;       // evaluations in which the condition held
  double value;               // at last_seen
  double threshold;
  uint32_t severity;  // Severity
  uint32_t state;     // AlertState
  FixedText<48> rule;
  FixedText<48> metric;
  FixedText<64> acked_by;
  FixedText<192> message;
  FixedText<192> advice;
  uint64_t reserved[2];
};
static_assert(sizeof(AlertRecord) == 640);
static_assert(kAckedByBytesMax == decltype(AlertRecord::acked_by)::kBytesMax);

struct AlertRuleRecord {
  FixedText<48> rule;
  FixedText<48> metric;
  double threshold;
  double clear_at;  // the value at which the condition ends
  int64_t hold_ns;  // the condition must hold this long before it fires
  uint32_t comparison;
  uint32_t severity;
  uint32_t is_enabled;
  uint32_t is_built_in;  // 1: unmodified built-in rule, 0: set by a command
  FixedText<192> message;
  FixedText<192> advice;
  uint64_t reserved;
};
static_assert(sizeof(AlertRuleRecord) == 528);
static_assert(kRuleNameBytesMax == decltype(AlertRuleRecord::rule)::kBytesMax);
static_assert(kAlertTextBytesMax == decltype(AlertRuleRecord::message)::kBytesMax);

inline constexpr uint32_t kAlertRulesMax = 64;
struct AlertRulesBlock {
  Cell seq;
  uint64_t count;
  uint64_t reserved[6];
  AlertRuleRecord record[kAlertRulesMax];
};
static_assert(sizeof(AlertRulesBlock) == 64 + 64 * 528);

// NaN: not measured. checked_wall_ns 0: never checked.
struct HealthRecord {
  uint32_t status;  // HealthStatus
  uint32_t reserved;
  double score;  // 0..100
  double value;
  double threshold;
  int64_t checked_wall_ns;
  FixedText<152> message;
};
static_assert(sizeof(HealthRecord) == 192);

inline constexpr uint32_t kHealthChecks = 4;
struct HealthBlock {
  Cell seq;
  uint64_t reserved[7];
  HealthRecord record[kHealthChecks];  // by HealthCheck
};
static_assert(sizeof(HealthBlock) == 64 + 4 * 192);

struct ForecastRecord {
  int64_t at_wall_ns;  // when it was made
  int64_t horizon_ns;
  double predicted_in_use, low, high;
  double error_mape;  // mean absolute error relative to the actual value of this model so far, 0..; NaN: unknown
  double error_wape;  // sum of absolute errors over sum of actuals
  uint32_t is_selected;
  uint32_t reserved;
  FixedText<24> model;
  uint64_t reserved2[5];
};
static_assert(sizeof(ForecastRecord) == 128);

inline constexpr uint32_t kForecastsMax = 32;
// The brain's figures for sizing, beside its forecasts. NaN: unknown.
struct ForecastsBlock {
  Cell seq;
  uint64_t count;
  double efficiency;           // time in use over time open, decayed
  double slow_share;           // of the requests, decayed
  double prediction_accuracy;  // 1 - WAPE of the selected forecasts 10 s ahead, at least 0
  double demand;               // connections in use and waited for, filtered
  uint64_t reserved[2];
  ForecastRecord record[kForecastsMax];
};
static_assert(sizeof(ForecastsBlock) == 64 + 32 * 128);

// The mailbox: a second file, written by processes that may control the pool, hence never mapped and never trusted by
// the owner. Commands form a ring: number i (from 1) is at place i % kMailboxCommands. A sender holds flock(LOCK_EX)
// while it writes the command and then MailboxHeader.sent. The owner reads with pread(), and answers in the segment's
// `commands`.
struct MailboxHeader {
  char magic[8];  // "TIDEMAIL"
  uint32_t layout_version;
  uint32_t header_bytes;
  uint8_t instance_id[16];
  uint64_t sent;  // commands sent so far
  uint64_t reserved[3];
};
static_assert(sizeof(MailboxHeader) == 64);
inline constexpr char kMailboxMagic[8] = {'T', 'I', 'D', 'E', 'M', 'A', 'I', 'L'};
inline constexpr uint32_t kMailboxCommands = 64;

struct MailboxCommand {
  uint64_t number;  // from 1
  int64_t issued_wall_ns;
  uint64_t checksum;  // of all other bytes: a torn command is not executed
  uint64_t reserved;
  FixedText<32> verb;
  FixedText<64> actor;
  FixedText<896> arguments;  // JSON object
};
static_assert(kArgumentsBytesMax == decltype(MailboxCommand::arguments)::kBytesMax);
static_assert(sizeof(MailboxCommand) == 1024);
inline constexpr uint64_t kMailboxBytes = sizeof(MailboxHeader) + kMailboxCommands * sizeof(MailboxCommand);

// A history that its owner has left for the next one: this header, then the records of seconds, minutes and hours, each
// oldest first. Never changed: it is replaced as a whole.
inline constexpr char kHistoryMagic[8] = {'T', 'I', 'D', 'E', 'H', 'I', 'S', 'T'};
struct HistoryFileHeader {
  char magic[8];
  uint32_t layout_version;
  uint32_t header_bytes;
  uint8_t instance_id[16];  // of the owner
  int64_t written_wall_ns;
  uint64_t checksum;  // of all other bytes
  uint32_t record_bytes;
  uint32_t seconds;  // records
  uint32_t minutes;
  uint32_t hours;
  FixedText<64> pool;
};
static_assert(sizeof(HistoryFileHeader) == 128);

}  // namespace tide::format
