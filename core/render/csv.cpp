// CSV as of RFC 4180: lines end with CRLF, and fields are quoted where they need it. Null is an empty field without quotes.
#include <algorithm>
#include <cmath>

#include "reading/rows.hpp"
#include "render/formats.hpp"
#include "render/samples.hpp"
#include "render/writing.hpp"

namespace tide {
namespace {

std::string field(std::string_view text) {
  if (text.find_first_of("\",\r\n") == text.npos) return std::string(text);
  std::string out(1, '"');
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + '"';
}

void add_line(std::string& out, const std::vector<std::string>& fields) {
  for (size_t i = 0; i < fields.size(); ++i) out.append(i == 0 ? "" : ",").append(field(fields[i]));
  out += "\r\n";
}

// The lines of one pool's metrics.
class MetricLines {
 public:
  MetricLines(const PoolSamples& pool, std::string at, std::string& out) : pool_(pool), at_(std::move(at)), out_(out) {}

  void add(const ExportMetric& metric, size_t place) {
    if (metric.instrument == Instrument::histogram) {
      add_durations(metric, pool_.durations[place]);
    } else if (const auto* text = std::get_if<std::string>(&pool_.values[place])) {
      add(metric, "", "", *text);
    } else if (const std::string number = number_text(pool_.values[place]); !number.empty()) {
      add(metric, "", attribute_of(metric.attribute, metric.value), number);
    }
  }

 private:
  static std::string attribute_of(std::string_view name, std::string_view value) {
    return name.empty() ? std::string{} : std::string(name) + "=" + std::string(value);
  }
  void add(const ExportMetric& metric, std::string_view part, std::string attribute, const std::string& value) {
    const std::string unit = part == ".bucket" || part == ".count" ? std::string{} : metric.unit;
    add_line(out_, {at_, pool_.instance_id, pool_.attributes.front().value, metric.name + std::string(part),
                    std::move(attribute), unit, value});
  }
  void add_durations(const ExportMetric& metric, const Durations& durations) {
    if (durations.buckets.empty()) return;
    for (const Bucket& bucket : durations.buckets) {
      const std::string bound = std::isinf(bucket.bound_s) ? "+Inf" : number_text(bucket.bound_s);
      add(metric, ".bucket", "le=" + bound, std::to_string(bucket.count));
    }
    add(metric, ".count", "", std::to_string(durations.count()));
    if (const std::string sum = number_text(durations.sum_s); !sum.empty()) add(metric, ".sum", "", sum);
  }

  const PoolSamples& pool_;
  std::string at_;
  std::string& out_;
};

void write_metrics(const RenderRequest& request, std::string& out) {
  add_line(out, {"at", "instance_id", "pool", "metric", "attribute", "unit", "value"});
  for (const PoolSamples& pool : read_samples(request)) {
    MetricLines lines(pool, iso_time(request.wall_now_ns / 1000), out);
    const auto all = metrics_catalogue();
    for (size_t i = 0; i < all.size(); ++i) {
      if (is_asked_for(all[i], request)) lines.add(all[i], i);
    }
  }
}

std::string history_field(const Value& value, const Column& column) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const auto* integer = std::get_if<int64_t>(&value);
  if (column.type == ColumnType::time && integer != nullptr) return iso_time(*integer);
  return number_text(value);
}

Status write_history(const RenderRequest& request, std::string& out) {
  const Relation& history = *find_relation("pool_history");
  std::vector<Row> rows;
  if (Status read = read_relation(history, request.which, request.wall_now_ns, rows); !read) return read;
  const auto at = static_cast<size_t>(
      std::find_if(history.columns.begin(), history.columns.end(), [](const Column& one) { return one.name == "at"; }) -
      history.columns.begin());
  std::vector<std::string> fields;
  for (const Column& column : history.columns) fields.emplace_back(column.name);
  add_line(out, fields);
  for (const Row& row : rows) {
    const auto* at_us = std::get_if<int64_t>(&row[at]);
    if (at_us == nullptr || *at_us < request.since_wall_ns / 1000) continue;
    for (size_t i = 0; i < row.size(); ++i) fields[i] = history_field(row[i], history.columns[i]);
    add_line(out, fields);
  }
  return Status::ok();
}

}  // namespace

Status render_csv(const RenderRequest& request, std::string& out) {
  if (request.since_wall_ns > 0) return write_history(request, out);
  write_metrics(request, out);
  return Status::ok();
}

}  // namespace tide
