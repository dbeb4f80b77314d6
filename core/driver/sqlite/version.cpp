#include "driver/sqlite/version.hpp"

namespace tide::sqlite {
namespace {

constexpr int kFixed = 3051003;
// Later ones of the same release series, which end with 999.
constexpr int kAlsoFixed[] = {3044006, 3050007};

bool can_damage_wal(int version) {
  for (const int fixed : kAlsoFixed) {
    if (version >= fixed && version / 1000 == fixed / 1000) return false;
  }
  return version < kFixed;
}

std::string shown(int version) {
  return std::to_string(version / 1000000) + "." + std::to_string(version / 1000 % 1000) + "." +
         std::to_string(version % 1000);
}

}  // namespace

std::string known_defect(int version) {
  if (!can_damage_wal(version)) return {};
  return "SQLite " + shown(version) +
         " may damage a file that other programs also write, by its WAL reset; update to 3.51.3";
}

}  // namespace tide::sqlite
