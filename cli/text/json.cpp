#include "text/json.hpp"

#include <nlohmann/json.hpp>

namespace tide::cli {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_or_string(std::string_view text) {
  return nlohmann::json::accept(text) ? std::string(text) : json_string(text);
}

std::string json_shown(std::string_view text) {
  const auto value = nlohmann::json::parse(text, nullptr, false);
  if (!value.is_array()) return std::string(text);
  std::string shown;
  for (const auto& each : value) {
    if (!each.is_string()) return std::string(text);
    shown += (shown.empty() ? "" : "; ") + each.get<std::string>();
  }
  return shown.empty() ? "-" : shown;
}

}  // namespace tide::cli
