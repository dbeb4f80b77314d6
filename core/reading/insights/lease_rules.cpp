// Rules about leases and who holds them.
#include <algorithm>
#include <map>

#include "base/units.hpp"
#include "reading/insights/rules.hpp"
#include "reading/insights/wording.hpp"

namespace tide {
namespace {

using insight::counted;
using insight::duration;
using insight::number;
using insight::percent;
using insight::tag_text;

// Whether a lease executes a statement is not published. One that has been quiet for as long as statements may last
// executes none.
constexpr Span kStatementsLast = Span::seconds(60);  // without a limit for them

double longest_statement_s(const Policy& policy) {
  Span limit = kStatementsLast;
  if (!policy.statement_timeout.is_zero()) limit = policy.statement_timeout;
  if (!policy.query_timeout.is_zero()) limit = std::min(limit, policy.query_timeout);
  return limit.seconds_exact();
}

struct Group {
  double leases = 0, held_s = 0, idle_s = 0;
};

// The leases that fulfil a condition, by tag; those held longest first.
template <typename Condition>
std::vector<std::pair<std::string, Group>> by_tag(const PoolReading& reading, Condition&& is_meant) {
  std::map<std::string, Group> groups;
  for (const PoolReading::Lease& lease : reading.leases) {
    if (!is_meant(lease)) continue;
    Group& group = groups[lease.tag];
    ++group.leases;
    group.held_s = std::max(group.held_s, lease.held_s);
    group.idle_s = std::max(group.idle_s, lease.idle_s);
  }
  std::vector<std::pair<std::string, Group>> out(groups.begin(), groups.end());
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.second.held_s > b.second.held_s; });
  return out;
}

// ---- leases that seem to have been forgotten

void judge_leaks(const PoolReading& reading, Findings& findings) {
  const Policy& policy = reading.policy;
  const double quiet_s = std::max(policy.leak_threshold.seconds_exact(), longest_statement_s(policy));
  const auto groups = by_tag(reading, [&](const PoolReading::Lease& lease) {
    return lease.is_suspect && !lease.is_in_transaction && lease.idle_s >= quiet_s;
  });
  double all = 0;
  for (const auto& each : groups) all += each.second.leases;
  // Half of the connections are lost, or callers wait for them.
  const bool is_serious = reading.waiting > 0 || 2 * all >= static_cast<double>(reading.limit_size);
  for (const auto& [tag, group] : groups) {
    Insight insight{.severity = is_serious ? Severity::critical : Severity::warning};
    insight.finding = counted(group.leases, "lease") + " of " + tag_text(tag) + " may have been forgotten: held for " +
                      duration(group.held_s) + ", without a statement for " + duration(group.idle_s);
    insight.evidence = counted(all, "suspected lease") + " of " + number(static_cast<double>(reading.limit_size)) +
                       " connections, " + number(static_cast<double>(reading.waiting)) +
                       " waiting (leases, connections.suspect_leak; leak_threshold " +
                       format_span(policy.leak_threshold) + ")";
    insight.advice = "release the lease on every path of the code with this tag, also after errors";
    if (policy.lease_timeout.is_zero()) {
      insight.option_name = "lease_timeout";
      insight.option_value = format_span(std::max(Span::seconds(60), policy.leak_threshold * 2));
      insight.advice += "; until then, a lease_timeout limits how long such a lease lasts";
    } else if (policy.lease_timeout_action != LeaseTimeoutAction::reclaim) {
      insight.option_name = "lease_timeout_action";
      insight.option_value = "reclaim";
      insight.advice += "; until then, let the pool take such connections back after lease_timeout (" +
                        format_span(policy.lease_timeout) + ")";
    }
    findings.add(std::move(insight));
  }
}

// ---- idle in transaction

constexpr Span kIdleInTransaction = Span::seconds(30);  // recommended limit: no interaction of programs takes longer

void judge_idle_in_transaction(const PoolReading& reading, Findings& findings) {
  const Policy& policy = reading.policy;
  const Span timeout = policy.idle_in_transaction_timeout;
  const double quiet_s = longest_statement_s(policy);
  const auto groups = by_tag(
      reading, [&](const PoolReading::Lease& lease) { return lease.is_in_transaction && lease.idle_s >= quiet_s; });
  for (const auto& [tag, group] : groups) {
    Insight insight{.severity = Severity::warning};
    insight.finding = counted(group.leases, "transaction") + " of " + tag_text(tag) + " idle for " +
                      duration(group.idle_s) + ", holding locks and a snapshot";
    insight.evidence =
        "in_transaction in connections, idle_ms in leases; idle_in_transaction_timeout " + format_span(timeout);
    insight.advice = "commit or roll back before waiting for anything but the database";
    if (timeout.is_zero() || timeout > kIdleInTransaction) {
      insight.option_name = "idle_in_transaction_timeout";
      insight.option_value = format_span(kIdleInTransaction);
      insight.advice += "; a shorter idle_in_transaction_timeout ends such transactions earlier";
    }
    findings.add(std::move(insight));
  }
}

// ---- tags

constexpr double kTagSeenAgo = 600;     // a tag that was not seen for 10 min is not judged any more
constexpr double kSamplesEnough = 60;   // connection seconds: a share of fewer is chance
constexpr double kStarvingShare = 0.6;  // of the connection time
constexpr double kStarvedWait = 60;     // caller seconds that others waited ...
constexpr double kStarvedRatio = 0.1;   // ... and for each second that they had a connection
constexpr double kSlowShare = 0.25;     // of the connection time
constexpr double kSlowedWait = 10;      // caller seconds that others waited
constexpr double kSlowLease = 5;        // seconds
constexpr double kSlowRatio = 50;       // over the median of all leases

