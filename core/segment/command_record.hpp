// Command record: a command as shown in `commands`, made from the bytes its sender wrote: unchanged, but readable and
// without passwords.
//
// Threads: any; nothing is kept. Failure: none; any bytes result in a valid record.
#pragma once

#include <string>
#include <string_view>

namespace tide {

// The verb as received; "unknown" if it is not a word.
std::string recorded_verb(std::string_view verb);

// The arguments as valid JSON of at most `bytes_max` bytes, which must be 200 or more. An object remains an object: if
// it is too long, its longest texts are shortened and end in "...". Anything else becomes a JSON text.
std::string recorded_arguments(std::string_view arguments, size_t bytes_max);

}  // namespace tide
