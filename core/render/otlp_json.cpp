// OTLP: an ExportMetricsServiceRequest in the JSON of Protocol Buffers: names in lowerCamelCase, enums as numbers, 64-bit
// integers as strings. A pool is a resource, because each instance is a process of its own, or a part of one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "render/formats.hpp"
#include "render/samples.hpp"
#include "render/writing.hpp"

namespace tide {
namespace {

constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.45.0";
constexpr int64_t kCumulative = 2;  // AGGREGATION_TEMPORALITY_CUMULATIVE

std::string unix_nano(int64_t us) {
  constexpr int64_t kMicrosMax = std::numeric_limits<int64_t>::max() / 1000;
  return std::to_string(std::clamp<int64_t>(us, 0, kMicrosMax) * 1000);
}

void write_attribute(JsonWriter& json, std::string_view name, std::string_view value, bool is_integer) {
  json.begin_object().key("key").text(name).key("value").begin_object();
  json.key(is_integer ? "intValue" : "stringValue").text(value);
  json.end_object().end_object();
}

class OtlpWriter {
 public:
  OtlpWriter(const RenderRequest& request, std::string& out) : request_(request), json_(out) {}

  void write(const std::vector<PoolSamples>& pools) {
    json_.begin_object().key("resourceMetrics").begin_array();
    for (const PoolSamples& pool : pools) write_pool(pool);
    json_.end_array().end_object();
  }

 private:
  void write_pool(const PoolSamples& pool) {
    json_.begin_object().key("resource").begin_object().key("attributes").begin_array();
    for (const Attribute& each : pool.resource) write_attribute(json_, each.name, each.value, each.is_integer);
    json_.end_array().end_object();
    json_.key("scopeMetrics").begin_array().begin_object();
    json_.key("scope").begin_object().key("name").text("tidepool").end_object();
    json_.key("metrics").begin_array();
    const auto all = metrics_catalogue();
    for (size_t first = 0; first < all.size();) {
      size_t end = first + 1;
      while (end < all.size() && all[end].name == all[first].name) ++end;
      write_metric(pool, first, end);
      first = end;
    }
    json_.end_array().key("schemaUrl").text(kSchemaUrl).end_object().end_array();
    json_.key("schemaUrl").text(kSchemaUrl).end_object();
  }

  void write_metric(const PoolSamples& pool, size_t first, size_t end) {
    const ExportMetric& metric = metrics_catalogue()[first];
    if (!is_asked_for(metric, request_)) return;
    const bool is_known = std::any_of(pool.values.begin() + static_cast<ptrdiff_t>(first),
                                      pool.values.begin() + static_cast<ptrdiff_t>(end),
                                      [](const Value& value) { return !is_null(value); });
    if (!is_known && pool.durations[first].buckets.empty()) return;
    json_.begin_object().key("name").text(metric.name).key("description").text(metric.meaning);
    if (!metric.unit.empty()) json_.key("unit").text(metric.unit);
    const bool is_sum = metric.instrument == Instrument::counter || metric.instrument == Instrument::up_down_counter;
    const bool is_histogram = metric.instrument == Instrument::histogram;
    json_.key(is_histogram ? "histogram" : is_sum ? "sum" : "gauge").begin_object().key("dataPoints").begin_array();
    for (size_t place = first; place < end; ++place) write_points(pool, place);
    json_.end_array();
    if (is_sum || is_histogram) json_.key("aggregationTemporality").number(kCumulative);
    if (is_sum) json_.key("isMonotonic").truth(metric.instrument == Instrument::counter);
    json_.end_object().end_object();
  }

