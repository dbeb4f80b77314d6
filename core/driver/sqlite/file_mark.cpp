#include "driver/sqlite/file_mark.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>

#include "os/clock.hpp"

namespace tide::sqlite {
namespace {

// Several ticks of the slowest kernel clock (10 ms), by which file systems date changes.
constexpr int64_t kCoarseNs = 50'000'000;

int64_t ns_of(const timespec& time) noexcept { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

}  // namespace

std::shared_ptr<FileMark> FileMark::of(const std::string& path, const FileIdentity& identity) {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (real == nullptr || path != real.get()) return nullptr;
  Descriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW));
  struct stat found {};
  if (!file.is_open() || ::fstat(file.get(), &found) != 0) return nullptr;
  if (FileIdentity{found.st_dev, found.st_ino} != identity) return nullptr;
  return std::make_shared<FileMark>(std::move(file));
}

int64_t FileMark::changed_at() const noexcept {
  struct stat found {};
  return ::fstat(file_.get(), &found) == 0 && found.st_nlink > 0 ? ns_of(found.st_ctim) : 0;
}

void FileMark::trust(int64_t changed_at) noexcept {
  if (changed_at > 0 && changed_at + kCoarseNs < wall_ns_now()) trusted_.store(changed_at, std::memory_order_relaxed);
}

}  // namespace tide::sqlite
