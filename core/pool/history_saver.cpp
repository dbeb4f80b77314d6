#include "pool/history_saver.hpp"

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "os/shortage.hpp"
#include "pool/blocked_signals.hpp"
#include "segment/attach.hpp"

namespace tide {

struct HistorySaver::State {
  State(std::shared_ptr<HistoryFile> to, int fd, const Clock& on, Note told, Span interval)
      : file(std::move(to)), segment_fd(fd), clock(on), note(std::move(told)), every(interval) {}

  History copy() const {
    const auto segment = Attachment::from_fd(segment_fd);
    return segment ? History::of(*segment, clock.wall_ns()) : History();
  }
  void run();
  void save(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<HistoryFile> file;
  const int segment_fd;
  const Clock& clock;
  const Note note;
  const Span every;

  std::mutex mutex;
  std::condition_variable changed;
  History last;  // once is_ending, when the segment may no longer be read
  int64_t last_wall_ns = 0;
  bool is_ending = false;
  bool has_ended = false;
  std::string failure;  // that was reported
  std::thread thread;
};

HistorySaver::HistorySaver(std::shared_ptr<HistoryFile> file, int segment_fd, const Clock& clock, Note note, Span every)
    : state_(std::make_shared<State>(std::move(file), segment_fd, clock, std::move(note), every)) {
  const BlockedSignals blocked;
  try {
    state_->thread = std::thread([state = state_] { state->run(); });
  } catch (const std::system_error& problem) {
    throw Shortage(shortage_status("cannot start the thread for history_file", problem.code().value()));
  }
}

HistorySaver::~HistorySaver() {
  if (state_->thread.joinable()) (void)finish(Span{});
}

void HistorySaver::State::run() {
  pthread_setname_np(pthread_self(), "tidepool-hist");
  std::unique_lock lock(mutex);
  for (bool is_last = false; !is_last;) {
    changed.wait_for(lock, std::chrono::nanoseconds(every.ns()), [this] { return is_ending; });
    is_last = is_ending;
    save(lock);
  }
  has_ended = true;
  changed.notify_all();
}

// With the lock, which is released while the disk works.
void HistorySaver::State::save(std::unique_lock<std::mutex>& lock) {
  Status saved;
  try {
    History history = is_ending ? std::move(last) : copy();
    const int64_t wall_ns = is_ending ? last_wall_ns : clock.wall_ns();
    lock.unlock();
    saved = file->save(std::move(history), wall_ns);
  } catch (const std::bad_alloc&) {
    saved = Status::out_of_memory();
  }
  if (!lock.owns_lock()) lock.lock();
  const std::string why = saved ? "" : saved.message();
  if (why == std::exchange(failure, why) || is_ending) return;
  note(saved ? Severity::info : Severity::warning, saved ? "the history is saved again" : why);
}

bool HistorySaver::finish(Span limit) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (!std::exchange(state.is_ending, true)) {
    state.last = state.copy();
    state.last_wall_ns = state.clock.wall_ns();
  }
  state.changed.notify_all();
  const bool is_over =
      state.changed.wait_for(lock, std::chrono::nanoseconds(limit.ns()), [&] { return state.has_ended; });
  lock.unlock();
  if (!state.thread.joinable()) return is_over;
  if (is_over) {
    state.thread.join();
  } else {
    state.thread.detach();
  }
  return is_over;
}

}  // namespace tide
