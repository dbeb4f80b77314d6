// Order limits: what an order may say at most, whoever asks: its sender, who is told at once, and the pool that obeys.
//
// Threads: any. Failure: bad_argument, naming rule and values.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/instant.hpp"
#include "base/status.hpp"

namespace tide {

inline constexpr Span kBurstMax = Span::seconds(24 * 60 * 60);
inline constexpr Span kAlertHoldMax = Span::seconds(24 * 60 * 60);
// Bytes: what the segment has room for.
inline constexpr size_t kRuleNameBytesMax = 46;
inline constexpr size_t kAlertTextBytesMax = 190;
// Thresholds are from 0, as all metrics are, to below this, as far as readers believe a number.
inline constexpr double kAlertFigureMax = 1e18;

// An alert's condition begins at `threshold` and ends at `clear_at`, which may not lie beyond it. `comparison` is one of
// ">", ">=", "<" and "<=".
Status check_alert_ends(std::string_view rule, std::string_view comparison, double threshold, double clear_at);

}  // namespace tide
