#include "segment/inspect.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "os/descriptor.hpp"
#include "segment/directory.hpp"

namespace tide {
namespace {

constexpr size_t kInstanceDigits = 32;

struct FirstBytes {
  char magic[sizeof format::kMagic];
  uint32_t layout_version;
};
static_assert(offsetof(format::Header, layout_version) == offsetof(FirstBytes, layout_version));

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(directory.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && names.size() < 2 * kSegmentsMax) names.emplace_back(name);
  }
  ::closedir(dir);
  std::sort(names.begin(), names.end());
  return names;
}

// "<pool>.<32 hex digits>" of a name that has it before its ending.
bool split(std::string_view name, std::string_view ending, InspectedFile& file) {
  if (!name.ends_with(ending) || name.size() < ending.size() + kInstanceDigits + 2) return false;
  const std::string_view stem = name.substr(0, name.size() - ending.size());
  const size_t dot = stem.size() - kInstanceDigits - 1;
  if (stem[dot] != '.' || stem.find_first_not_of("0123456789abcdef", dot + 1) != std::string_view::npos) return false;
  file.pool = clean_text(stem.substr(0, dot), "");
  file.instance_id = stem.substr(dot + 1);
  return true;
}

void set(InspectedFile& file, FileStatus status, std::string message) {
  file.status = status;
  file.message = std::move(message);
}

// Why Attachment does not read it.
void explain(const Status& refusal, InspectedFile& file) {
  const Descriptor opened(::open(file.path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  FirstBytes first{};
  if (!opened.is_open()) {
    if (errno == ELOOP) return set(file, FileStatus::not_a_segment, "a symbolic link");
    return set(file, FileStatus::unreadable, std::strerror(errno));
  }
  if (!S_ISREG(file.mode)) return set(file, FileStatus::not_a_segment, "not a regular file");
  if (::pread(opened.get(), &first, sizeof first, 0) != static_cast<ssize_t>(sizeof first) ||
      std::memcmp(first.magic, format::kMagic, sizeof first.magic) != 0) {
    return set(file, FileStatus::not_a_segment, "does not begin like a segment");
  }
  file.layout_version = first.layout_version;
  if (first.layout_version != format::kLayoutVersion) {
    const bool is_newer = first.layout_version > format::kLayoutVersion;
    return set(file, FileStatus::other_version,
               "layout version " + std::to_string(first.layout_version) + " of " + (is_newer ? "a newer" : "an older") +
                   " tidepool; this one reads version " + std::to_string(format::kLayoutVersion));
  }
  const std::string& why = refusal.message();
  set(file, FileStatus::damaged, why.starts_with(file.path + ": ") ? why.substr(file.path.size() + 2) : why);
}

void inspect_segment(InspectedFile& file) {
  const auto segment = Attachment::open(file.path);
  if (!segment) return explain(segment.status(), file);
  file.layout_version = format::kLayoutVersion;
  const HeaderCopy& header = segment->header();
  if (!is_home_of(file.path, header.pool, header.instance_id))
    return set(file, FileStatus::leftover, "a copy of the segment of " + header.pool + "." + header.instance_id);
  file.pool = header.pool;
  switch (segment->liveness()) {
    case Liveness::alive: file.status = FileStatus::live; break;
    case Liveness::stale: file.status = FileStatus::stale; break;
    case Liveness::dead: file.status = FileStatus::dead; return;
  }
  file.is_controllable = ::access(mailbox_path_of(file.path).c_str(), R_OK | W_OK) == 0;
}

}  // namespace

std::vector<InspectedFile> inspect_directory(const std::string& directory) {
  std::vector<InspectedFile> files;
  const std::vector<std::string> names = names_in(directory);
  const std::set<std::string_view> known(names.begin(), names.end());
  for (const std::string& name : names) {
    InspectedFile file;
    file.path = directory + "/" + name;
    struct stat info {};
    if (::lstat(file.path.c_str(), &info) != 0) continue;
    file.size_bytes = info.st_size;
    file.uid = info.st_uid;
    file.gid = info.st_gid;
    file.mode = info.st_mode;
    if (name.front() == '.') {
      set(file, FileStatus::leftover, "of a pool that is being opened, or whose opening was interrupted");
    } else if (split(name, kSegmentEnding, file)) {
      inspect_segment(file);
    } else if (split(name, kMailboxEnding, file)) {
      const std::string segment = name.substr(0, name.size() - kMailboxEnding.size()) + std::string(kSegmentEnding);
      if (known.contains(segment)) continue;
      set(file, FileStatus::leftover, "a mailbox without its segment");
    } else if (name.ends_with(kHistoryEnding)) {
      set(file, FileStatus::leftover, "the history of a closed pool, for the next one of its name");
    } else {
      set(file, FileStatus::not_a_segment, "another kind of file");
    }
    files.push_back(std::move(file));
    if (files.size() == kSegmentsMax) break;
  }
  return files;
}

}  // namespace tide
