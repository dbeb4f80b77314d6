#include "policy/given.hpp"

#include "base/text.hpp"

namespace tide {
namespace {

Status given_twice(const ResolvedOption& first, const ResolvedOption& second) {
  const std::string name(second.setting->name);
  if (first.name == second.name) {
    return Status::error(Code::bad_option, "option " + in_quotes(second.name) + " is given twice");
  }
  return Status::error(Code::bad_option,
                       "options " + in_quotes(first.name) + " and " + in_quotes(second.name) + " are the same option",
                       "both set " + name, "give only " + name);
}

void add_where(Status& status, const std::string& where) {
  if (!where.empty()) status.message += " (" + where + ")";
}

}  // namespace

Result<std::vector<ResolvedOption>> resolve_options(std::vector<GivenOption> given) {
  std::vector<ResolvedOption> resolved;
  for (GivenOption& option : given) {
    const Setting* const setting = find_setting(option.name);
    if (setting == nullptr) {
      Status status = unknown_option(option.name);
      add_where(status, option.where);
      return status;
    }
    ResolvedOption next{setting, std::move(option.value), std::move(option.name), std::move(option.where)};
    for (const ResolvedOption& earlier : resolved) {
      if (earlier.setting != setting) continue;
      Status status = given_twice(earlier, next);
      add_where(status, next.where);
      return status;
    }
    resolved.push_back(std::move(next));
  }
  return resolved;
}

Status assign_resolved(Policy& policy, const ResolvedOption& option) {
  Status status = assign_value(policy, *option.setting, option.value);
  if (status) return status;
  if (!option.where.empty()) {
    add_where(status, option.where);
  } else if (option.name != option.setting->name) {
    add_where(status, "given as " + in_quotes(option.name));
  }
  return status;
}

}  // namespace tide
