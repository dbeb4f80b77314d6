// ChangeWatch: tells whether the data of a database may have changed, for much less than a query.
//
// C1  A statement that begins after read() has returned sees the data of that mark, or newer data.
// C2  is_current() is false from the moment on at which a commit after the mark is visible to others, whoever made it. It
//     may be false without a change of the data.
// Threads: any. Failure: false.
#pragma once

#include <array>
#include <cstdint>

namespace tide {

struct ChangeMark {
  std::array<uint64_t, 8> words{};
  bool operator==(const ChangeMark&) const = default;
};

class ChangeWatch {
 public:
  virtual ~ChangeWatch() = default;
  // May take as long as a short query.
  virtual bool read(ChangeMark& out) noexcept = 0;
  virtual bool is_current(const ChangeMark& mark) noexcept = 0;
};

}  // namespace tide
