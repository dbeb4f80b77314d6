// tide_cache_invalidate, and the members of tide_query_options for the query cache.
#include <tidepool/tidepool.h>

#include <cstring>
#include <string>

#include "base/text.hpp"
#include "cache_terms.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "model/commands.hpp"
#include "service/cache/query_cache.hpp"

namespace tide {
namespace {

constexpr int64_t kCacheMsMax = int64_t{30} * 86'400'000;  // as query_cache_ttl
constexpr size_t kTagsMax = 16;
constexpr int32_t kBits = TIDE_CACHE | TIDE_CACHE_VOLATILE;

Status check_span(const char* name, int64_t ms, const char* hint) {
  if (ms >= 0 && ms <= kCacheMsMax) return Status::ok();
  return Status::error(Code::bad_argument, std::string(name) + " is " + std::to_string(ms),
                       "accepted: 0 to " + std::to_string(kCacheMsMax) + " (30 days), in milliseconds", hint);
}

Status check_key(const char* name, const char* key) {
  const size_t bytes = std::strlen(key);
  if (bytes >= 1 && bytes <= kCacheKeyBytesMax) return Status::ok();
  return Status::error(Code::bad_argument, std::string(name) + " has " + std::to_string(bytes) + " bytes",
                       "accepted: 1 to " + std::to_string(kCacheKeyBytesMax) + " bytes",
                       "Use a digest of a longer text, and NULL for no key of your own.");
}

Status check_tag(const char* what, std::string_view tag) {
  if (tag.empty() || tag.size() > kCacheTagBytesMax) {
    return Status::error(Code::bad_argument, std::string(what) + " has " + std::to_string(tag.size()) + " bytes",
                         "accepted: 1 to " + std::to_string(kCacheTagBytesMax) + " bytes");
  }
  for (const char c : tag) {
    if (static_cast<unsigned char>(c) > ' ' && c != 0x7F) continue;
    return Status::error(Code::bad_argument, std::string(what) + " has a blank or a control character",
                         "accepted: words, in tide_query_options.cache_tags separated by spaces");
  }
  return Status::ok();
}

Status check_tags(const char* tags) {
  std::string_view left = tags;
  size_t count = 0;
  while (!left.empty()) {
    const size_t end = std::min(left.find(' '), left.size());
    if (end > 0) {
      if (Status checked = check_tag("a tag of cache_tags", left.substr(0, end)); !checked) return checked;
      ++count;
    }
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  if (count <= kTagsMax) return Status::ok();
  return Status::error(Code::bad_argument, "cache_tags has " + std::to_string(count) + " tags",
                       "accepted: up to " + std::to_string(kTagsMax) + ", separated by spaces");
}

}  // namespace

Status check_cache(const tide_query_options& with, Caching caching) {
  if (with.cache == 0) return Status::ok();
  if (caching == Caching::refused) {
    return Status::error(Code::bad_argument, "tide_query_options.cache is set",
                         "accepted: by tide_pool_query_with() and tide_pool_query_first()",
                         "Set it to 0: what is executed on a lease, in a transaction, as a batch or as a stream is not "
                         "cached.");
  }
  if ((with.cache & ~kBits) != 0 || (with.cache & TIDE_CACHE) == 0) {
    return Status::error(Code::bad_argument, "cache is " + std::to_string(with.cache),
                         "accepted: 0, TIDE_CACHE, TIDE_CACHE | TIDE_CACHE_VOLATILE");
  }
  if (Status checked = check_span("cache_ttl_ms", with.cache_ttl_ms, "0 means the option query_cache_ttl."); !checked)
    return checked;
  if (Status checked = check_span("cache_stale_ms", with.cache_stale_ms, "0 means that no expired result is used.");
      !checked)
    return checked;
  if (with.cache_key != nullptr) {
    if (Status checked = check_key("cache_key", with.cache_key); !checked) return checked;
  }
  return with.cache_tags == nullptr ? Status::ok() : check_tags(with.cache_tags);
}

CacheTerms cache_terms_of(const tide_query_options& with) {
  CacheTerms terms;
  if (with.cache == 0) return terms;
  terms.is_wanted = true;
  terms.accepts_volatile = (with.cache & TIDE_CACHE_VOLATILE) != 0;
  terms.ttl = Span::millis(with.cache_ttl_ms);
  terms.stale = Span::millis(with.cache_stale_ms);
  if (with.cache_key != nullptr) terms.key = with.cache_key;
  if (with.cache_tags != nullptr) terms.tags = with.cache_tags;
  return terms;
}

}  // namespace tide

using namespace tide;

tide_status tide_cache_invalidate(tide_pool* pool, const char* key, const char* tag, int64_t* removed,
                                  tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (key != nullptr) {
      if (Status checked = check_key("key", key); !checked) return checked;
    }
    if (tag != nullptr) {
      if (Status checked = check_tag("tag", tag); !checked) return checked;
    }
    const Door door(pool);
    if (!door) return no_entry(door.code());
    const uint64_t count =
        door.service().cache().clear(key == nullptr ? "" : std::string_view(key), tag == nullptr ? "" : tag);
    if (removed != nullptr) *removed = static_cast<int64_t>(count);
    return Status::ok();
  });
}
