// Listening: which channels are listened to, on one connection, and what each subscription is told.
//
// A state machine in virtual time: off -> opening -> idle <-> busy, and waiting after a loss. It opens a connection for the
// first subscription and closes it after the last one.
//
// L1  A subscription is told: ready, its notifications, and for each outage lost and later gap, in this order. If the first
//     connection fails, lost comes before ready.
// L2  A notification that arrives between ready or gap and lost is passed once to each subscription of its channel, in the
//     order of the server.
// L3  ready and gap are told when LISTEN has taken effect: what is committed later is heard.
// L4  A connection that does not answer is given up at most keepalive_idle + validation_timeout after its last sign of life.
// L5  Attempts to connect are separated by random delays, as retry_base and retry_max say.
// Threads: one at a time. Failure: none; a lost connection is replaced until the last subscription ends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.hpp"
#include "base/rng.hpp"
#include "base/status.hpp"
#include "model/words.hpp"
#include "policy/policy.hpp"
#include "pool/listening_port.hpp"

namespace tide {

using SubscriptionId = uint64_t;  // 0: none; never reused

struct ListenEvent {
  enum class Kind : uint8_t { ready, notification, lost, gap };
  Kind kind;
  std::string channel;
  std::string text = {};   // notification: the payload; lost: why
  int32_t server_pid = 0;  // notification: of the sender
};

// What is shown of it.
struct ListeningFacts {
  ListenerState state = ListenerState::off;
  Instant since;  // begin of the state
  Instant born;   // of the connection; unset: there is none
  int32_t server_pid = 0;
  uint64_t channels = 0;
  uint64_t notifications_total = 0;
  uint64_t gaps_total = 0;      // outages after which a subscription was told a gap
  uint64_t connects_total = 0;  // connections on which LISTEN has taken effect
  int failures = 0;             // in a row
  std::string last_error;
};

inline constexpr size_t kChannelBytesMax = 63;  // the server cuts longer names without an error
inline constexpr size_t kSubscriptionsMax = 10'000;
Status check_channel(std::string_view channel);

class Listening {
 public:
  struct Delivery {
    SubscriptionId to;
    ListenEvent event;
  };

  Listening(std::unique_ptr<ListeningPort> port, const Policy& policy, uint64_t seed);

  // A valid channel.
  SubscriptionId subscribe(const std::string& channel);
  bool unsubscribe(SubscriptionId id);  // false: there is none
  // Of a subscription that exists: whether its notifications arrive, as it was told.
  bool is_heard(SubscriptionId id) const { return subscriptions_.at(id).is_heard; }
  const std::string& channel(SubscriptionId id) const { return subscriptions_.at(id).channel; }
  // Does what is due, and appends what is to be told. Returns when to call it next, unless the port has something before.
  Instant step(Instant now, std::vector<Delivery>& out);
  void set_policy(const Policy& policy);
  // A step has thrown: the connection is closed, and counts as lost at the next step.
  void break_off() noexcept;

  const ListeningFacts& facts() const { return facts_; }
  ListeningPort& port() { return *port_; }

 private:
  enum class Stage : uint8_t { off, waiting, opening, idle, busy };
  struct Subscription {
    std::string channel;
    bool is_heard = false;  // ready or gap was told, and not lost since then
    bool was_heard = false;
    bool is_told_lost = false;
  };

  void take(ListeningNews& news, Instant now, std::vector<Delivery>& out);
  void take_done(Instant now, std::vector<Delivery>& out);
  void pass_on(const ListeningNews& news, std::vector<Delivery>& out);
  void lose(const Status& why, Instant now, std::vector<Delivery>& out);
  void act(Instant now, std::vector<Delivery>& out);
  void open(Instant now);
  void work(Instant now, std::vector<Delivery>& out);
  bool change(Instant now);
  void await_answer(Instant now);
  void greet(std::vector<Delivery>& out);
  void shut(Instant now);
  void enter(ListenerState state, Instant now);
  Instant next(Instant now) const;

  const std::unique_ptr<ListeningPort> port_;
  Policy policy_;
  Rng rng_;
  std::map<SubscriptionId, Subscription> subscriptions_;
  std::map<std::string, std::set<SubscriptionId>, std::less<>> channels_;  // by channel; none is empty
  SubscriptionId last_id_ = 0;
  bool has_changed_ = false;  // subscriptions came or went, or the connection is new

  Stage stage_ = Stage::off;
  std::set<std::string, std::less<>> in_effect_;  // of the connection
  std::vector<std::string> adding_;               // by the change that is not answered yet
  bool is_first_change_ = false;                  // of the connection
  bool is_ping_ = false;
  Instant answer_by_;
  Instant heard_at_;
  Instant retry_at_;
  bool is_broken_off_ = false;
  ListeningFacts facts_;
  std::vector<ListeningNews> news_;
};

}  // namespace tide
