#include "driver/sqlite/commit_watch.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "driver/sqlite/statement.hpp"

namespace tide::sqlite {
namespace {

constexpr int kIndexBytes = 32768;               // of the first part of a wal-index, which begins with the header
constexpr Span kRetryOpen = Span::millis(100);   // after a failure
constexpr int kBusyMs = 2;                       // rather no cache than a wait
constexpr int kCounterAt = 24, kVersionAt = 18;  // in the header of a database
constexpr unsigned char kVersionOfWal = 2;

uint32_t my_number() {
  static std::atomic<uint32_t> next{0};
  static thread_local const uint32_t mine = next.fetch_add(1, std::memory_order_relaxed);
  return mine;
}

sqlite3_file* file_of(sqlite3* database) {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK) return nullptr;
  return file != nullptr && file->pMethods != nullptr ? file : nullptr;
}

// Written with the header, and by whoever recovers it.
bool is_initialized(const ChangeMark& mark) { return (mark.words[2] >> 32 & 0xFF) != 0; }

}  // namespace

class CommitWatch::Reading {
 public:
  explicit Reading(CommitWatch& watch) : taken_(watch.stripes_[my_number() % watch.stripes_.size()].is_taken) {
    while (taken_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  }
  ~Reading() { taken_.store(false, std::memory_order_release); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  std::atomic<bool>& taken_;
};

class CommitWatch::Changing {
 public:
  explicit Changing(CommitWatch& watch) : watch_(watch) {
    for (Stripe& stripe : watch_.stripes_) {
      while (stripe.is_taken.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    }
  }
  ~Changing() {
    for (Stripe& stripe : watch_.stripes_) stripe.is_taken.store(false, std::memory_order_release);
  }
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;

 private:
  CommitWatch& watch_;
};

// ---- the header of a wal-index

bool CommitWatch::read_header(ChangeMark& out) noexcept {
  const Reading reading(*this);
  if (header_ == nullptr || file_->lost_generation() != lost_before_) return false;
  out.words[0] = kWal | handle_ << 8;
  for (size_t i = 0; i < kHeaderWords; ++i) out.words[i + 1] = header_[i].load(std::memory_order_acquire);
  return true;
}

// ---- with the mutex

bool CommitWatch::run(const char* text) { return run_own(database_.get(), text) == SQLITE_OK; }

void CommitWatch::close_handle() noexcept {
  if (database_ == nullptr) return;
  {
    const Changing changing(*this);
    header_ = nullptr;
  }
  if (file_->target().is_memory) {
    database_.reset();
  } else {
    file_->close_handle(std::move(database_));
  }
}

bool CommitWatch::is_outdated() const {
  int has_moved = 0;
  sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  return has_moved != 0 || file_->lost_generation() != lost_before_;
}

bool CommitWatch::open() {
  if (database_ != nullptr && file_->lost_generation() != lost_before_) close_handle();
  if (database_ != nullptr) return true;
  // A handle on a file that no session has opened yet could be in the way of the first one.
  if (file_->is_lost_now()) return false;
  const Instant now = clock_.now();
  if (now < not_before_) return false;
  not_before_ = now + kRetryOpen;
  const uint64_t lost_before = file_->lost_generation();
  if (!file_->target().is_memory) file_->enter_handle();
  Database database;
  if (!open_database(file_->target(), database, false).status) database = nullptr;
  if (database == nullptr) {
    if (!file_->target().is_memory) file_->close_handle();
    return false;
  }
  sqlite3_busy_timeout(database.get(), kBusyMs);
  database_ = std::move(database);
  run("PRAGMA cache_size=4");
  {
    const Changing changing(*this);
    lost_before_ = lost_before;
    ++handle_;
  }
  if (is_outdated()) {
    close_handle();
    return false;
  }
  not_before_ = Instant();
  return true;
}

// Of what is committed: the lock for reading keeps out whoever is writing pages before its commit.
bool CommitWatch::read_counter(ChangeMark& out) {
  if (!run("BEGIN")) return false;
  bool is_read = run("SELECT 1 FROM sqlite_schema LIMIT 1");
  bool is_wal = false;
  if (is_read) is_read = look_at_counter(out, is_wal);
  run("ROLLBACK");
  if (!is_read || !is_wal) return is_read;
  return map_header() && read_initialized(out);
}

bool CommitWatch::look_at_counter(ChangeMark& out, bool& is_wal) noexcept {
  sqlite3_file* const file = file_of(database_.get());
  if (file == nullptr) return false;
  unsigned char bytes[kCounterAt + 8 - kVersionAt] = {};
  const int code = file->pMethods->xRead(file, bytes, sizeof bytes, kVersionAt);
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return false;
  is_wal = bytes[0] == kVersionOfWal;
  out = {};
  out.words[0] = kCounter | handle_ << 8;
  std::memcpy(&out.words[1], bytes + (kCounterAt - kVersionAt), 8);
  return true;
}

// The statement before has opened the WAL.
bool CommitWatch::map_header() {
  sqlite3_file* const file = file_of(database_.get());
  if (file == nullptr || file->pMethods->iVersion < 2 || file->pMethods->xShmMap == nullptr) return false;
  void volatile* memory = nullptr;
  if (file->pMethods->xShmMap(file, 0, kIndexBytes, 0, &memory) != SQLITE_OK || memory == nullptr) return false;
  const Changing changing(*this);
  header_ = static_cast<const std::atomic<uint64_t>*>(const_cast<const void*>(memory));
  return true;
}

bool CommitWatch::read_initialized(ChangeMark& out) {
  if (read_header(out) && is_initialized(out)) return true;
  return run("SELECT 1 FROM sqlite_schema LIMIT 1") && read_header(out) && is_initialized(out);
}

// ---- marks

bool CommitWatch::read(ChangeMark& out) noexcept {
  if (file_->target().access == SqliteAccess::immutable && !file_->target().is_memory) {
    out = {};
    out.words[0] = kNever;
    return true;
  }
  out = {};
  if (read_header(out) && is_initialized(out)) return true;
  try {
    const std::lock_guard lock(mutex_);
    if (!open()) return false;
    return header_ != nullptr ? read_initialized(out) : read_counter(out);
  } catch (const std::bad_alloc&) {
    return false;
  }
}

bool CommitWatch::is_current(const ChangeMark& mark) noexcept {
  ChangeMark now;
  switch (mark.words[0] & 0xFF) {
    case kNever: return true;
    case kWal: return read_header(now) && now == mark;
    default: break;
  }
  const std::lock_guard lock(mutex_);
  if (database_ == nullptr || file_->lost_generation() != lost_before_) return false;
  bool is_wal = false;
  return look_at_counter(now, is_wal) && !is_wal && now == mark;
}

void CommitWatch::close_if_outdated() noexcept {
  const std::lock_guard lock(mutex_);
  if (database_ != nullptr && is_outdated()) close_handle();
}

void CommitWatch::close() noexcept {
  const std::lock_guard lock(mutex_);
  close_handle();
  not_before_ = Instant::never();
}

void CommitWatch::abandon() noexcept {
  header_ = nullptr;
  [[maybe_unused]] sqlite3* const leaked = database_.release();
}

}  // namespace tide::sqlite
