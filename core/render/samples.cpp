#include "render/samples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

constexpr std::string_view kPostgresPort = "5432";

std::string text_of(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string{} : *text;
}
double real_of(const Value& value) {
  const auto* real = std::get_if<double>(&value);
  return real == nullptr ? 0 : *real;
}
int64_t integer_of(const Value& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  return integer == nullptr ? 0 : *integer;
}

// The rows of one pool, each relation read once.
class PoolRows {
 public:
  PoolRows(const Attachment& segment, int64_t wall_now_ns) : segment_(segment), wall_now_ns_(wall_now_ns) {}

  const std::vector<Row>& of(std::string_view relation) {
    const auto [found, is_new] = rows_.try_emplace(relation);
    if (is_new) find_source(relation)->add_rows(segment_, wall_now_ns_, found->second);
    return found->second;
  }
  // Null if the relation has no row of this pool.
  Value value(std::string_view relation, std::string_view column) {
    const std::vector<Row>& rows = of(relation);
    return rows.empty() ? Value{} : rows.front()[place_of(relation, column)];
  }

 private:
  const Attachment& segment_;
  int64_t wall_now_ns_;
  std::map<std::string_view, std::vector<Row>> rows_;
};

std::string_view system_of(std::string_view backend) {
  return backend == "postgresql" || backend == "sqlite" ? backend : std::string_view("other_sql");
}

// "host:port/database" or "host:port,host:port/database", as policy/parse shows it. Several hosts have no single port; the
// default socket, "[local]", and a service have no address.
void add_server(std::string_view target, std::vector<Attribute>& out) {
  size_t colon = 0, end = 0;
  do {
    colon = target.find(':', end);
    if (colon == target.npos) return;
    end = std::min(target.find_first_not_of("0123456789", colon + 1), target.size());
  } while (end == colon + 1 || (end < target.size() && target[end] != '/'));
  if (end + 1 < target.size()) out.push_back({"db.namespace", std::string(target.substr(end + 1))});
  const std::string_view servers = target.substr(0, end), port = target.substr(colon + 1, end - colon - 1);
  if (servers.find(',') != servers.npos) {
    out.push_back({"server.address", std::string(servers)});
    return;
  }
  std::string_view address = servers.substr(0, colon);
  if (address == "[local]" || address.empty()) return;
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  out.push_back({"server.address", std::string(address)});
  if (port != kPostgresPort && port.size() <= 5) out.push_back({"server.port", std::string(port), true});
}

void add_identity(const HeaderCopy& header, PoolRows& rows, bool is_masked, PoolSamples& pool) {
  const std::string backend = text_of(rows.value("pools", "backend"));
  pool.instance_id = header.instance_id;
  pool.attributes.push_back({"db.client.connection.pool.name", header.pool});
  pool.attributes.push_back({"db.system.name", std::string(system_of(backend))});
  if (!is_masked && backend == "postgresql") add_server(header.target, pool.attributes);
  if (!is_masked && backend != "postgresql" && !header.target.empty())
    pool.attributes.push_back({"db.namespace", header.target});
  if (!header.app.empty()) pool.resource.push_back({"service.name", header.app});
  pool.resource.push_back({"service.instance.id", header.instance_id});
  if (!header.host.empty()) pool.resource.push_back({"host.name", header.host});
  pool.resource.push_back({"process.pid", std::to_string(header.pid), true});
}

Value divided(const Value& value, double divisor) {
  if (divisor == 1 || is_null(value)) return value;
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer) / divisor;
  if (const auto* real = std::get_if<double>(&value)) return *real / divisor;
  return value;
}

