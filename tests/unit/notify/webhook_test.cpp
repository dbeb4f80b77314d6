// The webhook's thread against a real socket: deliveries, a receiver that hangs, closing and fork(), also under sanitizers.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "notify/webhook.hpp"

namespace tide::test {
namespace {

// Answers 200 to everything, or nothing at all.
class Listener {
 public:
  explicit Listener(bool is_hanging) : is_hanging_(is_hanging) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, plain, length), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    EXPECT_EQ(getsockname(fd_, plain, &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Listener() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }
  int deliveries() const { return deliveries_.load(); }

 private:
  void serve() {
    for (int peer = accept(fd_, nullptr, nullptr); peer >= 0; peer = accept(fd_, nullptr, nullptr)) {
      char text[16384];
      (void)recv(peer, text, sizeof text, 0);
      ++deliveries_;
      constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      if (is_hanging_) {
        while (recv(peer, text, sizeof text, 0) > 0) {  // until the other side gives up
        }
      } else {
        (void)send(peer, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      }
      close(peer);
    }
  }
  const bool is_hanging_;
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint16_t port_ = 0;
  std::atomic<int> deliveries_{0};
  std::thread thread_;
};

class WebhookTest : public testing::Test {
 protected:
  void open(const std::string& url) {
    Policy policy;
    policy.notify_webhook_url = url;
    policy.notify_webhook_secret = "key";
    policy.notify_webhook_timeout = Span::seconds(60);
    ASSERT_TRUE(Webhook::check(policy));
    webhook = std::make_unique<Webhook>(policy, Sender{"shop", "web", "db1", "a", "0.1.0"}, 7, clock);
  }
  void put(uint64_t id) {
    AlertChange change;
    change.alert_id = id;
    change.rule = "rule";
    webhook->put(std::move(change));
  }
  bool becomes(const Listener& listener, int deliveries) const {
    const Instant give_up = clock.now() + Span::seconds(30);
    while (listener.deliveries() < deliveries && clock.now() < give_up) pause_for(Span::millis(5));
    return listener.deliveries() >= deliveries;
  }
  Span finish(Span within) {
    const Instant began = clock.now();
    webhook->finish(began + within);
    return clock.now() - began;
  }

  const Clock& clock = SystemClock::instance();
  std::unique_ptr<Webhook> webhook;
};

TEST_F(WebhookTest, DeliversFromItsOwnThread) {
  const Listener listener(false);
  open(listener.url());
  put(1);
  EXPECT_TRUE(becomes(listener, 1));
  put(2);
  EXPECT_LT(finish(Span::seconds(10)), Span::seconds(10)) << "it waits for the delivery, and no longer";
  EXPECT_TRUE(becomes(listener, 2)) << "what was queued, and the ends of both";
}

TEST_F(WebhookTest, NobodyWaitsForAReceiverThatHangs) {
  const Listener listener(true);
  open(listener.url());
  put(1);
  ASSERT_TRUE(becomes(listener, 1));
  const Instant began = clock.now();
  for (uint64_t id = 2; id < 300; ++id) put(id);
  EXPECT_LT(clock.now() - began, Span::seconds(2));
  EXPECT_LT(finish(Span::millis(200)), Span::seconds(3));
}

TEST_F(WebhookTest, WithoutAlertsThereIsNoThread) {
  open("http://127.0.0.1:1/x");
  EXPECT_LT(finish(Span::seconds(10)), Span::millis(500));
}

TEST_F(WebhookTest, ForkDuringADelivery) {
  const Listener listener(true);
  open(listener.url());
  put(1);
  ASSERT_TRUE(becomes(listener, 1));
  webhook->hold_for_fork(clock.now() + Span::seconds(1));
  const pid_t child = fork();
  if (child == 0) {
    webhook->abandon_after_fork();
    _exit(0);
  }
  webhook->release_after_fork();
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  put(2);
  EXPECT_LT(finish(Span::millis(200)), Span::seconds(3));
}

}  // namespace
}  // namespace tide::test
