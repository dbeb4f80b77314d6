// Figures and foreign texts as insights write them.
//
// Threads: any. Failure: none; numbers as in PoolReading.
#pragma once

#include <string>
#include <string_view>

namespace tide::insight {

std::string number(double value);                       // "12", "0.4"
std::string counted(double n, std::string_view thing);  // "1 lease", "12 leases"
std::string percent(double ratio);                      // "34 %"
std::string duration(double seconds);                   // "1.5 s"
std::string tag_text(std::string_view tag);             // "tag \"report\"", "leases without a tag"
std::string statement_text(std::string_view query);     // shortened
std::string whole_text(double value);                   // for the value of an option: rounded up

}  // namespace tide::insight
