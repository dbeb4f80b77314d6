// The probe on file trees made by the test, valid and hostile, and on this machine.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <vector>

#include "os/process.hpp"
#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

constexpr double kMega = 1024 * 1024;

class Tree {
 public:
  Tree() {
    put("/proc/meminfo", "MemTotal:       16384000 kB\nMemFree:  5 kB\n");
    put("/proc/self/statm", "100000 2000 300 1 0 500 0\n");
    put("/proc/self/cgroup", "0::/app.slice/shop.service\n");
    put("/proc/pressure/memory", pressure("1.50"));
  }

  void put(const std::string& path, const std::string& text) const {
    const std::filesystem::path whole = dir_.path() + path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::binary) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(dir_.path() + path); }
  void put_cgroup(const std::string& path, const std::string& max, const std::string& current,
                  const std::string& stat = "anon 1\ninactive_file 0\n") const {
    put("/sys/fs/cgroup" + path + "/memory.max", max);
    put("/sys/fs/cgroup" + path + "/memory.current", current);
    put("/sys/fs/cgroup" + path + "/memory.stat", stat);
  }
  static std::string pressure(const std::string& avg10) {
    return "some avg10=" + avg10 + " avg60=0.10 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
  }
  ProcessResources sample(int64_t limit = 0) const { return SystemProbe(dir_.path()).sample(limit); }
  std::string path(const std::string& rest) const { return dir_.path() + rest; }

 private:
  TempDir dir_;
};

double resident() { return 2000.0 * static_cast<double>(sysconf(_SC_PAGESIZE)); }

void expect_machine(const ProcessResources& seen) {
  EXPECT_EQ(seen.memory_bytes, resident());
  EXPECT_EQ(seen.memory_limit_bytes, 16384000.0 * 1024);
}

TEST(SystemProbe, MachineMemoryCountsWithoutLimit) {
  const Tree tree;
  const ProcessResources seen = tree.sample();
  expect_machine(seen);
  EXPECT_EQ(seen.memory_stall, 0.015);
}

TEST(SystemProbe, MemoryLimitOptionTakesPrecedence) {
  const Tree tree;
  tree.put_cgroup("/app.slice/shop.service", "536870912\n", "104857600\n");
  const ProcessResources seen = tree.sample(int64_t{64} << 20);
  EXPECT_EQ(seen.memory_bytes, resident());
  EXPECT_EQ(seen.memory_limit_bytes, 64 * kMega);
}

TEST(SystemProbe, CgroupUsageExcludesInactiveCache) {
  const Tree tree;
  tree.put_cgroup("/app.slice/shop.service", "536870912\n", "104857600\n",
                  "anon 5\nfile 50\ninactive_anon 7\ninactive_file 4194304\nactive_file 3\n");
  tree.put("/sys/fs/cgroup/app.slice/shop.service/memory.pressure", Tree::pressure("25.00"));
  const ProcessResources seen = tree.sample();
  EXPECT_EQ(seen.memory_limit_bytes, 512 * kMega);
  EXPECT_EQ(seen.memory_bytes, 96 * kMega);
  EXPECT_EQ(seen.memory_stall, 0.25);
}

TEST(SystemProbe, SmallestCgroupLimitCounts) {
  const Tree tree;
  tree.put_cgroup("/app.slice/shop.service", "max\n", "1048576\n");
  tree.put_cgroup("/app.slice", "268435456\n", "209715200\n");
  tree.put_cgroup("", "536870912\n", "314572800\n");
  ProcessResources seen = tree.sample();
  EXPECT_EQ(seen.memory_limit_bytes, 256 * kMega);
  EXPECT_EQ(seen.memory_bytes, 200 * kMega);
  EXPECT_EQ(seen.memory_stall, 0.015);  // that of the machine: this cgroup has none
  tree.put_cgroup("", "268435456\n", "262144000\n");
  EXPECT_EQ(tree.sample().memory_bytes, 250 * kMega);  // of equal limits, the outer one
}

TEST(SystemProbe, ContainerSeesItsCgroupAsRoot) {
  for (const char* own : {"0::/\n", "0::/docker/0123456789ab\n", "0::/../other\n", "0::\n", "0::docker\n"}) {
    const Tree tree;
    tree.put("/proc/self/cgroup", own);
    tree.put_cgroup("", "134217728\n", "67108864\n");
    EXPECT_EQ(tree.sample().memory_limit_bytes, 128 * kMega) << own;
    EXPECT_EQ(tree.sample().memory_bytes, 64 * kMega) << own;
  }
}

