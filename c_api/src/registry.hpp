// Registry: pools that share options, each opened at its first use.
//
// Why not a lock held while a pool opens: opening may take as long as init_timeout, and pools of other names must not
// wait for it. A name that is being opened has a flight; the thread that began it opens, all others wait for its result.
//
// Invariants: at most one thread opens a pool of a name; an entry without a pool and without a flight does not exist; a
// closed registry has no pool that was not closed.
// Threads: any. One mutex, never held while a pool is opened or closed. A child of fork() has the registries of its
// parent, but none of their pools: it opens its own.
// Failure: a failed open removes the entry; every waiter gets its error.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <tidepool/tidepool.h>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "policy/parse.hpp"

namespace tide {

class Registry {
 public:
  // `options` are valid; `with` is complete.
  Registry(std::string options, const tide_pool_options& with);

  // What a caller asks for. No name: the pool of the target.
  struct Request {
    std::optional<std::string> name;
    std::string url;
    std::string options;
  };
  Result<tide_pool*> pool(const Request& request);
  Result<tide_pool*> find(const std::string& name);
  Status close(std::optional<Span> timeout);

  // Around a fork.
  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }
  void forget_pools() { entries_.clear(); }

 private:
  // The opening of a pool. Kept by those who wait for it.
  struct Flight {
    std::atomic<uint32_t> is_done{0};
    tide_pool* pool = nullptr;  // written before is_done
    Status why;
  };
  struct Entry {
    Request request;       // of the first caller
    ParsedOptions opened;  // what it resulted in
    tide_pool* pool = nullptr;
    std::shared_ptr<Flight> flight;  // while it is being opened
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Result<ParsedOptions> parse(const Request& request, bool is_known) const;
  Entry* find_repeated(const Request& request);
  Entries::iterator find_for(const Request& request, const ParsedOptions& parsed);
  std::string name_for(const Request& request, const Target& target) const;
  Result<tide_pool*> answer(Entry& entry, std::unique_lock<std::mutex>& lock);
  Result<tide_pool*> open(const std::string& name, const Request& request, ParsedOptions parsed,
                          std::unique_lock<std::mutex>& lock);
  static Result<tide_pool*> wait_for(Flight& flight);
  void drop_closed();

  const std::string shared_;
  const std::string app_;
  tide_pool_options with_;
  std::mutex mutex_;
  bool is_closed_ = false;
  Entries entries_;
};

// Locks all registries, so that no other thread changes them when the process forks. They take no other lock meanwhile.
void hold_registries_for_fork();
void release_registries_after_fork(bool is_child);

}  // namespace tide
