#include "text/json.hpp"

#include <nlohmann/json.hpp>

namespace tide::cli {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_or_string(std::string_view text) {
  return nlohmann::json::accept(text) ? std::string(text) : json_string(text);
}

}  // namespace tide::cli
