#include "base/status.hpp"

namespace tide {

const char* code_name(Code code) noexcept {
  switch (code) {
    case Code::ok: return "ok";
    case Code::timeout: return "timeout";
    case Code::closed: return "closed";
    case Code::queue_full: return "queue_full";
    case Code::unavailable: return "unavailable";
    case Code::bad_argument: return "bad_argument";
    case Code::bad_option: return "bad_option";
    case Code::stale_lease: return "stale_lease";
    case Code::database: return "database";
    case Code::not_found: return "not_found";
    case Code::refused: return "refused";
    case Code::forked: return "forked";
    case Code::no_memory: return "no_memory";
    case Code::unsupported: return "unsupported";
    case Code::internal: return "internal";
    case Code::rolled_back: return "rolled_back";
    case Code::unknown_outcome: return "unknown_outcome";
    case Code::cancelled: return "cancelled";
  }
  return "unknown";
}

Status::Status(const Status& other)
    : code(other.code),
      is_retryable(other.is_retryable),
      is_unexecuted(other.is_unexecuted),
      native_code(other.native_code),
      text_(other.text_ == nullptr ? nullptr : std::make_unique<ErrorText>(*other.text_)) {}

Status& Status::operator=(const Status& other) { return *this = Status(other); }

Status Status::error(Code code, std::string message, std::string detail, std::string hint) {
  Status status;
  status.code = code;
  status.is_retryable = code == Code::timeout || code == Code::queue_full || code == Code::unavailable;
  if (message.empty() && detail.empty() && hint.empty()) return status;
  status.text_ = std::make_unique<ErrorText>();
  status.text_->message = std::move(message);
  status.text_->detail = std::move(detail);
  status.text_->hint = std::move(hint);
  return status;
}

const ErrorText& Status::text_of(Code code) noexcept {
  static const ErrorText kNone;
  static const ErrorText kOutOfMemory = {"", "out of memory", "", "", nullptr};  // so short that nothing is allocated
  return code == Code::no_memory ? kOutOfMemory : kNone;
}

}  // namespace tide
