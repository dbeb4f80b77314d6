// Calls: statements and their options as the program passes them, checked and translated for the service.
//
// Threads: none of its own. Failure: a Status that names the argument and what is accepted.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tidepool/query.h>

#include "base/status.hpp"
#include "cache_terms.hpp"
#include "service/service.hpp"
#include "statement/limits.hpp"

namespace tide {

inline constexpr int kBatchMax = 100'000;
inline constexpr int64_t kDayMs = 86'400'000;  // the longest timeout

// Statements: those of one call. Their texts belong to the program until keep().
class Statements {
 public:
  Statements() = default;
  Statements(const Statements&) = delete;
  Statements& operator=(const Statements&) = delete;

  Status set(Call::Kind kind, const char* sql, int nparams, const tide_value* params, const tide_query_options& with);
  // Parameters as text; NULL pointers are NULL.
  Status set_texts(const char* sql, int nparams, const char* const* params);
  Status set_batch(const tide_statement* statements, int count, const tide_query_options& with);
  // Copies all texts, for a call that outlives the program's call.
  void keep();

  // After set() or set_texts().
  const Call& call() const { return one_; }
  // After set_batch().
  std::span<const Call> calls() const { return calls_; }

 private:
  // `values`: room for nparams of them.
  Status fill(Call& call, Call::Kind kind, const char* sql, int nparams, const tide_value* params, SqlValue* values,
              const tide_query_options& with);
  void fill(Call& call, Call::Kind kind, const char* sql, int nparams, const SqlValue* values,
            const tide_query_options& with);
  Status add_names(int nparams, const tide_query_options& with);
  SqlValue* room_for(int nparams);

  // One statement with few parameters needs no allocation.
  static constexpr int kFew = 6;
  std::array<SqlValue, kFew> few_;
  Call one_;
  std::vector<SqlValue> values_;  // of all statements, in their order
  std::vector<std::string_view> names_;
  std::vector<Call> calls_;  // of a batch
  std::string kept_;         // after keep(): all texts
};

// Reads the caller's struct, and checks it. `with` may be NULL.
Status read_query_options(const tide_query_options* with, tide_query_options& out, Caching caching = Caching::refused);
// For functions that return only when they have finished.
Status refuse_callback(const tide_query_options& with);
// Both.
Status read_waiting_options(const tide_query_options* with, tide_query_options& out);
Status check_timeout(int64_t timeout_ms);
// negative: that of the pool.
inline Span timeout_of(int64_t timeout_ms) { return timeout_ms < 0 ? Span::nanos(-1) : Span::millis(timeout_ms); }
CallTerms terms_of(const tide_query_options& with);

}  // namespace tide
