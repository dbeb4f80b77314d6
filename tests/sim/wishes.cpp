#include "wishes.hpp"

#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/units.hpp"
#include "model/alert_metrics.hpp"

namespace tide::sim {
namespace {

bool may_be_set(const Setting& setting) {
  return setting.applies != Applies::reopen && !setting.name.starts_with("sqlite");
}

// Small numbers are more interesting than large ones, and both ends more than values between them.
double draw_figure(Dice& dice, double low, double high) {
  if (dice.chance(0.15)) return low;
  return low + (std::exp(dice.unit() * std::log(high - low + 1)) - 1);
}

std::string draw_integer(Dice& dice, const Setting& setting) {
  const double low = std::atof(std::string(setting.min_text).c_str());
  const double high = std::min(std::atof(std::string(setting.max_text).c_str()), low + 300);
  return std::to_string(static_cast<int64_t>(draw_figure(dice, low, high)));
}

std::string draw_span(Dice& dice, const Setting& setting) {
  const Span low = parse_span(setting.min_text).value_or(Span());
  const Span high = std::min(parse_span(setting.max_text).value_or(Span::seconds(1)), low + Span::seconds(2));
  return format_span(Span::millis(
      static_cast<int64_t>(draw_figure(dice, static_cast<double>(low.ms()), static_cast<double>(high.ms())))));
}

std::string draw_text(Dice& dice, std::string_view name) {
  constexpr const char* kRecoveries[] = {"", "restart_connections", "scale_pool,reset_metrics", "reset_metrics",
                                         "restart_connections,scale_pool,reset_metrics"};
  return name == "recovery" ? dice.one_of(kRecoveries) : "";
}

std::string draw_value(Dice& dice, const Setting& setting) {
  switch (setting.kind) {
    case SettingKind::boolean: return dice.chance(0.5) ? "on" : "off";
    case SettingKind::integer: return draw_integer(dice, setting);
    case SettingKind::duration: return draw_span(dice, setting);
    case SettingKind::choice: return std::string(setting.choices[dice.index(setting.choices.size())]);
    case SettingKind::text: return draw_text(dice, setting.name);
    case SettingKind::bytes: return dice.chance(0.5) ? "0" : std::to_string(dice.between(50, 2000)) + "MB";
    case SettingKind::ratio: break;
  }
  const double low = std::atof(std::string(setting.min_text).c_str());
  const double high = std::atof(std::string(setting.max_text).c_str());
  return std::to_string(low + (high - low) * dice.unit()).substr(0, 6);
}

template <size_t N>
std::string_view pick(Dice& dice, const std::string_view (&words)[N]) {
  return words[dice.index(N)];
}

}  // namespace

std::string Wish::arguments() const { return R"({"option":")" + option + R"(","value":")" + value + "\"}"; }

Wish draw_wish(Dice& dice) {
  const auto catalogue = settings_catalogue();
  while (true) {
    const Setting& setting = catalogue[dice.index(catalogue.size())];
    if (may_be_set(setting)) return {std::string(setting.name), draw_value(dice, setting)};
  }
}

Wish draw_usual_wish(Dice& dice) {
  struct Knob {
    const char* name;
    int64_t low;
    int64_t high;
    const char* unit;
  };
  constexpr Knob kKnobs[] = {
      {"min_size", 0, 6, ""},
      {"max_size", 1, 12, ""},
      {"max_size", 0, 12, ""},
      {"min_idle", 0, 4, ""},
      {"max_connecting", 1, 5, ""},
      {"burst_max_size", 0, 20, ""},
      {"max_waiting", 0, 20, ""},
      {"max_uses", 0, 40, ""},
      {"acquire_timeout", 1, 200, "ms"},
      {"fairness_window", 0, 5, "ms"},
      {"idle_timeout", 0, 300, "ms"},
      {"max_lifetime", 0, 1000, "ms"},
      {"lease_timeout", 0, 100, "ms"},
      {"leak_threshold", 0, 50, "ms"},
      {"validation_interval", 0, 200, "ms"},
      {"query_timeout", 0, 50, "ms"},
      {"retry_max", 20, 300, "ms"},
      {"connect_timeout", 15, 200, "ms"},
      {"grow_step", 1, 5, ""},
      {"validation_bypass", 0, 50, "ms"},
      {"reserve_size", 0, 4, ""},
  };
  constexpr const char* kWords[][2] = {{"burst", "off"},
                                       {"burst", "on"},
                                       {"scaling", "off"},
                                       {"scaling", "on"},
                                       {"lease_timeout_action", "report"},
                                       {"lease_timeout_action", "cancel"},
                                       {"lease_timeout_action", "reclaim"},
                                       {"reset_on_release", "full"},
                                       {"reset_on_release", "smart"},
                                       {"init_mode", "lazy"},
                                       {"max_size", "many"},
                                       {"min_size", "10000"},
                                       {"max_size", "10000"},
                                       {"no_such_option", "1"}};
  if (dice.chance(0.7)) {
    const Knob& knob = dice.one_of(kKnobs);
    return {knob.name, std::to_string(dice.between(knob.low, knob.high)) + knob.unit};
  }
  const auto& words = dice.one_of(kWords);
  return {words[0], words[1]};
}

