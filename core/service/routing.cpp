#include "service/routing.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/backoff.hpp"
#include "base/units.hpp"

namespace tide {
namespace {

constexpr Span kHoldBase = Span::millis(100);
constexpr Span kHoldMax = Span::seconds(10);
constexpr Span kForgiveAfter = Span::seconds(30);  // of service, earlier failures no longer lengthen the backoff
constexpr uint64_t kPageBytes = 8192;              // of the WAL, unless the server was compiled with other pages
constexpr uint64_t kPageHeaderBytes = 24;

// a/b < c/d
bool is_less_loaded(const TargetLoad& one, const TargetLoad& other) {
  const auto share = [](const TargetLoad& load, const TargetLoad& of) {
    return uint64_t{load.in_use + load.waiting} * std::max(of.limit, 1U);
  };
  return share(one, other) < share(other, one);
}

bool has_bit(uint64_t bits, size_t number) { return (bits >> number & 1) != 0; }

}  // namespace

// ---- LagBook

void LagBook::note(Instant at, uint64_t position) {
  if (position < newest_.position) {
    samples_.clear();
    oldest_ = 0;
  }
  const size_t count = samples_.size();
  Sample* const last = count == 0 ? nullptr : &samples_[(oldest_ + count - 1) % count];
  newest_ = {at, position};
  if (last != nullptr && last->position == position) {
    last->at = at;
  } else if (last != nullptr && at < last->at + resolution_) {
    return;
  } else if (count < kSamples) {
    samples_.push_back(newest_);
  } else {
    samples_[oldest_] = newest_;
    oldest_ = (oldest_ + 1) % kSamples;
  }
}

std::optional<Span> LagBook::lag(uint64_t replayed, Instant as_of) const {
  if (!newest_.at.is_set()) return std::nullopt;
  if (replayed >= newest_.position) return Span{};
  for (size_t i = samples_.size(); i-- > 0;) {
    const Sample& sample = samples_[(oldest_ + i) % samples_.size()];
    if (sample.position <= replayed) return std::max(as_of - sample.at, Span{});
  }
  return std::nullopt;
}

// ---- Routing

Routing::Routing(size_t targets, Instant now) : targets_(targets) {
  for (State& state : targets_) {
    state.view.left_out_since = now;
    state.view.why = state.missed_why;
  }
}

void Routing::set_lag_max(Span lag_max, Instant now) {
  if (lag_max == lag_max_) return;
  lag_max_ = lag_max;
  book_.set_resolution(std::max(lag_max / 64, Span::millis(1)));
  judge_all(now);
}

void Routing::update_lag(State& state, Instant now) const {
  if (!state.is_reachable || state.view.position == 0) return;
  const bool is_behind_newest = state.view.position < book_.newest_position();
  if (!is_primary_silent() || is_primary_gone_ || is_behind_newest) {
    state.view.lag = book_.lag(state.view.position, is_primary_gone_ ? book_.newest_at() : now);
  } else {
    state.view.lag = now - book_.newest_at();  // what it has not told may have been written since
  }
}

std::string Routing::objection(const State& state, size_t target, Instant now) const {
  if (!state.is_reachable) return state.missed_why;
  if (target == kPrimary) return state.is_in_recovery ? "it is a standby, and takes no writes" : "";
  if (!state.is_in_recovery) return "it is not a standby any more: it was promoted, and takes writes of its own";
  if (!state.failed_why.empty() && now < state.held_until) return state.failed_why;
  if (lag_max_.is_zero()) return "";
  if (!state.view.lag) return "its lag is not known yet";
  if (*state.view.lag <= lag_max_) return "";
  return "it is " + describe_span(*state.view.lag) + " behind the primary, more than max_replica_lag, " +
         describe_span(lag_max_);
}

void Routing::judge(size_t target, Instant now) {
  State& state = targets_[target];
  if (target != kPrimary) update_lag(state, now);
  std::string why = objection(state, target, now);
  const bool may_serve = why.empty();
  state.view.why = std::move(why);
  if (may_serve == state.view.is_serving) return;
  state.view.is_serving = may_serve;
  state.view.left_out_since = may_serve ? Instant{} : now;
  if (may_serve) {
    state.back_at = now;
    state.failed_why.clear();
  }
  // The first success is how a group begins, not a change.
  if (may_serve && !state.was_told) return;
  state.was_told = !may_serve;
  changes_.push_back({target, may_serve ? Change::back : Change::left_out});
}

void Routing::judge_all(Instant now) {
  for (size_t i = 0; i < targets_.size(); ++i) judge(i, now);
}

void Routing::saw(size_t target, const TargetReport& report, Instant now) {
  State& state = targets_[target];
  state.is_reachable = true;
  state.is_in_recovery = report.is_in_recovery;
  state.view.position = report.position;
  state.view.checked_at = now;
  if (state.view.is_serving && now >= state.back_at + kForgiveAfter) state.failures = 0;
  if (target != kPrimary) return judge(target, now);
  if (!report.is_in_recovery) book_.note(now, report.position);
  judge_all(now);
}

void Routing::missed(size_t target, std::string_view why, Instant now) {
  State& state = targets_[target];
  // The first judgement of a target that never answered is an event too.
  const bool was_checked = state.view.checked_at.is_set();
  state.is_reachable = false;
  state.missed_why = why;
  state.view.checked_at = now;
  if (target != kPrimary) state.view.lag.reset();
  judge(target, now);
  if (was_checked || state.view.is_serving || state.was_told) return;
  state.was_told = true;
  changes_.push_back({target, Change::left_out});
}

void Routing::set_primary_gone(bool is_gone, Instant now) {
  if (is_gone == is_primary_gone_) return;
  is_primary_gone_ = is_gone;
  judge_all(now);
}

void Routing::failed(size_t target, std::string_view why, Instant now) {
  if (target == kPrimary) return;
  State& state = targets_[target];
  if (!state.view.is_serving) return;  // others failed with it at the same time
  ++state.failures;
  state.held_until = now + backoff_ceiling(state.failures, kHoldBase, kHoldMax);
  state.failed_why = why.empty() ? std::string_view("it failed") : why;
  state.missed_why = state.failed_why;
  state.is_reachable = false;  // until a probe finds that it is
  judge(target, now);
}

size_t Routing::choose(std::span<const TargetLoad> loads, uint64_t tried, uint64_t position, size_t turn) const {
  size_t best = kPrimary;
  const size_t replicas = targets_.size() - 1;
  for (size_t i = 0; i < replicas; ++i) {
    const size_t target = 1 + (turn + i) % replicas;
    const TargetView& view = targets_[target].view;
    if (!view.is_serving || view.position < position || has_bit(tried, target)) continue;
    if (best == kPrimary || is_less_loaded(loads[target], loads[best])) best = target;
  }
  return best;
}

bool Routing::is_any_serving(uint64_t tried) const {
  for (size_t i = 1; i < targets_.size(); ++i) {
    if (targets_[i].view.is_serving && !has_bit(tried, i)) return true;
  }
  return false;
}

std::vector<Routing::Told> Routing::take_changes() { return std::exchange(changes_, {}); }

// ---- a group before it is opened

size_t actual_primary(std::span<const std::optional<TargetReport>> reports) {
  if (reports.empty() || !reports[0] || !reports[0]->is_in_recovery) return 0;
  size_t found = 0;
  for (size_t i = 1; i < reports.size(); ++i) {
    if (!reports[i] || reports[i]->is_in_recovery) continue;
    if (found != 0) return 0;
    found = i;
  }
  return found;
}

Status check_group(std::span<const std::optional<TargetReport>> reports, std::span<const std::string> shown) {
  const auto refused = [](std::string message, std::string detail, std::string hint) {
    return Status::error(Code::bad_option, std::move(message), std::move(detail), std::move(hint));
  };
  for (size_t i = 0; i < reports.size(); ++i) {
    for (size_t j = 0; j < i && reports[i]; ++j) {
      if (!reports[j] || reports[j]->incarnation.empty() || reports[j]->incarnation != reports[i]->incarnation)
        continue;
      return refused("\"" + shown[j] + "\" and \"" + shown[i] + "\" are the same server",
                     "Both were started at the same time and have the same port.",
                     "Name each server once in url and replica_url.");
    }
  }
  for (size_t i = 1; i < reports.size(); ++i) {
    if (!reports[i]) continue;
    if (!reports[i]->is_in_recovery) {
      return refused("replica \"" + shown[i] + "\" is a primary",
                     "It is not in recovery, and takes writes of its own; a replica must be a standby of the primary.",
                     "Name standbys in replica_url, and the primary in the URL.");
    }
    if (!reports[0] || reports[0]->cluster.empty() || reports[i]->cluster.empty() ||
        reports[0]->cluster == reports[i]->cluster) {
      continue;
    }
    return refused("replica \"" + shown[i] + "\" is not a replica of \"" + shown[0] + "\"",
                   "Their system identifiers are different.", "Name standbys of this primary in replica_url.");
  }
  return Status::ok();
}

std::string position_text(uint64_t position) {
  char text[40];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(position >> 32), static_cast<unsigned>(position));
  return text;
}

uint64_t end_of_record(uint64_t position) {
  return position % kPageBytes == kPageHeaderBytes ? position - kPageHeaderBytes : position;
}

}  // namespace tide
