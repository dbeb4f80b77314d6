// Command record: what `commands` keeps of a command, from the bytes its sender wrote: as it came, but readable and without
// passwords.
//
// Threads: any; nothing is kept. Failure: none; whatever the bytes are, something true is shown.
#pragma once

#include <string>
#include <string_view>

namespace tide {

// The verb as it came; "unknown" where it is not even a word.
std::string recorded_verb(std::string_view verb);

// The arguments as valid JSON of at most `bytes_max` bytes, which must be 200 or more. An object stays an object: where
// it is too long, the longest texts in it are shortened, with "..." at their ends. What is no JSON object is shown as
// one JSON text.
std::string recorded_arguments(std::string_view arguments, size_t bytes_max);

}  // namespace tide
