#include "service/listening.hpp"

#include <utility>

#include "base/backoff.hpp"
#include "base/text.hpp"

namespace tide {

Status check_channel(std::string_view channel) {
  constexpr const char* kAccepted =
      "accepted: 1 to 63 bytes of valid UTF-8; the name is taken as it is, upper and lower case differ";
  if (channel.empty()) return Status::error(Code::bad_argument, "the channel name is empty", kAccepted);
  if (channel.size() > kChannelBytesMax) {
    return Status::error(Code::bad_argument,
                         "channel name " + in_quotes(channel) + " has " + std::to_string(channel.size()) + " bytes",
                         kAccepted, "use a shorter name for LISTEN and for NOTIFY");
  }
  if (is_plain_utf8(channel)) return Status::ok();
  return Status::error(Code::bad_argument, "channel name " + in_quotes(channel) + " is not valid UTF-8", kAccepted);
}

Listening::Listening(std::unique_ptr<ListeningPort> port, const Policy& policy, uint64_t seed)
    : port_(std::move(port)), policy_(policy), rng_(seed) {}

SubscriptionId Listening::subscribe(const std::string& channel) {
  const SubscriptionId id = last_id_ + 1;
  std::set<SubscriptionId>& others = channels_[channel];
  others.insert(id);
  subscriptions_.emplace(id, Subscription{channel});
  last_id_ = id;
  has_changed_ = true;
  return id;
}

bool Listening::unsubscribe(SubscriptionId id) {
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) return false;
  const auto channel = channels_.find(found->second.channel);
  channel->second.erase(id);
  if (channel->second.empty()) channels_.erase(channel);
  subscriptions_.erase(found);
  has_changed_ = true;
  return true;
}

void Listening::set_policy(const Policy& policy) {
  policy_ = policy;
  port_->set_policy(policy);
}

void Listening::break_off() noexcept {
  port_->close();
  is_broken_off_ = true;
}

Instant Listening::step(Instant now, std::vector<Delivery>& out) {
  news_.clear();
  if (std::exchange(is_broken_off_, false) && stage_ != Stage::off) lose(Status::out_of_memory(), now, out);
  const Instant port_next = port_->step(now, news_);
  for (ListeningNews& news : news_) take(news, now, out);
  act(now, out);
  return earliest(port_next, next(now));
}

void Listening::take(ListeningNews& news, Instant now, std::vector<Delivery>& out) {
  if (stage_ == Stage::off || stage_ == Stage::waiting) return;  // given up in the meantime
  heard_at_ = now;
  switch (news.kind) {
    case ListeningNews::Kind::opened:
      stage_ = Stage::idle;
      is_first_change_ = true;
      has_changed_ = true;
      facts_.born = now;
      facts_.server_pid = news.server_pid;
      return;
    case ListeningNews::Kind::done: return take_done(now, out);
    case ListeningNews::Kind::notified: return pass_on(news, out);
    case ListeningNews::Kind::lost: return lose(news.status, now, out);
  }
}

void Listening::take_done(Instant now, std::vector<Delivery>& out) {
  stage_ = Stage::idle;
  if (std::exchange(is_ping_, false)) return;
  for (std::string& channel : adding_) in_effect_.insert(std::move(channel));
  adding_.clear();
  if (std::exchange(is_first_change_, false)) {
    facts_.failures = 0;
    ++facts_.connects_total;
    enter(ListenerState::listening, now);
  }
  greet(out);
}

void Listening::pass_on(const ListeningNews& news, std::vector<Delivery>& out) {
  ++facts_.notifications_total;
  const auto found = channels_.find(news.channel);
  if (found == channels_.end()) return;
  for (const SubscriptionId id : found->second) {
    if (!subscriptions_.at(id).is_heard) continue;
    out.push_back({id, {ListenEvent::Kind::notification, news.channel, news.payload, news.server_pid}});
  }
}

