#include "os/user.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace tide {

std::string user_name() { return user_name(::geteuid()); }

std::string user_name(unsigned uid) {
  std::array<char, 4096> room{};
  passwd entry{};
  passwd* found = nullptr;
  const bool is_named = ::getpwuid_r(uid, &entry, room.data(), room.size(), &found) == 0 && found != nullptr;
  return is_named ? found->pw_name : "uid " + std::to_string(uid);
}

}  // namespace tide
