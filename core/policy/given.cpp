#include "policy/given.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "policy/other_words.hpp"

namespace tide {
namespace {

void add_where(Status& status, const std::string& where) {
  if (!where.empty()) status.text().message += " (" + where + ")";
}

Status takes_one_value(std::string_view name) {
  return Status::error(Code::bad_option, "option " + in_quotes(name) + " does not accept an array",
                       "Only recovery accepts several values.", "Write the value without brackets.");
}

class Resolver {
 public:
  explicit Resolver(std::vector<Status>& refusals) : refusals_(refusals) {}

  void take(GivenOption option) {
    if (const Setting* const setting = find_setting(option.name)) {
      return add({setting, std::move(option.value), std::move(option.name), std::move(option.where)}, option.is_list);
    }
    if (const OtherWord* const word = find_other_word(option.name)) return take_word(*word, std::move(option));
    refuse(unknown_option(option.name), option.where);
  }

  // Switches are applied last, because their effect depends on the other options, wherever these are given.
  Resolution finish() {
    for (const Switch& each : switches_) turn(each);
    return std::move(out_);
  }

 private:
  struct Switch {
    const OtherWord* word;
    bool is_on;
    GivenOption given;
  };

  void refuse(Status status, const std::string& where) {
    add_where(status, where);
    refusals_.push_back(std::move(status));
  }

  static bool is_same_value(const Setting& setting, const std::string& one, const std::string& other) {
    Policy first;
    Policy second;
    return assign_value(first, setting, one) && assign_value(second, setting, other) &&
           format_value(first, setting) == format_value(second, setting);
  }

  void add(ResolvedOption next, bool is_list) {
    const Setting& setting = *next.setting;
    if (is_list && !takes_list(setting)) {
      return refuse(takes_one_value(setting.name), next.where);
    }
    const auto earlier = std::find_if(out_.options.begin(), out_.options.end(),
                                      [&](const ResolvedOption& o) { return o.setting == &setting; });
    if (earlier == out_.options.end()) return out_.options.push_back(std::move(next));
    if (is_same_value(setting, earlier->value, next.value)) return;
    refuse(given_twice(earlier->name, next.name, setting.name), next.where);
  }

  static Status given_twice(const std::string& first, const std::string& second, std::string_view setting) {
    if (first == second) {
      return Status::error(Code::bad_option,
                           "option " + in_quotes(second) + " is specified more than once, with different values", {},
                           "Specify it once.");
    }
    return Status::error(
        Code::bad_option,
        "options " + in_quotes(first) + " and " + in_quotes(second) + " are the same option and have different values",
        "Both set " + std::string(setting) + ".", "Specify only " + std::string(setting) + ".");
  }

  void take_word(const OtherWord& word, GivenOption option) {
    if (option.is_list) {
      return refuse(takes_one_value(option.name), option.where);
    }
    if (word.kind == WordKind::target) {
      out_.target.push_back({word.option, std::move(option.value), std::move(option.name)});
      return;
    }
    if (word.kind == WordKind::ignored && word.accepts_false) return note(word, option);
    const std::optional<bool> is_on = parse_boolean(option.value);
    if (!is_on) {
      return refuse(Status::error(Code::bad_option,
                                  "invalid value for option " + in_quotes(word.name) + ": " + in_quotes(option.value) +
                                      " is not a boolean",
                                  "The value must be true or false."),
                    option.where);
    }
    if (word.kind == WordKind::switch_) return switches_.push_back({&word, *is_on, std::move(option)});
    if (*is_on) return note(word, option);
    refuse(Status::error(Code::bad_option, "option " + in_quotes(word.name) + " cannot be false",
                         std::string(word.note), std::string(word.way)),
           option.where);
  }

  void note(const OtherWord& word, const GivenOption& option) {
    out_.notes.push_back({std::string(word.name), word.is_secret ? std::string("(not shown)") : option.value});
  }

  void turn(const Switch& each) {
    const OtherWord& word = *each.word;
    for (const Switch& other : switches_) {
      if (&other == &each) break;
      if (other.word->option != word.option || other.is_on == each.is_on) continue;
      return refuse(given_twice(other.given.name, each.given.name, word.option), each.given.where);
    }
    const auto set_to = each.is_on ? word.when_on : word.when_off;
    if (!set_to) return;
    const Setting* const setting = find_setting(word.option);
    const auto beside = std::find_if(out_.options.begin(), out_.options.end(),
                                     [&](const ResolvedOption& o) { return o.setting == setting; });
    if (beside == out_.options.end()) {
      out_.options.push_back({setting, std::string(*set_to), each.given.name, each.given.where});
    } else if (!each.is_on) {
      *beside = {setting, std::string(*set_to), each.given.name, each.given.where};
    } else if (!word.note.empty()) {
      note(word, each.given);
    }
  }

  std::vector<Status>& refusals_;
  std::vector<Switch> switches_;
  Resolution out_;
};

}  // namespace

Resolution resolve_options(std::vector<GivenOption> given, std::vector<Status>& refusals) {
  Resolver resolver(refusals);
  for (GivenOption& option : given) resolver.take(std::move(option));
  return resolver.finish();
}

Status assign_resolved(Policy& policy, const ResolvedOption& option) {
  Status status = assign_value(policy, *option.setting, option.value);
  if (status) return status;
  if (!option.where.empty()) {
    add_where(status, option.where);
  } else if (option.name != option.setting->name) {
    add_where(status, "given as " + in_quotes(option.name));
  }
  return status;
}

}  // namespace tide
