#include "surroundings.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace tide {

Environment process_environment() {
  Environment environment([](const char* variable) { return std::getenv(variable); });
  for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
    const std::string_view text(*each);
    if (text.starts_with("TIDEPOOL_")) environment.names.emplace_back(text.substr(0, text.find('=')));
  }
  return environment;
}

}  // namespace tide
