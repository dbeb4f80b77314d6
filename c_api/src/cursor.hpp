// tide_cursor: rows as they were when it was opened, so that it never waits for a pool and always ends.
#pragma once

#include <string>
#include <vector>

#include <tidepool/observe.h>

#include "reading/relation.hpp"
#include "reading/value.hpp"

struct tide_cursor {
  const tide::Relation* relation = nullptr;
  std::vector<tide::Row> rows;
  size_t next = 0;
  mutable std::vector<std::string> texts;  // by column: the last text made for it; no part of what is shown
};
