// The addon: call() starts a function of the library and returns a promise. index.js checks the arguments.
// Threads: JavaScript's never waits. Calls on a pool, and waiting for a lease, are left to the library, which calls
// back. A statement on a lease or in a transaction has a thread, so that what others wait for can always end.
// Ownership: a Call belongs to what executes it, then to settle(), which JavaScript's thread runs, also if that ends.
#include <node_api.h>
#include <tidepool/tidepool.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

// The order is that of index.js.
enum { kOpen, kClose, kRead, kPoolQuery, kAcquire, kRelease, kLeaseQuery, kBegin, kTxQuery, kCommit, kUndo };
// The arguments of call(), in an array; then the parameters.
enum { kOperation, kPool, kId, kMode, kTimeout, kFirst, kSecond, kThird, kParameters };

// What threads know of an environment. It is never freed, but closed under the mutex: Node.js before 25.4 frees a
// threadsafe function although threads still have it.
struct Home {
  std::mutex mutex;
  napi_threadsafe_function settle = nullptr;  // null: the environment has ended
  int pending = 0;                            // calls, in JavaScript's thread
};

struct Call {
  Home* home = nullptr;
  std::vector<tide_value> values;
  std::deque<std::string> kept;  // what the values point to
  tide_tx handle = {};  // of a pool, a lease or a transaction; the library checks it: JavaScript may make one up
  tide_result* result = nullptr;
  tide_cursor* cursor = nullptr;
  tide_error err = TIDE_ERROR_INIT;
  napi_deferred promise = nullptr;

  ~Call() { tide_result_free(result), tide_cursor_close(cursor); }
};

// What a function of Node-API makes; undefined if it fails.
template <auto Function, typename... Arguments>
napi_value make(napi_env env, Arguments... arguments) {
  napi_value value = nullptr;
  if (Function(env, arguments..., &value) != napi_ok) napi_get_undefined(env, &value);
  return value;
}

napi_value text_of(napi_env env, const char* text, size_t length = NAPI_AUTO_LENGTH) {
  return text == nullptr ? make<napi_get_null>(env) : make<napi_create_string_utf8>(env, text, length);
}

napi_value array_of(napi_env env, const std::vector<napi_value>& values) {
  napi_value array = make<napi_create_array>(env);
  for (uint32_t i = 0; i < values.size(); ++i) napi_set_element(env, array, i, values[i]);
  return array;
}

tide_value value_of(napi_env env, napi_value from, Call& call) {
  tide_value out = tide_value_null();
  void* data = nullptr;
  bool is = false;
  if (napi_get_value_bool(env, from, &is) == napi_ok) return tide_value_bool(is);
  if (napi_get_value_double(env, from, &out.real) == napi_ok) return tide_value_double(out.real);
  if (napi_get_value_bigint_int64(env, from, &out.integer, &is) == napi_ok) return tide_value_int(out.integer);
  if (napi_get_buffer_info(env, from, &data, &out.length) == napi_ok) {
    return tide_value_bytes(call.kept.emplace_back(static_cast<const char*>(data), out.length).data(), out.length);
  }
  if (napi_get_value_string_utf8(env, from, nullptr, 0, &out.length) != napi_ok) return out;
  std::string& text = call.kept.emplace_back(out.length, '\0');
  napi_get_value_string_utf8(env, from, text.data(), out.length + 1, &out.length);
  out.type = TIDE_TEXT;
  out.text = text.c_str();
  return out;
}

napi_value integer_of(napi_env env, int64_t integer) {
  const bool is_safe = integer >= -9007199254740991 && integer <= 9007199254740991;  // a number in JavaScript
  return is_safe ? make<napi_create_int64>(env, integer) : make<napi_create_bigint_int64>(env, integer);
}

