#include "driver/sqlite/database_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/assert.hpp"
#include "base/units.hpp"
#include "driver/sqlite/errors.hpp"
#include "os/clock.hpp"

namespace tide::sqlite {
namespace {

// False if it cannot be determined whether the file exists, for example without permission.
bool identify(const std::string& path, std::optional<FileIdentity>& out, int64_t* bytes = nullptr) {
  struct stat found {};
  out.reset();
  if (::stat(path.c_str(), &found) != 0) return errno == ENOENT || errno == ENOTDIR;
  out = FileIdentity{found.st_dev, found.st_ino};
  if (bytes != nullptr) *bytes = found.st_size;
  return true;
}

// The file that was `known` at this path. `mark` may be nullptr; `may_skip`: it is enough.
bool identify_again(const std::string& path, FileMark* mark, const std::optional<FileIdentity>& known, bool may_skip,
                    std::optional<FileIdentity>& out) {
  const int64_t changed_at = mark != nullptr ? mark->changed_at() : 0;
  if (may_skip && mark != nullptr && mark->is_trusted(changed_at)) {
    out = known;
    return true;
  }
  if (!identify(path, out)) return false;
  if (mark != nullptr && out == known) mark->trust(changed_at);
  return true;
}

// The path does not lead to the file that the handle has open.
bool has_moved(sqlite3* handle) {
  int is_moved = 0;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &is_moved);
  return is_moved != 0;
}

// Only a file that existed can be lost.
bool is_gone(const std::optional<FileIdentity>& known, const std::optional<FileIdentity>& found) {
  return known.has_value() && known != found;
}

}  // namespace

void DatabaseFile::enter() noexcept {
  sessions_.fetch_add(1);
  handles_.fetch_add(1);
}

void DatabaseFile::leave() noexcept {
  if (sessions_.fetch_sub(1) == 1) guard_.end_work();
}

// Of two handles that are closed at the same time SQLite takes neither for the last one, because each still sees the lock of the
// other: the WAL would be neither emptied nor removed. So they are closed one after the other, unless a close does not return.
void DatabaseFile::close_handle(Database database) noexcept {
  constexpr int kAttemptsMax = 2000;
  if (database != nullptr) {
    std::unique_lock one_by_one(closing_, std::try_to_lock);
    for (int attempt = 0; !one_by_one.owns_lock() && attempt < kAttemptsMax; ++attempt) {
      pause_for(Span::millis(1));
      (void)one_by_one.try_lock();
    }
    database.reset();
  }
  if (handles_.fetch_sub(1) != 1) return;
  wal_sync_.close();
  try {
    forget_wal();
  } catch (const std::bad_alloc&) {
    // It is held a little longer.
  }
}

// The last close has removed the WAL, unless another process has it open: its space is not free while it is held.
void DatabaseFile::forget_wal() {
  const std::shared_ptr<const Files> known = this->known();
  if (known == nullptr || !known->wal.has_value()) return;
  Files found = at(known->path);
  if (!look(Depth::all, found) || found.wal == known->wal) return;
  auto left = std::make_shared<Files>(*known);
  left->wal.reset();
  left->held_wal.reset();
  left->index.reset();
  left->index_mark.reset();
  const std::lock_guard lock(mutex_);
  if (known == known_) known_ = std::move(left);
}

DatabaseFile::Files DatabaseFile::at(std::string real_path) {
  Files files;
  files.wal_path = real_path + "-wal";
  files.index_path = real_path + "-shm";
  files.path = std::move(real_path);
  return files;
}

DatabaseFile::Files DatabaseFile::at_now() const {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(target_.path.c_str(), nullptr), &::free);
  return at(real != nullptr ? real.get() : target_.path);
}

bool DatabaseFile::look(Depth depth, Files& out, const Files* known) {
  const Files none;
  const Files& before = known != nullptr ? *known : none;
  // A directory that was moved is noticed by the WAL in it, which changes so often that a mark is of no use.
  const bool may_skip = depth == Depth::all && before.wal.has_value();
  if (!identify_again(target_.path, before.mark.get(), before.database, may_skip, out.database)) return false;
  if (depth == Depth::database) return true;
  int64_t wal_bytes = -1;
  if (!identify(out.wal_path, out.wal, &wal_bytes)) return false;
  wal_bytes_.store(wal_bytes, std::memory_order_relaxed);
  return identify_again(out.index_path, before.index_mark.get(), before.index, may_skip, out.index);
}

std::shared_ptr<const DatabaseFile::Files> DatabaseFile::known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

