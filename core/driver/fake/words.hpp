// The words of the fake database: what a text says, and how errors and values are written.
// Threads: pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "pool/result_table.hpp"

namespace tide::fake {

Status refuse(std::string_view sqlstate, std::string message);
// The words of a text. Those of a text about transactions are in lower case, without quotes.
std::vector<std::string> words_of(std::string_view sql);
bool is_commit(std::string_view sql);
// Also to a savepoint.
bool is_rollback(std::string_view sql);
void add_value(const SqlValue& value, ResultTable& out);
// As the database writes it; empty for NULL.
std::string text_of(const SqlValue& value);

}  // namespace tide::fake
