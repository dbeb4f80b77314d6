// The commands of the model: what is asked before, what is confirmed, and the orders that follow.
#include <tidepool/tidepool.h>

#include <charconv>
#include <utility>

#include "model.hpp"

namespace tide::cli::top {
namespace {

constexpr int64_t kIntervalMin_us = 200'000;
constexpr int64_t kIntervalMax_us = 60'000'000;

std::string number_text(std::optional<int64_t> number) { return number ? std::to_string(*number) : "unknown"; }

// "shop", "shop and web", "shop, web and 3 more"
std::string names_of(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string out = names[0];
  if (names.size() == 2) return out + " and " + names[1];
  if (names.size() > 2) out += ", " + names[1];
  return names.size() > 2 ? out + " and " + std::to_string(names.size() - 2) + " more" : out;
}

std::string names_of(const std::vector<const PoolRow*>& pools) {
  std::vector<std::string> names;
  for (const PoolRow* pool : pools) names.push_back(pool->pool);
  return names_of(names);
}

// nullopt: not a whole number from 0.
std::optional<int64_t> whole_of(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size() && number >= 0;
  return is_whole ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> micros_of(const std::string& text) {
  int64_t micros = 0;
  return tide_duration_parse(text.c_str(), &micros, nullptr) == TIDE_OK ? std::optional(micros) : std::nullopt;
}

// Where it goes from: the target, or the size of a pool that has none.
std::optional<int64_t> size_of(const PoolRow& pool) { return pool.target_size ? pool.target_size : pool.size; }

}  // namespace

void Model::ask(std::string question, std::string input, std::function<void(const std::string&)> on_input) {
  dialog_ = {};
  dialog_.kind = Dialog::Kind::prompt;
  dialog_.question = std::move(question);
  dialog_.input = std::move(input);
  dialog_.on_input = std::move(on_input);
}

void Model::confirm(std::string question, std::vector<Order> orders) {
  if (orders.empty()) return;
  dialog_ = {};
  dialog_.kind = Dialog::Kind::confirm;
  dialog_.question = std::move(question);
  dialog_.on_yes = [this, orders = std::move(orders)] {
    say("sent: " + orders.front().says);
    orders_.insert(orders_.end(), orders.begin(), orders.end());
  };
}

std::vector<const PoolRow*> Model::targets() {
  std::vector<const PoolRow*> pools;
  if (table() == ViewKind::pools) {
    for (const Line& one : lines_) {
      const PoolRow* pool = is_marked(one) ? snapshot_->find_pool(one.instance_id) : nullptr;
      if (pool != nullptr) pools.push_back(pool);
    }
  }
  if (pools.empty() && selected_pool() != nullptr) pools.push_back(selected_pool());
  if (pools.empty()) say("no pool is selected", Style::warning);
  return pools;
}

void Model::scale(int64_t difference) {
  std::vector<Order> orders;
  const auto pools = targets();
  std::string from;
  for (const PoolRow* pool : pools) {
    const auto size = size_of(*pool);
    if (!size || *size + difference < 0) continue;
    const std::string wanted = std::to_string(*size + difference);
    from = std::to_string(*size) + " to " + wanted;
    orders.push_back({pool->instance_id, "scale", R"({"target_size": )" + wanted + R"(, "reason": "tidepool top"})",
                      "scale " + pool->pool + " to " + wanted});
  }
  const std::string what = pools.size() == 1
                               ? " from " + from + " connections?"
                               : (difference > 0 ? " by one connection more each?" : " by one connection less each?");
  confirm("Scale " + names_of(pools) + what, std::move(orders));
}

void Model::ask_scale() {
  const auto pools = targets();
  if (pools.empty()) return;
  const PoolRow& first = *pools.front();
  ask("Size of " + names_of(pools) + " (now " + number_text(size_of(first)) + ", min " + number_text(first.min_size) +
          ", max " + number_text(first.max_size) + "; auto)",
      "", [this](const std::string& size) { scale_to(size); });
}

void Model::scale_to(const std::string& size) {
  const bool is_automatic = size == "auto" || size == "automatic";
  const auto number = whole_of(size);
  if (!is_automatic && !number) {
    return say("not a size: " + size + " (accepted: a number of connections, or auto)", Style::bad);
  }
  const auto pools = targets();
  if (pools.empty()) return;
  const std::string wanted = is_automatic ? "automatic sizing" : std::to_string(*number) + " connections";
  std::vector<Order> orders;
  for (const PoolRow* pool : pools) {
    orders.push_back(
        {pool->instance_id, "scale",
         R"({"target_size": )" + (is_automatic ? "null" : std::to_string(*number)) + R"(, "reason": "tidepool top"})",
         "scale " + pool->pool + " to " + wanted});
  }
  confirm("Scale " + names_of(pools) + " from " + number_text(size_of(*pools.front())) + " to " + wanted + "?",
          std::move(orders));
}

void Model::ask_burst() {
  const auto pools = targets();
  if (pools.empty()) return;
  ask("Burst of " + names_of(pools) + ": more than max_size " + number_text(pools.front()->max_size) + " for", "60s",
      [this](const std::string& duration) { burst_for(duration); });
}

void Model::burst_for(const std::string& duration) {
  const auto micros = micros_of(duration);
  if (!micros || *micros < 1000) return say("not a duration: " + duration + " (accepted: 30s, 5min)", Style::bad);
  const auto pools = targets();
  std::vector<Order> orders;
  for (const PoolRow* pool : pools) {
    orders.push_back({pool->instance_id, "burst", R"({"duration": )" + std::to_string(*micros / 1000) + "}",
                      "burst of " + pool->pool + " for " + duration});
  }
  confirm("Let " + names_of(pools) + " open more connections than max_size for " + duration + "?", std::move(orders));
}

void Model::pause() {
  const auto pools = targets();
  if (pools.empty()) return;
  const bool is_resume = pools.front()->state == "paused" || pools.front()->state == "draining";
  std::vector<Order> orders;
  for (const PoolRow* pool : pools) {
    orders.push_back(
        {pool->instance_id, is_resume ? "resume" : "pause", "{}", (is_resume ? "resume " : "pause ") + pool->pool});
  }
  confirm(is_resume ? "Resume " + names_of(pools) + ": grant leases again?"
                    : "Pause " + names_of(pools) + ": callers wait until you resume?",
          std::move(orders));
}

void Model::revoke() {
  if (table() != ViewKind::leases) return say("leases are revoked where they are shown: press 2", Style::warning);
  std::vector<Order> orders;
  std::vector<std::string> labels;
  const auto add = [&](const Line& one) {
    orders.push_back({one.instance_id, "revoke", R"({"lease_id": )" + std::to_string(one.number) + "}",
                      "revoke lease " + std::to_string(one.number) + " of " + one.pool});
    labels.push_back(one.pool + " (" + one.label + ")");
  };
  for (const Line& one : lines_) {
    if (is_marked(one)) add(one);
  }
  if (orders.empty() && line() != nullptr) add(*line());
  if (orders.empty()) return say("there is no lease to revoke", Style::warning);
  const std::string many = orders.size() == 1 ? "the lease of " : std::to_string(orders.size()) + " leases: ";
  confirm("Revoke " + many + names_of(labels) + "? Connections are closed, holders get errors.", std::move(orders));
}

void Model::acknowledge() {
  std::vector<const AlertRow*> alerts;
  const bool is_table = table() == ViewKind::alerts;
  const PoolRow* pool = selected_pool();
  for (const AlertRow& alert : snapshot_->alerts) {
    const std::string key = alert.instance_id + "/" + std::to_string(alert.alert_id);
    const bool is_chosen = is_table
                               ? (marks() > 0 ? state().marks.contains(key) : line() != nullptr && line()->key == key)
                               : pool != nullptr && alert.instance_id == pool->instance_id && alert.is_firing();
    if (is_chosen && alert.acked_by.empty()) alerts.push_back(&alert);
  }
  if (alerts.empty()) return say("there is no alert to acknowledge", Style::warning);
  std::vector<Order> orders;
  std::vector<std::string> names;
  for (const AlertRow* alert : alerts) {
    orders.push_back({"", "ack", R"({"alert_id": )" + std::to_string(alert->alert_id) + "}",
                      "acknowledge " + alert->rule + " of " + alert->pool});
    names.push_back(alert->rule + " of " + alert->pool);
  }
  confirm("Acknowledge " + names_of(names) + "?", std::move(orders));
}

void Model::set_interval(const std::string& interval) {
  const auto micros = micros_of(interval);
  if (!micros || *micros < kIntervalMin_us || *micros > kIntervalMax_us) {
    return say("not an interval: " + interval + " (accepted: 0.2s to 60s)", Style::bad);
  }
  interval_ns_ = *micros * 1000;
  say("refreshed every " + duration_text(static_cast<double>(*micros) / 1000));
}

}  // namespace tide::cli::top
