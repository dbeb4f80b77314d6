#include "kinds.hpp"

#include <algorithm>
#include <array>

namespace tide::sim {
namespace {

constexpr std::array<std::string_view, kKinds> kNames = {
    "down",    "flapping", "slow",     "silent",   "refusing",    "crowded", "password", "foreign",
    "partial", "kills",    "hangs",    "closes",   "clock_jump",  "memory",  "brownout", "heavy",
    "errors",  "leaks",    "resizing", "settings", "alert_rules", "orders"};

}  // namespace

std::string_view kind_name(Kind kind) { return kNames[static_cast<size_t>(kind)]; }

std::string Kinds::names() const {
  std::string out;
  for (size_t i = 0; i < kKinds; ++i) {
    if (on_[i]) out.append(out.empty() ? "" : ",").append(kNames[i]);
  }
  return out;
}

std::optional<Kinds> parse_kinds(std::string_view list) {
  Kinds kinds = Kinds::none();
  if (list == "nothing") return kinds;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    const auto found = std::find(kNames.begin(), kNames.end(), list.substr(0, comma));
    if (found == kNames.end()) return std::nullopt;
    kinds.put(static_cast<Kind>(found - kNames.begin()), true);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return kinds;
}

}  // namespace tide::sim
