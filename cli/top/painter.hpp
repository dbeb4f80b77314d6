// Painter: what the screen looks like: the state of the model in a grid of a size.
//
// From top to bottom: a header, the views, the table, on the pools' view and a pool's page a pane about the pool, the
// message or question, and the keys. A small screen shows less, never something else.
//
// Threads: one. Failure: none.
#pragma once

#include <string>
#include <vector>

#include "grid.hpp"
#include "model.hpp"

namespace tide::cli::top {

// Tells the model how many rows a page has.
Grid paint(Model& model, Size size, bool is_utf8);

// As high as it takes to show every pool, for an output that is no screen.
Grid paint_all(Model& model, int width, bool is_utf8);

}  // namespace tide::cli::top
