// tide_option_check: the catalogue of options, asked about one.
#include <tidepool/observe.h>

#include "guard.hpp"
#include "policy/settings.hpp"

using namespace tide;

tide_status tide_option_check(const char* name, const char* value, const char** current_name, tide_error* err) {
  return guarded(err, [&]() -> Status {
    if (name == nullptr) return Status::error(Code::bad_argument, "name is NULL");
    const Setting* setting = find_setting(name);
    if (setting == nullptr) return unknown_option(name);
    if (value != nullptr) {
      Policy policy;
      if (Status assigned = assign_value(policy, *setting, value); !assigned) return assigned;
    }
    // The catalogue's names are literals, so they end with a NUL.
    if (current_name != nullptr) *current_name = setting->name.data();
    return Status::ok();
  });
}
