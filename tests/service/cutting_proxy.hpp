// CuttingProxy: forwards connections to a server, and cuts those that exist when it is armed after a number of bytes.
//
// It listens on a Unix socket in a directory of its own. Cut means: the client's end is closed; the server gets nothing more
// and is read until it closes its end, which it does after it has executed what it got.
// Threads: its own forwards; the functions may be called from any thread.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "service/support.hpp"

namespace tide::test {

class CuttingProxy {
 public:
  enum class Direction : uint8_t { to_server, to_client };

  // `words`: a connection string of the server, on a Unix socket.
  explicit CuttingProxy(const std::string& words);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  // The connection string of the proxy.
  std::string words(const std::string& more = "") const;
  // Every connection that exists now is cut when `bytes` more have been forwarded in this direction.
  void arm(Direction direction, int64_t bytes);
  // Begins to count without cutting.
  void count() { arm(Direction::to_server, INT64_MAX); }
  // Nothing is cut any more; the bytes forwarded since arm() in a direction.
  int64_t disarm(Direction direction);
  // The server has ended the sessions that were cut.
  bool are_cut_ones_gone() const;

 private:
  struct Link {
    int client = -1;
    int server = -1;
    bool is_armed = false;
    bool is_cut = false;
    int64_t passed[2] = {0, 0};  // since arm(), by direction
  };

  void run();
  void accept_one();
  bool forward(Link& link, Direction direction);  // false: the link has ended
  static void cut(Link& link);
  static void close_ends(Link& link);

  TempFolder folder_;
  std::string target_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::atomic<bool> is_over_{false};
  mutable std::mutex mutex_;
  std::list<Link> links_;
  Direction direction_ = Direction::to_server;
  int64_t bytes_ = INT64_MAX;
  std::thread thread_;
};

}  // namespace tide::test
