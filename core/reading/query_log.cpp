// The relations "slow_queries", "failed_queries" and "queries": statements without their literals.
#include <algorithm>

#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "segment/format.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kLoggedColumns[] = {
    {"seq", integer, "",
     "Number of the record, from 1. slow_queries and failed_queries share the numbers; missing ones have been "
     "overwritten."},
    {"at", time, "", "When the statement ended."},
    {"tag", text, "", "Tag of its lease.", masked},
    {"fingerprint", text, "", "Identifies the statement without its literals, as in queries: 16 hexadecimal digits.",
     open},
    {"query", text, "", "The statement: ? for literals and parameters, without comments.", masked},
    {"duration_ms", real, "ms", "How long it was executed; of a batch, the whole batch."},
    {"wait_ms", real, "ms",
     "How long its lease was waited for, if it was the first statement of the lease; null for the others."},
    {"rows", integer, "rows", "Rows returned or changed; null if it failed or they are not known."},
    {"sqlstate", text, "", "Error code; null if it succeeded, or if the error has none.", open},
    {"message", text, "", "Error message without the values that it quotes, or a remark; null if there is none.",
     masked},
    {"conn_id", integer, "", "The connection, as in connections."},
    {"bytes", integer, "bytes", "Size of the values of its result; null if it failed or it is not known."},
};

constexpr Column kDigestColumns[] = {
    {"fingerprint", text, "",
     "Identifies the statement without its literals: 16 hexadecimal digits, the same in every pool.", open},
    {"query", text, "", "The statement: ? for literals and parameters, without comments; null if it is not known yet.",
     masked},
    {"calls", integer, "queries",
     "Executions. All figures are since first_seen: the statements with the lowest total_ms are "
     "replaced by others when there is no room."},
    {"errors", integer, "queries", "Executions that failed."},
    {"total_ms", real, "ms", "Total duration."},
    {"min_ms", real, "ms", "Shortest duration."},
    {"max_ms", real, "ms", "Longest duration."},
    {"p50_ms", real, "ms", "Median of the duration."},
    {"p99_ms", real, "ms", "99th percentile of the duration."},
    {"rows", integer, "rows", "Rows returned or changed, as far as they are known."},
    {"bytes", integer, "bytes", "Size of the values of the results, as far as they are known."},
    {"wait_ms", real, "ms", "Total time waited for leases of which it was the first statement."},
    {"first_seen", time, "", "When the first of these executions ended."},
    {"last_seen", time, "", "When the last one ended."},
    {"repeats_max", integer, "queries",
     "Highest number of calls within one lease that executed it; a batch is not counted."},
    {"repeated_leases", integer, "leases", "Leases that executed it in 100 calls or more."},
};

Value ms_or_null(int64_t ns) { return ns < 0 ? cell::none() : cell::ms(ns); }

// Five letters and digits, or null.
Value sqlstate_cell(const char (&sqlstate)[8]) {
  const std::string_view text(sqlstate, 5);
  const bool is_sound = std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || is_letter(c); });
  return is_sound && sqlstate[5] == '\0' ? cell::text(text) : cell::none();
}

void add_logged(const Attachment& segment, uint32_t format::QueryRecord::*is_wanted, std::vector<Row>& out) {
  for (const format::QueryRecord& record : segment.read_query_log()) {
    if (record.*is_wanted == 0) continue;
    out.push_back({
        cell::count(record.stamp),
        cell::time(record.at_wall_ns),
        cell::text_or_null(record.tag),
        cell::fingerprint(record.fingerprint),
        cell::text_or_null(record.query),
        cell::ms(record.duration_ns),
        ms_or_null(record.wait_ns),
        cell::measured(record.rows),
        sqlstate_cell(record.sqlstate),
        cell::text_or_null(record.message),
        cell::id(record.conn_id),
        cell::measured(record.bytes),
    });
  }
}

void add_slow(const Attachment& segment, int64_t, std::vector<Row>& out) {
  add_logged(segment, &format::QueryRecord::is_slow, out);
}

void add_failed(const Attachment& segment, int64_t, std::vector<Row>& out) {
  add_logged(segment, &format::QueryRecord::is_failed, out);
}

// Interpolated within a bucket, but never outside what was measured.
Value quantile(const HistogramCounts& counts, double share, uint64_t min_ns, uint64_t max_ns) {
  const double ms = histogram_quantile_ms(counts, share);
  if (ms < 0) return cell::none();
  const double low = static_cast<double>(min_ns) / 1e6, high = static_cast<double>(max_ns) / 1e6;
  return low <= high ? std::clamp(ms, low, high) : ms;
}

void add_digests(const Attachment& segment, int64_t, std::vector<Row>& out) {
  std::vector<format::DigestRecord> digests = segment.read_digests();
  std::sort(digests.begin(), digests.end(), [](const format::DigestRecord& a, const format::DigestRecord& b) {
    return a.total_ns.load(std::memory_order_relaxed) > b.total_ns.load(std::memory_order_relaxed);
  });
  for (const format::DigestRecord& digest : digests) {
    HistogramCounts counts{};
    digest.duration.add_to(counts);
    out.push_back({
        cell::fingerprint(digest.fingerprint),
        cell::text_or_null(digest.query),
        cell::count(digest.calls),
        cell::count(digest.errors),
        cell::ms_total(digest.total_ns),
        digest.calls == 0 ? cell::none() : cell::ms_total(digest.min_ns),
        digest.calls == 0 ? cell::none() : cell::ms_total(digest.max_ns),
        quantile(counts, 0.50, digest.min_ns, digest.max_ns),
        quantile(counts, 0.99, digest.min_ns, digest.max_ns),
        cell::count(digest.rows),
        cell::count(digest.bytes),
        cell::ms_total(digest.wait_ns),
        cell::time(cell::signed_of(digest.first_wall_ns)),
        cell::time(cell::signed_of(digest.last_wall_ns)),
        cell::count(digest.repeats_max),
        cell::count(digest.repeated_leases),
    });
  }
}

}  // namespace

const Source& slow_queries_source() {
  static constexpr Source kSource{
      {"slow_queries", "Statements that took at least slow_query_threshold, oldest first.", kLoggedColumns}, add_slow};
  return kSource;
}

const Source& failed_queries_source() {
  static constexpr Source kSource{{"failed_queries", "Statements that failed, oldest first.", kLoggedColumns},
                                  add_failed};
  return kSource;
}

const Source& queries_source() {
  static constexpr Source kSource{
      {"queries", "Statements by fingerprint, with their figures; those with the highest total_ms first.",
       kDigestColumns},
      add_digests};
  return kSource;
}

}  // namespace tide
