#include "driver/sqlite/wal_guard.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "driver/sqlite/database_file.hpp"
#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/statement.hpp"

namespace tide::sqlite {
namespace {

// The frames between two checkpoints, as SQLite has by default between autocheckpoints.
constexpr int64_t kStepFrames = 1000;
// How long to wait for the turn of the pool: no writer waits meanwhile that would not wait anyway.
constexpr Span kTurnSpan = Span::millis(500);
// How long writers are held up by locks of readers and other processes when the WAL is above its limit ...
constexpr Span kLockSpan = Span::millis(100);
// ... and when it is not, but readers have kept it from being copied wholly. Both at most once a second.
constexpr Span kPatience = Span::millis(20);
constexpr Span kPatientEvery = Span::seconds(1);
// Below the second after which the connector looks again, which is not exact.
constexpr Span kLookEvery = Span::millis(900);
constexpr int kBusyNapMs[] = {1, 1, 2, 2, 5};
constexpr int kBusyNaps = static_cast<int>(std::size(kBusyNapMs));
constexpr int64_t kFrameHeaderBytes = 24;
constexpr int64_t kHelpShare = 4;     // of the limit, above it
constexpr int64_t kEarlierShare = 4;  // of the frames between two checkpoints, if the last one was not complete

bool is_held_up(int code) { return is_busy(code) || (code & 0xFF) == SQLITE_INTERRUPT; }

}  // namespace

// ---- what sessions report -------------------------------------------------------------------------------------------

int WalGuard::on_commit(void* self, sqlite3*, const char* database, int frames) noexcept {
  if (std::string_view(database) == "main") static_cast<WalGuard*>(self)->note_commit(frames);
  return SQLITE_OK;
}

// Commits follow each other, so that no count of one is lost to another. On native() one may be late: then a checkpoint
// comes a little early or late.
void WalGuard::note_commit(int64_t frames) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  const bool has_begun_anew = frames < frames_.load(relaxed);
  frames_.store(frames, relaxed);
  is_touched_.store(true, relaxed);
  if (has_begun_anew) {
    done_.store(0, relaxed);
    next_at_.store(step_.load(relaxed), relaxed);
  }
  if (frames >= next_at_.load(relaxed) && !is_wanted_.load(relaxed)) want();
}

void WalGuard::want() noexcept {
  if (is_wanted_.exchange(true)) return;
  const std::lock_guard lock(mutex_);
  if (wake_) wake_();
}

void WalGuard::on_wanted(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wake_.swap(wake);
}

void WalGuard::look() noexcept {
  const Instant now = clock_.now();
  if (now.ns() < next_look_ns_.load()) return;
  next_look_ns_.store((now + kLookEvery).ns());
  const int64_t frames = frames_.load(), limit = limit_bytes_.load();
  const bool is_quiet = frames_at_look_.exchange(frames) == frames && is_touched_.load();
  const bool is_too_large = limit > 0 && file_.wal_bytes() > limit;
  if (is_quiet || is_too_large || is_left_over_.load()) is_wanted_.store(true);
}

void WalGuard::set_limits(const Limits& limits) noexcept {
  limit_bytes_.store(limits.bytes);
  is_synced_.store(limits.is_synced);
  set_step();
}

// Early enough for a small limit.
void WalGuard::set_step() noexcept {
  const int64_t limit = limit_bytes_.load();
  const int64_t step = limit > 0 ? std::clamp<int64_t>(limit / frame_bytes_.load(), 1, kStepFrames) : kStepFrames;
  if (step_.exchange(step) != step) next_at_.store(done_.load() + step);
}

bool WalGuard::is_far_above_limit() const noexcept {
  const int64_t limit = limit_bytes_.load(std::memory_order_relaxed);
  return limit > 0 && file_.wal_bytes() > limit + limit / kHelpShare;
}

WalFacts WalGuard::facts() const {
  const std::lock_guard lock(mutex_);
  WalFacts facts = facts_;
  facts.frames = frames_.load(std::memory_order_relaxed);
  facts.frames_done = std::min(facts.frames, done_.load(std::memory_order_relaxed));
  return facts;
}

// ---- the work -------------------------------------------------------------------------------------------------------

void WalGuard::work() {
  const std::lock_guard in_work(working_);
  is_wanted_.store(false);
  if (!file_.has_sessions() || !file_.wal_sync().check()) return;  // C3, C4
  is_left_over_.store(true);
  if (file_.turn().take(kNumber, clock_.now() + kTurnSpan, should_stop_, false) != WriterTurn::Outcome::taken) return;
  work_in_turn();
  file_.turn().give(kNumber);
}

// Another one that works now waits for this turn, and is next.
void WalGuard::work_in_turn_of_session() {
  const std::unique_lock in_work(working_, std::try_to_lock);
  if (!in_work.owns_lock() || clock_.now() < truncate_at_ || !file_.wal_sync().check()) return;
  work_in_turn();
  if (is_far_above_limit()) truncate_at_ = latest(truncate_at_, clock_.now() + kPatientEvery);
}

void WalGuard::work_in_turn() {
  file_.enter_handle();
  Status status;
  try {
    status = checkpoint();
  } catch (const std::bad_alloc&) {
    status = Status::out_of_memory();
  }
  file_.close_handle();
  if (!status) note_failure(status);
}

void WalGuard::end_work() noexcept {
  should_stop_.store(true);
  file_.turn().nudge(kNumber);
  const std::lock_guard in_work(working_);
  should_stop_.store(false);
}

