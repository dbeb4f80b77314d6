#include "control/plan.hpp"

#include <algorithm>
#include <charconv>
#include <span>

#include "policy/settings.hpp"

namespace tide {
namespace {

using Commands = std::span<const PlannedCommand>;

const PlannedCommand* find(Commands commands, const PlannedCommand& like, Bound bound) {
  for (const PlannedCommand& each : commands) {
    if (each.bound == bound && each.instance_id == like.instance_id) return &each;
  }
  return nullptr;
}

Status contradiction(Commands commands) {
  for (const PlannedCommand& each : commands) {
    if (each.bound == Bound::none || each.instance_id.empty()) continue;
    const auto after = [&](Bound bound, const std::optional<int64_t>& before) {
      const PlannedCommand* const found = find(commands, each, bound);
      return found != nullptr ? found->number : before;
    };
    const auto low = after(Bound::min_size, each.minimum);
    const auto high = after(Bound::max_size, each.maximum);
    const std::string where = each.pool + ", instance " + each.instance_id;
    if (low && high && *low > *high) {
      return Status::error(Code::bad_argument,
                           "min_size " + std::to_string(*low) + " would be above max_size " + std::to_string(*high),
                           where);
    }
    if (each.bound != Bound::target_size) continue;
    const int64_t size = *each.number;
    const bool is_above = high && size > *high;
    if (!is_above && !(low && size < *low)) continue;
    return Status::error(
        Code::bad_argument,
        "target_size " + std::to_string(size) + " is " +
            (is_above ? "above max_size " + std::to_string(*high) : "below min_size " + std::to_string(*low)),
        where, is_above ? "raise max_size in the same UPDATE, or start a burst" : "lower min_size in the same UPDATE");
  }
  return Status::ok();
}

// For a pool of which both limits change: true if max_size can be set first without being lower than the old min_size.
bool max_goes_first(Commands commands, const PlannedCommand& limit) {
  const PlannedCommand* const max = find(commands, limit, Bound::max_size);
  const PlannedCommand* const min = find(commands, limit, Bound::min_size);
  return max == nullptr || min == nullptr || !min->minimum || *max->number >= *min->minimum;
}

int rank_of(Commands commands, const PlannedCommand& each) {
  switch (each.verb) {
    // A draining pool accepts no other command before it is resumed, and none after a drain.
    case Verb::resume: return 0;
    case Verb::pause:
    case Verb::drain: return 5;
    case Verb::scale: return 4;
    default: break;
  }
  if (each.bound == Bound::none) return 3;
  return (each.bound == Bound::max_size) == max_goes_first(commands, each) ? 1 : 2;
}

}  // namespace

PlannedCommand planned(size_t place, const Command& command) {
  PlannedCommand out;
  out.place = place;
  out.verb = command.verb();
  switch (command.verb()) {
    case Verb::pause:
    case Verb::resume:
    case Verb::drain: out.subject = "state"; break;
    case Verb::ack: out.subject = "alert " + std::to_string(*command.whole("alert_id")); break;
    case Verb::scale:
      out.subject = "target_size";
      out.number = command.whole("target_size");
      if (out.number) out.bound = Bound::target_size;
      break;
    case Verb::set: {
      const Setting* const option = find_setting(*command.text("option"));
      out.subject = option != nullptr ? option->name : *command.text("option");
      const bool is_min = out.subject == "min_size";
      if (!is_min && out.subject != "max_size") break;
      const std::string text = *command.text("value");
      int64_t number = 0;
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) break;
      out.bound = is_min ? Bound::min_size : Bound::max_size;
      out.number = number;
      break;
    }
    default: break;
  }
  return out;
}

Result<std::vector<PlannedCommand>> settle(std::vector<PlannedCommand> commands) {
  std::vector<PlannedCommand> last;
  for (PlannedCommand& each : commands) {
    std::erase_if(last, [&](const PlannedCommand& earlier) {
      return !each.subject.empty() && earlier.subject == each.subject && earlier.instance_id == each.instance_id;
    });
    last.push_back(std::move(each));
  }
  if (Status why = contradiction(last); !why) return why;
  std::vector<PlannedCommand> out = last;
  std::stable_sort(out.begin(), out.end(), [&](const PlannedCommand& a, const PlannedCommand& b) {
    return rank_of(last, a) < rank_of(last, b);
  });
  return out;
}

}  // namespace tide
