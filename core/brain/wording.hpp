// Small pieces of text shared by the deciders.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tide::brain {

// "1 connection", "2 connections".
inline std::string counted(int64_t n, std::string_view noun) {
  std::string out = std::to_string(n) + " " + std::string(noun);
  if (n != 1) out += 's';
  return out;
}

// " by psql", or nothing if no name is given.
inline std::string by(std::string_view actor) { return actor.empty() ? std::string() : " by " + std::string(actor); }

// "text", or "text: reason".
inline std::string with_reason(std::string text, std::string_view reason) {
  if (!reason.empty()) text.append(": ").append(reason);
  return text;
}

// Up to two decimals, no more than needed: "0.8", "3.45", "2".
std::string short_number(double value);

}  // namespace tide::brain
