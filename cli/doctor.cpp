// doctor: why is a pool not shown? Where pools are looked for, what is there, who may read it, and what to do.
#include <tidepool/tidepool.h>

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "commands.hpp"
#include "read/reading.hpp"
#include "text/json.hpp"
#include "text/print.hpp"
#include "text/table.hpp"

namespace tide::cli {

namespace {

struct Finding {
  std::string severity;  // "ok", "info", "warning" or "critical"
  std::string message;
  std::string advice;
};

struct Directory {
  std::string path;
  std::string origin;  // why it is one of those looked at
  bool exists = false;
  bool is_readable = false;
  std::string rights;  // "root:tidepool 0750"
  std::string group;
  size_t segments = 0;  // of pools that run
};

std::string user_of(uid_t uid) {
  const passwd* const found = ::getpwuid(uid);
  return found != nullptr ? found->pw_name : "uid " + std::to_string(uid);
}
std::string group_of(gid_t gid) {
  const group* const found = ::getgrgid(gid);
  return found != nullptr ? found->gr_name : "gid " + std::to_string(gid);
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool runs(const std::string& status) { return status == "live" || status == "stale"; }

Directory look_at(const std::string& path, const std::string& origin) {
  Directory found{path, origin, false, false, "", "", 0};
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return found;
  found.exists = S_ISDIR(info.st_mode);
  found.is_readable = found.exists && ::access(path.c_str(), R_OK | X_OK) == 0;
  found.group = group_of(info.st_gid);
  found.rights = fmt::format("{}:{} {:04o}", user_of(info.st_uid), found.group, info.st_mode & 07777U);
  const Reading files = read("segments", {path, "", ""});
  for (size_t row = 0; row < files.rows.size(); ++row) found.segments += runs(files.text(row, "status")) ? 1 : 0;
  return found;
}

// Directories of other users' pools.
std::vector<std::string> directories_like(const std::string& parent, std::string_view beginning,
                                          const std::string& ending) {
  constexpr size_t kFoundMax = 64;
  std::vector<std::string> found;
  DIR* const dir = ::opendir(parent.c_str());
  if (dir == nullptr) return found;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name.starts_with(".") || !name.starts_with(beginning)) continue;
    const std::string path = parent + "/" + std::string(name) + ending;
    struct stat info {};
    if (found.size() < kFoundMax && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) found.push_back(path);
  }
  ::closedir(dir);
  std::sort(found.begin(), found.end());
  return found;
}

class Doctor {
 public:
  Doctor(const Arguments& arguments, const Common& common)
      : pool_(arguments.text("POOL")), common_(common), which_(which_of(common, pool_)) {}

  int run() {
    find_directories();
    examine_directory();
    examine_files();
    examine_pools();
    examine_elsewhere();
    if (common_.is_json) {
      print_json();
    } else {
      print_text();
    }
    if (shown_ == 0) return kNoPool;
    const auto is_bad = [](const Finding& each) { return each.severity == "warning" || each.severity == "critical"; };
    return std::any_of(findings_.begin(), findings_.end(), is_bad) ? kFailed : kDone;
  }

 private:
  void add(std::string severity, std::string message, std::string advice = "") {
    findings_.push_back({std::move(severity), std::move(message), std::move(advice)});
  }

  void find_directories() {
    const std::string runtime = variable("XDG_RUNTIME_DIR");
    struct Candidate {
      std::string path;
      std::string origin;
    };
    std::vector<Candidate> candidates = {
        {common_.directory, "--dir"},
        {variable("TIDEPOOL_DIR"), "TIDEPOOL_DIR"},
        {"/run/tidepool", "where it exists"},
        {runtime.empty() ? "" : runtime + "/tidepool", "XDG_RUNTIME_DIR"},
        {"/dev/shm/tidepool-" + std::to_string(::getuid()), "the default of this user"}};
    for (const std::string& path : directories_like("/dev/shm", "tidepool-", ""))
      candidates.push_back({path, "found there"});
    for (const std::string& path : directories_like("/run/user", "", "/tidepool"))
      candidates.push_back({path, "found there"});
    const std::string used = directory_of(common_.directory);
    for (const Candidate& each : candidates) {
      if (each.path.empty() || is_known(each.path)) continue;
      Directory found = look_at(each.path, each.origin);
      if (each.path == used) {
        used_ = directories_.size();
      } else if (!found.exists && each.path != "/run/tidepool") {
        continue;
      }
      directories_.push_back(std::move(found));
    }
  }

