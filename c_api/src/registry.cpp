#include "registry.hpp"

#include <cstring>
#include <utility>

#include "base/text.hpp"
#include "calls.hpp"
#include "closing.hpp"
#include "drivers.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "opening.hpp"
#include "policy/settings.hpp"
#include "pool/futex.hpp"
#include "structs.hpp"
#include "surroundings.hpp"
#include "texts.hpp"

namespace tide {
namespace {

constexpr Span kLook = Span::seconds(1);  // a waiter that was not woken looks again
constexpr size_t kDerivedBytesMax = 48;   // of a name taken from a target, so that a number may follow

bool is_open(const tide_pool* pool) { return static_cast<bool>(Door(pool)); }

bool is_same_target(const Target& one, const Target& other) {
  return one.scheme == other.scheme && one.connect_text == other.connect_text;
}

// The options of `given`, other than shared ones, that `opened` does not have. "max_size: 5 given, 10 accepted"
std::vector<std::string> differences(const ParsedOptions& given, const ParsedOptions& opened) {
  std::vector<std::string> found;
  const std::span<const Setting> settings = settings_catalogue();
  for (size_t i = 0; i < settings.size(); ++i) {
    if (given.sources[i] < SettingSource::url || given.is_shared[i]) continue;
    const std::string asked = format_value(given.policy, settings[i]);
    const std::string there = format_value(opened.policy, settings[i]);
    if (asked == there) continue;
    found.push_back(std::string(settings[i].name) + ": " + in_quotes(asked) + " given, " + in_quotes(there) +
                    " accepted");
  }
  return found;
}

// An error for a request that a pool of the registry does not fulfil. A target without a scheme was not given.
Status check_same(const std::string& name, const ParsedOptions& given, const ParsedOptions& opened) {
  std::vector<std::string> found = differences(given, opened);
  if (!given.target.scheme.empty() && !is_same_target(given.target, opened.target)) {
    const bool is_shown = given.target.shown != opened.target.shown;
    found.insert(found.begin(), is_shown ? "target: " + in_quotes(given.target.shown) + " given, " +
                                               in_quotes(opened.target.shown) + " accepted"
                                         : "target: the same with other parameters or another user was given");
  }
  if (found.empty()) return Status::ok();
  std::string list;
  for (const std::string& each : found) list += (list.empty() ? "" : "; ") + each;
  const bool is_target = found.front().starts_with("target");
  return Status::error(
      Code::refused,
      "the registry has a pool \"" + name + "\" with " + (is_target ? "another target" : "other options"), list,
      "Omit what differs, or use another name for another pool.");
}

// "/var/lib/users.db" -> "users", "db1:5432/shop" -> "shop"
std::string word_of(const Target& target) {
  std::string_view text = target.shown;
  if (const size_t slash = text.rfind('/'); slash != text.npos) text.remove_prefix(slash + 1);
  if (target.backend == Backend::sqlite) text = text.substr(0, text.rfind('.'));
  std::string word;
  for (const char c : text.substr(0, kDerivedBytesMax)) {
    const bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    if (is_good || !word.empty()) word += is_good ? c : '_';
  }
  word.erase(word.find_last_not_of('_') + 1);
  return word.empty() ? target.scheme : word;
}

Status closed_registry() {
  return Status::error(Code::closed, "the registry is closed", "",
                       "a registry cannot be used after tide_registry_close()");
}

}  // namespace

Registry::Registry(std::string options, const tide_pool_options& with)
    : shared_(std::move(options)), app_(with.app == nullptr ? "" : with.app), with_(with) {
  with_.app = app_.empty() ? nullptr : app_.c_str();
}

// For a pool that exists, a missing URL means its own: the target stays empty.
Result<ParsedOptions> Registry::parse(const Request& request, bool is_known) const {
  const std::vector<std::string> schemes = registered_schemes();
  const bool has_url = !trimmed_blanks(request.url).empty();
  const std::optional<std::string_view> url =
      has_url || !is_known ? std::optional<std::string_view>(request.url) : std::nullopt;
  return parse_options(url, request.options, schemes, process_environment(), shared_);
}

// A pool that somebody closed is no longer there.
void Registry::drop_closed() {
  std::erase_if(entries_, [](const auto& each) { return each.second.flight == nullptr && !is_open(each.second.pool); });
}

Registry::Entries::iterator Registry::find_for(const Request& request, const ParsedOptions& parsed) {
  if (request.name) return entries_.find(*request.name);
  // Several pools may have the target, under names that were given. One with the same options comes first.
  auto similar = entries_.end();
  for (auto each = entries_.begin(); each != entries_.end(); ++each) {
    if (!is_same_target(each->second.opened.target, parsed.target)) continue;
    if (differences(parsed, each->second.opened).empty()) return each;
    if (similar == entries_.end()) similar = each;
  }
  return similar;
}

std::string Registry::name_for(const Request& request, const Target& target) const {
  if (request.name) return *request.name;
  const std::string word = word_of(target);
  std::string name = word;
  for (int i = 2; entries_.contains(name); ++i) name = word + "-" + std::to_string(i);
  return name;
}

Result<tide_pool*> Registry::pool(const Request& request) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (is_closed_) return closed_registry();
    drop_closed();
    if (Entry* const entry = find_repeated(request)) return answer(*entry, lock);
    const bool is_known = request.name && entries_.contains(*request.name);
    lock.unlock();  // parsing takes locks that a fork holds before this one
    Result<ParsedOptions> parsed = parse(request, is_known);
    if (!parsed) return parsed.take_status();
    lock.lock();
    if (is_closed_) return closed_registry();
    const auto found = find_for(request, *parsed);
    if (request.name && (found != entries_.end()) != is_known) continue;  // opened or closed meanwhile
    if (found == entries_.end()) {
      const std::string name = name_for(request, parsed->target);
      return open(name, request, parsed.take(), lock);
    }
    if (Status same = check_same(found->first, *parsed, found->second.opened); !same) return same;
    return answer(found->second, lock);
  }
}

