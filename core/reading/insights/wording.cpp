#include "reading/insights/wording.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/fixed_text.hpp"
#include "base/text.hpp"
#include "base/units.hpp"

namespace tide::insight {

std::string number(double value) {
  char text[40];
  const bool is_whole = value >= 100 || value == std::floor(value);
  std::snprintf(text, sizeof text, is_whole ? "%.0f" : value < 0.1 ? "%.2g" : "%.1f", value);
  return text;
}

std::string counted(double n, std::string_view thing) {
  return number(n) + " " + std::string(thing) + (n == 1 ? "" : "s");
}

std::string percent(double ratio) { return number(std::round(ratio * 1000) / 10) + " %"; }

std::string duration(double seconds) {
  return describe_span(Span::nanos(static_cast<int64_t>(std::clamp(seconds, 0.0, 1e9) * 1e9)));
}

std::string tag_text(std::string_view tag) { return tag.empty() ? "leases without a tag" : "tag " + in_quotes(tag); }

std::string statement_text(std::string_view query) {
  constexpr size_t kBytesMax = 120;
  return query.empty() ? "a statement whose text is not known yet" : shortened(query, kBytesMax);
}

std::string whole_text(double value) {
  return std::to_string(static_cast<int64_t>(std::ceil(std::clamp(value, 0.0, 1e9))));
}

}  // namespace tide::insight
