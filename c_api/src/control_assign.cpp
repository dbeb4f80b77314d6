// tide_assign(), tide_settle(): what UPDATEs mean, and the order in which they are carried out.
#include <tidepool/control.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "control/assign.hpp"
#include "guard.hpp"
#include "structs.hpp"

using namespace tide;

namespace {

std::string_view text(const char* from) { return from == nullptr ? std::string_view() : from; }

std::optional<int64_t> shown(int64_t number) { return number < 0 ? std::nullopt : std::optional(number); }

ShownRow shown_row(const tide_row& row) {
  return {text(row.relation), text(row.instance_id), text(row.pool),
          text(row.key),      shown(row.min_size),   shown(row.max_size)};
}

tide_value of_text(const char* from) { return {TIDE_TEXT, 0, 0, 0, from}; }
tide_value of_whole(int64_t number) { return {TIDE_INT, 0, number, 0, nullptr}; }

// Texts are those of the caller, which outlive the call.
void put_values(const tide_row& row, const char* column, const tide_value& value, const Assignment& from,
                tide_assignment& out) {
  switch (from.verb) {
    case Verb::scale:
      out.values[out.nvalues++] = from.number ? of_whole(*from.number) : tide_value{TIDE_VALUE_NULL, 0, 0, 0, nullptr};
      break;
    case Verb::set:
      out.values[out.nvalues++] = of_text(row.key != nullptr ? row.key : column);
      out.values[out.nvalues++] = from.number ? of_whole(*from.number) : value;
      break;
    case Verb::ack:
      out.values[out.nvalues++] = of_whole(std::get<int64_t>(from.given.front().second));
      out.values[out.nvalues++] = value;
      break;
    default: break;
  }
}

Result<ArgumentValue> read(const tide_value& value) {
  switch (value.type) {
    case TIDE_VALUE_NULL: return ArgumentValue(Null());
    case TIDE_INT: return ArgumentValue(value.integer);
    case TIDE_TEXT:
      if (value.text != nullptr) return ArgumentValue(std::string(value.text));
      [[fallthrough]];
    default: return Status::error(Code::bad_argument, "the value is none", "its type is " + std::to_string(value.type));
  }
}

}  // namespace

tide_status tide_assign(const tide_row* row, const char* column, const tide_value* value, tide_assignment* out,
                        tide_error* err) {
  return guarded(err, [&]() -> Status {
    tide_row shown = TIDE_ROW_INIT;
    if (Status is_read = read_struct(row, "tide_row", shown); !is_read) return is_read;
    if (row == nullptr || column == nullptr || value == nullptr || out == nullptr) {
      return Status::error(Code::bad_argument, "row, column, value or out is NULL");
    }
    const auto given = read(*value);
    if (!given) return given.status();
    const auto meant = assign(shown_row(shown), column, *given);
    if (!meant) return meant.status();
    tide_assignment made = TIDE_ASSIGNMENT_INIT;
    made.verb = word(meant->verb).data();
    put_values(shown, column, *value, *meant, made);
    std::strncpy(made.subject, meant->subject.c_str(), sizeof made.subject - 1);
    made.bound = static_cast<int32_t>(meant->bound);
    made.number = meant->number.value_or(0);
    *out = made;
    return Status::ok();
  });
}

tide_status tide_settle(const tide_row* const* rows, const tide_assignment* const* assignments, int32_t count,
                        int32_t assumes_rows, int32_t* order, int32_t* norder, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (norder != nullptr) *norder = 0;
    if (count < 0 || (count > 0 && (rows == nullptr || assignments == nullptr))) {
      return Status::error(Code::bad_argument, "count is " + std::to_string(count), "accepted: 0 or more");
    }
    std::vector<ShownRow> shown;
    std::vector<Assignment> made;
    for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
      shown.push_back(shown_row(*rows[i]));
      const auto verb = member_of<Verb>(text(assignments[i]->verb));
      const int32_t bound = assignments[i]->bound;
      if (!verb || bound < 0 || bound > static_cast<int32_t>(Bound::target_size)) {
        return Status::error(Code::bad_argument, "assignment " + std::to_string(i) + " is none", "",
                             "tide_assign() makes them");
      }
      made.push_back({*verb, {}, assignments[i]->subject, static_cast<Bound>(bound), assignments[i]->number});
    }
    std::vector<StagedAssignment> staged;
    for (size_t i = 0; i < made.size(); ++i) staged.push_back({&shown[i], &made[i]});
    const auto places = settle(staged, assumes_rows != 0);
    if (!places) return places.status();
    for (size_t i = 0; i < places->size() && order != nullptr; ++i) order[i] = static_cast<int32_t>((*places)[i]);
    if (norder != nullptr) *norder = static_cast<int32_t>(places->size());
    return Status::ok();
  });
}
