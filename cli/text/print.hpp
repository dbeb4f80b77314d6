// Print: output and messages, safe for a terminal whatever other programs have put into names and texts.
//
// Threads: one. Failure: an output that cannot be written is told once, by is_output_complete().
#pragma once

#include <string>
#include <string_view>

#include "command.hpp"

namespace tide::cli {

// What the standard output is.
struct Terminal {
  bool is_terminal = false;
  bool has_colour = false;  // a terminal, and NO_COLOR is not set
  int width = 0;            // columns; 0: no limit
};
Terminal terminal();

void print(std::string_view text);        // to the standard output
void print_error(std::string_view text);  // to the standard error
// "tidepool: message", and the detail and hint in further lines.
void print_failure(const Failure& failure);
// Like a failure, of a command that goes on.
void print_warning(std::string_view message, std::string_view hint);
// Flushes. False, with a message: the output could not be written, for example because the disk is full.
bool is_output_complete();

// With escapes for everything that could change the terminal or the layout: control characters, among them escape
// sequences and line breaks, characters that change the direction of the text, and invalid UTF-8: "\n", "\x1b", "\u202e".
std::string visible(std::string_view text);
// The same in double quotes, for messages.
std::string in_quotes(std::string_view text);
// Columns on a terminal, of visible text.
int width_of(std::string_view text);
// At most `width` columns; a text that is longer ends with "…", or with "~" where the locale has no such character.
std::string cut(std::string_view text, int width);

}  // namespace tide::cli
