// SegmentWriter, the findings of the brain: health, forecasts, alerts and their rules.
#include "pool/segment_writer.hpp"

#include <algorithm>
#include <cmath>

#include "brain/brain.hpp"
#include "brain/ledger.hpp"
#include "segment/rings.hpp"

namespace tide {
namespace {

constexpr Span kForecastEvery = Span::seconds(1);

struct Band {
  double predicted, low, high;
};

void fill(format::ForecastRecord& out, const char* model, int64_t horizon_s, const Band& band, double mape, double wape,
          bool is_selected, int64_t wall_ns) {
  out.at_wall_ns = wall_ns;
  out.horizon_ns = Span::seconds(horizon_s).ns();
  out.predicted_in_use = band.predicted;
  out.low = band.low;
  out.high = band.high;
  out.error_mape = mape;
  out.error_wape = wape;
  out.is_selected = is_selected ? 1 : 0;
  out.model.assign(model);
}

// Converts a forecast of arrivals to connections in use, with a band based on its past errors.
Band band_of(double arrivals, double hold_s, double wape) {
  const double in_use = arrivals * hold_s;
  const double error = in_use * wape;
  const double low = in_use - error;
  return {in_use, low < 0 ? 0 : low, in_use + error};  // unknown values stay unknown
}

}  // namespace

// A time of the monotonic clock as wall-clock time, by the current offset; 0 if it is not set.
int64_t SegmentWriter::wall_of(Instant at, Instant now) const {
  return at.is_set() ? clock_.wall_ns() - (now - at).ns() : 0;
}

void SegmentWriter::findings(const Brain& brain, Instant now) {
  tallies(brain);
  if (brain.health().rounds != rounds_seen_) {
    rounds_seen_ = brain.health().rounds;
    write_health(brain.health(), now);
  }
  if (brain.alert_monitor().rules_generation() != rules_seen_) {
    rules_seen_ = brain.alert_monitor().rules_generation();
    write_rules(brain.alert_monitor());
  }
  if (!forecast_at_.is_set() || now >= forecast_at_ + kForecastEvery) {
    forecast_at_ = now;
    write_forecasts(brain.sizer());
  }
}

void SegmentWriter::tallies(const Brain& brain) {
  const brain::Tallies& counted = brain.tallies();
  format::Tallies& out = segment_.tallies();
  SeqWrite guard(out.seq);
  put(out.bursts_total, counted.bursts);
  put(out.emergencies_total, counted.emergencies);
  put(out.recovery_attempts_total, counted.recovery_attempts);
  put(out.health_checks_total, counted.health_checks);
  put(out.health_check_failures_total, counted.health_check_failures);
  put(out.overloads_total, brain.sizer().facts().overloads);
}

void SegmentWriter::write_health(const brain::Health& health, Instant now) {
  format::HealthBlock& block = segment_.health();
  SeqWrite guard(block.seq);
  for (size_t i = 0; i < brain::kChecks; ++i) {
    const brain::Finding& finding = health.findings[i];
    format::HealthRecord& out = block.record[i];
    out.status = static_cast<uint32_t>(finding.status);
    out.score = finding.score;
    out.value = finding.value;
    out.threshold = finding.threshold;
    out.checked_wall_ns = wall_of(finding.checked_at, now);
    out.message.assign_shortened(finding.message);
  }
}

void SegmentWriter::write_forecasts(const brain::AdaptiveSizer& sizer) {
  const brain::AdaptiveSizer::Facts& facts = sizer.facts();
  const int64_t wall_ns = clock_.wall_ns();
  format::ForecastsBlock& block = segment_.forecasts();
  SeqWrite guard(block.seq);
  uint64_t n = 0;
  double accuracy = Resources::kUnknown;
  for (const brain::AdaptiveSizer::Model& model : sizer.models()) {
    if (n + 2 > format::kForecastsMax) break;
    if (model.is_selected_10 && std::isfinite(model.wape_10)) accuracy = std::max(0.0, 1 - model.wape_10);
    const Band near = model.is_selected_10 ? Band{facts.predicted_in_use_10, facts.low_10, facts.high_10}
                                           : band_of(model.forecast_10, facts.hold_s, model.wape_10);
    const Band far = model.is_selected_60 ? Band{facts.predicted_in_use_60, facts.low_60, facts.high_60}
                                          : band_of(model.forecast_60, facts.hold_s, model.wape_60);
    if (!std::isfinite(model.forecast_10)) continue;  // a season without a complete record yet
    fill(block.record[n++], model.name, 10, near, model.mape_10, model.wape_10, model.is_selected_10, wall_ns);
    fill(block.record[n++], model.name, 60, far, model.mape_60, model.wape_60, model.is_selected_60, wall_ns);
  }
  block.count = n;
  block.efficiency = facts.efficiency;
  block.slow_share = facts.slow_share;
  block.prediction_accuracy = accuracy;
  block.demand = facts.demand;
}

void SegmentWriter::write_rules(const brain::AlertMonitor& alert_monitor) {
  format::AlertRulesBlock& block = segment_.alert_rules();
  SeqWrite guard(block.seq);
  const auto rules = alert_monitor.rules();
  block.count = std::min<uint64_t>(rules.size(), format::kAlertRulesMax);
  for (uint64_t i = 0; i < block.count; ++i) {
    const brain::AlertRule& rule = rules[i];
    format::AlertRuleRecord& out = block.record[i];
    out.rule.assign(rule.name);
    out.metric.assign(about(rule.metric).name);
    out.threshold = rule.threshold;
    out.clear_at = rule.clear_at;
    out.hold_ns = rule.hold.ns();
    out.comparison = static_cast<uint32_t>(rule.comparison);
    out.severity = static_cast<uint32_t>(rule.severity);
    out.is_enabled = rule.is_enabled ? 1 : 0;
    out.is_built_in = rule.is_built_in ? 1 : 0;
    out.message.assign_shortened(rule.message);
    out.advice.assign_shortened(rule.advice);
  }
}

void SegmentWriter::alert(const Brain& brain, size_t place, Instant now) {
  const format::Region& region = segment_.header().alerts;
  if (place >= brain.alert_monitor().places() || place >= region.count) return;
  const brain::Alert& alert = brain.alert_monitor().alert(place);
  format::AlertRecord& out = segment_.alerts()[place];
  SeqWrite guard(out.seq);
  out.alert_id = alert.number == 0 ? 0 : segment_.id_of(alert.number);
  out.since_wall_ns = wall_of(alert.since, now);
  out.last_seen_wall_ns = wall_of(alert.last_seen, now);
  out.resolved_wall_ns = wall_of(alert.resolved_at, now);
  out.acked_wall_ns = wall_of(alert.acked_at, now);
  out.occurrences = alert.occurrences;
  out.value = alert.value;
  out.threshold = alert.threshold;
  out.severity = static_cast<uint32_t>(alert.severity);
  out.state = static_cast<uint32_t>(alert.state);
  out.rule.assign(alert.rule);
  out.metric.assign(about(alert.metric).name);
  out.acked_by.assign(alert.acked_by);
  out.message.assign_shortened(alert.message);
  out.advice.assign_shortened(alert.advice);
}

}  // namespace tide
