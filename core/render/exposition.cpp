#include "render/exposition.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "render/legacy.hpp"
#include "render/samples.hpp"
#include "render/writing.hpp"

namespace tide {
namespace {

using Rows = std::span<const ExportMetric>;

std::string escaped(std::string_view text, bool has_quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (c == '"' && has_quotes)) out += '\\';
    out += c;
  }
  return out;
}

std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '.', '_');
  return out + "=\"" + escaped(value, true) + "\"";
}

std::string labels_of(const std::vector<Attribute>& attributes, std::string out = {}) {
  for (const Attribute& each : attributes) out.append(out.empty() ? "" : ",").append(label(each.name, each.value));
  return out;
}

// Labels of every sample of a pool: its attributes, and what tells instances of one name apart.
std::string identity_of(const PoolSamples& pool) {
  std::string out = labels_of(pool.attributes);
  for (const Attribute& each : pool.resource) {
    if (each.name == "service.name" || each.name == "service.instance.id")
      out.append(",").append(label(each.name, each.value));
  }
  return out;
}

std::string seconds_text(int64_t us) { return number_text(static_cast<double>(us) / 1e6); }

// OpenMetrics wants 1.0, not 1, for bounds.
std::string bound_text(double bound_s) {
  if (std::isinf(bound_s)) return "+Inf";
  const std::string text = number_text(bound_s);
  return text.find_first_of(".e") == text.npos ? text + ".0" : text;
}

// Its labels may have 128 characters: the tag has at most 62, a trace and a span 48 and their names 15.
std::string exemplar_text(const Exemplar& exemplar) {
  std::string labels;
  if (!exemplar.trace_id.empty()) {
    labels = label("trace_id", exemplar.trace_id) + "," + label("span_id", exemplar.span_id);
  } else {
    labels = label("tag", exemplar.tag) + "," + label("fingerprint", exemplar.fingerprint);
  }
  return " # {" + labels + "} " + number_text(exemplar.seconds) + " " + seconds_text(exemplar.at_us);
}

class Exposition {
 public:
  Exposition(Dialect dialect, const std::vector<PoolSamples>& pools, std::string& out)
      : is_open_(dialect == Dialect::openmetrics), pools_(pools), out_(out) {
    for (const PoolSamples& pool : pools) identities_.push_back(identity_of(pool));
  }

  // The samples of all rows of one name, in all pools; nothing if there are none. `first` is the place of rows[0] in the
  // catalogue.
  void add_family(Rows rows, size_t first) {
    std::string samples;
    for (size_t pool = 0; pool < pools_.size(); ++pool) {
      for (size_t i = 0; i < rows.size(); ++i) add_samples(rows[i], first + i, pool, samples);
    }
    if (samples.empty()) return;
    add_head(rows.front());
    out_ += samples;
  }

  void add_legacy() {
    for (const LegacyMetric& metric : legacy_metrics()) {
      std::string samples;
      for (size_t pool = 0; pool < pools_.size(); ++pool) {
        const std::string value = number_text(metric.value(pools_[pool]));
        if (!value.empty()) samples += sample(name_of(metric), pool, "", value);
      }
      if (samples.empty()) continue;
      add_head(metric.name, metric.is_counter ? "counter" : "gauge", "", metric.meaning);
      out_ += samples;
    }
  }

 private:
  static std::string name_of(const LegacyMetric& metric) { return std::string(metric.name); }

  std::string type_of(Instrument instrument) const {
    if (instrument == Instrument::counter || instrument == Instrument::histogram) return std::string(word(instrument));
    if (is_open_ && instrument == Instrument::state) return "stateset";
    if (is_open_ && instrument == Instrument::info) return "info";
    return "gauge";
  }

