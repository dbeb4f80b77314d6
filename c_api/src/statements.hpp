// Statements of the program, executed at a site: the functions of the ABI that differ only in it.
//
// Asynchronous calls run in a thread of the service, with copies of all arguments. Their results are reported by that
// thread, or, with a foreign loop, by the thread that steps the pool.
// Threads: any. Failure: as guarded().
#pragma once

#include "site.hpp"

namespace tide {

// A function of the program for the rows of a stream.
struct RowCaller {
  tide_row_callback call;
  void* context;
};

tide_status run_statement(const Site& site, Call::Kind kind, const char* sql, int nparams, const tide_value* params,
                          const tide_query_options* with, tide_result** out, tide_error* err) noexcept;
tide_status run_batch(const Site& site, const tide_statement* statements, int count, const tide_query_options* with,
                      tide_result** out, tide_error* err) noexcept;
tide_status run_stream(const Site& site, const char* sql, int nparams, const tide_value* params,
                       const tide_query_options* with, RowCaller rows, tide_result** out, tide_error* err) noexcept;

}  // namespace tide
