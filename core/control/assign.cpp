#include "control/assign.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.hpp"

namespace tide {
namespace {

constexpr std::string_view kWhole = "a whole number of connections";

Status cannot_be(std::string_view column, const ArgumentValue& value, std::string_view accepted) {
  const auto* text = std::get_if<std::string>(&value);
  const auto* number = std::get_if<int64_t>(&value);
  const std::string shown = text != nullptr ? in_quotes(*text) : number != nullptr ? std::to_string(*number) : "NULL";
  return Status::error(Code::bad_argument, std::string(column) + " cannot be " + shown,
                       "accepted: " + std::string(accepted));
}

bool is_null(const ArgumentValue& value) {
  return std::holds_alternative<Null>(value) || std::holds_alternative<std::monostate>(value);
}

std::optional<int64_t> whole_in(const ArgumentValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || text->empty()) return std::nullopt;
  return number;
}

Result<Assignment> scale(const ShownRow&, std::string_view column, const ArgumentValue& value) {
  Assignment out{Verb::scale, {}, std::string(column), Bound::none, std::nullopt};
  if (is_null(value)) {
    out.given = {{"target_size", Null()}};
    return out;
  }
  out.bound = Bound::target_size;
  out.number = whole_in(value);
  if (!out.number) return cannot_be(column, value, std::string(kWhole) + ", or NULL for automatic sizing");
  out.given = {{"target_size", *out.number}};
  return out;
}

Result<Assignment> set_limit(const ShownRow&, std::string_view option, const ArgumentValue& value) {
  const auto number = whole_in(value);
  if (!number) return cannot_be(option, value, kWhole);
  return Assignment{Verb::set,
                    {{"option", std::string(option)}, {"value", *number}},
                    std::string(option),
                    option == "min_size" ? Bound::min_size : Bound::max_size,
                    number};
}

Result<Assignment> change_state(const ShownRow&, std::string_view column, const ArgumentValue& value) {
  constexpr std::pair<std::string_view, Verb> kChanges[] = {
      {"paused", Verb::pause}, {"running", Verb::resume}, {"draining", Verb::drain}};
  const auto* wanted = std::get_if<std::string>(&value);
  for (const auto& [state, verb] : kChanges) {
    if (wanted != nullptr && *wanted == state)
      return Assignment{verb, {}, std::string(column), Bound::none, std::nullopt};
  }
  return cannot_be(
      column, value,
      "\"paused\" to pause, \"running\" to resume, \"draining\" to drain; a pool finds the other states by "
      "itself");
}

Result<Assignment> set_setting(const ShownRow& row, std::string_view column, const ArgumentValue& value) {
  if (row.key == "min_size" || row.key == "max_size") return set_limit(row, row.key, value);
  if (is_null(value)) {
    return Status::error(Code::bad_argument,
                         std::string(column) + " of the setting " + in_quotes(row.key) + " cannot be NULL", "",
                         "its default stands in the column default_value");
  }
  const std::string option(row.key);
  return Assignment{Verb::set, {{"option", option}, {"value", value}}, option, Bound::none, std::nullopt};
}

// An alert that was acknowledged stays so: there is no command that takes it back.
Result<Assignment> acknowledge(const ShownRow& row, std::string_view column, const ArgumentValue& value) {
  const auto alert_id = whole_in(std::string(row.key));
  const auto* by = std::get_if<std::string>(&value);
  if (!alert_id || by == nullptr || by->empty()) {
    return cannot_be(column, value, "the name of who has seen the alert; what was acknowledged stays so");
  }
  return Assignment{
      Verb::ack, {{"alert_id", *alert_id}, {"by", *by}}, "alert " + std::string(row.key), Bound::none, std::nullopt};
}

struct Meaning {
  std::string_view relation;
  std::string_view column;
  Result<Assignment> (*assign)(const ShownRow&, std::string_view, const ArgumentValue&);
};

// The columns that the relations call writable.
constexpr Meaning kMeanings[] = {{"pools", "target_size", scale},    {"pools", "min_size", set_limit},
                                 {"pools", "max_size", set_limit},   {"pools", "state", change_state},
                                 {"settings", "value", set_setting}, {"alerts", "acked_by", acknowledge}};

using Staged = std::span<const StagedAssignment>;

bool is_of_one(const StagedAssignment& a, const StagedAssignment& b) {
  return a.row->instance_id == b.row->instance_id;
}

const StagedAssignment* find(Staged staged, const StagedAssignment& like, Bound bound) {
  for (const StagedAssignment& each : staged) {
    if (each.what->bound == bound && is_of_one(each, like)) return &each;
  }
  return nullptr;
}

Status contradiction(Staged staged, bool assumes_rows) {
  for (const StagedAssignment& each : staged) {
    if (each.what->bound == Bound::none) continue;
    const auto after = [&](Bound bound, const std::optional<int64_t>& before) {
      const StagedAssignment* const assigned = find(staged, each, bound);
      return assigned != nullptr ? assigned->what->number : assumes_rows ? before : std::nullopt;
    };
    const auto low = after(Bound::min_size, each.row->min_size);
    const auto high = after(Bound::max_size, each.row->max_size);
    const std::string where = "pool " + in_quotes(each.row->pool) + ", instance " + std::string(each.row->instance_id);
    if (low && high && *low > *high) {
      return Status::error(Code::bad_argument,
                           "min_size " + std::to_string(*low) + " would be above max_size " + std::to_string(*high),
                           where);
    }
    if (each.what->bound != Bound::target_size) continue;
    const int64_t size = *each.what->number;
    const bool is_above = high && size > *high;
    if (!is_above && !(low && size < *low)) continue;
    return Status::error(
        Code::bad_argument,
        "target_size " + std::to_string(size) + " is " +
            (is_above ? "above max_size " + std::to_string(*high) : "below min_size " + std::to_string(*low)),
        where, is_above ? "raise max_size in the same UPDATE, or order a burst" : "lower min_size in the same UPDATE");
  }
  return Status::ok();
}

// Of one instance whose both limits change: may max_size go first without falling below the old min_size?
bool max_goes_first(Staged staged, const StagedAssignment& limit) {
  const StagedAssignment* const max = find(staged, limit, Bound::max_size);
  const StagedAssignment* const min = find(staged, limit, Bound::min_size);
  return max == nullptr || min == nullptr || !min->row->min_size || *max->what->number >= *min->row->min_size;
}

int rank_of(Staged staged, const StagedAssignment& each) {
  // A draining pool takes nothing else before it is resumed, and nothing after.
  if (each.what->verb == Verb::resume) return 0;
  if (each.what->bound == Bound::max_size) return max_goes_first(staged, each) ? 1 : 2;
  if (each.what->bound == Bound::min_size) return max_goes_first(staged, each) ? 2 : 1;
  if (each.what->verb == Verb::set || each.what->verb == Verb::ack) return 3;
  return each.what->verb == Verb::scale ? 4 : 5;
}

}  // namespace

Result<Assignment> assign(const ShownRow& row, std::string_view column, const ArgumentValue& value) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.relation == row.relation && meaning.column == column) return meaning.assign(row, column, value);
  }
  return Status::error(Code::bad_argument, std::string(column) + " cannot be assigned");
}

Result<std::vector<size_t>> settle(Staged staged, bool assumes_rows) {
  std::vector<StagedAssignment> last;
  std::vector<size_t> places;
  for (size_t i = 0; i < staged.size(); ++i) {
    const bool is_replaced = std::any_of(
        staged.begin() + static_cast<std::ptrdiff_t>(i) + 1, staged.end(), [&](const StagedAssignment& later) {
          return is_of_one(later, staged[i]) && later.what->subject == staged[i].what->subject;
        });
    if (is_replaced) continue;
    last.push_back(staged[i]);
    places.push_back(i);
  }
  if (Status why = contradiction(last, assumes_rows); !why) return why;
  std::stable_sort(places.begin(), places.end(),
                   [&](size_t a, size_t b) { return rank_of(last, staged[a]) < rank_of(last, staged[b]); });
  return places;
}

}  // namespace tide
