#include "operator.hpp"

#include "base/units.hpp"
#include "world.hpp"

namespace tide::sim {
namespace {

std::string argument(const char* name, const std::string& value) { return std::string("{\"") + name + "\":" + value + "}"; }

}  // namespace

void Operator::begin() {
  gap_ = dice_.span(Span::millis(5), Span::millis(150));
  const uint64_t age = ++age_;
  world_.after(dice_.about(gap_), [this, age] { come(age); });
}

void Operator::end() {
  ++age_;
  order("resume", "{}");
  order("end_burst", "{}");
  order("scale", argument("target_size", "null"));
}

void Operator::come(uint64_t age) {
  if (age != age_) return;
  order_something();
  world_.after(dice_.about(gap_), [this, age] { come(age); });
}

void Operator::order(const std::string& verb, const std::string& arguments) {
  world_.trace().say("order %s %s", verb.c_str(), arguments.c_str());
  world_.checker().ordered(verb);
  world_.pool().keeper().post(verb, arguments, "sim");
  ++posted_;
}

void Operator::order_something() {
  const auto span = [this](int64_t most_ms) { return "\"" + format_span(Span::millis(dice_.between(1, most_ms))) + "\""; };
  switch (dice_.between(0, 17)) {
    case 0:
    case 1: return order("scale", argument("target_size", std::to_string(dice_.between(0, 14))));
    case 2: return order("scale", argument("target_size", "null"));
    case 3: return order("burst", dice_.chance(0.5) ? "{}" : argument("duration", span(300)));
    case 4: return order("end_burst", "{}");
    case 5:
      order("pause", "{}");
      return resume_later();
    case 6: return order("recycle", dice_.chance(0.5) ? "{}" : argument("spread", span(200)));
    case 7:
      order("drain", "{}");
      return resume_later();
    case 8: return order("close_connection", argument("conn_id", std::to_string(dice_.between(1, 40))));
    case 9:
    case 10: return revoke_something();
    case 11: return order("reset_stats", "{}");
    case 12: return order_garbage();
    default: return set_something();
  }
}

void Operator::resume_later() {
  const uint64_t age = age_;
  world_.after(dice_.about(Span::millis(40)), [this, age] {
    if (age == age_) order("resume", "{}");
  });
}

void Operator::revoke_something() {
  auto& leases = world_.books().leases();
  if (leases.empty()) return;
  auto victim = leases.begin();
  std::advance(victim, static_cast<std::ptrdiff_t>(dice_.index(leases.size())));
  victim->second.is_revoke_ordered = true;
  order("revoke", argument("lease_id", std::to_string(victim->first)));
}

void Operator::set_something() {
  struct Knob {
    const char* name;
    int64_t low;
    int64_t high;
    const char* unit;
  };
  constexpr Knob kKnobs[] = {
      {"min_size", 0, 6, ""},          {"max_size", 1, 12, ""},         {"max_size", 1, 12, ""},
      {"min_idle", 0, 4, ""},          {"max_connecting", 1, 5, ""},    {"burst_max_size", 0, 20, ""},
      {"max_waiting", 0, 20, ""},      {"max_uses", 0, 40, ""},         {"acquire_timeout", 1, 200, "ms"},
      {"fairness_window", 0, 5, "ms"}, {"idle_timeout", 0, 300, "ms"},  {"max_lifetime", 0, 1000, "ms"},
      {"lease_timeout", 0, 100, "ms"}, {"leak_threshold", 0, 50, "ms"}, {"validation_interval", 0, 200, "ms"},
      {"query_timeout", 0, 50, "ms"},  {"retry_max", 20, 300, "ms"},    {"connect_timeout", 15, 200, "ms"},
      {"grow_step", 1, 5, ""},         {"validation_bypass", 0, 50, "ms"},
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
  std::string option, value;
  if (dice_.chance(0.7)) {
    const Knob& knob = dice_.one_of(kKnobs);
    option = knob.name;
    value = std::to_string(dice_.between(knob.low, knob.high)) + knob.unit;
  } else {
    const auto& words = dice_.one_of(kWords);
    option = words[0];
    value = words[1];
  }
  order("set", "{\"option\":\"" + option + "\",\"value\":\"" + value + "\"}");
}

void Operator::order_garbage() {
  const std::string kVerbs[] = {"scale", "burst", "set", "recycle", "close_connection", "revoke", "", "no such verb"};
  const std::string kArguments[] = {"",
                                    "{",
                                    "[]",
                                    "null",
                                    "{\"target_size\":-5}",
                                    "{\"target_size\":1e300}",
                                    "{\"lease_id\":0,\"lease_id\":1}",
                                    "{\"conn_id\":18446744073709551615}",
                                    "{\"duration\":\"\\u0000\"}",
                                    "{\"option\":null,\"value\":{}}",
                                    "\xff\xfe",
                                    std::string(5000, '{')};
  order(dice_.one_of(kVerbs), dice_.one_of(kArguments));
}

}  // namespace tide::sim