struct TagSums {
  double held_s = 0, waited_s = 0;
  double tags = 0;
};

TagSums sums_of(const PoolReading& reading) {
  TagSums sums;
  for (const PoolReading::Tag& tag : reading.tags) {
    sums.held_s += tag.held_s;
    sums.waited_s += tag.waited_s;
    ++sums.tags;
  }
  return sums;
}

bool is_judged(const PoolReading::Tag& tag) { return tag.samples >= kSamplesEnough && tag.seen_ago_s <= kTagSeenAgo; }

double share_of(const PoolReading::Tag& tag, const TagSums& all) {
  return all.held_s > 0 ? tag.held_s / all.held_s : 0;
}

// Whether the callers with other tags waited, and for a considerable part of the time that they had connections.
bool have_others_waited(const PoolReading::Tag& tag, const TagSums& all, double least_s) {
  const double waited_s = all.waited_s - tag.waited_s, held_s = all.held_s - tag.held_s;
  return waited_s >= least_s && waited_s >= kStarvedRatio * held_s;
}

bool is_starving(const PoolReading::Tag& tag, const TagSums& all) {
  return is_judged(tag) && share_of(tag, all) >= kStarvingShare && have_others_waited(tag, all, kStarvedWait);
}

void judge_starving_tag(const PoolReading& reading, Findings& findings) {
  const TagSums all = sums_of(reading);
  for (const PoolReading::Tag& tag : reading.tags) {
    if (!is_starving(tag, all)) continue;
    const int64_t max_size = reading.policy.max_size;
    Insight insight{.severity = Severity::warning};
    insight.finding = tag_text(tag.tag) + " held connections for " + percent(share_of(tag, all)) +
                      " of the time that all leases took, while callers with other tags waited";
    insight.evidence = "others held " + duration(all.held_s - tag.held_s) + " and waited " +
                       duration(all.waited_s - tag.waited_s) + "; this tag held " + duration(tag.held_s) + " (tags)";
    insight.advice = "give this tag a pool of its own with a small max_size";
    if (reading.policy.reserve_size == 0 && max_size >= 2) {
      insight.option_name = "reserve_size";
      insight.option_value = std::to_string(std::max<int64_t>(1, max_size / 5));
      insight.advice += ", or reserve connections and request leases for the others with priority critical";
    }
    findings.add(std::move(insight));
  }
}

void judge_slow_tag(const PoolReading& reading, Findings& findings) {
  const TagSums all = sums_of(reading);
  if (all.tags < 2 || reading.use_p50_s <= 0) return;
  for (const PoolReading::Tag& tag : reading.tags) {
    if (!is_judged(tag) || share_of(tag, all) < kSlowShare || is_starving(tag, all)) continue;
    if (!have_others_waited(tag, all, kSlowedWait)) continue;  // long leases that keep nobody waiting are no problem
    if (tag.longest_s < kSlowLease || tag.longest_s < kSlowRatio * reading.use_p50_s) continue;
    Insight insight{.severity = Severity::info};
    insight.finding = tag_text(tag.tag) + " holds connections much longer than others: up to " +
                      duration(tag.longest_s) + ", the median of all leases is " + duration(reading.use_p50_s);
    insight.evidence = percent(share_of(tag, all)) + " of the connection time, " + number(tag.samples) +
                       " samples (tags; pool_stats.use_p50_ms)";
    insight.advice = "split its work into shorter leases, or give it a pool of its own";
    if (const Span threshold = reading.policy.slow_query_threshold; threshold > Span::millis(200)) {
      insight.option_name = "slow_query_threshold";
      insight.option_value = "200ms";
      insight.advice += "; a lower slow_query_threshold shows its statements in slow_queries";
    }
    findings.add(std::move(insight));
  }
}

// clang-format off
constexpr InsightRule kLeaseRules[] = {
    {"leases", "leak suspect",
     "Leases older than leak_threshold that have been quiet for longer than any statement may take (query_timeout, "
     "statement_timeout; 1 min without them), by tag. Critical if callers wait or half of the connections are lost.",
     "Release the lease on every path. Until then: lease_timeout_action=reclaim, or a lease_timeout.", judge_leaks},
    {"transactions", "idle in transaction",
     "Transactions that have been quiet for longer than any statement may take, by tag. They hold locks, and keep the "
     "database from cleaning up (VACUUM; the WAL of SQLite).",
     "Commit or roll back before waiting for anything else; idle_in_transaction_timeout=30s.",
     judge_idle_in_transaction},
    {"tags", "starving tag",
     "A tag whose leases took 60 % of the connection time or more, while callers with other tags waited for a minute "
     "in "
     "total, and for a tenth of the time that they had connections. From the samples in tags.",
     "A pool of its own for the tag, or reserve_size for the others.", judge_starving_tag},
    {"tags", "slow tag",
     "A tag with a quarter of the connection time or more whose leases last up to 5 s or more, and 50 times the median of "
     "all leases, while callers with other tags waited for a tenth of the time that they had connections.",
     "Shorter leases, or a pool of its own; a lower slow_query_threshold shows its statements.", judge_slow_tag},
};
// clang-format on

}  // namespace

std::span<const InsightRule> lease_rules() { return kLeaseRules; }

}  // namespace tide