napi_value cell_of(napi_env env, const tide_value& from) {
  switch (from.type) {
    case TIDE_INT: return integer_of(env, from.integer);
    case TIDE_DOUBLE: return make<napi_create_double>(env, from.real);
    case TIDE_BOOL: return make<napi_get_boolean>(env, from.integer != 0);
    case TIDE_BYTES: return make<napi_create_buffer_copy>(env, from.length, from.text, nullptr);
    default: return text_of(env, from.text, from.length);  // NULL has no text
  }
}

// [names, cells of all rows, rows changed, last id]
napi_value result_of(napi_env env, const tide_result* result) {
  std::vector<napi_value> names, cells;
  const int columns = tide_result_columns(result);
  for (int c = 0; c < columns; ++c) names.push_back(text_of(env, tide_result_name(result, c)));
  for (int64_t i = 0; i < tide_result_rows(result) * columns; ++i)
    cells.push_back(cell_of(env, tide_result_value(result, i / columns, static_cast<int>(i % columns))));
  return array_of(env, {array_of(env, names), array_of(env, cells), integer_of(env, tide_result_affected(result)),
                        integer_of(env, tide_result_last_insert_id(result))});
}

// [names, texts of all rows]
napi_value relation_of(napi_env env, const std::string& name, tide_cursor* cursor) {
  std::vector<napi_value> names, texts;
  const tide_relation* shape = tide_relation_at(0);
  for (int i = 1; shape->name != name; ++i) shape = tide_relation_at(i);
  for (int c = 0; c < shape->ncolumns; ++c) names.push_back(text_of(env, shape->columns[c].name));
  while (tide_cursor_next(cursor) != 0)
    for (int c = 0; c < shape->ncolumns; ++c) texts.push_back(text_of(env, tide_cursor_text(cursor, c, nullptr)));
  return array_of(env, {array_of(env, names), array_of(env, texts)});
}

// In JavaScript's thread, also while its environment ends.
void settle(napi_env env, napi_value /*function*/, void* /*context*/, void* data) {
  const std::unique_ptr<Call> call(static_cast<Call*>(data));
  if (env == nullptr || call->home->settle == nullptr) return;
  if (--call->home->pending == 0) napi_unref_threadsafe_function(env, call->home->settle);
  if (const tide_error& err = call->err; err.status != TIDE_OK) {
    napi_value why =
        array_of(env, {text_of(env, err.message), text_of(env, tide_status_name(err.status)),
                       text_of(env, err.sqlstate), text_of(env, err.detail), text_of(env, err.hint),
                       text_of(env, err.constraint_name), make<napi_get_boolean>(env, err.retryable != 0)});
    return void(napi_reject_deferred(env, call->promise, why));
  }
  napi_value value = array_of(env, {integer_of(env, reinterpret_cast<int64_t>(call->handle.pool)),
                                    integer_of(env, static_cast<int64_t>(call->handle.id))});
  if (call->result != nullptr) value = result_of(env, call->result);
  if (call->cursor != nullptr) value = relation_of(env, call->values[kFirst].text, call->cursor);
  napi_resolve_deferred(env, call->promise, value);
}

// In any thread, once for each call.
void finish(Call* done) {
  std::unique_ptr<Call> call(done);
  const std::lock_guard lock(done->home->mutex);
  napi_threadsafe_function to = done->home->settle;
  if (to != nullptr && napi_call_threadsafe_function(to, done, napi_tsfn_nonblocking) == napi_ok) (void)call.release();
}

template <typename Out>
void on_done(void* context, tide_status /*status*/, Out out, const tide_error* err) {
  auto* const call = static_cast<Call*>(context);
  if constexpr (requires { out.id; }) call->handle.id = out.id;  // of a lease
  if constexpr (!requires { out.id; }) call->result = out;
  if (err != nullptr) call->err = *err;
  finish(call);
}