// The handles are closed without a checkpoint: that of the last close would not be in the turn of the guard.
Status WalGuard::open(Handles& out) {
  for (Database* const handle : {&out.locker, &out.copier}) {
    if (OpenFailure opened = open_database(file_.target(), *handle, false); !opened.status) return opened.status;
    sqlite3_db_config(handle->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_busy_handler(handle->get(), &WalGuard::on_busy, this);
    // Before SQLite finds a WAL beside it.
    if (!file_.is_current(handle->get())) return file_.moved_meanwhile();
    if (Status status = prepare(*handle); !status) return status;
  }
  return Status::ok();
}

Status WalGuard::prepare(Database& handle) {
  std::string page_bytes;
  int code = run_own(handle.get(), is_synced_.load() ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=OFF");
  if (code == SQLITE_OK) code = run_own(handle.get(), "PRAGMA wal_autocheckpoint=0");
  if (code == SQLITE_OK) code = run_own(handle.get(), "PRAGMA main.schema_version");  // opens the WAL
  if (code == SQLITE_OK) code = run_own(handle.get(), "PRAGMA main.page_size", &page_bytes);
  if (code != SQLITE_OK) return database_error(handle.get(), code);
  frame_bytes_.store(std::max<int64_t>(512, std::atoll(page_bytes.c_str())) + kFrameHeaderBytes);
  return Status::ok();
}

// In the turn.
Status WalGuard::checkpoint() {
  if (!file_.is_current(nullptr)) return Status::ok();  // its sessions are told
  Handles handles;
  const Instant now = clock_.now();
  wait_until_ = now + kLockSpan;
  if (Status status = open(handles); !status) return is_held_up(status.native_code) ? Status::ok() : status;
  set_step();
  const int64_t limit = limit_bytes_.load();
  is_touched_.store(false);
  Result result = copy(handles);
  if (result.code == SQLITE_OK && limit > 0 && file_.measure_wal() > limit && now >= truncate_at_) {
    const Result truncated = truncate(handles);
    if (truncated.code == SQLITE_OK || !is_held_up(truncated.code)) {
      result = truncated;
    } else {
      result.code = truncated.code;
      truncate_at_ = clock_.now() + kPatientEvery;
    }
    file_.measure_wal();
  }
  if (result.code != SQLITE_OK && !is_held_up(result.code)) return database_error(handles.copier.get(), result.code);
  note(result, clock_.now());
  return Status::ok();
}

// Whatever can be copied. While the write lock is held, readers that begin see the end of the WAL, and are in nobody's way.
WalGuard::Result WalGuard::copy(const Handles& handles) {
  Result result;
  result.code = run_own(handles.locker.get(), "BEGIN IMMEDIATE");
  if (result.code != SQLITE_OK) return result;
  result = copy_once(handles);
  const Instant now = clock_.now();
  if (result.code == SQLITE_OK && result.frames > result.done && now >= patient_at_ && facts().blocked_since.is_set()) {
    const Instant until = now + kPatience;
    for (int naps = 0; result.code == SQLITE_OK && result.frames > result.done && clock_.now() < until; ++naps) {
      sqlite3_sleep(kBusyNapMs[std::min(naps, kBusyNaps - 1)]);
      result = copy_once(handles);
    }
    patient_at_ = clock_.now() + kPatientEvery;
  }
  run_own(handles.locker.get(), "ROLLBACK");
  return result;
}

WalGuard::Result WalGuard::copy_once(const Handles& handles) {
  Result result;
  result.kind = CheckpointKind::passive;
  result.code =
      sqlite3_wal_checkpoint_v2(handles.copier.get(), "main", SQLITE_CHECKPOINT_PASSIVE, &result.frames, &result.done);
  return result;
}

// SQLite takes the write lock itself. If it does not get it, or readers take too long, on_busy() interrupts it, because it
// would copy pages without the lock then (C1). Readers that begin meanwhile read the database file only.
WalGuard::Result WalGuard::truncate(const Handles& handles) {
  Result result;
  result.kind = CheckpointKind::truncate;
  wait_until_ = clock_.now() + kLockSpan;
  copying_ = handles.copier.get();
  result.code = sqlite3_wal_checkpoint_v2(copying_, "main", SQLITE_CHECKPOINT_TRUNCATE, &result.frames, &result.done);
  copying_ = nullptr;
  return result;
}

int WalGuard::on_busy(void* self, int tries) noexcept {
  const WalGuard& guard = *static_cast<WalGuard*>(self);
  if (guard.clock_.now() < guard.wait_until_ && !guard.should_stop_.load()) {
    sqlite3_sleep(kBusyNapMs[std::min(tries, kBusyNaps - 1)]);
    return 1;
  }
  if (guard.copying_ != nullptr) sqlite3_interrupt(guard.copying_);
  return 0;
}

// ---- what became of it ----------------------------------------------------------------------------------------------

void WalGuard::note(const Result& result, Instant now) {
  if (result.kind == CheckpointKind::none) return;  // another process is writing
  const int64_t frames = std::max(0, result.frames);
  frames_.store(frames);
  next_at_.store(frames + (result.is_complete() ? step_.load() : std::max<int64_t>(1, step_.load() / kEarlierShare)));
  is_left_over_.store(!result.is_complete());
  done_.store(std::max(0, result.done));
  const std::lock_guard lock(mutex_);
  facts_.last_at = now;
  facts_.last_kind = result.kind;
  if (result.is_complete()) {
    ++facts_.checkpoints_total;
    facts_.blocked_since = {};
    facts_.last_error.clear();
  } else {
    ++facts_.failures_total;
    if (!facts_.blocked_since.is_set()) facts_.blocked_since = now;
  }
}

void WalGuard::note_failure(const Status& status) noexcept {
  next_at_.store(frames_.load() + step_.load());
  const std::lock_guard lock(mutex_);
  ++facts_.failures_total;
  try {
    facts_.last_error = status.message();
  } catch (const std::bad_alloc&) {
    facts_.last_error.clear();
  }
}

}  // namespace tide::sqlite
