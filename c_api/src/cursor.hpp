// tide_cursor: a copy of the rows, made when it is opened, so that it never waits for a pool and always ends.
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
  mutable std::vector<std::string> texts;  // by column: the last text made for it; not part of the contents
};