// Repeating the first call, or only its name, needs no parsing.
Registry::Entry* Registry::find_repeated(const Request& request) {
  for (auto& [name, entry] : entries_) {
    const bool is_same = request.name == entry.request.name && request.url == entry.request.url &&
                         request.options == entry.request.options;
    const bool is_bare = request.name == name && request.url.empty() && request.options.empty();
    if (is_same || is_bare) return &entry;
  }
  return nullptr;
}

Result<tide_pool*> Registry::answer(Entry& entry, std::unique_lock<std::mutex>& lock) {
  if (entry.flight == nullptr) return entry.pool;
  const std::shared_ptr<Flight> flight = entry.flight;
  lock.unlock();
  return wait_for(*flight);
}

Result<tide_pool*> Registry::wait_for(Flight& flight) {
  while (flight.is_done.load(std::memory_order_acquire) == 0) futex_wait(flight.is_done, 0, kLook);
  futex_wake(&flight.is_done);  // the next waiter
  if (!flight.why) return flight.why;
  return flight.pool;
}

// The lock is released meanwhile.
Result<tide_pool*> Registry::open(const std::string& name, const Request& request, ParsedOptions parsed,
                                  std::unique_lock<std::mutex>& lock) {
  const auto flight = std::make_shared<Flight>();
  entries_.emplace(name, Entry{request, std::move(parsed), nullptr, flight});
  lock.unlock();
  Result<tide_pool*> opened = [&]() -> Result<tide_pool*> {
    try {
      return open_pool(name.c_str(), request.url.c_str(), request.options.c_str(), with_, shared_);
    } catch (...) {
      tide_error error = TIDE_ERROR_INIT;
      fail_with_exception(&error);
      return status_of(error);
    }
  }();
  tide_pool* const pool = opened ? opened.value() : nullptr;
  lock.lock();
  const bool is_late = is_closed_;
  const auto entry = entries_.find(name);
  if (entry != entries_.end() && entry->second.flight == flight) {
    entry->second.flight = nullptr;
    entry->second.pool = pool;
    if (pool == nullptr || is_late) entries_.erase(entry);
  }
  lock.unlock();
  if (pool != nullptr && is_late) {
    (void)close_pool(pool, Span());
    opened = closed_registry();
  }
  if (opened) {
    flight->pool = pool;
  } else {
    flight->why = opened.status();
  }
  flight->is_done.store(1, std::memory_order_release);
  futex_wake(&flight->is_done);
  return opened;
}

Result<tide_pool*> Registry::find(const std::string& name) {
  std::unique_lock lock(mutex_);
  if (is_closed_) return closed_registry();
  drop_closed();
  if (const auto found = entries_.find(name); found != entries_.end()) return answer(found->second, lock);
  std::string names;
  for (const auto& [each, entry] : entries_) names += (names.empty() ? "" : ", ") + each;
  return Status::error(Code::not_found, "the registry has no pool " + in_quotes(name),
                       names.empty() ? "it has no pools" : "its pools: " + names,
                       "tide_registry_pool() opens a pool at its first use");
}

