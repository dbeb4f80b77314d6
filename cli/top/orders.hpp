// Orders: commands on their way to pools. The answers are collected while the screen goes on.
//
// Threads: one. The time is an argument. Failure: an order that is refused has an answer that says why.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model.hpp"

namespace tide::cli::top {

class Orders {
 public:
  explicit Orders(std::string directory) : directory_(std::move(directory)) {}

  void send(Order order, int64_t now_ns);
  // The answers that came since, and those that are too late.
  std::vector<Answer> collect(int64_t now_ns);
  bool is_waiting() const { return !sent_.empty() || !answers_.empty(); }

 private:
  struct Sent {
    Order order;
    uint64_t command_id = 0;
    int64_t until_ns = 0;
  };
  const std::string directory_;
  std::vector<Sent> sent_;
  std::vector<Answer> answers_;
};

}  // namespace tide::cli::top
