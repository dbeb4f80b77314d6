// Order form: which orders there are, what they take, and whether one is filled in correctly.
//
// Used twice with the same code: by whoever posts, so that a mistake is told at once, and by the owner, who believes
// nothing that came through a mailbox. What the pool itself may refuse (limits, its state) is not known here.
// Threads: any. Failure: bad_argument, naming the argument, its value, what is accepted, and the nearest known name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/instant.hpp"
#include "base/status.hpp"
#include "plane/vocabulary.hpp"

namespace tide {

struct OrderForm {
  OrderVerb verb = OrderVerb::scale;
  int64_t number = 0;     // scale: target size, -1 = automatic; close_connection: conn_id; revoke: lease_id
  Span span;              // burst: duration, zero = the pool's burst_duration; recycle: spread
  std::string option;     // set
  std::string value;      // set
  std::string reason;     // scale
  std::string arguments;  // the same as JSON text, without what does not matter; fits into a mailbox
};

// `arguments_json` is a JSON object; "" stands for {}.
Result<OrderForm> check_order(std::string_view verb, std::string_view arguments_json);

}  // namespace tide