  bool is_known(const std::string& path) const {
    return std::any_of(directories_.begin(), directories_.end(), [&](const Directory& d) { return d.path == path; });
  }
  const Directory& used() const { return directories_[used_]; }

  void examine_directory() {
    const Directory& dir = used();
    if (!dir.exists) {
      struct stat info {};
      if (::stat(dir.path.c_str(), &info) == 0) {
        return add("critical", dir.path + " is not a directory", "set TIDEPOOL_DIR or --dir to a directory");
      }
      if (errno == EACCES)
        return add("critical", dir.path + " cannot be reached by " + user_of(::geteuid()),
                   "a parent directory lacks the permission x for this user");
      return add("warning", dir.path + " does not exist: no pool has been opened there",
                 "start the application; if it uses another directory, set TIDEPOOL_DIR or --dir to it");
    }
    if (!dir.is_readable)
      return add("critical", fmt::format("{} ({}) cannot be read by {}", dir.path, dir.rights, user_of(::geteuid())),
                 fmt::format("join the group {} (and log in again), or run this as the owner", dir.group));
    add("ok", fmt::format("{} ({}) can be read by {}", dir.path, dir.rights, user_of(::geteuid())));
  }

  void examine_files() {
    const Reading files = read("segments", {which_.directory, "", which_.instance});
    std::map<std::string, size_t> counts;
    for (size_t row = 0; row < files.rows.size(); ++row) {
      ++counts[files.text(row, "status")];
      examine_file(files, row);
    }
    if (const size_t hidden = files.rows.size() - std::min(files.rows.size(), kFindingsMax * 4); hidden > 0)
      add("info", fmt::format("{} more files are not listed here", hidden), "tidepool show segments lists all");
    std::string summary;
    for (const auto& [status, count] : counts)
      summary += fmt::format("{}{} {}", summary.empty() ? "" : ", ", count, status);
    if (!summary.empty()) add("ok", "files: " + summary);
  }

  void examine_file(const Reading& files, size_t row) {
    if (row >= kFindingsMax * 4) return;
    const std::string status = files.text(row, "status");
    const std::string path = files.text(row, "path");
    const std::string rights = files.text(row, "owner") + " " + files.text(row, "mode");
    const std::string why = files.text(row, "message");
    if (status == "stale") {
      add("warning", path + ": the pool has not updated its state for 5 s",
          "its process is stopped, or too busy: look at it with ps and top");
    } else if (status == "dead") {
      add("info", path + ": its process has exited",
          "nothing to do: it is removed when the pool is opened again, or after a day");
    } else if (status == "unreadable") {
      add("critical", fmt::format("{} ({}) cannot be read: {}", path, rights, why),
          "join the group of the file, or run this as its owner");
    } else if (status == "damaged") {
      add("critical", fmt::format("{} is damaged: {}", path, why),
          "restart its application, if it runs; otherwise remove the file");
    } else if (status == "other_version") {
      add("critical", fmt::format("{} has {}", path, why),
          fmt::format("use the tidepool of the application's version; this one is {}", tide_version()));
    } else if (status == "not_a_segment") {
      add("info", fmt::format("{}: {}", path, why), "it is ignored; remove it if nobody needs it");
    } else if (status == "leftover") {
      add("info", fmt::format("{}: {}", path, why), "it is ignored");
    } else if (files.cell(row, "controllable").integer == 0) {
      add("info",
          fmt::format("{} can be read, but not controlled: {} may not write its mailbox", path, user_of(::geteuid())),
          "join the group of the mailbox, if this user is to control the pool");
    }
  }

  void examine_pools() {
    const Reading pools = read("pools", which_);
    shown_ = pools.rows.size();
    for (size_t row = 0; row < pools.rows.size(); ++row) {
      const std::string name = in_quotes(pools.text(row, "pool"));
      if (pools.cell(row, "started_at").integer > pools.cell(row, "sampled_at").integer)
        add("warning", fmt::format("pool {} was opened in the future: the clock was set back", name),
            "check the clock of this host; ages and histories are wrong until it has caught up");
      if (const std::string version = pools.text(row, "version"); version != tide_version())
        add("info", fmt::format("pool {} is of tidepool {}, this is {}", name, visible(version), tide_version()));
    }
    if (shown_ > 0) return add("ok", fmt::format("{} pool{} shown", shown_, shown_ == 1 ? " is" : "s are"));
    try {
      require_pools(which_);
    } catch (const Failure& failure) {
      add("critical", failure.message + (failure.detail.empty() ? "" : ": " + failure.detail),
          !failure.hint.empty() && !pool_.empty()
              ? failure.hint
              : "a pool is only visible while it is open with publish=on; compare its option dir with the directory "
                "above, and in a container mount that directory");
    }
  }