  void add_head(const ExportMetric& metric) {
    static constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
        {"_seconds", "seconds"}, {"_bytes", "bytes"}, {"_ratio", "ratio"}};
    std::string name = metric.prometheus_name, unit;
    // The name of a family of OpenMetrics is that of its samples without their suffix.
    for (const std::string_view suffix : {"_total", "_info"}) {
      if (is_open_ && name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    for (const auto& [ending, word] : kUnits) {
      if (name.ends_with(ending)) unit = word;
    }
    add_head(name, type_of(metric.instrument), unit, metric.meaning);
  }
  void add_head(std::string_view name, std::string_view type, std::string_view unit, std::string_view meaning) {
    std::string family(name);
    if (is_open_ && type == "counter" && family.ends_with("_total")) family.resize(family.size() - 6);
    out_.append("# HELP ").append(family).append(" ").append(escaped(meaning, is_open_)).append("\n");
    out_.append("# TYPE ").append(family).append(" ").append(type).append("\n");
    if (is_open_ && !unit.empty()) out_.append("# UNIT ").append(family).append(" ").append(unit).append("\n");
  }

  std::string sample(std::string_view name, size_t pool, const std::string& label, const std::string& value) const {
    std::string line(name);
    line.append("{").append(identities_[pool]).append(label.empty() ? "" : ",").append(label).append("} ");
    return line.append(value).append("\n");
  }

  void add_samples(const ExportMetric& metric, size_t place, size_t pool, std::string& samples) const {
    if (metric.instrument == Instrument::histogram) {
      add_durations(metric, pools_[pool].durations[place], pool, samples);
      return;
    }
    const Value& value = pools_[pool].values[place];
    const std::string& name = metric.prometheus_name;
    if (const auto* text = std::get_if<std::string>(&value)) {
      for (const std::string_view each : state_words(metric))
        samples += sample(name, pool, label(metric.attribute, each), each == *text ? "1" : "0");
      if (metric.instrument == Instrument::info)
        samples += sample(name, pool, labels_of(process_of(pools_[pool]), label(metric.attribute, *text)), "1");
      return;
    }
    const std::string number = number_text(value);
    if (number.empty()) return;
    samples += sample(name, pool, metric.attribute.empty() ? "" : label(metric.attribute, metric.value), number);
  }

  static std::vector<Attribute> process_of(const PoolSamples& pool) {
    std::vector<Attribute> found;
    for (const Attribute& each : pool.resource) {
      if (!each.name.starts_with("service.")) found.push_back(each);
    }
    return found;
  }

  void add_durations(const ExportMetric& metric, const Durations& durations, size_t pool, std::string& samples) const {
    if (durations.buckets.empty()) return;
    const std::string& name = metric.prometheus_name;
    for (const Bucket& bucket : durations.buckets) {
      samples += sample(name + "_bucket", pool, label("le", bound_text(bucket.bound_s)), std::to_string(bucket.count));
      if (!is_open_ || bucket.exemplar.at_us == 0) continue;
      samples.pop_back();
      samples.append(exemplar_text(bucket.exemplar)).append("\n");
    }
    samples += sample(name + "_count", pool, "", std::to_string(durations.count()));
    const std::string sum = number_text(durations.sum_s);
    if (!sum.empty()) samples += sample(name + "_sum", pool, "", sum);
  }

  bool is_open_;
  const std::vector<PoolSamples>& pools_;
  std::string& out_;
  std::vector<std::string> identities_;  // parallel to pools_
};

}  // namespace

void expose(Dialect dialect, const RenderRequest& request, std::string& out) {
  const std::vector<PoolSamples> pools = read_samples(request);
  Exposition exposition(dialect, pools, out);
  const Rows all = metrics_catalogue();
  for (size_t first = 0; first < all.size();) {
    size_t end = first + 1;
    while (end < all.size() && all[end].name == all[first].name) ++end;
    if (is_asked_for(all[first], request)) exposition.add_family(all.subspan(first, end - first), first);
    first = end;
  }
  if (request.has_legacy_names) exposition.add_legacy();
  if (dialect == Dialect::openmetrics) out += "# EOF\n";
}

}  // namespace tide