std::string DatabaseFile::what_happened(const Files& known, const Files& found) const {
  const auto said = [](const std::string& path, bool is_there) {
    return path + (is_there ? " was replaced by another file" : " was deleted or moved");
  };
  if (is_gone(known.database, found.database)) return said(target_.shown, found.database.has_value());
  if (is_gone(known.wal, found.wal)) return said(known.wal_path, found.wal.has_value());
  return said(known.index_path, found.index.has_value());
}

void DatabaseFile::lose(std::string what) noexcept {
  what_ = std::move(what);
  lost_generation_.store(generation_);
}

Status DatabaseFile::loss() const {
  const std::lock_guard lock(mutex_);
  return driver_error(
      "58030", SQLITE_READONLY_DBMOVED, what_,
      "The sessions of the pool have the old file open, and what they write to it would be lost.",
      "Put the file back, without the -wal and -shm files of another one, and the pool uses it again. To "
      "start with an empty database, close the pool and open it again.");
}

bool DatabaseFile::is_intact(uint64_t generation, Depth depth) {
  if (generation == 0) return true;
  if (is_lost(generation)) return false;
  std::shared_ptr<const Files> known;
  {
    const std::lock_guard lock(mutex_);
    if (generation != generation_) return true;
    known = known_;
  }
  Files found;
  if (depth == Depth::all) found = at(known->path);
  if (!look(depth, found, known.get())) return true;
  const bool is_journal_gone =
      depth == Depth::all && (is_gone(known->wal, found.wal) || is_gone(known->index, found.index));
  if (!is_gone(known->database, found.database) && !is_journal_gone) return true;
  const std::lock_guard lock(mutex_);
  if (known != known_) return true;  // updated meanwhile
  lose(what_happened(*known, found));
  return false;
}

bool DatabaseFile::stands_in_the_way(const Files& known, const Files& found, int64_t others, Status& why) const {
  const auto wait = [&](const std::string& what) {
    why = driver_error("58030", SQLITE_CANTOPEN, what,
                       std::to_string(others) + " sessions of the old file are still open.",
                       "Release the current leases.");
    why.is_retryable = true;
    return true;
  };
  const bool has_old_wal = known.wal.has_value() && found.wal == known.wal;
  const bool has_old_index = known.index.has_value() && found.index == known.index;
  if (found.database == known.database) {
    // The contents of a deleted WAL can still be saved, but only by the last session that has it open.
    const bool is_whole = !is_gone(known.wal, found.wal) && !is_gone(known.index, found.index);
    return !is_whole && others > 0 && wait(what_happened(known, found));
  }
  if (has_old_wal && wal_bytes() > 0) {
    why = driver_error("58030", SQLITE_CANTOPEN,
                       target_.shown + " was replaced, but " + found.wal_path + " still belongs to the old file",
                       "SQLite would apply changes of the old file to the new one and corrupt it.",
                       "Remove the -wal and -shm files of the old database, or put the old file back.");
    return true;
  }
  return (has_old_wal || has_old_index) && others > 0 && wait(target_.shown + " was replaced");
}

OpenFailure DatabaseFile::admit(bool& may_create) { return admit(may_create, handles_.load()); }

OpenFailure DatabaseFile::admit(bool& may_create, int64_t others) {
  const std::shared_ptr<const Files> known = this->known();
  may_create = known == nullptr;
  if (may_create) return {};
  Files found = at_now();
  if (!look(Depth::all, found)) return {};
  if (!found.database.has_value()) {
    return {driver_error("58030", SQLITE_CANTOPEN, target_.shown + " is missing",
                         "The pool had it open, and does not create another one in its place.",
                         "Put the file back (restore it from a backup), and the pool uses it again. To start "
                         "with an empty database, close the pool and open it again."),
            false};
  }
  OpenFailure failure;
  stands_in_the_way(*known, found, others, failure.status);
  return failure;
}

Status DatabaseFile::check_opened(sqlite3* opened) {
  bool unused = false;
  OpenFailure failure = admit(unused, handles_.load() - 1);
  if (failure.status && has_moved(opened)) failure.status = moved_meanwhile();
  return std::move(failure.status);
}

Status DatabaseFile::moved_meanwhile() const {
  Status status =
      driver_error("58030", SQLITE_READONLY_DBMOVED, target_.shown + " was moved while it was being opened");
  status.is_retryable = true;
  return status;
}