  void examine_elsewhere() {
    for (size_t i = 0; i < directories_.size(); ++i) {
      const Directory& each = directories_[i];
      if (i == used_ || !each.exists) continue;
      if (each.segments > 0) {
        add(shown_ == 0 ? "warning" : "info",
            fmt::format("{} has {} pool{} that run{}", each.path, each.segments, each.segments == 1 ? "" : "s",
                        each.segments == 1 ? "s" : ""),
            fmt::format("tidepool --dir {} status, or TIDEPOOL_DIR={}; for all users of the host create /run/tidepool",
                        each.path, each.path));
      } else if (!each.is_readable) {
        add("info", fmt::format("{} ({}) cannot be read by {}", each.path, each.rights, user_of(::geteuid())),
            "pools of a PostgreSQL server are in the directory of its user: run this as that user, or join its group");
      }
    }
  }

  void print_text() const {
    const bool has_colour = terminal().has_colour;
    std::string out = fmt::format("tidepool {}, user {}\n", tide_version(), user_of(::geteuid()));
    out += fmt::format("pools are looked for in {} ({})\n", visible(used().path), visible(used().origin));
    for (size_t i = 0; i < directories_.size(); ++i) {
      const Directory& each = directories_[i];
      if (i == used_) continue;
      out += fmt::format("also looked at: {} ({}): {}\n", visible(each.path), visible(each.origin),
                         !each.exists        ? "does not exist"
                         : !each.is_readable ? "cannot be read"
                                             : fmt::format("{} running pools", each.segments));
    }
    out += "\n";
    for (const Finding& each : findings_) {
      const std::string word = fmt::format("{:<9}", each.severity);
      out += (has_colour ? coloured(word, each.severity) : word) + visible(each.message) + "\n";
      if (!each.advice.empty()) out += std::string(9, ' ') + "-> " + visible(each.advice) + "\n";
    }
    print(out);
  }

  void print_json() const {
    std::string directories;
    for (size_t i = 0; i < directories_.size(); ++i) {
      const Directory& each = directories_[i];
      directories += fmt::format(
          "{}{{\"path\": {}, \"origin\": {}, \"used\": {}, \"exists\": {}, \"readable\": {}, \"running_pools\": {}}}",
          i == 0 ? "" : ", ", json_string(each.path), json_string(each.origin), i == used_, each.exists,
          each.is_readable, each.segments);
    }
    std::string findings;
    for (const Finding& each : findings_) {
      findings += fmt::format("{}{{\"severity\": {}, \"message\": {}, \"advice\": {}}}", findings.empty() ? "" : ", ",
                              json_string(each.severity), json_string(each.message),
                              each.advice.empty() ? "null" : json_string(each.advice));
    }
    print(fmt::format("{{\"directory\": {}, \"pools\": {}, \"directories\": [{}], \"findings\": [{}]}}\n",
                      json_string(used().path), shown_, directories, findings));
  }

  static constexpr size_t kFindingsMax = 25;

  std::string pool_;
  Common common_;
  Which which_;
  std::vector<Directory> directories_;
  size_t used_ = 0;
  std::vector<Finding> findings_;
  size_t shown_ = 0;
};

}  // namespace

void add_doctor(Program& program) {
  Command command{"doctor",
                  "monitor",
                  "Explain why a pool is not shown, and what to do.",
                  {{"POOL", "", "The pool that is missed.", false, false, Completes::pool}},
                  {{"tidepool doctor", "this user's view"}, {"tidepool doctor shop", "about one pool"}},
                  [](const Arguments& arguments, const Common& common) { return Doctor(arguments, common).run(); }};
  command.text =
      "Examines the directory of the pools' files and others where pools may be, permissions, versions, and files of "
      "processes that have exited.";
  command.exit_codes =
      "0  pools are shown, and nothing is wrong\n"
      "1  pools are shown, but something is wrong\n"
      "2  wrong use\n"
      "3  no pool is shown";
  program.add(std::move(command));
}

}  // namespace tide::cli
