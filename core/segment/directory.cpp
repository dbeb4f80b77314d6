#include "segment/directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace tide {
namespace {

constexpr size_t kHexBytes = 32;

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status unusable(const std::string& path, const std::string& why) {
  return Status::error(
      Code::bad_option, "segment directory \"" + path + "\": " + why,
      "accepted: a directory this user may write to, or one that can be created because its parent exists",
      "set dir or TIDEPOOL_DIR, or publish=off for a pool that is not visible to other processes");
}

std::string with_ending(const std::string& segment_path, std::string_view ending) {
  return segment_path.substr(0, segment_path.rfind('.')).append(ending);
}

std::vector<std::string> list_files(const std::string& directory, std::string_view ending) {
  std::vector<std::string> paths;
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return paths;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name.size() <= ending.size() + kHexBytes + 1 || name.front() == '.' || !name.ends_with(ending)) continue;
    const std::string_view hex = name.substr(name.size() - ending.size() - kHexBytes, kHexBytes);
    if (hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) continue;
    paths.push_back(directory + "/" + std::string(name));
    if (paths.size() == kSegmentsMax) break;
  }
  ::closedir(dir);
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

std::string resolve_directory(std::string_view wanted) {
  return resolve_directory(wanted, [](const char* name) { return std::getenv(name); });
}

std::string resolve_directory(std::string_view wanted, const std::function<const char*(const char*)>& environment) {
  if (!wanted.empty()) return std::string(wanted);
  if (const char* dir = environment("TIDEPOOL_DIR"); dir != nullptr && dir[0] != '\0') return dir;
  if (is_directory("/run/tidepool")) return "/run/tidepool";
  if (const char* run = environment("XDG_RUNTIME_DIR"); run != nullptr && run[0] == '/' && is_directory(run)) {
    return std::string(run) + "/tidepool";
  }
  return "/dev/shm/tidepool-" + std::to_string(::getuid());
}

Status ensure_directory(const std::string& path) {
  if (path.empty() || path.front() != '/') return unusable(path, "not an absolute path");
  if (::mkdir(path.c_str(), 0750) != 0 && errno != EEXIST)
    return unusable(path, std::string("cannot be created: ") + std::strerror(errno));
  struct stat info {};
  // A symbolic link as the last component is accepted where an administrator made it, but not in a world-writable
  // directory.
  const bool is_in_shared_place = path.rfind("/dev/shm/", 0) == 0 || path.rfind("/tmp/", 0) == 0;
  if ((is_in_shared_place ? ::lstat(path.c_str(), &info) : ::stat(path.c_str(), &info)) != 0) {
    return unusable(path, std::strerror(errno));
  }
  if (!S_ISDIR(info.st_mode)) return unusable(path, "not a directory");
  if (path.rfind("/dev/shm/", 0) == 0 && info.st_uid != ::getuid() && info.st_uid != 0) {
    return unusable(path, "belongs to another user");
  }
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    return unusable(path, std::string("cannot be written: ") + std::strerror(errno));
  return Status::ok();
}

std::string unfinished_path(const std::string& directory, std::string_view instance_hex) {
  return directory + "/." + std::string(instance_hex) + std::string(kUnfinishedEnding);
}

std::string segment_path(const std::string& directory, std::string_view pool, std::string_view instance_hex) {
  std::string name(pool);
  for (char& c : name) {
    const bool is_plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (!is_plain) c = '_';
  }
  if (name.empty() || name.front() == '.') name.insert(name.begin(), '_');
  return directory + "/" + name + "." + std::string(instance_hex) + std::string(kSegmentEnding);
}

bool is_home_of(const std::string& path, std::string_view pool, std::string_view instance_hex) {
  return path == segment_path(directory_of(path), pool, instance_hex);
}

std::string mailbox_path_of(const std::string& segment_path) { return with_ending(segment_path, kMailboxEnding); }

std::string history_path_of(const std::string& segment_path) { return with_ending(segment_path, kHistoryEnding); }

std::vector<std::string> list_segments(const std::string& directory) { return list_files(directory, kSegmentEnding); }

std::vector<std::string> list_histories(const std::string& directory) { return list_files(directory, kHistoryEnding); }

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string instance_hex_of(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == path.npos || dot < kHexBytes ? "" : path.substr(dot - kHexBytes, kHexBytes);
}

}  // namespace tide
