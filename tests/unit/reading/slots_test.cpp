#include "unit/reading/reading_support.hpp"

namespace tide {
namespace {

using test::integer;
using test::kSecond;
using test::real;
using test::text;
using test::us_after_now;

class Slots : public testing::Test {
 protected:
  test::TempDirectory directory;
  std::unique_ptr<Segment> segment = test::make_segment(directory.path());
  test::Table read(const std::string& relation) { return test::Table(relation, {directory.path(), "", ""}); }
};

TEST_F(Slots, IdleConnection) {
  format::Slot& slot = test::fill_slot(*segment, 0, SlotState::idle);
  put(slot.acquires_total, 12);
  put(slot.acquires_before, 5);
  put(slot.queries_before, 30);
  put(segment->slot_stats()[0].queries_total, 44);
  slot.statements.store(17);
  slot.tag.assign("of the last lease");
  const test::Table rows = read("connections");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at(0, "conn_id"), integer(100));
  EXPECT_EQ(rows.at(0, "state"), text("idle"));
  EXPECT_TRUE(is_null(rows.at(0, "server_pid")));
  EXPECT_TRUE(is_null(rows.at(0, "tag")));
  EXPECT_EQ(rows.at(0, "created_at"), integer(us_after_now(-50 * kSecond)));
  EXPECT_EQ(rows.at(0, "state_since"), integer(us_after_now(-2 * kSecond)));  // since it was returned
  EXPECT_TRUE(is_null(rows.at(0, "expires_at")));
  EXPECT_EQ(rows.at(0, "uses_total"), integer(7));
  EXPECT_EQ(rows.at(0, "queries_total"), integer(14));
  EXPECT_EQ(rows.at(0, "in_transaction"), integer(0));
  EXPECT_TRUE(is_null(rows.at(0, "last_error")));
  EXPECT_EQ(rows.at(0, "suspect_leak"), integer(0));
  EXPECT_EQ(rows.at(0, "statements"), integer(17));
  EXPECT_EQ(read("leases").size(), 0u);
}

TEST_F(Slots, ConnectionThatListensIsARowBesideTheSlots) {
  test::fill_slot(*segment, 0, SlotState::idle);
  format::ListenerVitals& listener = segment->listener();
  EXPECT_EQ(read("connections").size(), 1u) << "off";
  put(listener.conn_id, 107);
  put(listener.state, static_cast<uint64_t>(ListenerState::connecting));
  put(listener.channels, 1);
  listener.last_error.assign("refused");
  test::Table rows = read("connections");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(1, "state"), text("connecting"));
  EXPECT_EQ(rows.at(1, "tag"), text("listen: 1 channel"));
  EXPECT_EQ(rows.at(1, "last_error"), text("refused"));
  EXPECT_TRUE(is_null(rows.at(1, "created_at")));
  put(listener.state, static_cast<uint64_t>(ListenerState::listening));
  put(listener.channels, 3);
  put(listener.server_pid, 4711);
  put(listener.born_mono, test::bits(test::kNowMono - 50 * kSecond));
  put(listener.since_mono, test::bits(test::kNowMono - 20 * kSecond));
  rows = read("connections");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(1, "conn_id"), integer(107));
  EXPECT_EQ(rows.at(1, "state"), text("listening"));
  EXPECT_EQ(rows.at(1, "server_pid"), integer(4711));
  EXPECT_EQ(rows.at(1, "tag"), text("listen: 3 channels"));
  EXPECT_EQ(rows.at(1, "created_at"), integer(us_after_now(-50 * kSecond)));
  EXPECT_EQ(rows.at(1, "state_since"), integer(us_after_now(-20 * kSecond)));
  for (const char* unmeasured : {"expires_at", "uses_total", "queries_total", "statements"}) {
    EXPECT_TRUE(is_null(rows.at(1, unmeasured))) << unmeasured;
  }
  put(listener.state, 99);  // by a hostile owner
  EXPECT_EQ(read("connections").size(), 1u);
}

TEST_F(Slots, LeasedConnection) {
  format::Slot& slot = test::fill_slot(*segment, 2, SlotState::leased, 9);
  slot.tag.assign("checkout");
  slot.server_pid.store(4711);
  slot.is_in_transaction.store(1);
  slot.flags.store(format::kFlagSuspect | format::kFlagOverdue);
  slot.last_error.assign("syntax error");
  put(slot.expires_mono, test::bits(test::kNowMono + 5 * kSecond));
  const test::Table rows = read("connections");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at(0, "state"), text("in_use"));
  EXPECT_EQ(rows.at(0, "server_pid"), integer(4711));
  EXPECT_EQ(rows.at(0, "tag"), text("checkout"));
  EXPECT_EQ(rows.at(0, "state_since"), integer(us_after_now(-3 * kSecond)));  // since it was leased
  EXPECT_EQ(rows.at(0, "expires_at"), integer(us_after_now(5 * kSecond)));
  EXPECT_EQ(rows.at(0, "in_transaction"), integer(1));
  EXPECT_EQ(rows.at(0, "last_error"), text("syntax error"));
  EXPECT_EQ(rows.at(0, "suspect_leak"), integer(1));
}

