#include "orders.hpp"

#include <tidepool/tidepool.h>

#include <utility>

namespace tide::cli::top {
namespace {

constexpr int64_t kAnswer_ns = 5'000'000'000;

std::string reason_of(const tide_error& error) {
  std::string reason = error.message;
  if (error.detail[0] != '\0') reason += std::string(": ") + error.detail;
  return reason;
}

tide_control_options options_of(const std::string& directory) {
  tide_control_options options = TIDE_CONTROL_OPTIONS_INIT;
  options.directory = directory.empty() ? nullptr : directory.c_str();
  options.via = "tidepool top";
  return options;
}

}  // namespace

void Orders::send(Order order, int64_t now_ns) {
  const tide_control_options options = options_of(directory_);
  tide_error error = TIDE_ERROR_INIT;
  uint64_t command_id = 0;
  const tide_status status = tide_control_with(order.pool.empty() ? nullptr : order.pool.c_str(), order.verb.c_str(),
                                               order.arguments.c_str(), 0, &options, &command_id, &error);
  if (status != TIDE_OK && status != TIDE_TIMEOUT) {
    answers_.push_back({std::move(order), false, reason_of(error)});
  } else {
    sent_.push_back({std::move(order), command_id, now_ns + kAnswer_ns});
  }
}

std::vector<Answer> Orders::collect(int64_t now_ns) {
  const tide_control_options options = options_of(directory_);
  std::vector<Sent> still;
  for (Sent& sent : sent_) {
    tide_error error = TIDE_ERROR_INIT;
    const tide_status status = tide_wait_applied(sent.command_id, 0, &options, &error);
    if (status == TIDE_OK) {
      answers_.push_back({std::move(sent.order), true});
    } else if (status != TIDE_TIMEOUT) {
      answers_.push_back({std::move(sent.order), false, reason_of(error)});
    } else if (now_ns >= sent.until_ns) {
      answers_.push_back(
          {std::move(sent.order), false, "no answer within 5 s; \"tidepool commands\" shows whether it came later"});
    } else {
      still.push_back(std::move(sent));
    }
  }
  sent_ = std::move(still);
  return std::exchange(answers_, {});
}

}  // namespace tide::cli::top
