#include "reading/rows.hpp"

#include <string>

#include "reading/source.hpp"

namespace tide {

Status read_relation(const Relation& relation, const FleetFilter& filter, std::vector<Row>& out) {
  return read_relation(relation, filter, wall_clock_ns(), out);
}

Status read_relation(const Relation& relation, const FleetFilter& filter, int64_t wall_now_ns, std::vector<Row>& out) {
  const Source* source = find_source(relation.name);
  if (source == nullptr) {
    return Status::error(Code::not_found, "no relation is called \"" + std::string(relation.name) + "\"",
                         "the relation \"help\" lists every relation and column");
  }
  if (source->add_fixed_rows != nullptr) source->add_fixed_rows(out);
  if (source->add_rows != nullptr) {
    for_each_segment(filter, [&](Attachment& segment) { source->add_rows(segment, wall_now_ns, out); });
  }
  return Status::ok();
}

}  // namespace tide