Contradiction draw_contradiction(Dice& dice) {
  // No other draw makes the second option as large as that.
  constexpr const char* kPairs[][3] = {
      {"min_size", "10000", "max_size"},           {"min_idle", "10000", "max_size"},
      {"health_min_healthy", "10000", "max_size"}, {"reserve_size", "10000", "max_size"},
      {"retry_base", "1h", "retry_max"},           {"scale_down_utilization", "1", "scale_up_utilization"}};
  const auto& pair = dice.one_of(kPairs);
  return {{pair[0], pair[1]}, pair[2]};
}

std::string draw_rule(Dice& dice) {
  constexpr std::string_view kRules[] = {
      "wait_time", "connection_exhaustion", "breaker_open", "emergency", "own_one",
      "own_two",   "errors_per_hour",       "no such rule", "own_three", "waiting_count"};
  return std::string(pick(dice, kRules));
}

std::string draw_alert(Dice& dice) {
  std::string out = R"({"rule":")" + draw_rule(dice) + "\"";
  const auto metrics = kWords<Metric>;
  const auto comparisons = kWords<Comparison>;
  if (dice.chance(0.7)) out += R"(,"metric":")" + std::string(metrics[dice.index(metrics.size())]) + "\"";
  if (dice.chance(0.5)) out += R"(,"comparison":")" + std::string(comparisons[dice.index(comparisons.size())]) + "\"";
  if (dice.chance(0.8)) out += ",\"threshold\":" + std::to_string(draw_figure(dice, 0, 1000));
  if (dice.chance(0.2)) out += ",\"clear_at\":" + std::to_string(draw_figure(dice, 0, 1000));
  if (dice.chance(0.6)) out += R"(,"hold":")" + std::to_string(dice.between(0, 2000)) + "ms\"";
  if (dice.chance(0.2)) out += dice.chance(0.5) ? R"(,"enabled":false)" : R"(,"enabled":true)";
  if (dice.chance(0.1)) out += R"(,"severity":"dire")";
  if (dice.chance(0.1)) out += R"(,"message":"\u00e9\n\"\\)" + std::string(150, 'x') + "\"";
  return out + "}";
}

std::vector<Wish> wishes_back_to(const Policy& policy) {
  std::vector<Wish> wishes = {{"reserve_size", "0"},          {"min_size", "0"},     {"min_idle", "0"},
                              {"health_min_healthy", "0"},    {"retry_base", "1ms"}, {"burst_max_size", "0"},
                              {"scale_down_utilization", "0"}};
  for (const std::string_view late : {"", "late"}) {
    for (const Setting& setting : settings_catalogue()) {
      if (!may_be_set(setting)) continue;
      const bool is_late = setting.name == "min_size" || setting.name == "min_idle" || setting.name == "retry_base" ||
                           setting.name == "health_min_healthy" || setting.name == "burst_max_size" ||
                           setting.name == "reserve_size" || setting.name == "scale_down_utilization";
      if (is_late == late.empty()) continue;
      wishes.push_back({std::string(setting.name), format_value(policy, setting)});
    }
  }
  return wishes;
}

}  // namespace tide::sim