Status Registry::close(std::optional<Span> timeout) {
  std::vector<tide_pool*> pools;
  {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return closed_registry();
    for (const auto& [name, entry] : entries_) {
      if (entry.pool != nullptr) pools.push_back(entry.pool);
    }
    if (Status outside = check_outside(pools); !outside) return outside;
    is_closed_ = true;
    entries_.clear();  // one that is being opened belongs to its thread now
  }
  return close_pools(pools, timeout);
}

namespace {

// The registries of this process, by handle.
class Registries {
 public:
  static Registries& instance() {
    static Registries* registries = new Registries();  // never destroyed: late destructors may close registries
    return *registries;
  }

  tide_registry* add(std::shared_ptr<Registry> registry) {
    const std::lock_guard lock(mutex_);
    open_.emplace(++last_, std::move(registry));
    return reinterpret_cast<tide_registry*>(kMark | last_);
  }

  Result<std::shared_ptr<Registry>> get(const tide_registry* handle) {
    const auto number = reinterpret_cast<uint64_t>(handle);
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(number & ~kMark);
    if ((number & kMarkBits) == kMark && found != open_.end()) return found->second;
    if ((number & kMarkBits) == kMark && number != kMark && (number & ~kMark) <= last_) return closed_registry();
    return Status::error(Code::bad_argument, "invalid registry handle",
                         "accepted: a handle returned by tide_registry_open()",
                         "check for NULL and for overwritten memory");
  }

  void remove(const tide_registry* handle) {
    const std::lock_guard lock(mutex_);
    open_.erase(reinterpret_cast<uint64_t>(handle) & ~kMark);
  }

  void hold_for_fork() {
    mutex_.lock();
    for (auto& [number, registry] : open_) registry->lock();
  }
  void release_after_fork(bool is_child) {
    for (auto& [number, registry] : open_) {
      if (is_child) registry->forget_pools();
      registry->unlock();
    }
    mutex_.unlock();
  }

 private:
  static constexpr uint64_t kMark = uint64_t{0x7D1F} << 48;  // no address of a program begins with these bits
  static constexpr uint64_t kMarkBits = uint64_t{0xFFFF} << 48;

  std::mutex mutex_;
  uint64_t last_ = 0;
  std::map<uint64_t, std::shared_ptr<Registry>> open_;
};

Status no_pointer(const char* which) { return Status::error(Code::bad_argument, std::string(which) + " is NULL"); }

}  // namespace

void hold_registries_for_fork() { Registries::instance().hold_for_fork(); }
void release_registries_after_fork(bool is_child) { Registries::instance().release_after_fork(is_child); }

}  // namespace tide

using namespace tide;

tide_status tide_registry_open(const char* options, const tide_pool_options* with, tide_registry** out,
                               tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return no_pointer("out");
    tide_pool_options wanted = TIDE_POOL_OPTIONS_INIT;
    if (Status read = read_struct(with, "tide_pool_options", wanted); !read) return read;
    const std::string shared = or_empty(options);
    const auto parsed = parse_options(std::nullopt, "", registered_schemes(), process_environment(), shared);
    if (!parsed) return parsed.status();
    *out = Registries::instance().add(std::make_shared<Registry>(shared, wanted));
    return Status::ok();
  });
}

tide_status tide_registry_pool(tide_registry* registry, const char* name, const char* url, const char* options,
                               tide_pool** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr) return no_pointer("out");
    Result<std::shared_ptr<Registry>> own = Registries::instance().get(registry);
    if (!own) return own.take_status();
    Registry::Request request{std::nullopt, or_empty(url), or_empty(options)};
    if (name != nullptr) {
      if (Status named = check_pool_name(name); !named) return named;
      request.name = name;
    }
    Result<tide_pool*> pool = (*own)->pool(request);
    if (!pool) return pool.take_status();
    *out = pool.value();
    return Status::ok();
  });
}

tide_status tide_registry_find(tide_registry* registry, const char* name, tide_pool** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (name == nullptr || out == nullptr) return no_pointer(name == nullptr ? "name" : "out");
    Result<std::shared_ptr<Registry>> own = Registries::instance().get(registry);
    if (!own) return own.take_status();
    Result<tide_pool*> pool = (*own)->find(std::string(name, strnlen(name, 256)));
    if (!pool) return pool.take_status();
    *out = pool.value();
    return Status::ok();
  });
}

tide_status tide_registry_close(tide_registry* registry, int64_t timeout_ms, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (Status checked = check_timeout(timeout_ms); !checked) return checked;
    Result<std::shared_ptr<Registry>> own = Registries::instance().get(registry);
    if (!own) return own.take_status();
    Status closed = (*own)->close(timeout_ms < 0 ? std::optional<Span>{} : Span::millis(timeout_ms));
    if (closed.code != Code::bad_argument) Registries::instance().remove(registry);
    return closed;
  });
}
