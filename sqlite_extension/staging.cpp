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

// The order went by instance_id; people know the pool by its name.
std::string named(const Order& order, std::string text) {
  if (text.find(order.row.pool) == std::string::npos) text.insert(0, "pool \"" + order.row.pool + "\": ");
  return text;
}

tide_status give(const Order& order, const Meant& meant, const std::string& actor, uint64_t* command_id,
                 tide_error& error) {
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.directory = order.row.directory.c_str();
  with.actor = actor.c_str();
  return tide_control_values(order.row.instance_id.c_str(), meant.what.verb, meant.what.values, meant.what.nvalues,
                             &with, command_id, command_id != nullptr ? 1 : 0, nullptr, &error);
}

// Puts the orders into the order in which they are given, without those that others replace; or says why they cannot be
// given: they contradict each other, or one of them would be refused.
std::optional<std::string> settle(std::vector<Order>& orders, bool assumes_rows) {
  std::vector<Meant> meant(orders.size());
  std::vector<const tide_row*> rows;
  std::vector<const tide_assignment*> assignments;
  for (size_t i = 0; i < orders.size(); ++i) {
    if (auto why = mean(orders[i], meant[i])) return why;
    rows.push_back(&meant[i].row);
    assignments.push_back(&meant[i].what);
  }
  std::vector<int32_t> places(orders.size());
  int32_t count = 0;
  tide_error error = TIDE_ERROR_INIT;
  if (tide_settle(rows.data(), assignments.data(), static_cast<int32_t>(orders.size()), assumes_rows ? 1 : 0,
                  places.data(), &count, &error) != TIDE_OK) {
    return explain(error);
  }
  const std::string actor = actor_name();
  std::vector<Order> settled;
  for (int32_t i = 0; i < count; ++i) {
    const auto place = static_cast<size_t>(places[static_cast<size_t>(i)]);
    if (give(orders[place], meant[place], actor, nullptr, error) != TIDE_OK)
      return named(orders[place], explain(error));
    settled.push_back(orders[place]);
  }
  orders = std::move(settled);
  return std::nullopt;
}

}  // namespace

void Staging::begin(Table table) { drop(table); }

std::optional<std::string> Staging::stage(Table table, std::vector<Order> orders) {
  if (auto why = settle(orders, false)) return why;
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
  std::vector<Order> orders;
  for (const Staged& staged : staged_) orders.push_back(staged.order);
  if (auto why = settle(orders, true)) return why;
  staged_.clear();
  published_.reserve(published_.size() + orders.size());

  // One after the other, so that nothing is asked for after a refusal.
  const std::string actor = actor_name();
  std::string refused;
  bool is_patient = true;  // until an answer did not come in time: then the others are posted and only looked at
  for (size_t i = 0; i < orders.size() && refused.empty(); ++i) {
    const Order& order = orders[i];
    Meant meant;
    if (auto why = mean(order, meant)) return why;
    const bool is_drain = std::string_view(meant.what.verb) == "drain";
    const int64_t wait_ms = !is_patient ? 1 : is_drain ? kDrainWaitMsMax : kAnswerWaitMsMax;
    uint64_t command_id = 0;
    tide_error error = TIDE_ERROR_INIT;
    tide_status status = give(order, meant, actor, &command_id, error);
    if (status == TIDE_OK) {
      tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
      with.directory = order.row.directory.c_str();
      status = tide_wait_applied(command_id, wait_ms, &with, &error);
    }
    if (status == TIDE_OK || (status == TIDE_TIMEOUT && command_id != 0)) {
      published_.push_back(order);
    } else {
      refused = named(order, explain(error));
    }
    if (status != TIDE_TIMEOUT || is_drain) continue;
    is_patient = false;
    sqlite3_log(SQLITE_WARNING, "tidepool: command %llu, %s of %s, is not answered yet",
                static_cast<unsigned long long>(command_id), order.column, order.place().c_str());
  }
  if (refused.empty()) return std::nullopt;
  if (!published_.empty()) refused += "\nDetail: not taken back:";
  for (const Order& order : published_) refused += std::string("\n  ") + order.column + " of " + order.place();
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
                order.column, order.place().c_str());
  }
  published_.clear();
  std::erase_if(staged_, [&](const Staged& s) { return s.table == table; });
  marks_.erase(table);
}

}  // namespace tide::sqlite
