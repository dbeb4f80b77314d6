// HistorySaver: keeps the file of history_file current: once a minute, and when the pool is closed.
//
// A thread of its own writes, because a disk may be slow: neither the keeper nor a caller waits for it. It copies the
// records as observers read them, so it never stops the pool. All signals are blocked in it.
//
// Threads: created and finished by the thread that opens and closes the pool.
// Failure: what cannot be written is tried again; the pool's events report it once, and that it works again. Without
// memory or a thread, the constructor throws Shortage.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/instant.hpp"
#include "model/words.hpp"
#include "os/clock.hpp"
#include "segment/history_file.hpp"

namespace tide {

class HistorySaver {
 public:
  static constexpr Span kEvery = Span::seconds(60);
  using Note = std::function<void(Severity, std::string)>;

  // `segment_fd` must stay open until finish(); `note` may be called until then.
  HistorySaver(std::shared_ptr<HistoryFile> file, int segment_fd, const Clock& clock, Note note, Span every = kEvery);
  ~HistorySaver();
  HistorySaver(const HistorySaver&) = delete;
  HistorySaver& operator=(const HistorySaver&) = delete;

  // Writes what the segment contains now, for the last time, and ends the thread. False: the disk did not finish within
  // `limit`; then the thread ends when it does.
  bool finish(Span limit);

 private:
  struct State;
  std::shared_ptr<State> state_;  // the thread may outlive the pool
};

}  // namespace tide
