// What an UPDATE of a row means, and in which order those of a transaction are given (S2, S3).
#include "control/assign.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace tide {
namespace {

constexpr ShownRow kPool = {"pools", "i1", "app", "", 2, 8};
ShownRow setting(std::string_view name) { return {"settings", "i1", "app", name, std::nullopt, std::nullopt}; }

std::string text_of(const Result<Assignment>& meant) {
  if (!meant) return meant.status().message;
  const auto command = make_command(word(meant->verb), meant->given);
  if (!command) return command.status().message;
  return std::string(word(meant->verb)) + " " + command->arguments_json() + " on " + meant->subject;
}

TEST(Assign, SaysWhatAColumnMeans) {
  EXPECT_EQ(text_of(assign(kPool, "target_size", int64_t{5})), R"(scale {"target_size":5} on target_size)");
  EXPECT_EQ(text_of(assign(kPool, "target_size", std::string("5"))), R"(scale {"target_size":5} on target_size)");
  EXPECT_EQ(text_of(assign(kPool, "target_size", Null())), R"(scale {"target_size":null} on target_size)");
  EXPECT_EQ(text_of(assign(kPool, "min_size", int64_t{3})), R"(set {"option":"min_size","value":"3"} on min_size)");
  EXPECT_EQ(text_of(assign(kPool, "state", std::string("paused"))), "pause {} on state");
  EXPECT_EQ(text_of(assign(kPool, "state", std::string("running"))), "resume {} on state");
  EXPECT_EQ(text_of(assign(kPool, "state", std::string("draining"))), "drain {} on state");
  EXPECT_EQ(text_of(assign(setting("burst"), "value", std::string("off"))),
            R"(set {"option":"burst","value":"off"} on burst)");
  EXPECT_EQ(text_of(assign({"alerts", "i1", "app", "77", {}, {}}, "acked_by", std::string("ada"))),
            R"(ack {"alert_id":77,"by":"ada"} on alert 77)");
}

TEST(Assign, RefusesWhatMeansNothing) {
  EXPECT_EQ(text_of(assign(kPool, "target_size", std::string("five"))), "target_size cannot be \"five\"");
  EXPECT_EQ(text_of(assign(kPool, "min_size", Null())), "min_size cannot be NULL");
  EXPECT_EQ(text_of(assign(kPool, "state", std::string("degraded"))), "state cannot be \"degraded\"");
  EXPECT_EQ(text_of(assign(kPool, "state", int64_t{1})), "state cannot be 1");
  EXPECT_EQ(text_of(assign(setting("max_size"), "value", std::string("ten"))), "max_size cannot be \"ten\"");
  EXPECT_EQ(text_of(assign(setting("burst"), "value", Null())), "value of the setting \"burst\" cannot be NULL");
  EXPECT_EQ(text_of(assign({"alerts", "i1", "app", "77", {}, {}}, "acked_by", std::string())),
            "acked_by cannot be \"\"");
  EXPECT_EQ(text_of(assign(kPool, "size", int64_t{1})), "size cannot be assigned");
}

// The assignments of a transaction, and what becomes of them: "state target_size", or why not.
class Transaction {
 public:
  Transaction& set(std::string_view column, ArgumentValue value, ShownRow row = kPool) {
    rows_.push_back(row);
    auto meant = assign(row, column, value);
    EXPECT_TRUE(meant.is_ok()) << meant.status().message;
    made_.push_back(meant.take());
    return *this;
  }
  std::string settled(bool assumes_rows = true) {
    std::vector<StagedAssignment> staged;
    for (size_t i = 0; i < made_.size(); ++i) staged.push_back({&rows_[i], &made_[i]});
    const auto places = settle(staged, assumes_rows);
    if (!places) return places.status().message;
    std::string out;
    for (const size_t place : *places) {
      const Assignment& each = made_[place];
      out += (out.empty() ? "" : " ") + (each.verb == Verb::set ? each.subject : std::string(word(each.verb)));
      if (each.number) out += "=" + std::to_string(*each.number);
    }
    return out;
  }

 private:
  std::deque<ShownRow> rows_;
  std::deque<Assignment> made_;
};

TEST(Settle, TheLastOnASubjectCounts) {
  EXPECT_EQ(Transaction().set("target_size", int64_t{3}).set("target_size", int64_t{5}).settled(), "scale=5");
  EXPECT_EQ(Transaction().set("state", std::string("paused")).set("state", std::string("running")).settled(), "resume");
  ShownRow other = kPool;
  other.instance_id = "i2";
  EXPECT_EQ(Transaction().set("target_size", int64_t{3}).set("target_size", int64_t{5}, other).settled(),
            "scale=3 scale=5")
      << "of two pools each counts";
}

TEST(Settle, EveryStepBetweenIsValid) {
  EXPECT_EQ(Transaction()
                .set("state", std::string("draining"))
                .set("target_size", int64_t{9})
                .set("value", std::string("off"), setting("burst"))
                .set("max_size", int64_t{9})
                .settled(),
            "max_size=9 burst scale=9 drain");
  EXPECT_EQ(Transaction().set("target_size", int64_t{3}).set("state", std::string("running")).settled(),
            "resume scale=3");
  // From 2 .. 8: up, the upper limit goes first; down below the old lower one, the lower.
  EXPECT_EQ(Transaction().set("min_size", int64_t{9}).set("max_size", int64_t{12}).settled(), "max_size=12 min_size=9");
  EXPECT_EQ(Transaction().set("max_size", int64_t{1}).set("min_size", int64_t{0}).settled(), "min_size=0 max_size=1");
}

TEST(Settle, RefusesWhatContradicts) {
  EXPECT_EQ(Transaction().set("min_size", int64_t{9}).settled(), "min_size 9 would be above max_size 8");
  EXPECT_EQ(Transaction().set("min_size", int64_t{9}).settled(false), "min_size=9") << "nothing is known of the row";
  EXPECT_EQ(Transaction().set("min_size", int64_t{5}).set("max_size", int64_t{4}).settled(false),
            "min_size 5 would be above max_size 4");
  EXPECT_EQ(Transaction().set("target_size", int64_t{9}).settled(), "target_size 9 is above max_size 8");
  EXPECT_EQ(Transaction().set("target_size", int64_t{1}).settled(), "target_size 1 is below min_size 2");
  EXPECT_EQ(Transaction().set("target_size", int64_t{9}).set("max_size", int64_t{9}).settled(), "max_size=9 scale=9");
}

}  // namespace
}  // namespace tide
