// Insights: what the figures of a pool suggest to change, each with its evidence and one concrete change.
//
// An insight is a pure function of one reading of the pool, and, where it is about several pools, of the other pools of
// this host. It says nothing before there is enough evidence: a new, an idle and a healthy pool have none.
// Texts that came from the segment (tags, statements) are clean; `finding`, `evidence` and `advice` may contain them,
// so they are for readers of masked columns only.
// Threads: any.
// Failure: none. What cannot be read consistently is not judged; a hostile segment gets wrong insights at most.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/words.hpp"
#include "reading/fleet.hpp"

namespace tide {

class HostPools;  // insights/host_pools.hpp

struct Insight {
  Severity severity = Severity::info;
  std::string_view subject = {};  // of the rule: size, leases, tags ...; lives forever
  std::string finding = {};       // a sentence, in lower case and without a period
  std::string evidence = {};      // figures and the relations that have them
  std::string advice = {};        // a sentence, likewise
  std::string option_name = {};   // "": the advice is not about an option
  std::string option_value = {};  // as assign_value() accepts it; "": none to recommend
};

// Most severe first, in the order of the rules among equals.
std::vector<Insight> insights_of(const Attachment& segment, HostPools& host, int64_t wall_now_ns);

// The insights of every pool of `filter`, also of those that have none; in the order of for_each_segment().
struct PoolInsights {
  std::string instance_id, pool;
  std::vector<Insight> insights;
};
std::vector<PoolInsights> insights_of(const FleetFilter& filter, int64_t wall_now_ns);

}  // namespace tide
