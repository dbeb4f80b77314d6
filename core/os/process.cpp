#include "os/process.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "os/descriptor.hpp"

namespace tide {
namespace {

constexpr double kUnknown = ProcessResources::kUnknown;
constexpr size_t kFileBytesMax = 8192;  // per file; what is needed is within this size in all of them

// A path in a fixed buffer. A path that does not fit becomes one that does not exist, until it is truncated.
class Path {
 public:
  Path(std::string_view root, std::string_view rest) { add(root), add(rest); }

  Path& add(std::string_view text) {
    if (!is_whole_ || length_ + text.size() >= sizeof bytes_) {
      is_whole_ = false;
      return *this;
    }
    if (!text.empty()) std::memcpy(bytes_ + length_, text.data(), text.size());
    length_ += text.size();
    bytes_[length_] = '\0';
    return *this;
  }
  // Truncates the path to its first `length` bytes.
  void cut(size_t length) {
    bytes_[length_ = length] = '\0';
    is_whole_ = true;
  }
  bool is_whole() const { return is_whole_; }
  size_t length() const { return length_; }
  std::string_view view() const { return {bytes_, length_}; }
  const char* c_str() const { return is_whole_ ? bytes_ : ""; }

 private:
  char bytes_[4096] = "";
  size_t length_ = 0;
  bool is_whole_ = true;
};

// O_NONBLOCK: whatever kind of file this is, opening it must not block.
Descriptor open_to_read(const char* path, int flags = 0) {
  return Descriptor(open(path, flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

// The beginning of a file; empty if it cannot be read.
class Text {
 public:
  explicit Text(const Path& path) {
    const Descriptor file = open_to_read(path.c_str());
    if (!file.is_open()) return;
    const ssize_t got = pread(file.get(), bytes_, sizeof bytes_, 0);
    if (got > 0) length_ = static_cast<size_t>(got);
  }
  std::string_view view() const { return {bytes_, length_}; }

 private:
  char bytes_[kFileBytesMax];
  size_t length_ = 0;
};

// The text after `name` on the line that begins with `name`.
std::optional<std::string_view> line_of(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(name)) return line.substr(name.size());
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

// The number at the beginning, after optional blanks; only a blank or the end may follow it.
template <typename Number>
std::optional<Number> number_at(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  if (end != text.data() + text.size() && std::strchr(" \t\n", *end) == nullptr) return std::nullopt;
  return number;
}

std::optional<int64_t> number_in(const Path& path) { return number_at<int64_t>(Text(path).view()); }

double machine_bytes(std::string_view root) {
  const Text text(Path(root, "/proc/meminfo"));
  const auto line = line_of(text.view(), "MemTotal:");
  const auto kilobytes = line ? number_at<int64_t>(*line) : std::nullopt;
  return kilobytes && *kilobytes > 0 ? static_cast<double>(*kilobytes) * 1024 : kUnknown;
}

double resident_bytes(std::string_view root) {
  const Text text(Path(root, "/proc/self/statm"));
  const size_t blank = text.view().find(' ');  // the first number is the address space
  if (blank == std::string_view::npos) return kUnknown;
  const auto pages = number_at<int64_t>(text.view().substr(blank + 1));
  return pages ? static_cast<double>(*pages) * static_cast<double>(sysconf(_SC_PAGESIZE)) : kUnknown;
}

// Bytes that a cgroup uses, without inactive page cache.
double used_bytes(Path& cgroup) {
  const size_t length = cgroup.length();
  const auto current = number_in(cgroup.add("/memory.current"));
  cgroup.cut(length);
  if (!current) return kUnknown;
  const Text text(cgroup.add("/memory.stat"));
  cgroup.cut(length);
  const auto line = line_of(text.view(), "inactive_file ");
  const int64_t cache = line ? number_at<int64_t>(*line).value_or(0) : 0;
  return static_cast<double>(*current > cache ? *current - cache : 0);
}

// Share of the last ten seconds in which a task waited for memory.
double stall_in(const Path& path) {
  const Text text(path);
  const auto line = line_of(text.view(), "some avg10=");
  const auto percent = line ? number_at<double>(*line) : std::nullopt;
  return percent && *percent <= 100 ? *percent / 100 : kUnknown;
}

struct Memory {
  double bytes = kUnknown;
  double limit = kUnknown;
  double stall = kUnknown;
};

// The cgroup with the smallest limit, from the process's own upwards. A path that is outside of the visible hierarchy,
// or too long, counts as the root.
Memory cgroup_memory(std::string_view root) {
  const Text text(Path(root, "/proc/self/cgroup"));
  std::string_view own = line_of(text.view(), "0::").value_or("");
  if (own.find("/..") != own.npos || !own.starts_with('/')) own = "";
  Path cgroup(root, "/sys/fs/cgroup");
  const size_t top = cgroup.length();
  if (own.size() > 1 && !cgroup.add(own).is_whole()) cgroup.cut(top);
  Memory tightest;
  for (;;) {
    const size_t length = cgroup.length();
    const auto limit = number_in(cgroup.add("/memory.max"));  // "max" means no limit
    cgroup.cut(length);
    // Of equal limits the outer one: it includes more usage.
    if (limit && *limit > 0 && !(static_cast<double>(*limit) > tightest.limit)) {
      tightest.limit = static_cast<double>(*limit);
      tightest.bytes = used_bytes(cgroup);
      tightest.stall = stall_in(cgroup.add("/memory.pressure"));
      cgroup.cut(length);
    }
    if (length <= top) return tightest;
    const size_t slash = cgroup.view().rfind('/');
    cgroup.cut(slash > top ? slash : top);
  }
}

// Entries of a directory. On the machine itself, the descriptor used for reading it is one of them.
double count_descriptors(std::string_view root, double most) {
  const Descriptor folder = open_to_read(Path(root, "/proc/self/fd").c_str(), O_DIRECTORY);
  if (!folder.is_open()) return errno == EMFILE ? most : kUnknown;
  int64_t n = root.empty() ? -1 : 0;
  struct stat about {};
  if (root.empty() && fstat(folder.get(), &about) == 0 && about.st_size > 0) {  // Linux 6.2 and newer report the number
    return static_cast<double>(about.st_size + n);
  }
  alignas(dirent64) char bytes[kFileBytesMax];
  for (;;) {
    const long got = syscall(SYS_getdents64, folder.get(), bytes, sizeof bytes);
    if (got < 0) return kUnknown;
    if (got == 0) return static_cast<double>(n);
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(bytes + at);
      if (entry->d_name[0] != '.') ++n;
      at += entry->d_reclen;
    }
  }
}

}  // namespace

ProcessResources SystemProbe::sample(int64_t memory_limit) {
  ProcessResources out;
  const Memory cgroup = cgroup_memory(root_);
  const double machine = machine_bytes(root_);
  if (memory_limit > 0) {
    out.memory_limit_bytes = static_cast<double>(memory_limit);
    out.memory_bytes = resident_bytes(root_);
  } else if (cgroup.bytes >= 0 && !(cgroup.limit > machine)) {
    out.memory_limit_bytes = cgroup.limit;
    out.memory_bytes = cgroup.bytes;
  } else {
    out.memory_limit_bytes = machine;
    out.memory_bytes = resident_bytes(root_);
  }
  out.memory_stall = cgroup.stall >= 0 ? cgroup.stall : stall_in(Path(root_, "/proc/pressure/memory"));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    out.descriptors_max = static_cast<double>(limit.rlim_cur);
  }
  out.descriptors = count_descriptors(root_, out.descriptors_max);
  return out;
}

}  // namespace tide