Status DatabaseFile::learn(sqlite3* database, uint64_t& generation) {
  generation = 0;
  if (target_.is_memory) return Status::ok();
  const char* name = sqlite3_db_filename(database, "main");
  const bool is_moved = has_moved(database);
  const std::lock_guard in_turn(learning_);
  Files found = at(name != nullptr ? name : target_.path);
  if (!look(Depth::all, found)) return Status::ok();
  mark(found);
  const std::lock_guard lock(mutex_);
  if (is_moved || !found.database.has_value()) return moved_meanwhile();
  const int64_t others = handles_.load() - 1;
  if (known_ != nullptr && others > 0) {
    const bool is_other = is_gone(known_->database, found.database) || is_gone(known_->wal, found.wal) ||
                          is_gone(known_->index, found.index);
    // Old sessions must not use the new files.
    if (is_other && !is_lost(generation_)) lose(what_happened(*known_, found));
    // admit() allowed it before: later files must not be mixed either.
    Status why;
    if (is_other && stands_in_the_way(*known_, found, others, why)) return why;
  }
  if (generation_ == 0 || is_lost(generation_)) ++generation_;
  known_ = std::make_shared<const Files>(std::move(found));
  generation = generation_;
  learned_.fetch_add(1);
  return Status::ok();
}

void DatabaseFile::learn_journal() {
  const std::lock_guard in_turn(learning_);
  const std::shared_ptr<const Files> known = this->known();
  if (known == nullptr) return;
  Files found = at(known->path);
  if (!look(Depth::all, found) || found.database != known->database) return;
  mark(found);
  const std::lock_guard lock(mutex_);
  if (known == known_) known_ = std::make_shared<const Files>(std::move(found));
}

std::shared_ptr<FileMark> DatabaseFile::mark() const {
  const std::lock_guard lock(mutex_);
  return known_ == nullptr ? nullptr : known_->mark;
}

// All sessions of a file share its mark.
void DatabaseFile::mark(Files& found) const {
  const std::shared_ptr<const Files> known = this->known();
  const auto mark_at = [](const std::string& path, const std::optional<FileIdentity>& file,
                          const std::optional<FileIdentity>& marked, const std::shared_ptr<FileMark>& mark) {
    if (!file.has_value()) return std::shared_ptr<FileMark>();
    return mark != nullptr && file == marked ? mark : FileMark::of(path, *file);
  };
  const Files none;
  const Files& before = known != nullptr ? *known : none;
  found.mark = mark_at(target_.path, found.database, before.database, before.mark);
  found.index_mark = mark_at(found.index_path, found.index, before.index, before.index_mark);
  const auto held_at = [](const std::string& path, const std::optional<FileIdentity>& file) {
    // O_PATH: closing it does not release SQLite's locks on the file.
    auto held = std::make_shared<const Descriptor>(file ? ::open(path.c_str(), O_PATH | O_CLOEXEC) : -1);
    return held->is_open() ? held : nullptr;
  };
  if (found.mark == nullptr) found.held_database = held_at(found.path, found.database);  // a mark holds it too
  found.held_wal = held_at(found.wal_path, found.wal);
}

bool DatabaseFile::is_lost_now() const {
  const std::lock_guard lock(mutex_);
  return is_lost(generation_);
}

void DatabaseFile::enter_reader(uint64_t session, Instant since) {
  const std::lock_guard lock(mutex_);
  readers_[session] = since;
}

void DatabaseFile::leave_reader(uint64_t session) noexcept {
  const std::lock_guard lock(mutex_);
  readers_.erase(session);
}

std::string DatabaseFile::describe_readers(uint64_t session, Instant now) const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& [number, since] : readers_) {
    if (number == session) continue;
    text += (text.empty() ? "session " : ", session ") + std::to_string(number) + " has been in a transaction for " +
            describe_span(now - since);
  }
  return text;
}

int64_t DatabaseFile::measure_wal() {
  is_current(nullptr);
  return wal_bytes();
}

bool DatabaseFile::is_current(sqlite3* opened) {
  uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    generation = generation_;
  }
  if (generation == 0 || !is_intact(generation, Depth::all)) return false;
  return opened == nullptr || !has_moved(opened);
}

bool DatabaseFile::open_wal() noexcept {
  const std::shared_ptr<const Files> known = this->known();
  return known != nullptr && known->wal.has_value() && wal_sync_.open(known->wal_path, *known->wal);
}

Status DatabaseFile::sync_wal() {
  const std::shared_ptr<const Files> known = this->known();
  TIDE_ASSERT(known != nullptr);  // open_wal() has succeeded
  return wal_sync_.wait(known->wal_path, known->wal.value_or(FileIdentity()));
}

bool DatabaseFile::is_missing() {
  uint64_t generation = 0;
  {
    const std::lock_guard lock(mutex_);
    generation = generation_;
  }
  if (generation == 0) return false;
  bool unused = false;
  if (learned_.load() > 0) {
    const bool is_gone = !is_intact(generation, Depth::all);
    if (!is_gone || learned_.load() > 0) was_missing_ = is_gone;
  } else if (handles_.load() == 0) {
    was_missing_ = !admit(unused).status;
  }
  // While the first handle is being opened, or the last one closed, the known WAL may be gone without a fault.
  return was_missing_;
}

}  // namespace tide::sqlite
