#include "policy/parse.hpp"

#include <array>

#include "base/text.hpp"
#include "policy/environment.hpp"
#include "policy/given.hpp"
#include "policy/json.hpp"
#include "policy/preset.hpp"
#include "policy/target.hpp"
#include "policy/words.hpp"

namespace tide {
namespace {

constexpr size_t kOptionsBytesMax = 64 * 1024;

struct Layer {
  SettingSource source;
  std::vector<ResolvedOption> options;
};

Result<std::vector<GivenOption>> parse_options_text(std::string_view text) {
  if (text.size() > kOptionsBytesMax) {
    return Status::error(Code::bad_option,
                         "the options text has " + std::to_string(text.size()) + " bytes, which is too long",
                         "at most " + std::to_string(kOptionsBytesMax) + " bytes are accepted");
  }
  const std::string_view body = trimmed_blanks(text);
  return body.starts_with('{') ? parse_json(text) : parse_words(text);
}

Result<ParsedTarget> parse_target_or_environment(std::string_view url, std::span<const std::string> custom_schemes,
                                                 const EnvironmentReader& environment) {
  const std::string_view typed = trimmed_blanks(url);
  if (!typed.empty()) return parse_target(typed, custom_schemes);
  Result<EnvironmentUrl> found = url_from_environment(environment);
  if (!found) return found.take_status();
  Result<ParsedTarget> parsed = parse_target(trimmed_blanks(found->url), custom_schemes);
  if (parsed) return parsed;
  Status status = parsed.take_status();
  status.message += " (" + std::string(found->from) + ")";
  return status;
}

// Writes values into the policy and remembers who gave them.
class PolicyWriter {
 public:
  explicit PolicyWriter(ParsedOptions& out) : out_(out) {
    out_.sources.assign(settings_catalogue().size(), SettingSource::default_);
  }

  Status write(const Layer& layer) {
    for (const ResolvedOption& option : layer.options) {
      if (Status status = assign_resolved(out_.policy, option); !status) return status;
      source_of(*option.setting) = layer.source;
    }
    return Status::ok();
  }

  // The preset is looked for in all layers, but its values stand below every one of them.
  Status write_preset(std::span<const Layer> layers) {
    for (const Layer& layer : layers) {
      for (const ResolvedOption& option : layer.options) {
        if (option.setting->name != "preset") continue;
        if (Status status = assign_resolved(out_.policy, option); !status) return status;
      }
    }
    for (const PresetValue& preset : preset_values(out_.policy.preset)) {
      const Setting& setting = *find_setting(preset.option);
      const Status status = assign_value(out_.policy, setting, preset.value);
      TIDE_ASSERT(status.is_ok());
      source_of(setting) = SettingSource::preset;
    }
    return Status::ok();
  }

  // A minimum nobody asked for gives way to a maximum somebody gave: max_size=1 alone is no contradiction. A minimum
  // that was given is never changed; check_policy() refuses it.
  void yield_min_size() {
    const bool is_given = source_of(*find_setting("min_size")) > SettingSource::preset;
    if (!is_given && out_.policy.min_size > out_.policy.max_size) out_.policy.min_size = out_.policy.max_size;
  }

 private:
  SettingSource& source_of(const Setting& setting) {
    return out_.sources[static_cast<size_t>(&setting - settings_catalogue().data())];
  }

  ParsedOptions& out_;
};

}  // namespace

Result<ParsedOptions> parse_options(std::string_view url, std::string_view options,
                                    std::span<const std::string> custom_schemes, const EnvironmentReader& environment) {
  Result<ParsedTarget> target = parse_target_or_environment(url, custom_schemes, environment);
  if (!target) return target.take_status();
  Result<std::vector<GivenOption>> from_text = parse_options_text(options);
  if (!from_text) return from_text.take_status();

  std::array<Layer, 3> layers = {
      {{SettingSource::environment, {}}, {SettingSource::url, {}}, {SettingSource::options, {}}}};
  std::array<std::vector<GivenOption>, 3> given = {options_from_environment(environment), std::move(target->options),
                                                   from_text.take()};
  for (size_t i = 0; i < layers.size(); ++i) {
    Result<std::vector<ResolvedOption>> resolved = resolve_options(std::move(given[i]));
    if (!resolved) return resolved.take_status();
    layers[i].options = resolved.take();
  }

  ParsedOptions out;
  out.target = std::move(target->target);
  PolicyWriter writer(out);
  if (Status status = writer.write_preset(layers); !status) return status;
  for (const Layer& layer : layers) {
    if (Status status = writer.write(layer); !status) return status;
  }
  writer.yield_min_size();
  if (Status status = check_policy(out.policy); !status) return status;
  return out;
}

}  // namespace tide
