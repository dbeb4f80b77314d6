// FileMark: whether the file at a path is still the one that was there, for the price of an fstat().
//
// Deleting, moving or replacing a file changes the time of its last change (ctime), like writing to it does. While that
// time is the one at which the path was checked, the path need not be checked again.
//
// K1  is_unchanged() is true only if the path led to the file after its last change.
// K2  A change so recent that a later one could have the same time, because the clock of a file system is coarse, is not
//     trusted.
// Not noticed: a directory of the path that was moved. DatabaseFile checks the path of another file in it at writes, and all once
// a second.
// Threads: any. Failure: without a descriptor, or with a symbolic link in the path, which can change without a trace in
// the file, there is no mark.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "driver/sqlite/file_identity.hpp"
#include "os/descriptor.hpp"

namespace tide::sqlite {

class FileMark {
 public:
  // nullptr: none can be made, or the path leads to another file.
  static std::shared_ptr<FileMark> of(const std::string& path, const FileIdentity& identity);
  explicit FileMark(Descriptor file) : file_(std::move(file)) {}

  // Of the latest change, in nanoseconds; 0: unknown. To be read before a check of the path, and trusted after it.
  int64_t changed_at() const noexcept;
  void trust(int64_t changed_at) noexcept;
  bool is_trusted(int64_t changed_at) const noexcept {
    return changed_at > 0 && changed_at == trusted_.load(std::memory_order_relaxed);
  }
  bool is_unchanged() const noexcept { return is_trusted(changed_at()); }

 private:
  const Descriptor file_;  // O_PATH: closing it does not release SQLite's locks on the file
  std::atomic<int64_t> trusted_{-1};
};

}  // namespace tide::sqlite
