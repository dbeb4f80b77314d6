#include "statements.hpp"

#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "callbacks.hpp"
#include "cancel.hpp"
#include "guard.hpp"

namespace tide {
namespace {

// What a statement or a batch needs, from the arguments to the result.
struct Work {
  Work(const Site& where, bool is_of_batch) : site(where), is_batch(is_of_batch) {}

  Status run(Service& service) {
    const CallTerms terms = terms_of(with);
    if (!is_batch) return site.run(service, statements.call(), terms, result->own);
    std::vector<ResultTable> tables;
    Status status = site.batch(service, statements.calls(), terms, tables);
    if (!status) return status;
    result->is_batch = true;
    result->parts.resize(tables.size());
    for (size_t i = 0; i < tables.size(); ++i) result->parts[i].own = std::move(tables[i]);
    return status;
  }

  const Site site;
  const bool is_batch;
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  Statements statements;
  ResultHandle result = new_result();
};

// An asynchronous call.
struct Later {
  Later(const Site& where, bool is_batch, CancelToken* token) : work(where, is_batch), cancel(token) {}

  // In a thread of the service.
  static void run(const std::shared_ptr<Later>& self) {
    self->status = guarded(&self->error, [&]() -> Status {
      const Door door = self->work.site.door();
      return door ? self->work.run(door.service()) : no_entry(door.code());
    });
    self->callbacks->tell_result([self] { self->tell(); });
  }
  // The program's texts end with its call; those of the statements are kept by them.
  void keep_texts() {
    const auto keep = [](const char*& text, std::string& kept) {
      if (text == nullptr) return;
      kept = text;
      text = kept.c_str();
    };
    keep(work.with.tag, tag);
    keep(work.with.cache_key, cache_key);
    keep(work.with.cache_tags, cache_tags);
  }
  void tell() {
    tide_result* const given = status == TIDE_OK ? work.result.release() : nullptr;
    work.with.callback(work.with.context, status, given, &error);
  }

  Work work;
  const CancelRef cancel;  // the program may free its token
  std::string tag;
  std::string cache_key;
  std::string cache_tags;
  std::shared_ptr<Callbacks> callbacks;
  tide_status status = TIDE_OK;
  tide_error error = TIDE_ERROR_INIT;
};

// `fill` adds the statements to a Work whose options are read.
template <typename Fill>
tide_status run_or_later(const Site& site, bool is_batch, Caching caching, const tide_query_options* with,
                         tide_result** out, tide_error* err, Fill&& fill) noexcept {
  return guarded(err, [&]() -> Status {
    Work work(site, is_batch);
    const tide_query_options& wanted = work.with;
    if (Status read = read_query_options(with, work.with, caching); !read) return read;
    if (wanted.callback == nullptr) {
      if (Status filled = fill(work); !filled) return filled;
      const Door door = site.door();
      if (!door) return no_entry(door.code());
      Status status = work.run(door.service());
      return give(std::move(status), std::move(work.result), out);
    }
    if (site.is_transaction()) return refuse_callback(wanted);
    auto later = std::make_shared<Later>(site, is_batch, token_of(wanted.cancel));
    later->work.with = wanted;
    if (Status filled = fill(later->work); !filled) return filled;
    later->work.statements.keep();
    later->keep_texts();
    const Door door = site.door();
    if (!door) return no_entry(door.code());
    const PoolEntry& entry = Handles::entry_of(Handles::number_of(site.pool()));
    if (entry.is_closing.load(std::memory_order_acquire)) return no_entry(Code::closed);
    later->callbacks = entry.callbacks->shared_from_this();
    return door.service().run_later([later] { Later::run(later); });
  });
}

// Passes the rows of a page to a function of the program.
class CallingSink final : public RowSink {
 public:
  CallingSink(RowCaller rows, uint64_t handle) : rows_(rows), handle_(handle) {}
  bool take(const ResultTable& page) override {
    tide_result shown;
    shown.lent = &page;
    const CallbackScope scope(handle_);
    try {
      for (int64_t row = 0; row < page.rows(); ++row) {
        if (rows_.call(rows_.context, &shown, row) != 0) return false;
      }
      return true;
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }
  // What the function has thrown, after the statement has ended.
  void rethrow() const {
    if (thrown_ != nullptr) std::rethrow_exception(thrown_);
  }

 private:
  const RowCaller rows_;
  const uint64_t handle_;
  std::exception_ptr thrown_;
};

}  // namespace

tide_status run_statement(const Site& site, Call::Kind kind, const char* sql, int nparams, const tide_value* params,
                          const tide_query_options* with, tide_result** out, tide_error* err) noexcept {
  const bool may_cache = site.is_pool() && kind != Call::Kind::execute;
  return run_or_later(site, false, may_cache ? Caching::allowed : Caching::refused, with, out, err,
                      [&](Work& work) { return work.statements.set(kind, sql, nparams, params, work.with); });
}

tide_status run_batch(const Site& site, const tide_statement* statements, int count, const tide_query_options* with,
                      tide_result** out, tide_error* err) noexcept {
  return run_or_later(site, true, Caching::refused, with, out, err,
                      [&](Work& work) { return work.statements.set_batch(statements, count, work.with); });
}

tide_status run_stream(const Site& site, const char* sql, int nparams, const tide_value* params,
                       const tide_query_options* with, RowCaller rows, tide_result** out, tide_error* err) noexcept {
  return guarded(err, [&]() -> Status {
    if (rows.call == nullptr) return Status::error(Code::bad_argument, "on_row is NULL", "accepted: a function");
    tide_query_options wanted = TIDE_QUERY_OPTIONS_INIT;
    if (Status read = read_waiting_options(with, wanted); !read) return read;
    Statements statements;
    if (Status set = statements.set(Call::Kind::query, sql, nparams, params, wanted); !set) return set;
    const Door door = site.door();
    if (!door) return no_entry(door.code());
    CallingSink sink(rows, Handles::number_of(site.pool()));
    ResultHandle result = new_result();
    Status status = site.stream(door.service(), statements.call(), terms_of(wanted), sink, result->own);
    sink.rethrow();
    return give(std::move(status), std::move(result), out);
  });
}

}  // namespace tide
