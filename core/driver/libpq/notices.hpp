// Notices: messages of servers, passed from the thread that received them to the keeper, which writes the events.
//
// Bounded: a statement that raises a notice for every row has a cost only for the first few.
// Threads: any. Failure: what does not fit is dropped and counted.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"

namespace tide::libpq {

enum class NoticeKind : uint8_t {
  remark,     // NOTICE, WARNING ... of the server
  lost,       // a lease found a dead session
  suspected,  // the server ended the session of a lease, perhaps others too
  doomed,     // a lease got an error that affects the other sessions too
};

struct Notice {
  NoticeKind kind = NoticeKind::remark;
  uint32_t slot = 0;
  bool is_warning = false;
  std::string message;
};

class Notices {
 public:
  void add(uint32_t slot, const PGresult* result) noexcept {
    try {
      const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
      const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
      if (text == nullptr) return;
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kWaitingMax) return;
      waiting_.push_back({NoticeKind::remark, slot, severity != nullptr && std::string(severity) == "WARNING", text});
    } catch (...) {
      return;
    }
  }
  // If there is no room, a remark is dropped.
  void add_bad_news(uint32_t slot, NoticeKind kind, const Status& why) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kWaitingMax) waiting_.erase(waiting_.begin());
      waiting_.push_back({kind, slot, true, why.message()});
    } catch (...) {
      return;
    }
  }
  std::vector<Notice> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  static constexpr size_t kWaitingMax = 16;
  std::mutex mutex_;
  std::vector<Notice> waiting_;
};

}  // namespace tide::libpq
