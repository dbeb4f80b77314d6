// Help: texts made of the descriptions of the commands.
//
// Threads: any.
#pragma once

#include <string>

#include "command.hpp"

namespace tide::cli {

std::string overview();
std::string help_of(const Command& command);
std::string usage_of(const Command& command);  // "tidepool scale POOL TARGET_SIZE [options]"
// "--since DURATION", "-o, --output FILE", "POOL"
std::string written(const Parameter& parameter);
// The exit codes of most commands, a line for each.
std::string exit_codes();
// How the directory of the pools' files is found, and what else comes from the environment.
std::string environment();

}  // namespace tide::cli
