#include "staging.hpp"

#include <algorithm>
#include <tuple>

#include "translate.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

// A drain takes its time by nature: it only gets the time of a prompt refusal.
constexpr int64_t kAnswerWaitMsMax = 5'000;
constexpr int64_t kDrainWaitMsMax = 500;

bool same_instance(const Order& a, const Order& b) {
  return a.instance_id == b.instance_id && a.directory == b.directory;
}

tide_control_options destination(const Order& order, const std::string& actor) {
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.directory = order.directory.c_str();
  with.actor = actor.c_str();
  return with;
}

std::string place(const Order& order) { return "pool \"" + order.pool + "\", instance " + order.instance_id; }

// The order went by instance_id; people know the pool by its name.
std::string named(const Order& order, std::string text) {
  if (text.find(order.pool) == std::string::npos) text.insert(0, "pool \"" + order.pool + "\": ");
  return text;
}

std::optional<std::string> refusal(const std::vector<Order>& orders) {
  const std::string actor = actor_name();
  for (const Order& order : orders) {
    const tide_control_options with = destination(order, actor);
    tide_error error = TIDE_ERROR_INIT;
    const std::vector<tide_value> values = values_of(order.values);
    if (tide_control_values(order.instance_id.c_str(), order.verb.c_str(), values.data(),
                            static_cast<int32_t>(values.size()), &with, nullptr, 0, nullptr, &error) != TIDE_OK) {
      return named(order, explain(error));
    }
  }
  return std::nullopt;
}

// Would these orders, all carried out, leave min_size above max_size, or target_size outside of both? `assumes_rows`: a
// limit that is not assigned stays as the row showed it.
std::optional<std::string> contradiction(const std::vector<Order>& orders, bool assumes_rows) {
  for (const Order& order : orders) {
    if (!order.limit && !order.target_size) continue;
    Limits after = assumes_rows ? order.before : Limits{};
    for (const Order& other : orders) {
      if (!other.limit || !same_instance(order, other)) continue;
      (other.subject == "min_size" ? after.min_size : after.max_size) = other.limit;
    }
    if (after.min_size && after.max_size && *after.min_size > *after.max_size) {
      return "min_size " + std::to_string(*after.min_size) + " would be above max_size " +
             std::to_string(*after.max_size) + "\nDetail: " + place(order);
    }
    if (!order.target_size) continue;
    const bool is_above = after.max_size && *order.target_size > *after.max_size;
    if (!is_above && !(after.min_size && *order.target_size < *after.min_size)) continue;
    return "target_size " + std::to_string(*order.target_size) + " is " +
           (is_above ? "above max_size " + std::to_string(*after.max_size)
                     : "below min_size " + std::to_string(*after.min_size)) +
           "\nDetail: " + place(order) + "\nHint: " +
           (is_above ? "raise max_size in the same UPDATE, or call tidepool_burst()"
                     : "lower min_size in the same UPDATE");
  }
  return std::nullopt;
}

}  // namespace

void Staging::begin(Table table) { drop(table); }

std::optional<std::string> Staging::stage(Table table, std::vector<Order> orders) {
  if (auto why = contradiction(orders, false)) return why;
  if (auto why = refusal(orders)) return why;
  staged_.reserve(staged_.size() + orders.size());
  for (Order& order : orders) staged_.push_back({table, next_sequence_++, std::move(order)});
  return std::nullopt;
}

void Staging::savepoint(Table table, int number) { marks_[table][number] = next_sequence_; }

void Staging::release(Table table, int number) {
  auto& marks = marks_[table];
  marks.erase(marks.lower_bound(number), marks.end());
}

void Staging::rollback_to(Table table, int number) {
  auto& marks = marks_[table];
  // A table that joined the transaction after this savepoint was opened never heard of its number, only of later ones,
  // or of none that is still open: then everything it staged is younger than the savepoint.
  const auto mark = marks.lower_bound(number);
  const uint64_t first = mark != marks.end() ? mark->second : 0;
  std::erase_if(staged_, [&](const Staged& s) { return s.table == table && s.sequence >= first; });
  marks.erase(marks.upper_bound(number), marks.end());
}

