// tide_pool_query ... tide_lease_stream: statements on a pool and on a lease.
#include <tidepool/tidepool.h>

#include <utility>

#include "guard.hpp"
#include "statements.hpp"

using namespace tide;

tide_status tide_pool_query_with(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                 const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(pool), Call::Kind::query, sql, nparams, params, with, out, err);
}

tide_status tide_pool_query_first(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                                  const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(pool), Call::Kind::first, sql, nparams, params, with, out, err);
}

tide_status tide_pool_execute(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                              const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(pool), Call::Kind::execute, sql, nparams, params, with, out, err);
}

tide_status tide_pool_batch(tide_pool* pool, const tide_statement* statements, int count,
                            const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_batch(Site(pool), statements, count, with, out, err);
}

tide_status tide_pool_stream(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                             const tide_query_options* with, tide_row_callback on_row, void* context, tide_result** out,
                             tide_error* err) {
  return run_stream(Site(pool), sql, nparams, params, with, {on_row, context}, out, err);
}

tide_status tide_lease_query_with(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                  const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(lease), Call::Kind::query, sql, nparams, params, with, out, err);
}

tide_status tide_lease_query_first(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                                   const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(lease), Call::Kind::first, sql, nparams, params, with, out, err);
}

tide_status tide_lease_execute(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                               const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_statement(Site(lease), Call::Kind::execute, sql, nparams, params, with, out, err);
}

tide_status tide_lease_batch(tide_lease lease, const tide_statement* statements, int count,
                             const tide_query_options* with, tide_result** out, tide_error* err) {
  return run_batch(Site(lease), statements, count, with, out, err);
}

tide_status tide_lease_stream(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                              const tide_query_options* with, tide_row_callback on_row, void* context,
                              tide_result** out, tide_error* err) {
  return run_stream(Site(lease), sql, nparams, params, with, {on_row, context}, out, err);
}

// ---- text parameters

static tide_status run_texts(const Site& site, const char* tag, const char* sql, int nparams, const char* const* params,
                             tide_result** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    Statements statements;
    if (Status set = statements.set_texts(sql, nparams, params); !set) return set;
    const Door door = site.door();
    if (!door) return no_entry(door.code());
    CallTerms terms;
    terms.tag = tag == nullptr ? "" : tag;
    terms.retry_attempts = 0;
    ResultHandle result = new_result();
    Status status = site.run(door.service(), statements.call(), terms, result->own);
    return give(std::move(status), std::move(result), out);
  });
}

tide_status tide_lease_query(tide_lease lease, const char* sql, int nparams, const char* const* params,
                             tide_result** out, tide_error* err) {
  return run_texts(Site(lease), "", sql, nparams, params, out, err);
}

tide_status tide_pool_query(tide_pool* pool, const char* tag, const char* sql, int nparams, const char* const* params,
                            tide_result** out, tide_error* err) {
  return run_texts(Site(pool), tag, sql, nparams, params, out, err);
}
