// Every function of the C++ interface in one translation unit, for the compilers: compile.py checks that it compiles without
// warnings. Nothing here is executed.
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tidepool/tidepool.hpp>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct User {
  int64_t id;
  std::string name;
  std::optional<double> height;
};

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

Task coroutine(tidepool::pool& pool, tidepool::executor executor, std::stop_token token) {
  tidepool::lease lease = co_await pool.acquire_async({.timeout = 1s, .tag = "x"}).resume_on(executor).stop_on(token);
  for (auto [id, name] : co_await lease.query_async<int, std::string_view>("select 1, $1", "x"))
    lease.execute(name, id);
  const auto some = co_await pool.query_async<int>("select 1").stop_on(token).as_expected();
  if (some) static_cast<void>((*some)[0]);
  const auto user = co_await pool.with({.timeout = 2s}).query_first_async<User>("select 1, 'x', null");
  if (user) co_await pool.execute_async("insert into t values (:n)", tidepool::arg("n", user->name));
  std::vector<tidepool::statement> list{"delete from t", {"insert into t values ($1)", 1}};
  const tidepool::result done = co_await lease.batch_async(std::move(list));
  static_cast<void>(done.part(1).affected());
}

std::string exports() {
  return tidepool::export_as("json") + tidepool::export_as("csv", {.pool = "x", .history = 1h, .masked = true});
}

// The calls that pools, leases and transactions have in common.
template <typename Calls>
int64_t common(Calls& on) {
  int64_t sum = 0;
  for (auto [id, name] : on.template query<int64_t, std::string_view>("select 1, $1", "x")) sum += id;
  for (const User& user : on.with({.timeout = 2s, .tag = "x"}).template query<User>("select 1")) sum += user.id;
  for (const tidepool::row row : on.query(std::string("select 1 as n"))) sum += row.get<int>("n") + row[0].as<int>();
  sum += on.template query_first<int64_t>(std::string_view("select 1")).value_or(0);
  sum += on.execute("insert into t values ($1, $2)", std::optional<int>(), std::chrono::sys_days()).affected();
  sum += on.batch({"delete from t", {"insert into t values ($1)", true}}).part(0).affected();
  sum += on.batch(std::vector<tidepool::statement>()).size();
  sum += on.template for_each<int, bool>([](int, bool) { return true; }, "select 1, true");
  sum += on.template try_query<int>("select 1").value().size();
  sum += on.template try_query_first<int>("select 1").value().value_or(0);
  sum += on.try_execute("delete from t").value().last_insert_id();
  sum += on.try_batch({"delete from t"}).value().columns();
  sum += on.template try_for_each<int>([](int) {}, "select 1").value();
  return sum;
}

template <typename Calls>
int64_t with_transactions(Calls& on) {
  int64_t sum = common(on);
  for (const int n : on.template stream<int>("select $1", 1)) sum += n;
  sum += on.transact([](tidepool::transaction& tx) { return common(tx); }, {.read_only = true, .timeout = 1s});
  on.transact([](tidepool::transaction& tx) { tx.savepoint("a"), tx.rollback_to("a"), tx.release("a"); });
  static_cast<void>(on.try_transact([](tidepool::transaction&) {}).has_value());
  tidepool::transaction tx = on.begin({.isolation = tidepool::isolation::serializable, .deferrable = true});
  static_cast<void>(tx.try_commit().has_value());
  return sum;
}

}  // namespace

int main() {
  tidepool::pool pool("name", "sqlite:///tmp/x.db", "max_size=4");
  tidepool::pool other({.name = "b",
                        .options = "max_size=2",
                        .foreign_loop = true,
                        .on_event = [](const tide_event&) {},
                        .on_credential = [] { return std::string(); }});
  static_cast<void>(other.step() + std::chrono::milliseconds(other.fd()));
  tidepool::lease lease = pool.acquire({.access = tidepool::access::read});
  coroutine(pool, [](std::coroutine_handle<> ready) { ready.resume(); }, {});
  const int64_t sum = with_transactions(pool) + with_transactions(lease) + std::ssize(exports()) + lease.is_wanted() +
                      pool.health().healthy;
  lease.cancel();
  lease.release_unchanged();
  other.close(1s);
  return sum == 0 ? 0 : 1;
}
