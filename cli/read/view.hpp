// View: how a relation is shown: which rows, which columns, and in which order.
//
// Threads: one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "command.hpp"
#include "read/reading.hpp"

namespace tide::cli {

struct View {
  std::string relation;
  std::vector<std::string> columns;   // of the text, most important first; empty: all. JSON has all
  std::string sort = {};              // a column; with "-" in front: the largest first; "": as read
  std::vector<std::string> key = {};  // of --follow: rows that differ in it are new; empty: cannot follow
};

// The options of every view, and those that depend on the relation.
std::vector<Parameter> view_parameters(const View& view);
// `keeps` may leave out rows.
using Keeps = std::function<bool(const Reading& reading, size_t row)>;
int run_view(const View& view, const Arguments& arguments, const Common& common, const Keeps& keeps = {});

// Waits without using the processor. False: the output has been closed meanwhile, and nobody reads any more.
bool pause_ms(int64_t ms);

}  // namespace tide::cli
