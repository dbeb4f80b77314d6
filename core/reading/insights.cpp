// The relation "insights": what to change, and why.
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kInsightColumns[] = {
    {"severity", text, "", "info, warning or critical.", open},
    {"subject", text, "", "What it is about: size, leases, a tag, connections, statements, cache, server ...", open},
    {"finding", text, "", "What was found, in one sentence.", masked},
    {"evidence", text, "", "The figures from which it follows.", masked},
    {"advice", text, "", "What to change.", masked},
    {"option_name", text, "", "The option to change; null if the advice is not about an option.", open},
    {"option_value", text, "", "The value to set it to; null if there is none to recommend.", open},
};

void add_insights(const Attachment&, int64_t, std::vector<Row>&) {}

}  // namespace

const Source& insights_source() {
  static constexpr Source kSource{
      {"insights", "What each pool's figures suggest to change, most severe first.", kInsightColumns}, add_insights};
  return kSource;
}

}  // namespace tide
