// The message of an error of the database without the values that it quotes.
//
// Kept are the names of objects that follow their kind in quotes (constraint "users_email_key"), as far as they look like
// names and precede every other quote. From there on, everything up to the last quote is left out, since a value may
// contain quotes. So are all words with a digit or an "@". Messages of RAISE (P0001) may say anything, and are left out.
// Threads: pure.
#pragma once

#include <string>
#include <string_view>

namespace tide {

std::string masked_message(std::string_view message, std::string_view sqlstate);

}  // namespace tide
