// Rules about statements: caches, repetition, retries.
#include <algorithm>

#include "base/units.hpp"
#include "reading/insights/rules.hpp"
#include "reading/insights/wording.hpp"

namespace tide {
namespace {

using insight::counted;
using insight::duration;
using insight::number;
using insight::percent;
using insight::statement_text;

// ---- the same statement again and again within a lease

constexpr double kRepeatedLeasesEnough = 3;  // that executed it 100 times or more ...
constexpr double kRepeatsEnough = 200;       // ... or one that did so hundreds of times

void judge_repeated(const PoolReading& reading, Findings& findings) {
  for (const PoolReading::Statement& statement : reading.repeated) {
    if (statement.repeated_leases < kRepeatedLeasesEnough && statement.repeats_max < kRepeatsEnough) continue;
    Insight insight{.severity = Severity::warning};
    insight.finding = "a statement is executed up to " + counted(statement.repeats_max, "time") +
                      " within one lease (N+1): " + statement_text(statement.query);
    insight.evidence = counted(statement.repeated_leases, "lease") + " executed it 100 times or more; " +
                       counted(statement.calls, "call") + " in " + duration(statement.total_s) +
                       " (queries: fingerprint " + statement.fingerprint + ", repeated_leases)";
    insight.advice = "read the rows with one statement (a join, IN or = ANY), or write them with a batch";
    findings.add(std::move(insight));
  }
}

// ---- the query cache

constexpr double kCacheMissesEnough = 1000;
constexpr double kCacheHitRatio = 0.05;  // below it, most results are stored for nobody
constexpr double kCacheCauseShare = 0.5;

void judge_query_cache(const PoolReading& reading, Findings& findings) {
  const Policy& policy = reading.policy;
  const double hits = reading.count(Counter::query_cache_hits_total) +
                      reading.count(Counter::query_cache_shared_total) +
                      reading.count(Counter::query_cache_stale_total);
  const double misses = reading.count(Counter::query_cache_misses_total);
  if (!policy.query_cache || misses < kCacheMissesEnough || hits > kCacheHitRatio * (hits + misses)) return;
  const double evictions = reading.count(Counter::query_cache_evictions_total);
  const double invalidations = reading.count(Counter::query_cache_invalidations_total);
  const double refused = reading.count(Counter::query_cache_refused_total);
  Insight insight{.severity = Severity::info};
  insight.finding = "the query cache does not pay: " + percent(hits / (hits + misses)) +
                    " of the queries were answered "
                    "from it";
  insight.evidence = number(hits) + " hits, " + number(misses) + " misses, " + number(evictions) + " evictions, " +
                     number(invalidations) + " invalidations, " + number(refused) +
                     " refused (pool_stats.query_cache_*)";
  if (evictions >= kCacheCauseShare * misses) {
    insight.option_name = "query_cache_entries";
    insight.option_value = std::to_string(std::min<int64_t>(policy.query_cache_entries * 4, 10'000'000));
    insight.advice = "results are removed before they are asked for again: raise query_cache_entries to " +
                     insight.option_value + " (and query_cache_bytes)";
  } else {
    insight.option_name = "query_cache";
    insight.option_value = "off";
    insight.advice =
        invalidations >= kCacheCauseShare * misses
            ? "the data change too often: cache only queries of tables that rarely change, or set "
              "query_cache=off"
            : "the same query with the same parameters is rarely repeated: ask for the cache only where it "
              "is, or set query_cache=off";
  }
  findings.add(std::move(insight));
}

// ---- prepared statements

constexpr double kEvictionsEnough = 1000;
constexpr double kEvictionShare = 0.5;      // of the misses
constexpr double kStatementHitRatio = 0.8;  // above it, the cache is worth its memory
constexpr int64_t kStatementCacheMost = 2048;

void judge_statement_cache(const PoolReading& reading, Findings& findings) {
  const int64_t size = reading.policy.statement_cache_size;
  const double hits = reading.count(Counter::statement_cache_hits_total);
  const double misses = reading.count(Counter::statement_cache_misses_total);
  const double evictions = reading.count(Counter::statement_cache_evictions_total);
  if (size == 0 || evictions < kEvictionsEnough || evictions < kEvictionShare * misses) return;
  if (hits > kStatementHitRatio * (hits + misses)) return;
  Insight insight{.severity = Severity::info};
  insight.finding = "statements are removed from the cache of prepared statements before they are used again: " +
                    percent(hits / std::max(hits + misses, 1.0)) + " hits";
  insight.evidence = number(evictions) + " evictions, " + number(misses) + " misses, " + number(hits) +
                     " hits (pool_stats.statement_cache_*); statement_cache_size " + std::to_string(size);
  // Different texts of one fingerprint: a larger cache would not help.
  const bool has_literals = reading.statements > 0 && reading.statements <= static_cast<double>(size) / 2;
  if (has_literals) {
    insight.evidence += ", " + counted(reading.statements, "fingerprint") + " in queries";
    insight.advice = "pass values as parameters instead of writing them into the text";
  } else if (size < kStatementCacheMost) {
    insight.option_name = "statement_cache_size";
    insight.option_value = std::to_string(std::min(size * 2, kStatementCacheMost));
    insight.advice = "raise statement_cache_size to " + insight.option_value;
  } else {
    insight.option_name = "statement_cache_size";
    insight.option_value = "0";
    insight.advice = "switch the cache off, or pass values as parameters";
  }
  findings.add(std::move(insight));
}

// ---- retries

constexpr double kRetriesEnough = 50;
constexpr double kHelpedShare = 0.05;

void judge_retries(const PoolReading& reading, Findings& findings) {
  const double retries = reading.count(Counter::retries_total), helped = reading.count(Counter::retries_helped_total);
  if (retries < kRetriesEnough || helped > kHelpedShare * retries) return;
  Insight insight{.severity = Severity::warning};
  insight.finding = "repeating transactions and statements hardly ever helps: " + number(helped) + " of " +
                    counted(retries, "repetition") + " succeeded";
  insight.evidence = "pool_stats: retries_total, retries_helped_total; retry_attempts " +
                     std::to_string(reading.policy.retry_attempts);
  insight.advice =
      "make transactions shorter, and change rows in the same order everywhere; failed_queries has the errors";
  const int64_t wanted = helped > 0 ? 1 : 0;
  if (reading.policy.retry_attempts > wanted) {
    insight.option_name = "retry_attempts";
    insight.option_value = std::to_string(wanted);
    insight.advice += "; until then, lower retry_attempts to " + insight.option_value;
  }
  findings.add(std::move(insight));
}

// clang-format off
constexpr InsightRule kStatementRules[] = {
    {"statements", "N+1 queries",
     "Three leases or more executed the same statement in 100 calls or more, each, or one did in 200. Batches do not "
     "count.",
     "One statement for all rows, or a batch.", judge_repeated},
    {"query_cache", "query cache does not pay",
     "Less than 5 % of at least 1000 queries were answered from the query cache.",
     "query_cache=off; more query_cache_entries if half of the results were evicted.", judge_query_cache},
    {"statements", "statement cache thrashes",
     "At least 1000 prepared statements were evicted, one for every second miss, and less than 80 % of the queries "
     "found "
     "theirs.",
     "Twice the statement_cache_size; parameters instead of literals if there are few fingerprints.",
     judge_statement_cache},
    {"statements", "retries that never help", "At most 5 % of at least 50 repetitions succeeded.",
     "Shorter transactions, rows in the same order; retry_attempts=1 or 0.", judge_retries},
};
// clang-format on

}  // namespace

std::span<const InsightRule> statement_rules() { return kStatementRules; }

}  // namespace tide
