// Normal: hours of normal load on a pool with the usual options. No alert may fire.
#pragma once

#include <cstdint>
#include <string>

namespace tide::sim {

struct NormalSpec {
  uint64_t first = 1;
  uint64_t runs = 1;  // an hour of virtual time each, of one shape after the other
  std::string file;   // instead of the shapes: counts of requests, in the second column of a CSV
  double bin_s = 1;   // the length of each bin
  bool is_shown = false;
};

// 0: no built-in alert fired.
int run_normal(const NormalSpec& spec);

}  // namespace tide::sim