std::optional<std::string> Staging::publish() {
  // Each table of the transaction asks, and SQLite asks again when COMMIT is tried again: what was posted stays posted.
  const std::vector<Order> orders = settled();
  if (auto why = contradiction(orders, true)) return why;
  if (auto why = refusal(orders)) return why;
  staged_.clear();
  published_.reserve(published_.size() + orders.size());

  // One after the other, so that nothing is asked for after a refusal.
  const std::string actor = actor_name();
  std::string refused;
  bool is_patient = true;  // until an answer did not come in time: then the others are posted and only looked at
  for (size_t i = 0; i < orders.size() && refused.empty(); ++i) {
    const Order& order = orders[i];
    const tide_control_options with = destination(order, actor);
    const int64_t wait_ms = !is_patient ? 1 : order.verb == "drain" ? kDrainWaitMsMax : kAnswerWaitMsMax;
    uint64_t command_id = 0;
    tide_error error = TIDE_ERROR_INIT;
    const std::vector<tide_value> values = values_of(order.values);
    tide_status status =
        tide_control_values(order.instance_id.c_str(), order.verb.c_str(), values.data(),
                            static_cast<int32_t>(values.size()), &with, &command_id, 1, nullptr, &error);
    if (status == TIDE_OK) status = tide_wait_applied(command_id, wait_ms, &with, &error);
    if (status == TIDE_OK || (status == TIDE_TIMEOUT && command_id != 0)) {
      published_.push_back(order);
    } else {
      refused = named(order, explain(error));
    }
    if (status != TIDE_TIMEOUT || order.verb == "drain") continue;
    is_patient = false;
    sqlite3_log(SQLITE_WARNING, "tidepool: command %llu, %s of %s, is not answered yet",
                static_cast<unsigned long long>(command_id), order.verb.c_str(), place(order).c_str());
  }
  if (refused.empty()) return std::nullopt;
  if (!published_.empty()) refused += "\nDetail: not taken back:";
  for (const Order& order : published_) refused += "\n  " + order.verb + " of " + place(order);
  published_.clear();
  return refused;
}

void Staging::commit(Table table) {
  published_.clear();
  drop(table);
}

void Staging::drop(Table table) {
  for (const Order& order : published_) {
    sqlite3_log(SQLITE_WARNING, "tidepool: %s of %s stands although the transaction was rolled back after it",
                order.verb.c_str(), place(order).c_str());
  }
  published_.clear();
  std::erase_if(staged_, [&](const Staged& s) { return s.table == table; });
  marks_.erase(table);
}

std::vector<Order> Staging::settled() const {
  std::vector<Order> orders;
  for (const Staged& staged : staged_) {
    std::erase_if(orders, [&](const Order& earlier) {
      return same_instance(earlier, staged.order) && earlier.subject == staged.order.subject;
    });
    orders.push_back(staged.order);
  }
  const auto max_first = [&](const Order& limit) {
    for (const Order& max : orders) {
      if (max.subject != "max_size" || !max.limit || !same_instance(max, limit)) continue;
      for (const Order& min : orders) {
        if (min.subject != "min_size" || !same_instance(min, limit)) continue;
        const auto& min_before = min.before.min_size;
        return !min_before || *max.limit >= *min_before;
      }
    }
    return true;
  };
  const auto rank = [&](const Order& order) {
    // A draining pool takes nothing else before it is resumed, and nothing after.
    if (order.verb == "resume") return 0;
    if (order.subject == "max_size") return max_first(order) ? 1 : 2;
    if (order.subject == "min_size") return max_first(order) ? 2 : 1;
    if (order.verb == "set" || order.verb == "ack") return 3;
    return order.verb == "scale" ? 4 : 5;
  };
  std::vector<std::pair<int, size_t>> places;
  for (size_t i = 0; i < orders.size(); ++i) places.emplace_back(rank(orders[i]), i);
  std::sort(places.begin(), places.end());
  std::vector<Order> sorted;
  for (const auto& [ranked, index] : places) sorted.push_back(orders[index]);
  return sorted;
}

}  // namespace tide::sqlite