  void write_points(const PoolSamples& pool, size_t place) {
    const ExportMetric& metric = metrics_catalogue()[place];
    if (metric.instrument == Instrument::histogram) {
      write_durations(pool, pool.durations[place]);
      return;
    }
    if (const auto* text = std::get_if<std::string>(&pool.values[place])) {
      for (const std::string_view each : state_words(metric))
        write_point(pool, metric, each, now_us(), int64_t{each == *text});
      if (metric.instrument == Instrument::info) write_point(pool, metric, *text, now_us(), int64_t{1});
      return;
    }
    if (!metric.history.empty()) write_history(pool, metric);
    write_point(pool, metric, metric.value, now_us(), pool.values[place]);
  }

  void write_history(const PoolSamples& pool, const ExportMetric& metric) {
    const size_t at = place_of("pool_history", "at"), column = place_of("pool_history", metric.history);
    for (const Row& row : pool.history) {
      const auto* at_us = std::get_if<int64_t>(&row[at]);
      if (at_us != nullptr && *at_us < now_us()) write_point(pool, metric, metric.value, *at_us, row[column]);
    }
  }

  void begin_point(const PoolSamples& pool, int64_t at_us, const ExportMetric* metric, std::string_view value) {
    json_.begin_object().key("attributes").begin_array();
    for (const Attribute& each : pool.attributes) write_attribute(json_, each.name, each.value, each.is_integer);
    if (metric != nullptr && !metric->attribute.empty()) write_attribute(json_, metric->attribute, value, false);
    json_.end_array();
    // History may be that of an earlier instance.
    if (pool.start_us > 0 && pool.start_us <= at_us) json_.key("startTimeUnixNano").text(unix_nano(pool.start_us));
    json_.key("timeUnixNano").text(unix_nano(at_us));
  }

  void write_point(const PoolSamples& pool, const ExportMetric& metric, std::string_view attribute, int64_t at_us,
                   const Value& value) {
    const std::string text = number_text(value);
    if (text.empty()) return;
    begin_point(pool, at_us, &metric, attribute);
    if (std::holds_alternative<int64_t>(value)) {
      json_.key("asInt").text(text);
    } else {
      json_.key("asDouble").raw(text);
    }
    json_.end_object();
  }

  void write_durations(const PoolSamples& pool, const Durations& durations) {
    if (durations.buckets.empty()) return;
    begin_point(pool, now_us(), nullptr, {});
    json_.key("count").text(std::to_string(durations.count()));
    if (const std::string sum = number_text(durations.sum_s); !sum.empty()) json_.key("sum").raw(sum);
    json_.key("bucketCounts").begin_array();
    int64_t below = 0;
    for (const Bucket& bucket : durations.buckets) {
      json_.text(std::to_string(bucket.count - below));
      below = bucket.count;
    }
    json_.end_array().key("explicitBounds").begin_array();
    for (const Bucket& bucket : durations.buckets) {
      if (!std::isinf(bucket.bound_s)) json_.number(bucket.bound_s);
    }
    json_.end_array();
    write_exemplars(durations);
    json_.end_object();
  }

  void write_exemplars(const Durations& durations) {
    json_.key("exemplars").begin_array();
    for (const Bucket& bucket : durations.buckets) {
      const Exemplar& exemplar = bucket.exemplar;
      if (exemplar.at_us == 0) continue;
      json_.begin_object().key("filteredAttributes").begin_array();
      write_attribute(json_, "tidepool.tag", exemplar.tag, false);
      write_attribute(json_, "tidepool.fingerprint", exemplar.fingerprint, false);
      json_.end_array().key("timeUnixNano").text(unix_nano(exemplar.at_us)).key("asDouble").number(exemplar.seconds);
      if (!exemplar.trace_id.empty()) json_.key("traceId").text(exemplar.trace_id).key("spanId").text(exemplar.span_id);
      json_.end_object();
    }
    json_.end_array();
  }

  int64_t now_us() const { return request_.wall_now_ns / 1000; }

  const RenderRequest& request_;
  JsonWriter json_;
};

}  // namespace

Status render_otlp_json(const RenderRequest& request, std::string& out) {
  OtlpWriter(request, out).write(read_samples(request));
  out += '\n';
  return Status::ok();
}

}  // namespace tide
