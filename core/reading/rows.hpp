// Rows: the function that reads a relation.
//
// Threads: any. Each segment is read once per relation; concurrent changes by its owner do not produce inconsistent
// rows.
// Failure: not_found for a relation that is not in the catalogue. A pool that cannot be read has no rows; a value that
// cannot be read consistently is null.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.hpp"
#include "reading/fleet.hpp"
#include "reading/relation.hpp"
#include "reading/value.hpp"

namespace tide {

// Appends the current rows of `relation` to `out`.
Status read_relation(const Relation& relation, const FleetFilter& filter, std::vector<Row>& out);
// The same, as of `wall_now_ns`.
Status read_relation(const Relation& relation, const FleetFilter& filter, int64_t wall_now_ns, std::vector<Row>& out);

}  // namespace tide
