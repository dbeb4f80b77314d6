#include "service/cutting_proxy.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace tide::test {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

CuttingProxy::CuttingProxy(const std::string& words)
    : target_(word_of(words, "host") + "/.s.PGSQL." + word_of(words, "port")),
      listener_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  const sockaddr_un address = address_of(folder_.file(".s.PGSQL.5432"));
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener_, 64) != 0 ||
      pipe2(wake_, O_CLOEXEC | O_NONBLOCK) != 0) {
    std::abort();
  }
  thread_ = std::thread([this] { run(); });
}

CuttingProxy::~CuttingProxy() {
  is_over_ = true;
  (void)!write(wake_[1], "x", 1);
  thread_.join();
  for (Link& link : links_) close_ends(link);
  for (const int fd : {listener_, wake_[0], wake_[1]}) close(fd);
}

std::string CuttingProxy::words(const std::string& more) const {
  return "host='" + folder_.file("") + "' port='5432' dbname='postgres' user='postgres' " + more;
}

void CuttingProxy::arm(Direction direction, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  direction_ = direction;
  bytes_ = bytes;
  for (Link& link : links_) {
    if (link.is_cut) continue;
    link.is_armed = true;
    link.passed[0] = link.passed[1] = 0;
    if (bytes == 0) cut(link);
  }
  (void)!write(wake_[1], "x", 1);
}

int64_t CuttingProxy::disarm(Direction direction) {
  const std::lock_guard lock(mutex_);
  int64_t most = 0;
  for (Link& link : links_) {
    if (link.is_armed) most = std::max(most, link.passed[static_cast<size_t>(direction)]);
    link.is_armed = false;
  }
  return most;
}

bool CuttingProxy::are_cut_ones_gone() const {
  const std::lock_guard lock(mutex_);
  return std::none_of(links_.begin(), links_.end(), [](const Link& link) { return link.is_cut; });
}

void CuttingProxy::cut(Link& link) {
  link.is_cut = true;
  link.is_armed = false;
  close(link.client);
  link.client = -1;
  shutdown(link.server, SHUT_WR);
}

void CuttingProxy::close_ends(Link& link) {
  if (link.client >= 0) close(link.client);
  if (link.server >= 0) close(link.server);
}

void CuttingProxy::accept_one() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(target_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(client);
    close(server);
    return;
  }
  links_.push_back({client, server});
}

bool CuttingProxy::forward(Link& link, Direction direction) {
  const int from = direction == Direction::to_server ? link.client : link.server;
  const int to = direction == Direction::to_server ? link.server : link.client;
  char buffer[65536];
  const ssize_t got = recv(from, buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  if (link.is_cut) return true;
  int64_t& passed = link.passed[static_cast<size_t>(direction)];
  const bool is_limited = link.is_armed && direction == direction_;
  const int64_t length = is_limited ? std::min<int64_t>(got, bytes_ - passed) : got;
  for (int64_t done = 0; done < length;) {
    const ssize_t sent = send(to, buffer + done, static_cast<size_t>(length - done), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    done += sent;
  }
  passed += length;
  if (is_limited && passed >= bytes_) cut(link);
  return true;
}

void CuttingProxy::run() {
  while (!is_over_) {
    std::vector<pollfd> fds = {{listener_, POLLIN, 0}, {wake_[0], POLLIN, 0}};
    std::vector<std::pair<Link*, Direction>> ends;
    {
      const std::lock_guard lock(mutex_);
      for (Link& link : links_) {
        fds.push_back({link.server, POLLIN, 0});
        ends.emplace_back(&link, Direction::to_client);
        fds.push_back({link.client, POLLIN, 0});  // -1 is ignored
        ends.emplace_back(&link, Direction::to_server);
      }
    }
    poll(fds.data(), fds.size(), -1);
    const std::lock_guard lock(mutex_);
    char woken[64];
    while (read(wake_[0], woken, sizeof woken) > 0) continue;
    for (size_t i = 0; i < ends.size(); ++i) {
      auto& [link, direction] = ends[i];
      const bool is_readable = fds[i + 2].revents != 0;
      if (!is_readable || link->server < 0 || (direction == Direction::to_server && link->client < 0)) continue;
      if (forward(*link, direction)) continue;
      close_ends(*link);
      link->client = link->server = -1;
    }
    links_.remove_if([](const Link& link) { return link.server < 0; });
    if (fds[0].revents != 0) accept_one();
  }
}

}  // namespace tide::test
