#include "policy/parse.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text.hpp"
#include "policy/advice.hpp"
#include "policy/catalogue.hpp"
#include "policy/conninfo.hpp"
#include "policy/given.hpp"
#include "policy/json.hpp"
#include "policy/preset.hpp"
#include "policy/replica_targets.hpp"
#include "policy/target.hpp"
#include "policy/words.hpp"

namespace tide {
namespace {

constexpr size_t kOptionsBytesMax = 64 * 1024;

constexpr std::string_view kOfShared = "default of the registry";

struct Layer {
  SettingSource source;
  std::vector<ResolvedOption> options;
  bool is_shared = false;
};

// What a pool is opened with, besides the environment.
struct Texts {
  std::optional<std::string_view> url;
  std::string_view options;
  std::string_view shared;
};

Result<std::vector<GivenOption>> parse_options_text(std::string_view text) {
  if (text.size() > kOptionsBytesMax) {
    return Status::error(Code::bad_option, "the options text is too long (" + std::to_string(text.size()) + " bytes)",
                         "The maximum is " + std::to_string(kOptionsBytesMax) + " bytes.");
  }
  const std::string_view body = trimmed_blanks(text);
  return body.starts_with('{') ? parse_json(text) : parse_words(text);
}

// Converts a path to a URL, in which "%" and "?" are special.
std::string sqlite_url_of(std::string_view path) {
  std::string url = "sqlite:";
  for (const char c : path) url += c == '%' ? "%25" : c == '?' ? "%3F" : std::string(1, c);
  return url;
}

// Combines host, database and so on among the options into a URL.
Result<std::string> url_of_parts(const std::vector<TargetPart>& parts) {
  const auto part = [&](std::string_view key_word) -> const TargetPart* {
    const auto found =
        std::find_if(parts.begin(), parts.end(), [&](const TargetPart& p) { return p.key_word == key_word; });
    return found == parts.end() ? nullptr : &*found;
  };
  std::string words;
  for (const TargetPart& each : parts) {
    if (part(each.key_word) != &each && part(each.key_word)->value != each.value) {
      return Status::error(
          Code::bad_option,
          "options " + in_quotes(part(each.key_word)->name) + " and " + in_quotes(each.name) + " specify two databases",
          "Both options set the same part of the address.", "Specify only one of them.");
    }
    if (part(each.key_word) != &each || each.value.empty()) continue;
    words += (words.empty() ? "" : " ") + std::string(each.key_word) + "=" + conninfo_quoted(each.value);
  }
  if (const TargetPart* const path = part("sqlite")) {
    if (part("host") == nullptr && part("dbname") == nullptr) return sqlite_url_of(path->value);
    return Status::error(Code::bad_option, "options specify both an SQLite file and a database server",
                         "Given are " + in_quotes(path->name) + " and " + in_quotes(parts.front().name) + ".",
                         "Specify dbPath alone, or omit it.");
  }
  if (part("host") != nullptr || part("dbname") != nullptr) return words;
  return Status::error(Code::bad_option, "option " + in_quotes(parts.front().name) + " does not specify a database",
                       "At least host or database is required with it.", "Specify them, or a URL.");
}

// The parts that a pool names itself, completed by those it shares.
std::vector<TargetPart> completed(std::vector<TargetPart> parts, const std::vector<TargetPart>& shared) {
  const size_t own = parts.size();
  for (const TargetPart& each : shared) {
    const auto is_same = [&](const TargetPart& part) { return part.key_word == each.key_word; };
    if (std::none_of(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(own), is_same)) parts.push_back(each);
  }
  return parts;
}

bool has_word(std::string_view text, std::string_view word) {
  return (" " + std::string(text) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

// A URL, or a list of them: the first is the primary, the others are its replicas.
Result<ParsedTarget> parse_targets(std::string_view url, std::span<const std::string> custom_schemes) {
  const std::vector<std::string> all = split_targets(url);
  if (all.size() < 2) return parse_target(url, custom_schemes);
  Result<ParsedTarget> primary = parse_target(all.front(), custom_schemes);
  if (!primary) return primary;
  std::string replicas;
  for (size_t i = 1; i < all.size(); ++i) replicas += (i == 1 ? "" : ",") + all[i];
  primary->options.push_back({"replica_url", std::move(replicas), "in the URL"});
  return primary;
}

Result<ParsedTarget> parse_any_target(std::string_view url, const std::vector<TargetPart>& parts,
                                      std::span<const std::string> custom_schemes, const Environment& environment) {
  const std::string_view typed = trimmed_blanks(url);
  if (!typed.empty()) {
    if (parts.empty()) return parse_targets(typed, custom_schemes);
    return Status::error(
        Code::bad_option, "the database is specified twice: by the URL, and by option " + in_quotes(parts.front().name),
        "Either the URL or the options must specify it completely.", "Leave the URL empty, or omit the option.");
  }
  if (!parts.empty()) {
    Result<std::string> named = url_of_parts(parts);
    return named ? parse_target(*named, custom_schemes) : Result<ParsedTarget>(named.take_status());
  }
  Result<EnvironmentUrl> found = url_from_environment(environment);
  if (!found) return found.take_status();
  Result<ParsedTarget> parsed = parse_targets(trimmed_blanks(found->url), custom_schemes);
  if (parsed) return parsed;
  Status status = parsed.take_status();
  status.text().message += " (" + std::string(found->from) + ")";
  return status;
}

// Sets values in the policy and records their sources.
class PolicyWriter {
 public:
  PolicyWriter(ParsedOptions& out, std::vector<Status>& refusals) : out_(out), refusals_(refusals) {
    out_.sources.assign(settings_catalogue().size(), SettingSource::default_);
    out_.is_shared.assign(settings_catalogue().size(), false);
  }

  void write(const Layer& layer) {
    for (const ResolvedOption& option : layer.options) {
      if (option.setting->name == "preset") continue;
      if (Status status = assign_resolved(out_.policy, option); !status) {
        refusals_.push_back(std::move(status));
        refused_.push_back(option.setting->name);
        continue;
      }
      source_of(*option.setting) = layer.source;
      out_.is_shared[place_of(*option.setting)] = layer.is_shared;
    }
  }

  // The preset may be given in any layer, but all layers override its values.
  void write_preset(std::span<const Layer> layers, const Environment& environment) {
    const Setting& chosen = *find_setting("preset");
    for (const Layer& layer : layers) {
      for (const ResolvedOption& option : layer.options) {
        if (option.setting != &chosen) continue;
        if (Status status = assign_resolved(out_.policy, option); !status)
          return refusals_.push_back(std::move(status));
        source_of(chosen) = layer.source;
        out_.is_shared[place_of(chosen)] = layer.is_shared;
      }
    }
    if (out_.policy.preset == Preset::auto_) {
      const FoundPreset found =
          find_preset(environment.read, environment.memory_limit ? environment.memory_limit() : 0);
      out_.policy.preset = found.preset;
      out_.notes.push_back(
          {"preset", "auto: " + (found.because.empty() ? "no environment was recognized" : found.because)});
    }
    for (const PresetValue& preset : preset_values(out_.policy.preset)) {
      const Setting& setting = *find_setting(preset.option);
      const Status status = assign_value(out_.policy, setting, preset.value);
      TIDE_ASSERT(status.is_ok());
      source_of(setting) = SettingSource::preset;
    }
  }

  // Reports contradictions between values that were not rejected themselves.
  void check() {
    for (Status& status : contradictions(out_.policy)) {
      const auto is_about = [&](std::string_view name) { return status.message().find(name) != std::string::npos; };
      if (std::any_of(refused_.begin(), refused_.end(), is_about)) continue;
      say_what_is_shared(status);
      refusals_.push_back(std::move(status));
    }
  }

  // A minimum that was not given is lowered to a maximum that was: max_size=1 alone is not a contradiction. A minimum
  // that was given is not changed; check_policy() reports it.
  void yield_min_size() {
    const bool is_given = source_of(*find_setting("min_size")) > SettingSource::preset;
    if (!is_given && out_.policy.min_size > out_.policy.max_size) out_.policy.min_size = out_.policy.max_size;
  }

  // Options of the threshold sizer select it, unless sizing is given.
  void choose_sizing(std::span<const Layer> layers) {
    const Setting& sizing = *find_setting("sizing");
    if (source_of(sizing) > SettingSource::preset) return;
    for (const Layer& layer : layers) {
      for (const ResolvedOption& option : layer.options) {
        if (!needs(*option.setting, "sizing", "threshold")) continue;
        out_.policy.sizing = Sizing::threshold;
        source_of(sizing) = layer.source;
        if (chosen_by_.empty()) chosen_by_ = option.name;
      }
    }
    if (!chosen_by_.empty()) out_.notes.push_back({"sizing", "threshold, because " + chosen_by_ + " is given"});
  }

 private:
  void say_what_is_shared(Status& contradiction) const {
    const std::string message = contradiction.message();
    for (size_t i = 0; i < out_.is_shared.size(); ++i) {
      const std::string_view name = settings_catalogue()[i].name;
      if (!out_.is_shared[i] || !has_word(message, name)) continue;
      contradiction.text().message.append(" (").append(name).append(" is a ").append(kOfShared).append(")");
    }
  }

  SettingSource& source_of(const Setting& setting) { return out_.sources[place_of(setting)]; }

  ParsedOptions& out_;
  std::vector<Status>& refusals_;
  std::vector<std::string_view> refused_;
  std::string chosen_by_;
};

// Refused only for what no pool may have; a part of an address needs those of a pool.
Resolution resolve_shared(std::string_view text, std::vector<Status>& refusals) {
  Result<std::vector<GivenOption>> words = parse_options_text(text);
  if (!words) {
    Status refusal = words.take_status();
    refusal.text().message.append(" (").append(kOfShared).append(")");
    refusals.push_back(std::move(refusal));
    return {};
  }
  std::vector<GivenOption> given = words.take();
  for (GivenOption& each : given) each.where = kOfShared;
  return resolve_options(std::move(given), refusals);
}

bool names_replicas(const Resolution& from) {
  return std::any_of(from.options.begin(), from.options.end(),
                     [](const ResolvedOption& option) { return option.setting->name == "replica_url"; });
}

// Parses everything it can; the result is complete if `refusals` stays empty.
ParsedOptions parse_all(const Texts& texts, std::span<const std::string> custom_schemes, const Environment& environment,
                        std::vector<Status>& refusals) {
  ParsedOptions out;
  std::vector<Status> of_options;
  std::vector<GivenOption> words;
  if (Result<std::vector<GivenOption>> text = parse_options_text(texts.options)) {
    words = text.take();
  } else {
    of_options.push_back(text.take_status());
  }
  Resolution from_options = resolve_options(std::move(words), of_options);
  Resolution from_shared = resolve_shared(texts.shared, refusals);

  std::vector<GivenOption> parameters;
  const bool is_named = texts.url.has_value() || !from_options.target.empty();
  if (is_named && (of_options.empty() || from_options.target.empty())) {
    Result<ParsedTarget> target = parse_any_target(
        texts.url.value_or(""), completed(from_options.target, from_shared.target), custom_schemes, environment);
    if (target) {
      out.target = std::move(target->target);
      parameters = std::move(target->options);
    } else {
      refusals.push_back(target.take_status());
    }
  }
  refuse_unknown_variables(environment, refusals);
  Resolution from_environment = resolve_options(options_from_environment(environment), refusals);
  Resolution from_url = resolve_options(std::move(parameters), refusals);
  std::move(of_options.begin(), of_options.end(), std::back_inserter(refusals));

  if (names_replicas(from_url) && names_replicas(from_options)) {
    refusals.push_back(Status::error(Code::bad_option,
                                     "the replicas are specified twice: by the URL, and by option \"replica_url\"",
                                     "The first target of a list of URLs is the primary, the others are its replicas.",
                                     "Specify only one of them."));
  }

  const std::array<Layer, 4> layers = {{{SettingSource::environment, std::move(from_environment.options)},
                                        {SettingSource::options, std::move(from_shared.options), true},
                                        {SettingSource::url, std::move(from_url.options)},
                                        {SettingSource::options, std::move(from_options.options)}}};
  for (Resolution* const source : {&from_environment, &from_shared, &from_url, &from_options}) {
    std::move(source->notes.begin(), source->notes.end(), std::back_inserter(out.notes));
  }
  PolicyWriter writer(out, refusals);
  writer.write_preset(layers, environment);
  for (const Layer& layer : layers) writer.write(layer);
  writer.yield_min_size();
  writer.choose_sizing(layers);
  writer.check();
  if (Status status = check_primary_is_no_replica(out.target, out.policy.replica_url); !status) {
    refusals.push_back(std::move(status));
  }
  return out;
}

}  // namespace

Result<ParsedOptions> parse_options(std::optional<std::string_view> url, std::string_view options,
                                    std::span<const std::string> custom_schemes, const Environment& environment,
                                    std::string_view shared) {
  std::vector<Status> refusals;
  ParsedOptions parsed = parse_all({url, options, shared}, custom_schemes, environment, refusals);
  if (!refusals.empty()) return std::move(refusals.front());
  return parsed;
}

std::vector<Finding> check_options(std::optional<std::string_view> url, std::string_view options,
                                   std::span<const std::string> custom_schemes, const Environment& environment) {
  std::vector<Finding> findings;
  std::vector<Status> refusals;
  const ParsedOptions parsed = parse_all({url, options, {}}, custom_schemes, environment, refusals);
  for (Status& refusal : refusals) findings.push_back({Finding::Kind::error, std::move(refusal)});
  if (!findings.empty()) return findings;
  return advise(parsed, url.has_value());
}

std::string_view finding_word(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::error: return "error";
    case Finding::Kind::advice: return "advice";
    case Finding::Kind::note: return "note";
  }
  return "unknown";
}

}  // namespace tide
