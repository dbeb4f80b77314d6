// What may block a connect blocks nobody else: a name look-up that hangs, a credential callback that does not return.
#include "driver/libpq/attempt.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>
#include <set>
#include <thread>

#include "driver/libpq/connector.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

// The name server of this program, for names that end in ".test": one that is held is not answered until it is let go,
// "missing" is unknown, all others are this machine.
class NameServer {
 public:
  static NameServer& instance() {
    static NameServer* one =
        new NameServer();  // never destroyed: a look-up may still be held at the end of the program
    return *one;
  }
  int look_up(const std::string& name) {
    std::unique_lock lock(mutex_);
    Name& asked = names_[name];
    ++asked.asking;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(20),
                      [&, turn = asked.turn] { return !asked.is_held || asked.turn != turn; });
    --asked.asking;
    changed_.notify_all();
    return name == "missing.test" ? EAI_NONAME : 0;
  }
  void hold(const std::string& name) {
    const std::lock_guard lock(mutex_);
    names_[name].is_held = true;
  }
  // Whoever asks now is answered, and gone when this returns.
  void let_go(const std::string& name) {
    std::unique_lock lock(mutex_);
    Name& held = names_[name];
    held.is_held = false;
    ++held.turn;
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return held.asking == 0; });
  }
  int asking(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return names_[name].asking;
  }
  bool wait_until_asked(const std::string& name, int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return names_[name].asking >= times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  struct Name {
    bool is_held = false;
    int turn = 0;
    int asking = 0;
  };
  std::map<std::string, Name> names_;
};

