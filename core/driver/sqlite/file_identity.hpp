// FileIdentity: a file, whatever path leads to it. Values.
#pragma once

#include <cstdint>

namespace tide::sqlite {

struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

}  // namespace tide::sqlite
