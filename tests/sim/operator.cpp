#include "operator.hpp"

#include "base/units.hpp"
#include "wishes.hpp"
#include "world.hpp"

namespace tide::sim {
namespace {

std::string argument(const char* name, const std::string& value) {
  return std::string("{\"") + name + "\":" + value + "}";
}

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
  // Replaces timeouts that no server could meet, and lifetimes too short for a pool to reach its size.
  order("set", R"({"option":"max_lifetime","value":"1s"})");
  order("set", R"({"option":"connect_timeout","value":"100ms"})");
  order("set", R"({"option":"validation_timeout","value":"20ms"})");
}

void Operator::come(uint64_t age) {
  if (age != age_) return;
  order_something();
  world_.after(dice_.about(gap_), [this, age] { come(age); });
}

uint64_t Operator::order(const std::string& verb, const std::string& arguments) {
  world_.trace().say("order %s %s", verb.c_str(), arguments.c_str());
  world_.checker().ordered(verb);
  ++posted_;
  return world_.pool().keeper().post(verb, arguments, "sim");
}

void Operator::order_something() {
  const auto span = [this](int64_t most_ms) {
    return "\"" + format_span(Span::millis(dice_.between(1, most_ms))) + "\"";
  };
  const int64_t which = dice_.between(0, 21);
  if (which > 16) return set_something();
  if (which > 13) return order_alert();
  if (!world_.kinds().has(Kind::orders)) return;
  switch (which) {
    case 0:
    case 1: order("scale", argument("target_size", std::to_string(dice_.between(0, 14)))); return;
    case 2: order("scale", argument("target_size", "null")); return;
    case 3: order("burst", dice_.chance(0.5) ? "{}" : argument("duration", span(300))); return;
    case 4: order("end_burst", "{}"); return;
    case 5: order("pause", "{}"); return resume_later();
    case 6: order("recycle", dice_.chance(0.5) ? "{}" : argument("spread", span(200))); return;
    case 7: order("drain", "{}"); return resume_later();
    case 8: order("close_connection", argument("conn_id", std::to_string(dice_.between(1, 40)))); return;
    case 9:
    case 10: return revoke_something();
    case 11: order("reset_stats", "{}"); return;
    default: return order_garbage();
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
  if (dice_.chance(0.1)) {
    const Contradiction wrong = draw_contradiction(dice_);
    if (!world_.kinds().has(Kind::settings)) return;
    const uint64_t id = order("set", wrong.wish.arguments());
    return world_.records().expect_contradiction(id, wrong.wish.option, wrong.other);
  }
  const bool is_usual = dice_.chance(0.5);
  const Wish wish = is_usual ? draw_usual_wish(dice_) : draw_wish(dice_);
  if (world_.kinds().has(Kind::settings)) order("set", wish.arguments());
}

void Operator::reset_settings(const Policy& policy) {
  for (const Wish& wish : wishes_back_to(policy)) order("set", wish.arguments());
}

void Operator::order_alert() {
  Dice dice(dice_.seed());
  if (!world_.kinds().has(Kind::alert_rules)) return;
  switch (dice.between(0, 5)) {
    case 0: order("drop_alert", argument("rule", "\"" + draw_rule(dice) + "\"")); return;
    case 1: order("check_health", "{}"); return;
    case 2: return ack_something();
    default: order("set_alert", draw_alert(dice));
  }
}

void Operator::ack_something() {
  Segment& segment = world_.pool().segment();
  uint64_t id = 1;
  for (uint32_t place = 0; place < segment.header().alerts.count; ++place) {
    const format::AlertRecord& alert = segment.alerts()[place];
    if (alert.alert_id != 0) id = alert.alert_id;
  }
  // The id holds the instance's random bits, which no trace may show.
  world_.trace().say("order ack of the last alert");
  world_.checker().ordered("ack");
  world_.pool().keeper().post("ack", argument("alert_id", std::to_string(id)), "sim");
  ++posted_;
}

void Operator::order_garbage() {
  const std::string kVerbs[] = {"scale",  "burst",       "set", "recycle",    "close_connection",
                                "revoke", "set_alert",   "ack", "drop_alert", "check_health",
                                "",       "no such verb"};
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
                                    "{\"rule\":\"\",\"threshold\":\"NaN\"}",
                                    "{\"alert_id\":-1,\"by\":5}",
                                    "\xff\xfe",
                                    std::string(5000, '{')};
  order(dice_.one_of(kVerbs), dice_.one_of(kArguments));
}

}  // namespace tide::sim
