#include "policy/preset.hpp"

#include <array>

namespace tide {
namespace {

// People stop in debuggers and run unfinished queries.
constexpr std::array<PresetValue, 6> kDevelopment = {{{"min_size", "2"},
                                                      {"max_size", "10"},
                                                      {"connect_timeout", "10s"},
                                                      {"idle_timeout", "30s"},
                                                      {"statement_timeout", "60s"},
                                                      {"query_timeout", "60s"}}};
constexpr std::array<PresetValue, 5> kStaging = {
    {{"min_size", "5"}, {"max_size", "20"}, {"connect_timeout", "2s"}, {"idle_timeout", "30s"}, {"max_uses", "7500"}}};
// Many short-lived processes share one database: few connections each, none before the first use, and none above.
constexpr std::array<PresetValue, 6> kServerless = {{{"min_size", "0"},
                                                     {"max_size", "2"},
                                                     {"burst", "off"},
                                                     {"acquire_timeout", "5s"},
                                                     {"idle_timeout", "30s"},
                                                     {"init_mode", "lazy"}}};
// Better to fail early than to queue.
constexpr std::array<PresetValue, 3> kHighThroughput = {
    {{"min_size", "5"}, {"max_size", "25"}, {"acquire_timeout", "2s"}}};
// Nobody watches: waiting is cheaper than failing.
constexpr std::array<PresetValue, 3> kBatch = {{{"min_size", "1"}, {"max_size", "5"}, {"acquire_timeout", "30s"}}};

}  // namespace

std::span<const PresetValue> preset_values(Preset preset) {
  switch (preset) {
    case Preset::development: return kDevelopment;
    case Preset::staging: return kStaging;
    case Preset::production: return {};
    case Preset::serverless: return kServerless;
    case Preset::high_throughput: return kHighThroughput;
    case Preset::batch: return kBatch;
  }
  return {};
}

}  // namespace tide
