#include "driver/sqlite/target.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "driver/sqlite/errors.hpp"
#include "driver/sqlite/open_files.hpp"
#include "os/shortage.hpp"

namespace tide::sqlite {
namespace {

OpenFailure permanent(int native_code, std::string_view sqlstate, std::string message, std::string detail,
                      std::string hint) {
  return {driver_error(sqlstate, native_code, std::move(message), std::move(detail), std::move(hint)), true};
}

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// For the effective user, as in open(); access() uses the real one.
bool may(const std::string& path, int what) { return ::faccessat(AT_FDCWD, path.c_str(), what, AT_EACCESS) == 0; }

// Lack of descriptors or memory is temporary; all other errors of a path are permanent.
bool may_pass(int system_error) {
  return system_error == EMFILE || system_error == ENFILE || system_error == ENOMEM || system_error == EIO ||
         system_error == EINTR || system_error == EAGAIN || system_error == ENOSPC;
}

}  // namespace

SqliteTarget make_target(const std::string& text, SqliteAccess access) {
  static std::atomic<uint64_t> made{0};
  if (text == ":memory:") {
    // With a leading slash memdb shares the database by name in the process.
    const uint64_t number = made.fetch_add(1) + 1;
    return {"file:/tidepool-" + std::to_string(number) + "?vfs=memdb", ":memory:", true, SqliteAccess::read_write};
  }
  if (text.empty()) return {};
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(text, error);
  const std::string path = error ? text : absolute.string();
  return {path, path, false, access};
}

namespace {

OpenFailure look_at_read_only(const SqliteTarget& target) {
  if (!may(target.path, R_OK) && !may_pass(errno)) {
    return permanent(SQLITE_CANTOPEN, "42501", "cannot open " + target.shown + ": " + std::strerror(errno),
                     "Expected a database file that this user may read.",
                     "Give this user read permission on the file.");
  }
  struct stat wal {};
  if (target.access == SqliteAccess::immutable && ::stat((target.path + "-wal").c_str(), &wal) == 0 &&
      wal.st_size > 0) {
    return permanent(SQLITE_CANTOPEN, "55000", "cannot open " + target.shown + " as immutable: it has a WAL",
                     "The contents of " + target.shown + "-wal would not be visible.",
                     "Open it with mode=ro, or let a process that may write to it open and close it.");
  }
  return {};
}

// The path as a file: URI, so that it can carry a parameter.
std::string uri_of(const std::string& path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string uri = "file:";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '%' || c == '?' || c == '#') {
      uri.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    } else {
      uri.push_back(c);
    }
  }
  return uri;
}

}  // namespace

OpenFailure look_at(const SqliteTarget& target, bool needs_journal) {
  if (target.is_memory) return {};
  if (target.path.empty()) {
    return permanent(SQLITE_CANTOPEN, "58P01", "no database file specified", "Expected a path or :memory:.",
                     "Specify a path such as /var/lib/app/app.db, or :memory: for a database in memory.");
  }
  struct stat found {};
  if (::stat(target.path.c_str(), &found) != 0) {
    const int why = errno;
    const std::string directory = directory_of(target.path);
    struct stat parent {};
    if (why == ENOENT && !target.is_writable()) {
      return permanent(SQLITE_CANTOPEN, "58P01", "cannot open " + target.shown + ": no such file",
                       "A file that is opened read-only is not created if it does not exist.",
                       "Check the path, or open the pool without mode=ro and immutable=1.");
    }
    if (why == ENOENT && ::stat(directory.c_str(), &parent) == 0) {
      if (may(directory, W_OK | X_OK)) return {};  // SQLite will create the file
      return permanent(SQLITE_CANTOPEN, "42501", "cannot create " + target.shown + ": permission denied",
                       "Expected a database file, or a directory in which one may be created.",
                       "Give this user write permission on " + directory + ".");
    }
    if (why == ENOENT || why == ENOTDIR) {
      return permanent(SQLITE_CANTOPEN, "58P01", "cannot open " + target.shown + ": no such directory: " + directory,
                       "A database file is created if it does not exist, but a directory is not.",
                       "Create the directory, or check the path.");
    }
    if (may_pass(why)) return {};
    return permanent(SQLITE_CANTOPEN, why == EACCES ? "42501" : "58P01",
                     "cannot open " + target.shown + ": " + std::strerror(why), "Expected a database file.",
                     "Check the path and the permissions of its directories.");
  }
  if (S_ISDIR(found.st_mode)) {
    return permanent(SQLITE_CANTOPEN_ISDIR, "58P01", "cannot open " + target.shown + ": it is a directory",
                     "Expected a database file.", "Specify a file in it, for example " + target.shown + "/app.db.");
  }
  if (!target.is_writable()) return look_at_read_only(target);
  if (!may(target.path, R_OK | W_OK) && !may_pass(errno)) {
    return permanent(SQLITE_CANTOPEN, "42501", "cannot open " + target.shown + ": " + std::strerror(errno),
                     "Expected a database file that this user may read and write.",
                     "Give this user read and write permission on the file and its directory. To read only, open the "
                     "pool with ?mode=ro in its URL, or sqlite_access=read_only.");
  }
  if (needs_journal && !may(directory_of(target.path), W_OK | X_OK) && !may_pass(errno)) {
    return permanent(SQLITE_CANTOPEN, "42501",
                     "cannot write to the directory of " + target.shown + ": " + std::strerror(errno),
                     "SQLite creates its journal (or WAL) in the same directory.",
                     "Give this user write permission on " + directory_of(target.path) +
                         ". To read only, open the pool with ?mode=ro in its URL, or sqlite_access=read_only.");
  }
  return {};
}

void CloseDatabase::operator()(sqlite3* database) const noexcept {
  const bool is_kept = sqlite3_next_stmt(database, nullptr) != nullptr;
  // The address may be reused as soon as this handle is closed.
  move_files(database, is_kept ? nullptr : &is_kept);
  sqlite3_close_v2(database);
  forget_files(&is_kept);
}

OpenFailure open_database(const SqliteTarget& target, Database& out, bool may_create) {
  // FULLMUTEX: the keeper may have to use a handle while a holder uses it through native() in another thread.
  int flags = SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= target.is_writable() ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  if (may_create && target.is_writable()) flags |= SQLITE_OPEN_CREATE;
  const bool is_immutable = target.access == SqliteAccess::immutable;
  if (target.is_memory || is_immutable) flags |= SQLITE_OPEN_URI;
  const std::string name = is_immutable ? uri_of(target.path) + "?immutable=1" : target.path;
  // Registered before it is open, because the process may fork meanwhile.
  if (!target.is_memory) remember_file(&flags, target.path, false);
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &database, flags, nullptr);
  if (database != nullptr) move_files(&flags, database);
  forget_files(&flags);
  out.reset(database);
  if (code == SQLITE_OK) {
    if (!target.is_memory) remember_file(database, target.path, false);
    return {};
  }
  const int why = database != nullptr ? sqlite3_system_errno(database) : ENOMEM;
  Status status = driver_error(sqlstate_of(code, {}), code,
                               "cannot open " + target.shown + ": " + sqlite3_errstr(code) + shortage_text(why),
                               why != 0 ? std::strerror(why) : "",
                               is_shortage(why) ? "Raise the limit." : "Check the path and its permissions.");
  const bool is_permanent = !may_pass(why) && !is_busy(code) && (code & 0xFF) != SQLITE_NOMEM;
  status.is_retryable = !is_permanent;
  out.reset();
  return {std::move(status), is_permanent};
}

}  // namespace tide::sqlite
