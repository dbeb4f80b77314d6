// Line: from the words of a command line to the run of a command.
//
// Threads: one. Failure: reported on the standard error; the result is the exit code of the process.
#pragma once

#include <string>
#include <vector>

#include "command.hpp"

namespace tide::cli {

// `words` without the name of the program. `common`: what applies unless the words say something else.
int run_line(const std::vector<std::string>& words, const Common& common = {});

// Throws Failure where this is no duration.
int64_t milliseconds_of(const std::string& duration, const std::string& parameter);
// A number within the limits, else Failure.
double number_of(const std::string& text, const std::string& parameter, double low, double high);

}  // namespace tide::cli
