// Cancel requests: what reaches the server, how many at once, and what is reported about them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "driver/libpq/cancel_desk.hpp"
#include "driver/libpq/session.hpp"
#include "os/descriptor.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

using libpq::CancelDesk;
using libpq::CancelState;
using libpq::ConnectionHandle;

constexpr uint32_t kCancelCode = 80877102;

// A cancel request as the server received it.
struct Request {
  Descriptor socket;
  int32_t pid = 0;
  int32_t key = 0;
};

// Admits every client, with 100, 101 ... as its process id and the negative of that as its key, and does nothing else
// except receive cancel requests.
class Server {
 public:
  explicit Server(int backlog = 64) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const std::string path = folder_.file(".s.PGSQL.5432");
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.c_str(), path.size() + 1);
    if (bind(listener_.get(), sockaddr_of(), sizeof address_) != 0) std::abort();
    if (listen(listener_.get(), backlog) != 0) std::abort();
  }

  struct Client {
    ConnectionHandle conn;
    std::shared_ptr<CancelState> cancel = std::make_shared<CancelState>();
    Descriptor at_server;
  };
  Client admit() {
    Client client;
    client.conn.reset(PQconnectStart(("host=" + folder_.path() + " port=5432 user=me dbname=me").c_str()));
    client.cancel->sender.watch(client.conn.get());
    client.at_server = accept_one();
    greet(client.at_server.get());
    for (PostgresPollingStatusType next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
      if (next == PGRES_POLLING_FAILED) {
        ADD_FAILURE() << PQerrorMessage(client.conn.get());
        break;
      }
      pollfd fd{PQsocket(client.conn.get()), static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
      EXPECT_EQ(poll(&fd, 1, 10'000), 1);
      next = PQconnectPoll(client.conn.get());
    }
    client.cancel->sender.learn(client.conn.get());
    EXPECT_TRUE(client.cancel->sender.is_able());
    return client;
  }
  bool is_called() const {
    pollfd fd{listener_.get(), POLLIN, 0};
    return poll(&fd, 1, 0) == 1;
  }
  Descriptor accept_one() const {
    pollfd fd{listener_.get(), POLLIN, 0};
    if (poll(&fd, 1, 2'000) != 1) {
      ADD_FAILURE() << "nobody connects";
      return Descriptor();
    }
    Descriptor client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const timeval limit{2, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return client;
  }
  static Request receive(Descriptor socket) {
    Request request;
    std::array<uint32_t, 4> packet{};
    EXPECT_EQ(recv(socket.get(), packet.data(), sizeof packet, MSG_WAITALL), 16);
    EXPECT_EQ(ntohl(packet[0]), 16u);
    EXPECT_EQ(ntohl(packet[1]), kCancelCode);
    request.pid = static_cast<int32_t>(ntohl(packet[2]));
    request.key = static_cast<int32_t>(ntohl(packet[3]));
    request.socket = std::move(socket);
    return request;
  }
  void stop() { listener_.close(); }
  // Connections that nobody accepts, until the server can queue no more.
  std::vector<Descriptor> crowd() const {
    std::vector<Descriptor> out;
    for (;;) {
      Descriptor one(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (connect(one.get(), sockaddr_of(), sizeof address_) != 0) return out;
      out.push_back(std::move(one));
    }
  }

 private:
  const sockaddr* sockaddr_of() const { return reinterpret_cast<const sockaddr*>(&address_); }
  static void put(std::string& out, uint32_t number) {
    const uint32_t sent = htonl(number);
    out.append(reinterpret_cast<const char*>(&sent), sizeof sent);
  }
  void greet(int socket) {
    std::string out = "R";  // authenticated
    put(out, 8);
    put(out, 0);
    out += 'K';
    put(out, 12);
    put(out, static_cast<uint32_t>(next_pid_));
    put(out, static_cast<uint32_t>(-next_pid_));
    ++next_pid_;
    out += 'Z';
    put(out, 5);
    out += 'I';
    EXPECT_EQ(send(socket, out.data(), out.size(), 0), static_cast<ssize_t>(out.size()));
  }

  TempDir folder_;
  sockaddr_un address_{};
  Descriptor listener_;
  int32_t next_pid_ = 100;
};

class LibpqCancel : public ::testing::Test {
 protected:
  // Until nothing more happens at the current time.
  Instant pump() {
    for (;;) {
      const Instant next = desk_.pump(now_);
      pollfd fd{desk_.fd(), POLLIN, 0};
      if (poll(&fd, 1, 20) == 0) return next;
    }
  }
  bool is_pending(const Server::Client& client) { return client.cancel->is_pending.load(); }
  bool has_failed(const Server::Client& client) { return client.cancel->has_failed.load(); }

  Instant now_ = Instant::at_ns(1'000'000'000);
  CancelDesk desk_;
};

TEST_F(LibpqCancel, IsPendingUntilTheServerHasSentTheSignal) {
  Server server;
  const Server::Client client = server.admit();
  EXPECT_TRUE(desk_.ask(client.cancel, now_));
  EXPECT_TRUE(is_pending(client));
  pump();
  const Request request = Server::receive(server.accept_one());
  EXPECT_EQ(request.pid, 100);
  EXPECT_EQ(request.key, -100);
  now_ = now_ + Span::seconds(4);
  pump();
  EXPECT_TRUE(is_pending(client)) << "C3: the server has not closed the connection";
  shutdown(request.socket.get(), SHUT_RDWR);
  pump();
  EXPECT_FALSE(is_pending(client));
  EXPECT_FALSE(has_failed(client));
}

TEST_F(LibpqCancel, IsSentAgainForALaterStatement) {
  Server server;
  const Server::Client client = server.admit();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(desk_.ask(client.cancel, now_));
    pump();
    EXPECT_EQ(Server::receive(server.accept_one()).pid, 100);
    pump();
    EXPECT_FALSE(is_pending(client));
    EXPECT_FALSE(has_failed(client));
  }
}

TEST_F(LibpqCancel, OutlivesItsSession) {
  Server server;
  Server::Client client = server.admit();
  EXPECT_TRUE(desk_.ask(client.cancel, now_));
  client.conn.reset();
  pump();
  EXPECT_EQ(Server::receive(server.accept_one()).key, -100);
  pump();
  EXPECT_FALSE(is_pending(client));
  EXPECT_FALSE(has_failed(client));
}

TEST_F(LibpqCancel, OneAtATimeForASession) {
  Server server;
  const Server::Client client = server.admit();
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(desk_.ask(client.cancel, now_));  // C2
  pump();
  Server::receive(server.accept_one());
  pump();
  EXPECT_FALSE(is_pending(client));
  EXPECT_FALSE(server.is_called());
}

TEST_F(LibpqCancel, FourAtATimeForAServer) {
  Server server;
  std::vector<Server::Client> clients;
  for (int i = 0; i < 7; ++i) clients.push_back(server.admit());
  for (const Server::Client& client : clients) EXPECT_TRUE(desk_.ask(client.cancel, now_));
  pump();
  std::list<Request> requests;
  while (server.is_called()) requests.push_back(Server::receive(server.accept_one()));
  EXPECT_EQ(requests.size(), 4u) << "C1";
  int32_t expected = 100;
  while (!requests.empty()) {
    EXPECT_EQ(requests.front().pid, expected++);
    requests.pop_front();
    pump();
    while (server.is_called()) requests.push_back(Server::receive(server.accept_one()));
    EXPECT_LE(requests.size(), 4u) << "C1";
  }
  EXPECT_EQ(expected, 107);
  for (const Server::Client& client : clients) EXPECT_FALSE(is_pending(client) || has_failed(client));
}

TEST_F(LibpqCancel, SilentServerIsGivenUp) {
  Server server;
  const Server::Client client = server.admit();
  desk_.ask(client.cancel, now_);
  EXPECT_EQ((pump() - now_).ms(), 5000);
  now_ = now_ + Span::seconds(5);
  pump();
  EXPECT_FALSE(is_pending(client));
  EXPECT_TRUE(has_failed(client));
}

TEST_F(LibpqCancel, AbsentServerIsReportedAtOnce) {
  Server server;
  const Server::Client client = server.admit();
  server.stop();
  desk_.ask(client.cancel, now_);
  pump();
  EXPECT_FALSE(is_pending(client));
  EXPECT_TRUE(has_failed(client));
}

TEST_F(LibpqCancel, WaitsForAServerThatIsFull) {
  Server server(1);
  const Server::Client client = server.admit();
  std::vector<Descriptor> crowd = server.crowd();
  desk_.ask(client.cancel, now_);
  const Instant next = pump();
  ASSERT_TRUE(is_pending(client));
  EXPECT_EQ((next - now_).ms(), 20);
  for (size_t i = 0; i < crowd.size(); ++i) server.accept_one();
  now_ = next;
  pump();
  EXPECT_EQ(Server::receive(server.accept_one()).pid, 100);
  pump();
  EXPECT_FALSE(is_pending(client));
  EXPECT_FALSE(has_failed(client));
}

}  // namespace
}  // namespace tide::test
