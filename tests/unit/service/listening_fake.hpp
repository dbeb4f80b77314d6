// A server with notifications, and a port to it, in virtual time.
#pragma once

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pool/listening_port.hpp"

namespace tide::test {

// Answers at the next step of the port, unless it is silent.
struct FakeNotifier {
  bool is_refusing = false;          // connects, and changes
  bool is_refusing_changes = false;  // connects, but cannot LISTEN
  bool is_silent = false;
  bool is_connected = false;
  int connects = 0;
  int changes = 0;
  int pings = 0;
  std::vector<Instant> attempts;
  std::set<std::string> channels;       // of the session
  std::deque<ListeningNews> under_way;  // to the session

  // Heard by the session if it listens.
  bool notify(const std::string& channel, const std::string& payload) {
    if (!is_connected || !channels.contains(channel)) return false;
    under_way.push_back(
        {.kind = ListeningNews::Kind::notified, .channel = channel, .payload = payload, .server_pid = 7});
    return true;
  }
  // The session ends; of what is under way, only the first `arriving` arrive.
  void cut(size_t arriving = 0) {
    is_connected = false;
    channels.clear();
    under_way.resize(std::min(arriving, under_way.size()));
  }
};

class FakeListeningPort final : public ListeningPort {
 public:
  explicit FakeListeningPort(FakeNotifier& server) : server_(server) {}

  void open(Instant now, Instant deadline) override {
    server_.attempts.push_back(now);
    close();
    request_ = Request::open;
    deadline_ = deadline;
  }
  void change(const std::vector<std::string>& listen, const std::vector<std::string>& unlisten) override {
    request_ = Request::change;
    ++server_.changes;
    if (!server_.is_connected || server_.is_silent || server_.is_refusing) return;
    if (server_.is_refusing_changes) return;
    for (const std::string& channel : listen) server_.channels.insert(channel);
    for (const std::string& channel : unlisten) server_.channels.erase(channel);
    has_changed_ = true;
  }
  void ping() override {
    request_ = Request::ping;
    ++server_.pings;
  }
  void close() noexcept override {
    request_ = Request::none;
    has_changed_ = false;
    if (!std::exchange(is_open_, false)) return;
    server_.cut();
  }
  Instant step(Instant now, std::vector<ListeningNews>& out) override {
    if (request_ == Request::open) return step_open(now, out);
    if (!is_open_) return Instant::never();
    if (server_.is_silent && server_.is_connected) return Instant::never();
    const bool is_refused = request_ == Request::change && !has_changed_;
    if (server_.is_connected && !is_refused && request_ != Request::none) answer(ListeningNews::Kind::done, out);
    for (ListeningNews& news : std::exchange(server_.under_way, {})) out.push_back(std::move(news));
    if (!server_.is_connected || is_refused) lose("terminated", out);
    return Instant::never();
  }
  int fd() const noexcept override { return -1; }
  void set_policy(const Policy&) override {}
  void abandon() noexcept override {}

 private:
  enum class Request : uint8_t { none, open, change, ping };

  Instant step_open(Instant now, std::vector<ListeningNews>& out) {
    if (server_.is_silent && now < deadline_) return deadline_;
    if (server_.is_refusing || server_.is_silent) {
      lose("refused", out);
      return Instant::never();
    }
    server_.is_connected = is_open_ = true;
    ++server_.connects;
    answer(ListeningNews::Kind::opened, out);
    return Instant::never();
  }
  void answer(ListeningNews::Kind kind, std::vector<ListeningNews>& out) {
    request_ = Request::none;
    has_changed_ = false;
    out.push_back({.kind = kind, .server_pid = 4711});
  }
  void lose(const char* why, std::vector<ListeningNews>& out) {
    close();
    out.push_back({.kind = ListeningNews::Kind::lost, .status = Status::error(Code::unavailable, why)});
  }

  FakeNotifier& server_;
  Request request_ = Request::none;
  bool is_open_ = false;
  bool has_changed_ = false;
  Instant deadline_;
};

}  // namespace tide::test
