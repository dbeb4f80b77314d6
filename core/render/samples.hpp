// Samples: what the catalogue of metrics says of each pool, read from one attachment, so that its values belong together.
//
// Threads: any. Failure: none. A pool that cannot be read is left out, as is a value that cannot be read consistently; nothing
// is replaced by 0. Of a pool whose owner has exited only the counters, histograms and the state remain: its connections
// do not exist.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reading/metrics.hpp"
#include "reading/value.hpp"
#include "render/render.hpp"

namespace tide {

// One of the durations in a histogram, and where it came from.
struct Exemplar {
  double seconds = 0;
  int64_t at_us = 0;
  std::string tag;
  std::string fingerprint;        // of the statement
  std::string trace_id, span_id;  // "" unless the tag is a traceparent of W3C Trace Context
};

struct Bucket {
  double bound_s = 0;  // inclusive; infinity for the last
  int64_t count = 0;   // cumulative
  Exemplar exemplar;   // at_us 0: none
};

struct Durations {
  std::vector<Bucket> buckets;  // empty: not known
  Value sum_s;

  int64_t count() const { return buckets.empty() ? 0 : buckets.back().count; }
};

struct Attribute {
  std::string_view name;
  std::string value;
  bool is_integer = false;
};

struct PoolSamples {
  std::string instance_id;
  // Of every value, with the identity of the instance as Prometheus needs it, and of the process.
  std::vector<Attribute> attributes, resource;
  int64_t start_us = 0;              // counters count from here: the last reset, or the start of the pool
  std::vector<Value> values;         // parallel to metrics_catalogue(); null: not known. A state or an info is its text
  std::vector<Durations> durations;  // likewise
  std::vector<Row> history;          // oldest first, at the finest resolution that there is for each time
};

// Sorted by pool and instance.
std::vector<PoolSamples> read_samples(const RenderRequest& request);

// Whether this row of the catalogue is reported.
inline bool is_asked_for(const ExportMetric& metric, const RenderRequest& request) {
  return !metric.is_former_name || request.has_connection_max;
}

// Where a column of a relation is in its rows, without the identity; the column must exist.
size_t place_of(std::string_view relation, std::string_view column);

}  // namespace tide
