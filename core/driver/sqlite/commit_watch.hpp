// CommitWatch: whether something was committed to a database, by any process, without a query.
//
// With a WAL, SQLite keeps its header twice in memory that all processes map (the wal-index); a commit changes it, and is
// visible to others once the first copy is written. Without one, the change counter at offset 24 of the file is written
// before the commit is visible. Both are read through a handle of its own, because the memory and the locks of a file
// belong to the handles of SQLite: another mapping or descriptor would release the locks when it is closed.
//
// W3  In WAL mode is_current() calls nothing of SQLite and takes no lock that another reader holds.
// W4  While the handle is open with a WAL, nobody can leave WAL mode; without one it holds no lock between two calls.
// Threads: any.
// Failure: false, as ChangeWatch says: the file is locked, lost or cannot be opened.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "driver/sqlite/database_file.hpp"
#include "driver/sqlite/target.hpp"
#include "pool/change_watch.hpp"

namespace tide::sqlite {

class CommitWatch final : public ChangeWatch {
 public:
  // Opens its handle with the first read().
  CommitWatch(std::shared_ptr<DatabaseFile> file, const Clock& clock) : file_(std::move(file)), clock_(clock) {}
  ~CommitWatch() override = default;
  CommitWatch(const CommitWatch&) = delete;
  CommitWatch& operator=(const CommitWatch&) = delete;

  bool read(ChangeMark& out) noexcept override;
  bool is_current(const ChangeMark& mark) noexcept override;
  // Before a session is opened: closes the handle if the path leads to another file now.
  void close_if_outdated() noexcept;
  // For ever.
  void close() noexcept;
  // In a forked child, where SQLite must not be called.
  void abandon() noexcept;

 private:
  // The first word of a mark: its kind, and the number of the handle.
  static constexpr uint64_t kWal = 1, kCounter = 2, kNever = 3;
  static constexpr size_t kHeaderWords = 6;

  // Readers of the header do not disturb each other: each takes the lock of its stripe; whoever changes it takes all.
  struct alignas(64) Stripe {
    std::atomic<bool> is_taken{false};
  };
  class Reading;
  class Changing;

  bool read_header(ChangeMark& out) noexcept;
  // With the mutex:
  bool open();
  void close_handle() noexcept;
  bool is_outdated() const;
  bool run(const char* text);
  bool read_counter(ChangeMark& out);
  bool look_at_counter(ChangeMark& out, bool& is_wal) noexcept;
  bool map_header();
  bool read_initialized(ChangeMark& out);

  const std::shared_ptr<DatabaseFile> file_;
  const Clock& clock_;

  std::mutex mutex_;  // guards the following; locked before the stripes
  Database database_;
  Instant not_before_;  // the next attempt to open

  std::array<Stripe, 16> stripes_;
  // Changed with all stripes.
  const std::atomic<uint64_t>* header_ = nullptr;  // of the wal-index; nullptr: not known
  uint64_t handle_ = 0;                            // number of the handle; never reused
  uint64_t lost_before_ = 0;                       // generations of the file that were lost when it was opened
};

}  // namespace tide::sqlite
