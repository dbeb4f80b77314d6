// Rows: the one way to ask a relation.
//
// Threads: any. Each segment is read once for a relation; what its owner does meanwhile does not tear a row.
// Failure: not_found for a relation that is not of the catalogue. A pool that cannot be read has no rows; a fact that
// cannot be had in one piece is null.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.hpp"
#include "reading/fleet.hpp"
#include "reading/relation.hpp"
#include "reading/value.hpp"

namespace tide {

// Appends the rows of `relation` to `out`, as of now.
Status read_relation(const Relation& relation, const FleetFilter& filter, std::vector<Row>& out);
// The same, as of `wall_now_ns`.
Status read_relation(const Relation& relation, const FleetFilter& filter, int64_t wall_now_ns, std::vector<Row>& out);

}  // namespace tide