TEST(SystemProbe, CgroupVersion1IsIgnored) {
  const Tree tree;
  tree.put("/proc/self/cgroup", "12:memory:/docker/x\n11:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n");
  tree.put("/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "1000\n");
  expect_machine(tree.sample());
}

TEST(SystemProbe, LimitAboveMachineMemoryIsIgnored) {
  const Tree tree;
  tree.put_cgroup("/app.slice/shop.service", "9223372036854771712\n", "104857600\n");
  expect_machine(tree.sample());
}

TEST(SystemProbe, UsageIsNeverNegative) {
  const Tree tree;
  tree.put_cgroup("/app.slice/shop.service", "536870912\n", "1048576\n", "inactive_file 2097152\n");
  EXPECT_EQ(tree.sample().memory_bytes, 0);
  tree.put_cgroup("/app.slice/shop.service", "536870912\n", "1048576\n", "inactive_file -5\n");
  EXPECT_EQ(tree.sample().memory_bytes, kMega);
}

const char* const kHostile[] = {
    "",      "\n",          "max",         "-1",  "1e9",  "0x10",  "99999999999999999999999999",
    "12abc", "  ",          "nan",         "inf", "-0.5", "1 1 1", "\xff\xfe",
    ":",     "some avg10=", "0::/a\n0::/b"};

TEST(SystemProbe, GarbageIsUnknownOrIgnored) {
  for (const char* text : kHostile) {
    SCOPED_TRACE(text);
    const Tree tree;
    if (std::string(text) != "1 1 1") {  // a valid number for the probe
      tree.put_cgroup("/app.slice/shop.service", text, "1048576");
      expect_machine(tree.sample());
      tree.put_cgroup("/app.slice/shop.service", "1048576", text);
      expect_machine(tree.sample());
      tree.remove("/sys");
    }
    tree.put("/proc/pressure/memory", text);
    EXPECT_TRUE(std::isnan(tree.sample().memory_stall));
    tree.put("/proc/pressure/memory", "some avg10=" + std::string(text));
    const double stall = tree.sample().memory_stall;
    EXPECT_TRUE(std::isnan(stall) || (stall >= 0 && stall <= 1)) << stall;
    tree.put("/proc/self/cgroup", text);
    expect_machine(tree.sample());
    tree.put("/proc/meminfo", text);
    EXPECT_TRUE(std::isnan(tree.sample().memory_limit_bytes));
    tree.put("/proc/meminfo", "MemTotal: " + std::string(text));
    const double machine = tree.sample().memory_limit_bytes;
    EXPECT_TRUE(std::isnan(machine) || machine == 1024) << machine;
    tree.put("/proc/self/statm", text);
    const double bytes = tree.sample().memory_bytes;
    EXPECT_TRUE(std::isnan(bytes) || bytes == static_cast<double>(sysconf(_SC_PAGESIZE))) << bytes;
  }
}

TEST(SystemProbe, MissingUnreadableAndInvalidFilesAreUnknown) {
  const Tree tree;
  for (const char* path : {"/proc/meminfo", "/proc/self/statm", "/proc/pressure/memory", "/proc/self/cgroup"}) {
    tree.remove(path);
    ASSERT_EQ(::mkfifo(tree.path(path).c_str(), 0666), 0);  // must not block
  }
  std::filesystem::create_directories(tree.path("/sys/fs/cgroup/memory.max"));
  const ProcessResources seen = tree.sample();
  EXPECT_TRUE(std::isnan(seen.memory_bytes) && std::isnan(seen.memory_limit_bytes) && std::isnan(seen.memory_stall));
  EXPECT_TRUE(std::isnan(seen.descriptors));  // /proc/self/fd does not exist
  EXPECT_EQ(tree.sample(1000).memory_limit_bytes, 1000);

  const Tree closed;
  closed.put_cgroup("/app.slice/shop.service", "1048576", "1048576");
  ASSERT_EQ(::chmod(closed.path("/sys/fs/cgroup/app.slice/shop.service/memory.max").c_str(), 0), 0);
  const AsNobody nobody;
  if (nobody.is_unprivileged()) expect_machine(closed.sample());

  ProcessResources nothing = SystemProbe("/nowhere").sample(0);
  EXPECT_TRUE(std::isnan(nothing.memory_bytes) && std::isnan(nothing.memory_limit_bytes));
  nothing = SystemProbe("/" + std::string(10'000, 'a')).sample(0);
  EXPECT_TRUE(std::isnan(nothing.memory_bytes) && std::isnan(nothing.memory_limit_bytes));
}

TEST(SystemProbe, LongCgroupPathCountsAsRoot) {
  const Tree tree;
  std::string own = "0::";
  for (int i = 0; i < 2000; ++i) own += "/aa";
  tree.put("/proc/self/cgroup", own + "\n");
  tree.put_cgroup("", "134217728\n", "67108864\n");
  EXPECT_EQ(tree.sample().memory_limit_bytes, 128 * kMega);
}

TEST(SystemProbe, CountsDescriptors) {
  const Tree tree;
  for (int i = 0; i < 1000; ++i) tree.put("/proc/self/fd/" + std::to_string(i), "");
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(tree.sample().descriptors, 1000);
  EXPECT_EQ(tree.sample().descriptors_max, static_cast<double>(limit.rlim_cur));
}

TEST(SystemProbe, DescriptorExhaustionIsReported) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const ProcessResources seen = SystemProbe().sample(0);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(seen.descriptors, 3);
  EXPECT_EQ(seen.descriptors_max, 3);
}

TEST(SystemProbe, ThisMachine) {
  SystemProbe probe;
  const ProcessResources seen = probe.sample(0);
  EXPECT_GT(seen.memory_bytes, 0);
  EXPECT_GT(seen.memory_limit_bytes, seen.memory_bytes);
  EXPECT_GT(probe.sample(int64_t{1} << 40).memory_bytes, kMega);
  ASSERT_GE(seen.descriptors, 3);
  {
    const std::filesystem::directory_iterator entries("/proc/self/fd");  // has one itself
    EXPECT_EQ(seen.descriptors + 1, std::distance(begin(entries), end(entries)));
  }
  std::vector<int> more;
  for (int i = 0; i < 100; ++i) more.push_back(::dup(1));
  EXPECT_EQ(probe.sample(0).descriptors, seen.descriptors + 100);
  for (const int fd : more) ::close(fd);
  EXPECT_EQ(probe.sample(0).descriptors, seen.descriptors);
}

}  // namespace
}  // namespace tide::test
