// tide_pool_health: the verdict on a pool of this process, from the same data that other processes read.
#include <tidepool/tidepool.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/fixed_text.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "reading/health_verdict.hpp"
#include "segment/attach.hpp"
#include "structs.hpp"

using namespace tide;

namespace {

// One line each; lines that do not fit completely are left out.
template <size_t N>
void put_lines(char (&to)[N], const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    const std::string next = (text.empty() ? "" : "\n") + line;
    if (text.size() + next.size() >= N) break;
    text += next;
  }
  if (text.empty() && !lines.empty()) text = utf8_prefix(lines.front(), N - 1);
  std::memcpy(to, text.c_str(), text.size() + 1);
}

tide_health health_of(const HealthVerdict& verdict) {
  tide_health health{};
  health.healthy = verdict.is_healthy() ? 1 : 0;
  const std::string_view status = health_word(verdict.health);
  std::memcpy(health.status, status.data(), status.size());
  put_lines(health.issues, verdict.issues);
  put_lines(health.recommendations, verdict.recommendations);
  const std::string checks = checks_json(verdict);
  if (checks.size() < sizeof health.checks) std::memcpy(health.checks, checks.c_str(), checks.size() + 1);
  return health;
}

}  // namespace

tide_status tide_pool_health(tide_pool* pool, tide_health* out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (out == nullptr)
      return Status::error(Code::bad_argument, "out is NULL", "", "pass the address of a tide_health");
    tide_health asked{};
    if (Status read = read_struct(out, "tide_health", asked); !read) return read;
    const Door door(pool);
    if (!door) return no_entry(door.code());
    Result<Attachment> segment = Attachment::from_fd(door->segment().fd());
    if (!segment) return segment.take_status();
    tide_health health = health_of(health_verdict(*segment));
    const uint32_t size = out->size;
    std::memcpy(out, &health, size < sizeof health ? size : sizeof health);
    out->size = size;
    return Status::ok();
  });
}

tide_status tide_pool_find(const char* name, tide_pool** out, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (name == nullptr || out == nullptr) {
      return Status::error(Code::bad_argument, name == nullptr ? "name is NULL" : "out is NULL");
    }
    tide_pool* found = nullptr;
    std::string names;
    for (tide_pool* const handle : Handles::instance().open_handles()) {
      const Door door(handle);
      if (!door) continue;
      names += (names.empty() ? "" : ", ") + door->name();
      if (door->name() != name) continue;
      if (found != nullptr) {
        return Status::error(Code::refused, "several pools of this process have the name \"" + door->name() + "\"",
                             "the name is ambiguous", "use the handle returned by tide_pool_open()");
      }
      found = handle;
    }
    if (found == nullptr) {
      return Status::error(Code::not_found,
                           "no open pool of this process has the name \"" + std::string(utf8_prefix(name, 64)) + "\"",
                           names.empty() ? "no pool is open" : "open pools: " + names);
    }
    *out = found;
    return Status::ok();
  });
}
