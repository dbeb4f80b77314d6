// Which commands of a transaction are sent, and in which order (S2, S3).
#include "control/plan.hpp"

#include <gtest/gtest.h>

namespace tide {
namespace {

// The commands of a transaction on a pool of 2 to 8 connections, and the resulting plan; or why they are refused.
class Transaction {
 public:
  Transaction& give(std::string_view verb, const Given& given = {}, const std::string& instance = "i1") {
    PlannedCommand each = planned(all_.size(), *make_command(verb, given));
    each.instance_id = instance;
    each.pool = "pool \"app\"";
    all_.push_back(std::move(each));
    return *this;
  }
  Transaction& scale(int64_t size, const std::string& instance = "i1") {
    return give("scale", {{"target_size", size}}, instance);
  }
  Transaction& set(const std::string& option, const std::string& value) {
    return give("set", {{"option", option}, {"value", value}});
  }
  std::string settled(bool knows_limits = true) {
    for (PlannedCommand& each : all_) {
      if (knows_limits) each.minimum = 2, each.maximum = 8;
    }
    const auto plan = settle(all_);
    if (!plan) return plan.status().message();
    std::string out;
    for (const PlannedCommand& each : *plan) {
      out += (out.empty() ? "" : " ") + (each.verb == Verb::set ? each.subject : std::string(word(each.verb)));
      if (each.number) out += "=" + std::to_string(*each.number);
    }
    return out;
  }

 private:
  std::vector<PlannedCommand> all_;
};

TEST(Plan, LastCommandOnASubjectIsSent) {
  EXPECT_EQ(Transaction().scale(3).scale(5).settled(), "scale=5");
  EXPECT_EQ(Transaction().give("pause").give("resume").settled(), "resume");
  EXPECT_EQ(Transaction().scale(3).scale(5, "i2").settled(), "scale=3 scale=5") << "each pool has its own";
  EXPECT_EQ(Transaction().set("maxConnections", "5").set("max_size", "6").settled(), "max_size=6")
      << "for any name of the option";
  EXPECT_EQ(Transaction().give("recycle").give("recycle").settled(), "recycle recycle") << "without a subject";
}

TEST(Plan, EveryIntermediateStateIsValid) {
  EXPECT_EQ(Transaction().give("drain").scale(9).set("burst", "off").set("max_size", "9").settled(),
            "max_size=9 burst scale=9 drain");
  EXPECT_EQ(Transaction().scale(3).give("resume").settled(), "resume scale=3");
  // From 2 .. 8. Upward, the upper limit is set first; if it goes below the old lower limit, the lower limit is set
  // first.
  EXPECT_EQ(Transaction().set("min_size", "9").set("max_size", "12").settled(), "max_size=12 min_size=9");
  EXPECT_EQ(Transaction().set("max_size", "1").set("min_size", "0").settled(), "min_size=0 max_size=1");
}

TEST(Plan, RefusesContradictions) {
  EXPECT_EQ(Transaction().set("min_size", "9").settled(), "min_size 9 would be above max_size 8");
  EXPECT_EQ(Transaction().set("min_size", "9").settled(false), "min_size=9") << "nothing is known about the pool";
  EXPECT_EQ(Transaction().set("min_size", "5").set("max_size", "4").settled(false),
            "min_size 5 would be above max_size 4");
  EXPECT_EQ(Transaction().scale(9).settled(), "target_size 9 is above max_size 8");
  EXPECT_EQ(Transaction().scale(1).settled(), "target_size 1 is below min_size 2");
  EXPECT_EQ(Transaction().scale(9).set("max_size", "9").settled(), "max_size=9 scale=9");
}

}  // namespace
}  // namespace tide
