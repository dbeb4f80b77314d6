#include "pool/faults.hpp"

#include <string_view>

namespace tide {
namespace {

// SQLITE_CONSTRAINT_DATATYPE, the only constraint violation whose SQLSTATE is not in class 23.
constexpr int32_t kConstraintDatatype = 3091;

bool is_of_normal_work(std::string_view sqlstate) noexcept {
  return sqlstate.starts_with("23")     // integrity
         || sqlstate.starts_with("40")  // serialization, deadlock; SQLite: busy, an outdated snapshot
         || sqlstate == "P0001"         // RAISE
         || sqlstate == "55P03"         // NOWAIT, lock_timeout
         || sqlstate == "57014";        // cancelled
}

}  // namespace

bool is_fault(const Status& status) noexcept {
  switch (status.code) {
    case Code::ok:
    case Code::bad_argument:
    case Code::stale_lease: return false;
    case Code::database: break;
    default: return true;
  }
  if (status.sqlstate() == "42804" && status.native_code == kConstraintDatatype) return false;
  return !is_of_normal_work(status.sqlstate());
}

}  // namespace tide
