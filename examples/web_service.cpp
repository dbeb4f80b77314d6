// A web service with cpp-httplib: handlers that query, /health, /pools, and a graceful shutdown. docs/web_service.md explains it.
//
//   c++ -std=c++20 web_service.cpp -o web_service $(pkg-config --cflags --libs tidepool cpp-httplib) -pthread
//   ./web_service [URL [PORT [SHUTDOWN_MS]]]
#include <tidepool/tidepool.hpp>

#include <httplib.h>
#include <signal.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace {

using namespace std::chrono_literals;

// More than there are connections of clients at the same time: a connection that is kept open occupies a thread, and callers
// should queue for the pool, which knows how long they may wait, not for a thread.
constexpr size_t kThreads = 64;

// Between the first 503 of /health and the end of the listening: as long as a load balancer needs to notice it.
constexpr timespec kNotice = {0, 300'000'000};

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append({'\\', c});
    } else if (byte < 0x20) {
      out.append("\\u00").append({kHex[byte >> 4], kHex[byte & 15]});
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void answer(httplib::Response& response, int status, const std::string& json) {
  response.status = status;
  response.set_content(json + "\n", "application/json");
}

// The error of a handler. What may succeed later is a 503, so that clients and balancers try again.
void answer_error(httplib::Response& response, const tidepool::error& why) {
  const bool is_temporary = why.retryable() || why.status() == TIDE_TIMEOUT || why.status() == TIDE_CLOSED ||
                            why.status() == TIDE_UNAVAILABLE || why.status() == TIDE_QUEUE_FULL;
  if (is_temporary) response.set_header("Retry-After", "1");
  answer(response, is_temporary ? 503 : 500, "{\"error\":" + json_text(why.what()) + "}");
}

std::optional<int64_t> number(const httplib::Request& request, const char* name) {
  const std::string text = request.get_param_value(name);
  int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A relation as a list of JSON objects: the same rows and columns that SQL shows.
std::string relation_json(const char* relation) {
  tide_cursor* cursor = nullptr;
  tide_error why = TIDE_ERROR_INIT;
  if (tide_cursor_open(relation, nullptr, &cursor, &why) != TIDE_OK) throw tidepool::error(why);
  const tide_relation* shape = nullptr;
  for (int i = 0; (shape = tide_relation_at(i)) != nullptr && std::string_view(shape->name) != relation;) ++i;
  std::string rows;
  while (shape != nullptr && tide_cursor_next(cursor) == 1) {
    rows += rows.empty() ? "{" : ",\n{";
    for (int column = 0; column < shape->ncolumns; ++column) {
      const char* text = tide_cursor_text(cursor, column, nullptr);
      rows.append(column == 0 ? "" : ",").append(json_text(shape->columns[column].name)).append(":");
      rows += text == nullptr ? "null" : json_text(text);
    }
    rows += "}";
  }
  tide_cursor_close(cursor);
  return "[" + rows + "]";
}

class Service {
 public:
  Service(const std::string& url, std::chrono::milliseconds shutdown)
      : shutdown_(shutdown),
        pools_("acquire_timeout=2s shutdown_timeout=" + std::to_string(shutdown.count()) + "ms"),
        shop_(pools_.pool("shop", url, "max_size=8")) {
    shop_.execute("create table if not exists item (name text not null)");
    add_handlers();
  }

  // Serves until a signal of `signals` arrives, which all threads block. Returns whether everything could be finished.
  bool run(int port, const sigset_t& signals) {
    const int bound =
        port == 0 ? server_.bind_to_any_port("127.0.0.1") : (server_.bind_to_port("127.0.0.1", port) ? port : -1);
    if (bound < 0) {
      std::cerr << "cannot listen on port " << port << '\n';
      return false;
    }
    std::cout << "listening on http://127.0.0.1:" << bound << std::endl;
    std::thread stopper([&] { stop_at(signals); });
    server_.listen_after_bind();  // returns when all handlers have returned
    {
      const std::lock_guard lock(mutex_);
      has_ended_ = true;
    }
    ended_.notify_all();
    stopper.join();
    return close_pools(shutdown_) && !was_cut_;
  }

 private:
  using Handler = void (Service::*)(const httplib::Request&, httplib::Response&);

  httplib::Server::Handler guarded(Handler handler) {
    return [this, handler](const httplib::Request& request, httplib::Response& response) {
      try {
        (this->*handler)(request, response);
      } catch (const tidepool::error& why) {
        answer_error(response, why);
      }
    };
  }

  void add_handlers() {
    server_.Get("/items", guarded(&Service::list_items));
    server_.Post("/items", guarded(&Service::add_item));
    server_.Get("/count", guarded(&Service::count));
    server_.Get("/health", guarded(&Service::health));
    server_.Get("/pools", guarded(&Service::list_pools));
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_keep_alive_timeout(1);
    // A client that keeps its connection opens another one for the next request, which may be to another server.
    server_.set_post_routing_handler([this](const httplib::Request&, httplib::Response& response) {
      if (is_stopping_) response.set_header("Connection", "close");
    });
  }

  void list_items(const httplib::Request& request, httplib::Response& response) {
    std::string rows;
    const int64_t limit = number(request, "limit").value_or(100);
    constexpr const char* kSql = "select name from item order by name limit $1";
    for (const std::string_view name : shop_.with({.tag = "list"}).query<std::string_view>(kSql, limit)) {
      rows.append(rows.empty() ? "" : ",").append(json_text(name));
    }
    answer(response, 200, "[" + rows + "]");
  }

  void add_item(const httplib::Request& request, httplib::Response& response) {
    if (!request.has_param("name")) return answer(response, 400, R"({"error":"name is missing"})");
    const std::string name = request.get_param_value("name");
    shop_.transact([&](tidepool::transaction& tx) { tx.execute("insert into item values ($1)", name); });
    answer(response, 201, "{\"name\":" + json_text(name) + "}");
  }

  // Takes as long as it is told to.
  void count(const httplib::Request& request, httplib::Response& response) {
    const std::optional<int64_t> to = number(request, "to");
    if (!to) return answer(response, 400, R"({"error":"to is not a number"})");
    constexpr const char* kSql =
        "with recursive c(n) as (select 1 union all select n + 1 from c where n < $1) select count(*) from c";
    answer(response, 200, std::to_string(*shop_.with({.tag = "count"}).query_first<int64_t>(kSql, *to)));
  }

  // 503 tells a load balancer to send requests elsewhere, and everybody else why.
  void health(const httplib::Request&, httplib::Response& response) {
    const tide_health health = shop_.health();
    const bool is_healthy = std::string_view(health.status) != "unhealthy" && !is_stopping_;
    answer(response, is_healthy ? 200 : 503,
           "{\"status\":" + json_text(is_stopping_ ? "stopping" : health.status) +
               ",\"issues\":" + json_text(health.issues) + ",\"recommendations\":" + json_text(health.recommendations) +
               ",\"checks\":" + (health.checks[0] == '\0' ? "{}" : health.checks) + "}");
  }

  void list_pools(const httplib::Request&, httplib::Response& response) {
    answer(response, 200, relation_json("pools"));
  }

  // Runs in a thread of its own, so that nothing is done within a signal handler.
  void stop_at(const sigset_t& signals) {
    int signal = 0;
    sigwait(&signals, &signal);
    is_stopping_ = true;
    sigtimedwait(&signals, nullptr, &kNotice);  // a second signal ends it early
    server_.stop();                             // no new connections; handlers that run continue
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, shutdown_, [&] { return has_ended_; })) return;
    was_cut_ = true;
    close_pools(0ms);  // cancels the statements of the handlers that are left: they answer with an error
  }

  bool close_pools(std::chrono::milliseconds timeout) {
    try {
      pools_.close(timeout);
      return true;
    } catch (const tidepool::error& why) {
      std::cerr << why.what() << '\n';
      return false;
    }
  }

  const std::chrono::milliseconds shutdown_;
  tidepool::registry pools_;
  tidepool::pool_view shop_;
  httplib::Server server_;
  std::atomic<bool> is_stopping_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool has_ended_ = false;
  bool was_cut_ = false;  // written before the thread is joined
};

}  // namespace

int main(int argc, char** argv) {
  const std::string url = argc > 1 ? argv[1] : "sqlite:///tmp/tidepool-web.db";
  const int port = argc > 2 ? std::stoi(argv[2]) : 8080;
  const std::chrono::milliseconds shutdown(argc > 3 ? std::stoi(argv[3]) : 10000);
  // Before the first thread is started: threads inherit the mask, and sigwait() needs signals that are blocked in all.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);  // a client that is gone is an error of its connection only
  try {
    Service service(url, shutdown);
    const bool is_finished = service.run(port, signals);
    std::cout << (is_finished ? "stopped" : "stopped before everything was finished") << std::endl;
    return is_finished ? 0 : 1;
  } catch (const tidepool::error& why) {
    std::cerr << why.status_name() << ": " << why.what() << '\n';
    return 1;
  }
}