// The durations of one word of pool_histograms. Every second bound is left out: the counts are cumulative, and what is left,
// one bound for each power of two, is enough for monitoring.
Durations durations_of(std::string_view word, PoolRows& rows) {
  static const size_t metric = place_of("pool_histograms", "metric"), bound = place_of("pool_histograms", "le_ms"),
                      count = place_of("pool_histograms", "count"), sum = place_of("pool_histograms", "sum_ms");
  Durations durations;
  size_t place = 0;
  int64_t so_far = 0;
  for (const Row& row : rows.of("pool_histograms")) {
    if (text_of(row[metric]) != word) continue;
    so_far = std::max(so_far, integer_of(row[count]));
    const bool is_last = is_null(row[bound]);
    durations.sum_s = divided(row[sum], 1000);
    if (place++ % 2 != 0 && !is_last) continue;
    durations.buckets.push_back(
        {is_last ? std::numeric_limits<double>::infinity() : real_of(row[bound]) / 1000, so_far, {}});
  }
  return durations;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

// version-trace-span-flags: 2, 32, 16 and 2 hexadecimal digits.
void find_trace(Exemplar& exemplar) {
  const std::string_view tag = exemplar.tag;
  if (tag.size() != 55 || tag[2] != '-' || tag[35] != '-' || tag[52] != '-') return;
  const std::string_view trace = tag.substr(3, 32), span = tag.substr(36, 16);
  if (!is_hex(trace) || !is_hex(span) || !is_hex(tag.substr(0, 2)) || !is_hex(tag.substr(53))) return;
  if (trace.find_first_not_of('0') == trace.npos || span.find_first_not_of('0') == span.npos) return;
  exemplar.trace_id = trace;
  exemplar.span_id = span;
}

// The latest slow query in each bucket that has a count; `column` is the duration in the histogram.
void add_exemplars(std::string_view column, PoolRows& rows, Durations& durations) {
  static const size_t at = place_of("slow_queries", "at"), tag = place_of("slow_queries", "tag"),
                      fingerprint = place_of("slow_queries", "fingerprint");
  for (const Row& row : rows.of("slow_queries")) {
    const Value seconds = divided(row[place_of("slow_queries", column)], 1000);
    if (is_null(seconds) || is_null(row[tag]) || integer_of(row[at]) <= 0) continue;
    const auto bucket = std::lower_bound(durations.buckets.begin(), durations.buckets.end(), real_of(seconds),
                                         [](const Bucket& each, double value) { return each.bound_s < value; });
    if (bucket == durations.buckets.end() || bucket->exemplar.at_us > integer_of(row[at])) continue;
    const int64_t below = bucket == durations.buckets.begin() ? 0 : std::prev(bucket)->count;
    if (bucket->count <= below) continue;  // it was counted before the statistics were reset
    bucket->exemplar = {real_of(seconds), integer_of(row[at]), text_of(row[tag]), text_of(row[fingerprint]), {}, {}};
    find_trace(bucket->exemplar);
  }
}

// One row for each time: those by second, before them those by minute, before them those by hour.
std::vector<Row> history_of(PoolRows& rows, int64_t since_us) {
  static const size_t at = place_of("pool_history", "at"), resolution = place_of("pool_history", "resolution_ms");
  std::vector<Row> sorted = rows.of("pool_history");
  std::erase_if(sorted, [&](const Row& row) { return integer_of(row[at]) < std::max<int64_t>(since_us, 1); });
  std::sort(sorted.begin(), sorted.end(), [](const Row& a, const Row& b) {
    return std::tuple(real_of(a[resolution]), -integer_of(a[at])) <
           std::tuple(real_of(b[resolution]), -integer_of(b[at]));
  });
  std::vector<Row> kept;
  for (Row& row : sorted) {
    if (kept.empty() || integer_of(row[at]) < integer_of(kept.back()[at])) kept.push_back(std::move(row));
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

// Whether its owner has ended: what it had open is gone.
bool is_over(std::string_view state) { return state == "dead" || state == "closed"; }

PoolSamples sampled(const Attachment& segment, const RenderRequest& request) {
  PoolRows rows(segment, request.wall_now_ns);
  PoolSamples pool;
  add_identity(segment.header(), rows, request.is_masked, pool);
  pool.start_us = std::max(
      {segment.header().started_wall_ns / 1000, integer_of(rows.value("pool_stats", "stats_reset")), int64_t{0}});
  const bool has_connections = !is_over(text_of(rows.value("pools", "state")));
  for (const ExportMetric& metric : metrics_catalogue()) {
    Value value;
    Durations durations;
    if (metric.instrument == Instrument::histogram) {
      durations = durations_of(metric.column, rows);
      if (!request.is_masked && metric.column == "query") add_exemplars("duration_ms", rows, durations);
      if (!request.is_masked && metric.column == "wait") add_exemplars("wait_ms", rows, durations);
    } else if (has_connections || metric.instrument == Instrument::counter || metric.instrument == Instrument::state ||
               metric.instrument == Instrument::info) {
      value = divided(rows.value(metric.relation, metric.column), metric.divisor);
    }
    pool.values.push_back(std::move(value));
    pool.durations.push_back(std::move(durations));
  }
  if (request.since_wall_ns > 0) pool.history = history_of(rows, request.since_wall_ns / 1000);
  return pool;
}

}  // namespace

size_t place_of(std::string_view relation, std::string_view column) {
  const auto columns = find_source(relation)->relation.columns;
  const auto found =
      std::find_if(columns.begin(), columns.end(), [&](const Column& one) { return one.name == column; });
  TIDE_ASSERT(found != columns.end());
  return static_cast<size_t>(found - columns.begin());
}

std::vector<PoolSamples> read_samples(const RenderRequest& request) {
  std::vector<PoolSamples> pools;
  // Two files may claim to be the same instance; no format can tell them apart.
  std::set<std::pair<std::string, std::string>> seen;
  for_each_segment(request.which, [&](Attachment& segment) {
    if (seen.emplace(segment.header().pool, segment.header().instance_id).second)
      pools.push_back(sampled(segment, request));
  });
  return pools;
}

}  // namespace tide
