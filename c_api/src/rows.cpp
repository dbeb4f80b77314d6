// tide_rows: rows that are pulled page by page.
#include <tidepool/tidepool.h>

#include <memory>
#include <optional>
#include <utility>

#include "cancel.hpp"
#include "guard.hpp"
#include "service/lease_use.hpp"
#include "site.hpp"

using namespace tide;

struct tide_rows {
  tide_pool* pool = nullptr;
  LeaseId lease;
  bool owns_lease = false;
  bool is_first_unread = true;  // the page that came with the call
  bool is_open = true;          // the session has further rows, or may have them
  bool has_failed = false;
  std::optional<CancelRef> cancel;  // set if the call has a token
  tide_result page;
};

static tide_status open_rows_at(const Site& site, bool owns_lease, const char* sql, int nparams,
                                const tide_value* params, const tide_query_options* with, tide_rows** out,
                                tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr)
      return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_rows *");
    tide_query_options wanted = TIDE_QUERY_OPTIONS_INIT;
    if (Status read = read_waiting_options(with, wanted); !read) return read;
    Statements statements;
    if (Status set = statements.set(Call::Kind::query, sql, nparams, params, wanted); !set) return set;
    const Door door = site.door();
    if (!door) return no_entry(door.code());
    auto rows = std::make_unique<tide_rows>();  // first: nothing may fail once the lease is ours
    rows->pool = site.pool();
    rows->owns_lease = owns_lease;
    const Pool* from = nullptr;
    Status status =
        site.open_rows(door.service(), statements.call(), terms_of(wanted), rows->lease, from, rows->page.own);
    if (!status) return status;
    if (from != nullptr && door.replicas() != nullptr) {
      rows->pool = Handles::handle_of(door.replicas()->handle_of(*from));
    }
    rows->is_open = !rows->page.own.is_last_page();
    if (wanted.cancel != nullptr) rows->cancel.emplace(token_of(wanted.cancel));
    *out = rows.release();
    return status;
  });
}

tide_status tide_pool_rows(tide_pool* pool, const char* sql, int nparams, const tide_value* params,
                           const tide_query_options* with, tide_rows** out, tide_error* err) {
  return open_rows_at(Site(pool), true, sql, nparams, params, with, out, err);
}

tide_status tide_lease_rows(tide_lease lease, const char* sql, int nparams, const tide_value* params,
                            const tide_query_options* with, tide_rows** out, tide_error* err) {
  return open_rows_at(Site(lease), false, sql, nparams, params, with, out, err);
}

tide_status tide_rows_next(tide_rows* rows, const tide_result** page, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (rows == nullptr || page == nullptr) {
      return Status::error(Code::bad_argument, rows == nullptr ? "rows is NULL" : "page is NULL");
    }
    if (rows->has_failed) {
      return Status::error(Code::refused, "the reading has ended with an error", "tide_rows_next() reported it before",
                           "use tide_rows_close()");
    }
    bool is_filled = std::exchange(rows->is_first_unread, false) && rows->page.own.rows() != 0;
    while (!is_filled && rows->is_open) {
      const Door door(tide_lease{rows->pool, rows->lease.bits});
      if (!door) return no_entry(door.code());
      const LeaseUse use(*door, rows->lease);
      Status status = use.cancellable(rows->cancel ? rows->cancel->get() : nullptr,
                                      [&] { return door->fetch_rows(rows->lease, rows->page.own); });
      if (status.code == Code::refused) return status;  // another thread is using the lease: the rows are still there
      if (!status) {
        rows->has_failed = true;
        rows->is_open = false;
        door->close_rows(rows->lease);
        return explain_stale(std::move(status));
      }
      rows->is_open = !rows->page.own.is_last_page();
      is_filled = rows->page.own.rows() != 0;
    }
    *page = is_filled ? &rows->page : nullptr;
    return Status::ok();
  });
}

void tide_rows_close(tide_rows* rows) {
  if (rows == nullptr) return;
  const std::unique_ptr<tide_rows> own(rows);
  (void)guarded(nullptr, [&] {
    const Door door(tide_lease{own->pool, own->lease.bits});
    if (!door) return Status::ok();  // the lease ended with the pool
    if (own->is_open) door->close_rows(own->lease);
    if (own->owns_lease) (void)door->release(own->lease);
    return Status::ok();
  });
}
