// Notices: what servers remark aside, on its way from the thread that met it to the keeper, which writes the journal.
//
// Bounded: a statement that raises a notice for every row must cost nothing but the first few.
// Threads: any. Failure: what does not fit is counted and forgotten.
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
  remark,     // the server's NOTICE, WARNING ...
  lost,       // a holder met a dead session
  suspected,  // the server ended a holder's session, perhaps not alone
  doomed,     // a holder met an error that the other sessions will meet too
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
  // Where there is no room a remark has to give way.
  void add_bad_news(uint32_t slot, NoticeKind kind, const Status& why) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kWaitingMax) waiting_.erase(waiting_.begin());
      waiting_.push_back({kind, slot, true, why.message});
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