TEST_F(Slots, EveryStateHasAWord) {
  test::fill_slot(*segment, 0, SlotState::empty);
  test::fill_slot(*segment, 1, SlotState::opening);
  test::fill_slot(*segment, 2, SlotState::held);
  test::fill_slot(*segment, 3, SlotState::closing);
  put(test::fill_slot(*segment, 4, SlotState::opening).conn_id, 0);
  const test::Table rows = read("connections");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows.at(0, "state"), text("connecting"));
  EXPECT_EQ(rows.at(1, "state"), text("validating"));
  EXPECT_EQ(rows.at(2, "state"), text("closing"));
  EXPECT_EQ(rows.at(2, "state_since"), integer(us_after_now(-20 * kSecond)));
}

// The holder exited while writing: the row remains, unreliable values are null.
TEST_F(Slots, TornSlotKeepsItsRow) {
  format::Slot& slot = test::fill_slot(*segment, 0, SlotState::leased, 9);
  slot.tag.assign("half");
  put(slot.seq, 1);
  const test::Table connections = read("connections");
  ASSERT_EQ(connections.size(), 1u);
  EXPECT_EQ(connections.at(0, "state"), text("in_use"));
  EXPECT_TRUE(is_null(connections.at(0, "tag")));
  EXPECT_TRUE(is_null(connections.at(0, "suspect_leak")));
  EXPECT_TRUE(is_null(connections.at(0, "statements")));
  const test::Table leases = read("leases");
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_EQ(leases.at(0, "conn_id"), integer(100));
  EXPECT_TRUE(is_null(leases.at(0, "tag")));
  EXPECT_TRUE(is_null(leases.at(0, "overdue")));
}

TEST_F(Slots, Lease) {
  format::Slot& slot = test::fill_slot(*segment, 2, SlotState::leased, 9);
  slot.tag.assign("checkout");
  slot.thread_id.store(77);
  const test::Table rows = read("leases");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows.at(0, "lease_id"), integer(static_cast<int64_t>(LeaseId(2, 9).bits)));
  EXPECT_EQ(rows.at(0, "conn_id"), integer(102));
  EXPECT_EQ(rows.at(0, "tag"), text("checkout"));
  EXPECT_EQ(rows.at(0, "thread_id"), integer(77));
  EXPECT_EQ(rows.at(0, "acquired_at"), integer(us_after_now(-3 * kSecond)));
  EXPECT_EQ(rows.at(0, "last_used_at"), integer(us_after_now(-2 * kSecond)));
  EXPECT_EQ(rows.at(0, "age_ms"), real(3000));
  EXPECT_EQ(rows.at(0, "idle_ms"), real(2000));
  EXPECT_TRUE(is_null(rows.at(0, "deadline")));
  EXPECT_EQ(rows.at(0, "overdue"), integer(0));
}

TEST_F(Slots, LeaseIsOverdueAfterDeadline) {
  test::fill_slot(*segment, 0, SlotState::leased, 1);
  put(segment->vitals().lease_timeout_ns, 3 * kSecond);
  EXPECT_EQ(read("leases").at(0, "overdue"), integer(0));
  EXPECT_EQ(read("leases").at(0, "deadline"), integer(us_after_now(0)));
  put(segment->vitals().lease_timeout_ns, 3 * kSecond - 1);
  EXPECT_EQ(read("leases").at(0, "overdue"), integer(1));
}

TEST_F(Slots, AcceptsAnyNumbers) {
  format::Slot& slot = test::fill_slot(*segment, 0, SlotState::leased, kGenerationMax);
  put(slot.acquired_mono, test::bits(std::numeric_limits<int64_t>::min()));
  put(slot.last_used_mono, test::bits(std::numeric_limits<int64_t>::max()));
  put(segment->vitals().lease_timeout_ns, test::bits(std::numeric_limits<int64_t>::max()));
  EXPECT_EQ(read("leases").size(), 1u);
  EXPECT_TRUE(is_null(read("leases").at(0, "idle_ms")));
  EXPECT_EQ(read("connections").size(), 1u);
}

TEST_F(Slots, Waiters) {
  format::Waiter* waiters = segment->waiters();
  put(waiters[3].ticket, 41);
  put(waiters[3].queued_mono, test::bits(test::kNowMono - 2 * kSecond));
  put(waiters[3].deadline_mono, test::bits(test::kNowMono + 3 * kSecond));
  waiters[3].tag.assign("report");
  put(waiters[0].ticket, 42);
  put(waiters[0].queued_mono, test::bits(test::kNowMono - kSecond));
  put(waiters[0].deadline_mono, test::bits(test::kNever));
  const test::Table rows = read("waiters");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.at(0, "ticket"), integer(41));
  EXPECT_EQ(rows.at(0, "tag"), text("report"));
  EXPECT_EQ(rows.at(0, "queued_at"), integer(us_after_now(-2 * kSecond)));
  EXPECT_EQ(rows.at(0, "waited_ms"), real(2000));
  EXPECT_EQ(rows.at(0, "deadline"), integer(us_after_now(3 * kSecond)));
  EXPECT_EQ(rows.at(1, "ticket"), integer(42));
  EXPECT_TRUE(is_null(rows.at(1, "tag")));
  EXPECT_TRUE(is_null(rows.at(1, "deadline")));
}

}  // namespace
}  // namespace tide
