// What is known about versions of SQLite, of the library that is loaded and not of the header.
//
// Threads: pure function. Failure: none.
#pragma once

#include <string>

namespace tide::sqlite {

// sqlite3_libversion_number(): 3.51.3 is 3051003. Empty: no defect is known that concerns pools.
// Up to 3.51.2 a checkpoint in one connection while another one begins the WAL anew may damage the database; fixed in 3.51.3,
// and in 3.50.7 and 3.44.6.
std::string known_defect(int version);

}  // namespace tide::sqlite