void Listening::lose(const Status& why, Instant now, std::vector<Delivery>& out) {
  port_->close();
  stage_ = Stage::waiting;
  in_effect_.clear();
  adding_.clear();
  is_ping_ = false;
  const Span ceiling = backoff_ceiling(++facts_.failures, policy_.retry_base, policy_.retry_max);
  retry_at_ = now + ceiling.scaled(rng_.unit());
  facts_.born = {};
  facts_.server_pid = 0;
  facts_.last_error = why.message();
  enter(ListenerState::connecting, now);
  for (auto& [id, subscription] : subscriptions_) {
    subscription.is_heard = false;
    if (std::exchange(subscription.is_told_lost, true)) continue;
    out.push_back({id, {ListenEvent::Kind::lost, subscription.channel, why.message()}});
  }
}

void Listening::act(Instant now, std::vector<Delivery>& out) {
  if (subscriptions_.empty()) {
    if (stage_ != Stage::off) shut(now);
    return;
  }
  if (stage_ == Stage::off || (stage_ == Stage::waiting && now >= retry_at_)) open(now);
  if (stage_ == Stage::idle) work(now, out);
  if (stage_ != Stage::busy || now < answer_by_) return;
  lose(Status::error(Code::timeout, "the server did not respond to the listening connection within validation_timeout"),
       now, out);
}

void Listening::open(Instant now) {
  stage_ = Stage::opening;
  if (facts_.state != ListenerState::connecting) enter(ListenerState::connecting, now);
  port_->open(now, now + policy_.connect_timeout);
}

// What the session listens to follows what is wanted; if nothing is to change, the server is asked for a sign of life.
void Listening::work(Instant now, std::vector<Delivery>& out) {
  if (std::exchange(has_changed_, false)) {
    greet(out);
    if (change(now)) return;
  }
  if (now < heard_at_ + policy_.keepalive_idle) return;
  is_ping_ = true;
  await_answer(now);
  port_->ping();
}

// False: the session listens to what is wanted.
bool Listening::change(Instant now) {
  facts_.channels = channels_.size();
  adding_.clear();
  std::vector<std::string> dropping;
  for (const auto& [channel, subscriptions] : channels_) {
    if (!in_effect_.contains(channel)) adding_.push_back(channel);
  }
  for (const std::string& channel : in_effect_) {
    if (!channels_.contains(channel)) dropping.push_back(channel);
  }
  if (adding_.empty() && dropping.empty()) return false;
  for (const std::string& channel : dropping) in_effect_.erase(channel);
  await_answer(now);
  port_->change(adding_, dropping);
  return true;
}

void Listening::await_answer(Instant now) {
  stage_ = Stage::busy;
  answer_by_ = now + policy_.validation_timeout;
}

// Tells the subscriptions whose channel is now listened to.
void Listening::greet(std::vector<Delivery>& out) {
  bool is_gap = false;
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.is_heard || !in_effect_.contains(subscription.channel)) continue;
    subscription.is_heard = true;
    subscription.is_told_lost = false;
    const bool was_heard = std::exchange(subscription.was_heard, true);
    is_gap = is_gap || was_heard;
    out.push_back({id, {was_heard ? ListenEvent::Kind::gap : ListenEvent::Kind::ready, subscription.channel}});
  }
  if (is_gap) ++facts_.gaps_total;
}

void Listening::shut(Instant now) {
  port_->close();
  stage_ = Stage::off;
  in_effect_.clear();
  adding_.clear();
  is_ping_ = false;
  facts_.failures = 0;
  facts_.born = {};
  facts_.server_pid = 0;
  facts_.channels = 0;
  enter(ListenerState::off, now);
}

void Listening::enter(ListenerState state, Instant now) {
  facts_.state = state;
  facts_.since = now;
}

Instant Listening::next(Instant now) const {
  switch (stage_) {
    case Stage::off: return subscriptions_.empty() ? Instant::never() : now;
    case Stage::waiting: return retry_at_;
    case Stage::opening: return Instant::never();
    case Stage::idle: return heard_at_ + policy_.keepalive_idle;
    case Stage::busy: return answer_by_;
  }
  return now;
}

}  // namespace tide
