// The relation "insights": what to change, and why.
#include "reading/cell.hpp"
#include "reading/insights/host_pools.hpp"
#include "reading/insights/insight.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kInsightColumns[] = {
    {"severity", text, "", "info, warning or critical.", open},
    {"subject", text, "",
     "What it is about: size, leases, transactions, tags, connections, statements, query_cache, database, server or "
     "alerts.",
     open},
    {"finding", text, "", "What was found, in one sentence.", masked},
    {"evidence", text, "", "The figures from which it follows.", masked},
    {"advice", text, "", "What to change.", masked},
    {"option_name", text, "", "The option to change; null if the advice is not about an option.", open},
    {"option_value", text, "", "The value to set it to; null if there is none to recommend.", open},
};

void add_insights(const Attachment& segment, HostPools& host, int64_t wall_now_ns, std::vector<Row>& out) {
  for (const Insight& insight : insights_of(segment, host, wall_now_ns)) {
    out.push_back({
        cell::text(word(insight.severity)),
        cell::text(insight.subject),
        cell::text(insight.finding),
        cell::text(insight.evidence),
        cell::text(insight.advice),
        cell::text_or_null(insight.option_name),
        cell::text_or_null(insight.option_value),
    });
  }
}

}  // namespace

const Source& insights_source() {
  static constexpr Source kSource{
      .relation = {"insights", "What each pool's figures suggest to change, most severe first.", kInsightColumns},
      .add_rows_among = add_insights};
  return kSource;
}

}  // namespace tide
