#include "driver/sqlite/open_files.hpp"

#include <sys/stat.h>

#include <atomic>
#include <mutex>
#include <vector>

#include "driver/sqlite/statement.hpp"
#include "os/clock.hpp"

namespace tide::sqlite {
namespace {

struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool is_known = false;
  bool operator==(const Identity& other) const {
    return is_known && other.is_known && device == other.device && inode == other.inode;
  }
};

Identity identity_of(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, true};
}

struct OpenFile {
  const void* key;
  std::string path;
  Identity identity;
  bool is_attached;
  bool is_inherited;  // open in the parent at the fork; permanent
  bool is_of(const void* wanted) const { return key == wanted && key != nullptr && !is_inherited; }
};

struct Roll {
  std::mutex mutex;
  std::vector<OpenFile> files;
  static Roll& instance() {
    static Roll* roll = new Roll();  // never destroyed, because pools may be closed by late destructors
    return *roll;
  }
};

// The global mutexes of SQLite, in the order in which it nests them: shared caches, files, random numbers, lists, page
// caches, memory. Those of single connections do not matter in a child.
constexpr int kGlobalMutexes[] = {SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_VFS2,
                                  SQLITE_MUTEX_STATIC_VFS3, SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_MAIN,
                                  SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_MEM};
constexpr size_t kGlobalMutexCount = sizeof kGlobalMutexes / sizeof kGlobalMutexes[0];
constexpr int kAttemptsMax = 1000;  // about a second; they are held for microseconds

std::atomic<bool> is_sqlite_used{false};
sqlite3_mutex* held[kGlobalMutexCount];  // between hold_for_fork() and release_after_fork(), by the thread that forks

// Bounded, because the thread that forks may be inside SQLite and hold one.
sqlite3_mutex* hold(int which) noexcept {
  sqlite3_mutex* const mutex = sqlite3_mutex_alloc(which);
  if (mutex == nullptr) return nullptr;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (sqlite3_mutex_try(mutex) == SQLITE_OK) return mutex;
    pause_for(Span::millis(1));
  }
  return nullptr;
}

}  // namespace

void remember_file(const void* key, const std::string& path, bool is_attached) {
  const Identity identity = identity_of(path);
  Roll& roll = Roll::instance();
  const std::lock_guard lock(roll.mutex);
  for (OpenFile& file : roll.files) {
    if (!file.is_of(key) || file.path != path) continue;
    if (!file.identity.is_known) file.identity = identity;
    return;
  }
  roll.files.push_back({key, path, identity, is_attached, false});
}

void move_files(const void* from, const void* to) noexcept {
  Roll& roll = Roll::instance();
  const std::lock_guard lock(roll.mutex);
  for (OpenFile& file : roll.files) {
    if (file.is_of(from)) file.key = to;
  }
}

void forget_files(const void* key) noexcept {
  Roll& roll = Roll::instance();
  const std::lock_guard lock(roll.mutex);
  std::erase_if(roll.files, [key](const OpenFile& file) { return file.is_of(key); });
}

void forget_attached_files(const void* key) noexcept {
  Roll& roll = Roll::instance();
  const std::lock_guard lock(roll.mutex);
  std::erase_if(roll.files, [key](const OpenFile& file) { return file.is_of(key) && file.is_attached; });
}

Status check_not_inherited(const std::string& path, const std::string& shown) {
  const Identity wanted = identity_of(path);
  Roll& roll = Roll::instance();
  const std::lock_guard lock(roll.mutex);
  for (OpenFile& file : roll.files) {
    if (!file.is_inherited) continue;
    if (!file.identity.is_known) file.identity = identity_of(file.path);  // it was being opened
    if (file.identity.is_known ? !(file.identity == wanted) : file.path != path) continue;
    return Status::error(Code::forked, "cannot open " + shown + ": the file was open in the parent process at the fork",
                         "SQLite would share the locks of the parent with this process, and changes would be lost.",
                         "Open the pool in the child before the parent opens it, fork before opening, or let the child "
                         "execute a program with exec().");
  }
  return Status::ok();
}

Status remember_attached(sqlite3* handle) {
  struct Attached {
    std::string name;
    std::string path;
  };
  std::vector<Attached> all;
  const auto add = [](void* list, int columns, char** values, char**) {
    if (columns == 3 && values[1] != nullptr && values[2] != nullptr && values[2][0] != '\0') {
      static_cast<std::vector<Attached>*>(list)->push_back({values[1], values[2]});
    }
    return 0;
  };
  if (sqlite3_exec(handle, "PRAGMA database_list", add, &all, nullptr) != SQLITE_OK) return Status::ok();
  for (const Attached& one : all) {
    if (one.name == "main" || one.name == "temp") continue;
    if (Status checked = check_not_inherited(one.path, one.path); !checked) {
      std::string detach = "DETACH \"";
      for (const char c : one.name) detach.append(c == '"' ? 2 : 1, c);
      run_own(handle, (detach + "\"").c_str());
      return checked;
    }
    remember_file(handle, one.path, true);
  }
  return Status::ok();
}

void prepare_for_forks() {
  sqlite3_initialize();  // so that no fork happens during initialization
  is_sqlite_used.store(true);
}

void hold_for_fork() noexcept {
  Roll::instance().mutex.lock();
  if (!is_sqlite_used.load()) return;
  for (size_t i = 0; i < kGlobalMutexCount; ++i) held[i] = hold(kGlobalMutexes[i]);
}

void release_after_fork(bool is_child) noexcept {
  for (size_t i = kGlobalMutexCount; i > 0; --i) {
    if (held[i - 1] != nullptr) sqlite3_mutex_leave(held[i - 1]);
    held[i - 1] = nullptr;
  }
  Roll& roll = Roll::instance();
  if (is_child) {
    for (OpenFile& file : roll.files) file.is_inherited = true;
  }
  roll.mutex.unlock();
}

}  // namespace tide::sqlite
