// Figures: what reports compute from the counters of a pool, because no relation has it: shares and averages since the
// statistics were reset. Null if what they divide by is 0 or was not measured.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "render/host_reading.hpp"

namespace tide {

struct Figure {
  std::string_view name;     // a member in JSON
  std::string_view unit;     // as in columns
  std::string_view meaning;  // one sentence
  std::string_view dividend, divisor;
  std::string_view divisor_too;  // added to the divisor; "": nothing
};

std::span<const Figure> figures_catalogue();
Value figure_of(const Figure& figure, const ReportedPool& pool);
Value figure_of(std::string_view name, const ReportedPool& pool);

// The command that makes the change of row `insight` of the relation "insights", as SQL that can be run; "" if it does not
// change an option to a value.
std::string command_of(const ReportedPool& pool, size_t insight, bool is_sqlite);

}  // namespace tide
