// Incidents: effects of the load on a database and of operators on a pool: statements that get slower the more of them
// run, heavy ones, error storms, forgotten leases, and changes of the size.
#pragma once

#include <optional>

#include "dice.hpp"
#include "driver/fake/server.hpp"
#include "kinds.hpp"

namespace tide::sim {

class World;

class Incidents {
 public:
  Incidents(World& world, uint64_t seed) : world_(world), dice_(seed) {}

  void begin();
  void end();

  // The factor by which holders take longer than alone on the database.
  double slowness(size_t leases) const;
  bool is_leaky() const { return is_on(Kind::leaks); }
  // The fate of a statement before it reaches the server.
  std::optional<Status> answer();

 private:
  bool is_on(Kind kind) const { return current_ == kind; }
  void come(uint64_t age);
  void start(Kind kind);
  void over();
  void resize(uint64_t age);

  World& world_;
  Dice dice_;
  std::optional<Kind> current_;
  double knee_ = 1;
  double share_ = 0;  // of the statements that fail, or are heavy
  uint64_t age_ = 0;
};

}  // namespace tide::sim
