// Table: a reading as text, as wide as the terminal, or as JSON.
//
// Threads: one.
#pragma once

#include <string>
#include <vector>

#include "read/reading.hpp"
#include "text/print.hpp"

namespace tide::cli {

// A value as people read it: "-" for null, no digits that mean nothing, safe for the terminal.
std::string shown(const Cell& cell, const tide_column& column);

// The columns (places in the relation) as an aligned table with headings. With a limited width long texts are cut first,
// then the last columns are left out; `left_out` says how many.
std::string table_of(const Reading& reading, const std::vector<int>& columns, const Terminal& terminal,
                     size_t* left_out = nullptr);
// True if the table does not fit without leaving out columns.
bool is_too_wide(const Reading& reading, const std::vector<int>& columns, const Terminal& terminal);
// One line for each value, a block for each row.
std::string blocks_of(const Reading& reading, const std::vector<int>& columns, const Terminal& terminal);
// An array of objects, one in a line. A time is a text such as "2026-01-31 23:59:59.123Z", a boolean true or false.
std::string json_of(const Reading& reading, const std::vector<int>& columns);
std::string json_of(const Cell& cell, const tide_column& column);

// Text in a colour that tells how good or bad the word is, such as "dead" or "critical"; unchanged for other words.
std::string coloured(const std::string& text, std::string_view word);
std::string bold(const std::string& text);

}  // namespace tide::cli
