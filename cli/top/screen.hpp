// Screen: the terminal. It shows a grid, and gives keys.
//
// The terminal is as before when the screen is gone: at the end, by an exception, after SIGINT, SIGTERM, SIGHUP and SIGQUIT,
// which only end the program's loop, and after a crash.
//
// Threads: one; at most one screen at a time.
// Failure: throws Failure where the terminal cannot position its cursor.
#pragma once

#include <cstdint>
#include <optional>

#include "grid.hpp"
#include "model.hpp"

namespace tide::cli::top {

class Screen {
 public:
  Screen(bool is_utf8, bool has_colour);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  Size size() const;
  // `everything`: also what has not changed, because something else wrote on the terminal.
  void put(const Grid& grid, bool everything = false);
  // The next key, after at most `timeout_ms`.
  std::optional<Key> read(int timeout_ms);
  // Asked to by a signal, or the terminal is gone.
  bool is_over() const;

 private:
  std::optional<Key> next_key();
  void put_cell(int x, int y, const GridCell& cell);

  struct Session;
  Session* session_;
  bool is_utf8_;
  bool has_colour_;
  bool is_gone_ = false;
};

}  // namespace tide::cli::top
