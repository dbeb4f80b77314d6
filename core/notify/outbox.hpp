// Outbox: which changes of alerts are to be delivered, when, and what becomes of those that cannot be.
//
// Changes are kept in order. Those of one moment are sent together, where the format can; a failed delivery is repeated
// after a random pause that grows (full jitter), until the receiver is back. Alertmanager's API gets firing alerts again
// every minute, and resolved ones for some minutes, as it expects.
//
// O1  Every change that was put is delivered, dropped or queued: put = sent + dropped + queued.
// O2  At most kQueueMax changes are queued. If there are more, one is dropped that a later change of the same alert
//     includes, else the oldest.
// O3  One delivery is under way at a time, and between two starts the format's interval passes.
// O4  A change is delivered at least once, unless it is dropped and counted. Of one alert no change overtakes another.
// O5  Dropped are changes that the receiver refuses for their content (400, 413, 422) even when sent alone, and changes
//     older than kKeepFor whose alert has ended. Nothing else is, until the pool is closed.
// Pure: time and randomness are arguments. Threads: one at a time. Failure: none.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/rng.hpp"
#include "notify/letter.hpp"

namespace tide {

// What became of a delivery.
struct DeliveryResult {
  int status = 0;    // of HTTP; 0: there was no complete answer
  Span retry_after;  // as the receiver asked for; zero: it did not
  bool is_delivered() const { return status >= 200 && status < 300; }
};

class Outbox {
 public:
  static constexpr size_t kQueueMax = 256;
  static constexpr Span kGatherFor = Span::seconds(1);  // so that changes of one moment are one message
  static constexpr Span kRetryBase = Span::seconds(1);
  static constexpr Span kRetryMax = Span::seconds(300);
  static constexpr Span kRetryMin = Span::millis(100);
  static constexpr Span kRetryAfterMax = Span::seconds(3600);
  static constexpr Span kKeepFor = Span::seconds(24 * 3600);
  static constexpr Span kRepeatEvery = Span::seconds(60);  // to Alertmanager's API
  static constexpr Span kRepeatResolvedFor = Span::seconds(300);

  struct Facts {
    uint64_t sent = 0;      // changes
    uint64_t failures = 0;  // deliveries
    uint64_t dropped = 0;   // changes
    uint64_t queued = 0;    // changes, including those under way
    uint64_t failures_in_a_row = 0;
  };

  Outbox(WebhookFormat format, uint64_t seed) : format_(format), rng_(seed), batch_max_(changes_max(format)) {}

  void put(AlertChange change, Instant now);
  // A change that could not be put, because there was no memory.
  void count_lost() { ++put_lost_; }
  // What to deliver now, in order; empty: nothing yet, or a delivery is under way. settle() must follow.
  std::vector<AlertChange> take(Instant now);
  void settle(const DeliveryResult& result, Instant now);
  // When take() should be called again.
  Instant next_wakeup() const;

  // The pool is closed: alerts that fire end, and what is queued is sent without waiting for more, once.
  void begin_close(Instant now, int64_t wall_ns);
  // Nothing is left to send.
  bool is_done() const { return queue_.empty() && !is_under_way_; }
  void drop_rest();

  Facts facts() const;

 private:
  struct Queued {
    AlertChange change;
    Instant at;
  };
  struct Known {  // an alert, for repetitions and for the end
    AlertChange last;
    Instant resolved_at;  // unset: it fires
  };

  bool has_later_change(size_t place) const;
  void drop(size_t place);
  void make_room();
  void drop_old(Instant now);
  void forget_resolved(Instant now);
  bool is_repeating() const { return format_ == WebhookFormat::alertmanager_api && !is_closing_; }
  bool is_repeat_due(Instant now) const;
  void remember(const AlertChange& change, Instant now);
  void settle_delivered(Instant now);
  void settle_failed(const DeliveryResult& result, Instant now);
  Instant due_at() const;

  const WebhookFormat format_;
  Rng rng_;
  size_t batch_max_;  // less after the receiver has refused a larger one
  std::deque<Queued> queue_;
  std::map<uint64_t, Known> known_;  // by alert_id
  bool is_under_way_ = false;
  size_t under_way_ = 0;  // changes at the front of the queue
  bool has_repetitions_ = false;
  bool is_closing_ = false;
  Instant started_at_;  // of the last delivery
  Instant not_before_;  // after a failure
  Instant repeated_at_;
  uint64_t sent_ = 0, failures_ = 0, dropped_ = 0, put_lost_ = 0;
  uint64_t failures_in_a_row_ = 0;
};

}  // namespace tide