tide_status execute(Call& call) {
  tide_tx& tx = call.handle;
  const tide_lease lease = {tx.pool, tx.id};
  tide_query_options with = TIDE_QUERY_OPTIONS_INIT;
  tide_acquire_options acquire = TIDE_ACQUIRE_OPTIONS_INIT;
  tide_tx_options begin = TIDE_TX_OPTIONS_INIT;
  tide_filter filter = TIDE_FILTER_INIT;
  const char *first = call.values[kFirst].text, *second = call.values[kSecond].text;
  const tide_value* params = call.values.data() + kParameters;
  const int count = static_cast<int>(call.values.size()) - kParameters;
  with.mode = acquire.mode = begin.read_only = static_cast<int32_t>(call.values[kMode].integer);
  with.timeout_ms = acquire.timeout_ms = begin.timeout_ms = call.values[kTimeout].integer;
  with.tag = acquire.tag = filter.pool = second;
  with.context = acquire.context = &call;
  with.callback = call.values[kOperation].integer == kPoolQuery ? on_done<tide_result*> : nullptr;
  acquire.callback = on_done<tide_lease>;
  switch (call.values[kOperation].integer) {
    case kOpen: return tide_pool_open(first, second, call.values[kThird].text, &tx.pool, &call.err);
    case kClose: return tide_pool_close(tx.pool, with.timeout_ms, &call.err);
    case kRead: return tide_cursor_open(first, &filter, &call.cursor, &call.err);
    case kPoolQuery: return tide_pool_query_with(tx.pool, first, count, params, &with, nullptr, &call.err);
    case kAcquire: return tide_pool_acquire_with(tx.pool, &acquire, nullptr, &call.err);
    case kRelease: return tide_lease_release(lease, &call.err);
    case kLeaseQuery: return tide_lease_query_with(lease, first, count, params, &with, &call.result, &call.err);
    case kBegin: return tide_tx_begin_on(lease, &begin, &tx, &call.err);
    case kTxQuery: return tide_tx_query(tx, first, count, params, &with, &call.result, &call.err);
    case kCommit: return tide_tx_commit(tx, &call.err);
    default: return tide_tx_rollback(tx, &call.err);
  }
}

napi_value start(napi_env env, napi_callback_info info) {
  napi_value from = nullptr, promise = nullptr;
  size_t given = 1;
  uint32_t n = 0;
  auto* const call = new Call;
  napi_get_cb_info(env, info, &given, &from, nullptr, reinterpret_cast<void**>(&call->home));
  napi_get_array_length(env, from, &n);
  for (uint32_t i = 0; i < n; ++i) call->values.push_back(value_of(env, make<napi_get_element>(env, from, i), *call));
  call->handle = {reinterpret_cast<tide_pool*>(call->values[kPool].integer),
                  static_cast<uint64_t>(call->values[kId].integer)};
  if (call->home->pending++ == 0) napi_ref_threadsafe_function(env, call->home->settle);
  napi_create_promise(env, &call->promise, &promise);
  const int64_t operation = call->values[kOperation].integer;
  const bool calls_back = operation == kPoolQuery || operation == kAcquire;
  if (calls_back && execute(*call) != TIDE_OK) finish(call);  // else a callback finishes it, or has done so
  if (calls_back) return promise;
  try {
    std::thread([call] { execute(*call), finish(call); }).detach();
  } catch (const std::system_error&) {  // no thread can be started: better late than never
    execute(*call), finish(call);
  }
  return promise;
}

void close(void* data) {
  const std::lock_guard lock(static_cast<Home*>(data)->mutex);
  static_cast<Home*>(data)->settle = nullptr;
}

}  // namespace

extern "C" NAPI_MODULE_EXPORT napi_value NAPI_MODULE_INITIALIZER(napi_env env, napi_value /*exports*/) {
  auto* const home = new Home;
  napi_add_env_cleanup_hook(env, close, home);  // runs after that of the function, and before anything is freed
  napi_create_threadsafe_function(env, nullptr, nullptr, text_of(env, "tidepool"), 0, 1, nullptr, nullptr, nullptr,
                                  settle, &home->settle);
  napi_unref_threadsafe_function(env, home->settle);
  return make<napi_create_function>(env, "call", NAPI_AUTO_LENGTH, start, home);
}
