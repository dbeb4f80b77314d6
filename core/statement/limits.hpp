// The limits of statements that are the same for every database.
#pragma once

namespace tide {

inline constexpr int kParametersMax = 32'766;  // of SQLite; PostgreSQL has 65,535

}  // namespace tide
