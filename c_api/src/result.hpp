// tide_result: what a statement or a batch returned, or a page of rows.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <tidepool/query.h>

#include "base/status.hpp"
#include "pool/result_table.hpp"

struct tide_result {
  tide::ResultTable own;
  const tide::ResultTable* lent = nullptr;  // a page of a stream, instead of `own`
  std::vector<tide_result> parts;           // of a batch
  bool is_batch = false;

  // That of the last statement.
  const tide::ResultTable& table() const {
    if (lent != nullptr) return *lent;
    return parts.empty() ? own : parts.back().table();
  }
};

namespace tide {

using ResultHandle = std::unique_ptr<tide_result>;

// Unlike std::make_unique, does not clear the memory before the members are initialised.
inline ResultHandle new_result() { return ResultHandle(new tide_result); }

// Hands a result to the caller, if there is one and it is wanted.
inline Status give(Status status, ResultHandle result, tide_result** out) {
  if (status && out != nullptr) *out = result.release();
  return status;
}

}  // namespace tide
