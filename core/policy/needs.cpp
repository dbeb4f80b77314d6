// The conditions under which an option has an effect.
#include "policy/catalogue.hpp"
#include "policy/other_words.hpp"
#include "policy/settings.hpp"

namespace tide {
namespace {

// The current value of what a condition names: an option, or the kind of database.
std::string current_value(const Policy& policy, std::string_view backend, std::string_view option) {
  return option == "backend" ? std::string(backend) : format_value(policy, *find_setting(option));
}

std::string shown(std::string_view value) { return value.empty() ? "empty" : std::string(value); }

}  // namespace

bool needs(const Setting& setting, std::string_view option, std::string_view value) {
  for (const Need& need : row_of(setting).needs) {
    if (need.option == option && need.value == value && !need.is_not) return true;
  }
  return false;
}

std::string why_without_effect(const Policy& policy, std::string_view backend, const Setting& setting) {
  for (const Need& need : row_of(setting).needs) {
    const std::string value = current_value(policy, backend, need.option);
    if ((value == need.value) != need.is_not) continue;
    if (need.option == "backend") return "no effect on a pool of " + std::string(backend);
    return "no effect while " + std::string(need.option) + " is " + shown(value);
  }
  // It has an effect, but less than its name suggests.
  if (setting.name == "burst" && policy.burst && policy.burst_max_size == 0) {
    return "bursts only on command; set burst_max_size to allow automatic bursts";
  }
  return {};
}

std::string_view note_of_word(std::string_view name) {
  const OtherWord* const word = find_other_word(name);
  return word == nullptr ? std::string_view{} : word->note;
}

}  // namespace tide