// A server that accepts connections and says nothing; closed ones refuse.
class Listener {
 public:
  Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd_, 64) != 0) std::abort();
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  ~Listener() { refuse(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  // Takes a connection, which need not be there yet.
  bool is_called() const {
    pollfd fd{fd_, POLLIN, 0};
    const int caller = poll(&fd, 1, 10'000) == 1 ? accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC) : -1;
    return caller >= 0 && close(caller) == 0;
  }
  void refuse() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  const std::string& port() const { return port_; }

 private:
  int fd_;
  std::string port_;
};

class PgAttempt : public ::testing::Test {
 protected:
  PgAttempt() { refusing_.refuse(); }
  ~PgAttempt() override { NameServer::instance().let_go("held.test"); }

  std::unique_ptr<Connector> connect_to(const std::string& hosts,
                                        std::function<Status(std::string&)> credentials = {}) {
    return make_postgresql_connector({words(hosts), "test", std::move(credentials)}, Policy{}, clock_);
  }
  std::string words(const std::string& hosts) const {
    return "host=" + hosts + " port=" + refusing_.port() + " user=me gssencmode=disable sslmode=disable";
  }
  void open(Connector& connector, uint32_t slot, Span within) {
    connector.open(slot, clock_.now(), clock_.now() + within);
    step(connector);
  }
  void step(Connector& connector) { next_ = connector.step(clock_.now(), done_); }
  // Until `count` requests have been answered; what they were told.
  std::vector<Completion> answers(Connector& connector, size_t count = 1) {
    const Instant give_up = clock_.now() + Span::seconds(10);
    for (step(connector); done_.size() < count && clock_.now() < give_up; step(connector)) {
      pollfd fd{connector.fd(), POLLIN, 0};
      poll(&fd, 1, static_cast<int>(std::clamp<int64_t>((next_ - clock_.now()).ms() + 1, 0, 1000)));
    }
    EXPECT_EQ(done_.size(), count);
    done_.resize(count);
    return std::exchange(done_, {});
  }
  std::string reason(Connector& connector) {
    const Completion done = std::move(answers(connector).front());
    EXPECT_EQ(done.kind, Completion::Kind::open_failed);
    EXPECT_EQ(done.status.sqlstate(), "08001");
    EXPECT_TRUE(done.status.is_retryable);
    EXPECT_FALSE(done.status.hint().empty());
    return done.status.message();
  }

  RealClock clock_;
  Listener refusing_;
  std::vector<Completion> done_;
  Instant next_;
};

const char* const kLate = "the name lookup of \"held.test\" did not complete within connect_timeout";

TEST_F(PgAttempt, NameLookupDoesNotBlockOthersAndCountsAgainstTimeout) {
  NameServer::instance().hold("held.test");
  const auto connector = connect_to("held.test");
  open(*connector, 0, Span::millis(400));
  EXPECT_TRUE(NameServer::instance().wait_until_asked("held.test"));
  step(*connector);
  EXPECT_TRUE(done_.empty());
  EXPECT_EQ(reason(*connector), kLate);
  EXPECT_EQ(NameServer::instance().asking("held.test"), 1) << "nobody waited for it";
}

TEST_F(PgAttempt, UnknownNameHasTheErrorOfLibpq) {
  const auto connector = connect_to("missing.test");
  open(*connector, 0, Span::seconds(10));
  const Completion done = std::move(answers(*connector).front());
  EXPECT_NE(done.status.message().find("could not translate host name \"missing.test\""), std::string::npos);
  EXPECT_NE(done.status.hint().find("name"), std::string::npos) << done.status.hint();
}

TEST_F(PgAttempt, OneUnknownNameOfSeveralIsSkipped) {
  const auto connector = connect_to("missing.test,quick.test");
  open(*connector, 0, Span::seconds(10));
  const Completion done = std::move(answers(*connector).front());
  EXPECT_NE(done.status.message().find("missing.test"), std::string::npos) << done.status.message();
  EXPECT_NE(done.status.detail().find("\"quick.test\" (127.0.0.1)"), std::string::npos) << done.status.detail();
}

TEST_F(PgAttempt, BlockingHostIsSkipped) {
  NameServer::instance().hold("held.test");
  const auto connector = connect_to("held.test,quick.test");
  open(*connector, 0, Span::millis(800));
  // Half of the time is the first host's; then quick.test refuses, and libpq goes on to the other one.
  EXPECT_EQ(reason(*connector), kLate);
  EXPECT_EQ(NameServer::instance().asking("held.test"), 2);
  NameServer::instance().let_go("held.test");
  const Listener silent;
  const auto again = make_postgresql_connector(
      {"host=held.test,127.0.0.1 port=" + silent.port() + " sslmode=disable gssencmode=disable", "test", {}}, Policy{},
      clock_);
  NameServer::instance().hold("held.test");
  open(*again, 0, Span::millis(800));
  EXPECT_EQ(reason(*again),
            "the server at \"127.0.0.1\", port " + silent.port() + " did not respond within connect_timeout");
  EXPECT_TRUE(silent.is_called());
  EXPECT_EQ(NameServer::instance().asking("held.test"), 1);
  open(*again, 0, Span::seconds(100));
  EXPECT_TRUE(silent.is_called()) << "at once, and not after the first host's share of the time";
  EXPECT_EQ(NameServer::instance().asking("held.test"), 1);
}

TEST_F(PgAttempt, NumberOfBlockedAttemptsIsBounded) {
  NameServer::instance().hold("held.test");
  const auto connector = connect_to("held.test");
  constexpr auto kMax = static_cast<uint32_t>(libpq::Attempts::kHeldUpMax);
  for (uint32_t slot = 0; slot < kMax; ++slot) open(*connector, slot, Span::millis(800));
  EXPECT_TRUE(NameServer::instance().wait_until_asked("held.test", kMax));
  for (const Completion& done : answers(*connector, kMax)) EXPECT_EQ(done.status.message(), kLate);
  open(*connector, 0, Span::millis(50));
  const Completion done = std::move(answers(*connector).front());
  EXPECT_EQ(done.status.message(), "no connection attempt could be started within connect_timeout");
  EXPECT_EQ(done.status.detail(), "16 abandoned attempts are still blocked by the name lookup of \"held.test\".");
  EXPECT_EQ(NameServer::instance().asking("held.test"), static_cast<int>(kMax));
  open(*connector, 0, Span::seconds(10));
  NameServer::instance().let_go("held.test");  // one that returns makes room for the one that waits
  EXPECT_NE(reason(*connector).find("refused"), std::string::npos);
}

TEST_F(PgAttempt, CredentialCallbackIsSerializedAndDoesNotBlock) {
  std::mutex mutex;
  std::condition_variable changed;
  bool may_return = false;
  int calls = 0, inside = 0, inside_max = 0;
  const auto connector = connect_to("127.0.0.1", [&](std::string& password) {
    std::unique_lock lock(mutex);
    ++calls;
    inside_max = std::max(inside_max, ++inside);
    changed.wait_for(lock, std::chrono::seconds(20), [&] { return may_return; });
    --inside;
    changed.notify_all();
    password = "secret";
    return calls == 3 ? Status::error(Code::unavailable, "no password today") : Status::ok();
  });
  for (const uint32_t slot : {0U, 1U, 2U}) open(*connector, slot, Span::millis(400));
  for (const Completion& done : answers(*connector, 3)) {
    EXPECT_EQ(done.status.message(), "the credential callback did not return within connect_timeout");
    EXPECT_EQ(done.status.code, Code::timeout);
  }
  for (const uint32_t slot : {0U, 1U}) open(*connector, slot, Span::seconds(10));
  {
    const std::lock_guard lock(mutex);
    EXPECT_EQ(calls, 1) << "of the others' time nothing was left";
    may_return = true;
    changed.notify_all();
  }
  std::set<std::string> reasons;
  for (const Completion& done : answers(*connector, 2)) reasons.insert(done.status.message().substr(0, 20));
  EXPECT_EQ(reasons, (std::set<std::string>{"no password today", "connection to server"}));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(inside_max, 1);
}

TEST_F(PgAttempt, ClosingDoesNotWaitForBlockedAttempts) {
  NameServer::instance().hold("held.test");
  for (const bool is_late : {false, true}) {
    const int before = NameServer::instance().asking("held.test");
    auto connector = connect_to("held.test");
    open(*connector, 0, Span::millis(is_late ? 400 : 10'000));
    EXPECT_TRUE(NameServer::instance().wait_until_asked("held.test", before + 1));
    if (is_late) {
      EXPECT_EQ(reason(*connector), kLate);
    } else {
      connector->give_up_opens();
      EXPECT_EQ(answers(*connector).front().status.code, Code::closed);
    }
    connector.reset();
    EXPECT_EQ(NameServer::instance().asking("held.test"), before + 1);
  }
}

TEST_F(PgAttempt, NoAttemptIsInsideLibpqAtAFork) {
  NameServer::instance().hold("held.test");
  const auto connector = connect_to("held.test");
  open(*connector, 0, Span::millis(800));
  EXPECT_TRUE(NameServer::instance().wait_until_asked("held.test"));
  EXPECT_FALSE(connector->hold_for_fork(Span::millis(1)));
  connector->release_after_fork();
  EXPECT_EQ(reason(*connector), kLate);
  EXPECT_TRUE(connector->hold_for_fork(Span::seconds(10))) << "who was given up is not waited for";
  open(*connector, 0, Span::seconds(10));
  EXPECT_EQ(NameServer::instance().asking("held.test"), 1) << "nobody goes in";
  const pid_t child = fork();
  if (child == 0) {
    connector->abandon();  // with the threads that are not there
    _exit(0);
  }
  connector->release_after_fork();
  int status = -1;
  EXPECT_TRUE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(NameServer::instance().wait_until_asked("held.test", 2));
  NameServer::instance().let_go("held.test");
  EXPECT_NE(reason(*connector).find("refused"), std::string::npos);
}

TEST_F(PgAttempt, ThreadMayBeBlockedAtExit) {
  NameServer::instance().hold("forever.test");
  const auto connector = connect_to("forever.test");
  open(*connector, 0, Span::millis(400));
  EXPECT_TRUE(NameServer::instance().wait_until_asked("forever.test"));
  EXPECT_NE(reason(*connector).find("forever.test"), std::string::npos);
}

TEST(PgHosts, NamesThatNeedALookup) {
  const auto looked_up = [](std::vector<std::pair<std::string, std::string>> words) {
    std::string out;
    for (const libpq::Host& host : libpq::hosts_of(words)) out += "[" + host.name + "|" + host.to_look_up + "]";
    return out;
  };
  for (const char* variable : {"PGHOST", "PGHOSTADDR", "PGSERVICE"}) unsetenv(variable);
  EXPECT_EQ(looked_up({{"host", "db,10.0.0.1,::1,/run/pg,@abstract,"}}),
            "[db|\"db\"][10.0.0.1|][::1|][/run/pg|][@abstract|][|]");
  EXPECT_EQ(looked_up({{"host", "db,other"}, {"hostaddr", "10.0.0.1,"}}), "[db|][other|\"other\"]");
  EXPECT_EQ(looked_up({{"hostaddr", "10.0.0.1"}}), "[|]");
  EXPECT_EQ(looked_up({}), "[|]");
  EXPECT_EQ(looked_up({{"service", "shop"}}), "[|the host of service \"shop\"]");
  EXPECT_EQ(looked_up({{"service", "shop"}, {"host", "db"}}), "[db|\"db\"]");
  setenv("PGHOST", "from-environment", 1);
  EXPECT_EQ(looked_up({{"dbname", "x"}}), "[from-environment|\"from-environment\"]");
  unsetenv("PGHOST");
}

}  // namespace
}  // namespace tide::test

// libpq's look-ups come here.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** out) {
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool is_ours = name != nullptr && std::string(name).ends_with(".test") &&
                       (hints == nullptr || (hints->ai_flags & AI_NUMERICHOST) == 0);
  if (!is_ours) return real(name, service, hints, out);
  const int failed = tide::test::NameServer::instance().look_up(name);
  return failed != 0 ? failed : real("127.0.0.1", service, hints, out);
}
