// Does a receiver that hangs cost the callers anything? The lease cycle of a pool whose alerts go to a receiver that accepts
// connections and never answers, against that of a pool without a webhook, in alternating rounds. An alert fires all the
// time, so that a delivery is always under way or being repeated.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.hpp"

namespace {

constexpr int kRounds = 15;
constexpr int kCycles = 1'000'000;

// Connections are accepted by the kernel; nobody reads them.
class Silence {
 public:
  Silence() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (fd_ < 0 || bind(fd_, plain, length) != 0 || listen(fd_, 128) != 0 || getsockname(fd_, plain, &length) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
  }
  ~Silence() { close(fd_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/hook"; }

 private:
  const int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint16_t port_ = 0;
};

// An alert that fires while the pool is open: its connections are always more than 0.
void raise_alert(bench::TidePool& pool) {
  tide_error error = TIDE_ERROR_INIT;
  char instance[33] = {};
  bench::must(tide_pool_instance_id(pool.handle(), instance, &error), error, "instance");
  bench::must(tide_control(instance, "set_alert",
                           R"({"rule": "always", "metric": "size", "comparison": ">", "threshold": 0, "hold": 0})",
                           5000, nullptr, &error),
              error, "set_alert");
}

double cycle_ns(bench::TidePool& pool) {
  const int64_t begin = bench::now_ns();
  for (int i = 0; i < kCycles; ++i) pool.release(pool.acquire());
  return static_cast<double>(bench::now_ns() - begin) / kCycles;
}

}  // namespace

int main() {
  const Silence silence;
  bench::TidePool plain(4, "log=off");
  bench::TidePool notifying(4, "log=off notify_webhook_timeout=2s notify_webhook_url=" + silence.url());
  raise_alert(plain);
  raise_alert(notifying);
  std::vector<double> plain_ns, notifying_ns;
  for (int round = 0; round < kRounds; ++round) {
    plain_ns.push_back(cycle_ns(plain));
    notifying_ns.push_back(cycle_ns(notifying));
  }
  const double without = bench::median(plain_ns), with = bench::median(notifying_ns);
  std::printf("lease cycle, ns (median of %d rounds)\n", kRounds);
  std::printf("  without a webhook                     %8.1f\n", without);
  std::printf("  with a receiver that hangs            %8.1f\n", with);
  std::printf("ratio webhook_that_hangs %.3f (at most 1.03)\n", with / without);
  return 0;
}
