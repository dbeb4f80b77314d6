#include "policy/preset.hpp"

#include <array>

#include "base/text.hpp"

namespace tide {
namespace {

// The documents by their titles. If two have different values for an option, the value of the later one is used.
constexpr std::string_view kSummary = "Database Connection Pooling - Implementation Summary";
constexpr std::string_view kFeature = "Database Connection Pooling Feature";
constexpr std::string_view kManager = "Database Connection Pool Manager";
constexpr std::string_view kConfiguration = "Connection Pooling Configuration";

constexpr std::array<PresetValue, 11> kProduction = {{
    {"min_size", "10", kConfiguration, "5 in the Implementation Summary"},
    {"max_size", "50", kConfiguration, "20 in the Implementation Summary"},
    {"acquire_timeout", "10s", kConfiguration, ""},
    {"connect_timeout", "2s", kConfiguration, "10s in the Implementation Summary"},
    {"idle_timeout", "30s", kConfiguration, "1min in the Implementation Summary"},
    {"max_lifetime", "30min", kConfiguration, ""},
    {"max_uses", "7500", kConfiguration, ""},
    {"statement_timeout", "30s", kConfiguration, ""},
    {"query_timeout", "30s", kConfiguration, ""},
    {"keepalive", "on", kSummary, ""},
    {"keepalive_idle", "10s", kSummary, ""},
}};
constexpr std::array<PresetValue, 9> kStaging = {{
    {"min_size", "5", kConfiguration, ""},
    {"max_size", "20", kConfiguration, ""},
    {"acquire_timeout", "10s", kConfiguration, ""},
    {"connect_timeout", "2s", kConfiguration, ""},
    {"idle_timeout", "30s", kConfiguration, ""},
    {"max_lifetime", "30min", kConfiguration, ""},
    {"max_uses", "7500", kConfiguration, ""},
    {"statement_timeout", "30s", kConfiguration, ""},
    {"query_timeout", "30s", kConfiguration, ""},
}};
constexpr std::array<PresetValue, 11> kDevelopment = {{
    {"min_size", "2", kConfiguration, ""},
    {"max_size", "10", kConfiguration, ""},
    {"acquire_timeout", "10s", kConfiguration, ""},
    {"connect_timeout", "2s", kConfiguration, "10s in the Implementation Summary"},
    {"idle_timeout", "30s", kConfiguration, ""},
    {"max_lifetime", "30min", kConfiguration, ""},
    {"max_uses", "7500", kConfiguration, ""},
    {"statement_timeout", "30s", kConfiguration, "1min in the Implementation Summary"},
    {"query_timeout", "30s", kConfiguration, "1min in the Implementation Summary"},
    {"keepalive", "on", kSummary, ""},
    {"keepalive_idle", "5s", kSummary, ""},
}};
// The code of that document treats every environment except production and staging as development.
constexpr std::array<PresetValue, 9> kTest = {{
    {"min_size", "2", kConfiguration, "same as development, the default there"},
    {"max_size", "10", kConfiguration, ""},
    {"acquire_timeout", "10s", kConfiguration, ""},
    {"connect_timeout", "2s", kConfiguration, ""},
    {"idle_timeout", "30s", kConfiguration, ""},
    {"max_lifetime", "30min", kConfiguration, ""},
    {"max_uses", "7500", kConfiguration, ""},
    {"statement_timeout", "30s", kConfiguration, ""},
    {"query_timeout", "30s", kConfiguration, ""},
}};
constexpr std::array<PresetValue, 6> kLocal = {{
    {"min_size", "1", kManager, ""},
    {"max_size", "5", kManager, ""},
    {"acquire_timeout", "10s", kManager, ""},
    {"lease_timeout", "30s", kManager, ""},
    {"shutdown_timeout", "15s", kManager, ""},
    {"health_interval", "1min", kManager, ""},
}};
constexpr std::array<PresetValue, 9> kServerless = {{
    {"min_size", "1", kManager, ""},
    {"max_size", "2", kManager, ""},
    {"acquire_timeout", "5s", kManager, ""},
    {"lease_timeout", "30s", kManager, ""},
    {"shutdown_timeout", "15s", kManager, ""},
    {"health_interval", "1min", kManager, ""},
    {"burst", "off", "", "Many short-lived processes share one database."},
    {"idle_timeout", "30s", "", "A frozen process keeps its sessions."},
    {"init_mode", "lazy", "", "A cold start does not wait for a connection."},
}};
constexpr std::array<PresetValue, 3> kWeb = {{
    {"min_size", "2", kFeature, ""},
    {"max_size", "10", kFeature, ""},
    {"acquire_timeout", "5s", kFeature, ""},
}};
constexpr std::array<PresetValue, 3> kHighThroughput = {{
    {"min_size", "5", kFeature, ""},
    {"max_size", "25", kFeature, ""},
    {"acquire_timeout", "2s", kFeature, ""},
}};
constexpr std::array<PresetValue, 3> kBatch = {{
    {"min_size", "1", kFeature, ""},
    {"max_size", "5", kFeature, ""},
    {"acquire_timeout", "30s", kFeature, ""},
}};

constexpr int64_t kServerlessMemory = int64_t{256} << 20;
constexpr const char* kPlatforms[] = {"VERCEL", "AWS_LAMBDA_FUNCTION_NAME", "CF_PAGES"};

struct EnvironmentWord {
  std::string_view word;
  Preset preset;
};
constexpr EnvironmentWord kEnvironments[] = {
    {"production", Preset::production},
    {"prod", Preset::production},
    {"staging", Preset::staging},
    {"stage", Preset::staging},
    {"test", Preset::test},
    {"testing", Preset::test},
    {"local", Preset::local},
    {"development", Preset::development},
    {"dev", Preset::development},
};

}  // namespace

std::span<const PresetValue> preset_values(Preset preset) {
  switch (preset) {
    case Preset::none:
    case Preset::auto_: return {};
    case Preset::development: return kDevelopment;
    case Preset::staging: return kStaging;
    case Preset::production: return kProduction;
    case Preset::test: return kTest;
    case Preset::local: return kLocal;
    case Preset::serverless: return kServerless;
    case Preset::web: return kWeb;
    case Preset::high_throughput: return kHighThroughput;
    case Preset::batch: return kBatch;
  }
  return {};
}

FoundPreset find_preset(const EnvironmentReader& environment, int64_t memory_limit) {
  const auto value_of = [&](const char* name) {
    const char* const value = environment ? environment(name) : nullptr;
    return std::string_view(value == nullptr ? "" : value);
  };
  for (const char* const platform : kPlatforms) {
    if (!value_of(platform).empty()) return {Preset::serverless, std::string(platform) + " is set"};
  }
  if (memory_limit > 0 && memory_limit < kServerlessMemory) {
    return {Preset::serverless, "the process has less than 256 MB of memory"};
  }
  for (const char* const variable : {"NODE_ENV", "APP_ENV"}) {
    const std::string word = lower_case(trimmed_blanks(value_of(variable)));
    for (const EnvironmentWord& known : kEnvironments) {
      if (known.word == word) return {known.preset, std::string(variable) + " is " + word};
    }
  }
  return {};
}

}  // namespace tide
