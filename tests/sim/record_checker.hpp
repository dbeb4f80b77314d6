// RecordChecker: the pool's records for users: alerts, scaling events, answers to commands.
//
//  alerts    at most one of a rule is unresolved; each that fires has one record, and is resolved at most once
//  pairs     breaker_open and breaker_closed, emergency_on and emergency_off alternate
//  scaling   every change of the target has a record with a reason: the records make a chain that ends at the target
//  orders    a refused `set` names its option, and a contradiction names both
// Independent of a world, like HealthChecker.
// Threads: one. Failure: complaints in the trace.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pool/pool.hpp"
#include "segment/format.hpp"
#include "trace.hpp"

namespace tide::sim {

class RecordChecker {
 public:
  explicit RecordChecker(Trace& trace) : trace_(trace) {}

  // The keeper has turned.
  void turned(Pool& pool);
  // This command must be refused with a text that contains both words.
  void expect_contradiction(uint64_t command_id, std::string_view one, std::string_view other);

  // Rules whose alert is firing now.
  std::vector<std::string> firing() const;
  // How often each rule has fired.
  const std::map<std::string, uint64_t>& fired() const { return fired_; }
  uint64_t fired_total() const;

 private:
  void take(const format::JournalRecord& record);
  void take(const format::ScalingRecord& record);
  void take(Pool& pool, const format::CommandRecord& record);
  void check_alerts(Pool& pool);
  void turn_over(bool& is_on, bool now_on, const char* what);

  struct Contradiction {
    std::string one;
    std::string other;
  };

  Trace& trace_;
  uint64_t journal_next_ = 0, scaling_next_ = 0, commands_next_ = 0;
  bool has_journal_gap_ = false;  // one turn added more than the ring holds
  std::optional<uint32_t> last_to_;
  bool is_breaker_open_ = false;
  bool is_emergency_ = false;
  uint64_t turns_ = 0;
  std::map<std::string, uint64_t> fired_;
  std::map<std::string, uint64_t> resolved_;
  std::map<uint64_t, Contradiction> contradictions_;  // by command id
};

}  // namespace tide::sim
