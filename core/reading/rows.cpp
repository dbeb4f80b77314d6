#include "reading/rows.hpp"

#include <string>

#include "os/clock.hpp"
#include "reading/insights/host_pools.hpp"
#include "reading/source.hpp"

namespace tide {

Status read_relation(const Relation& relation, const FleetFilter& filter, std::vector<Row>& out) {
  return read_relation(relation, filter, wall_ns_now(), out);
}

Status read_relation(const Relation& relation, const FleetFilter& filter, int64_t wall_now_ns, std::vector<Row>& out) {
  const Source* source = find_source(relation.name);
  if (source == nullptr) {
    return Status::error(Code::not_found, "no relation is called \"" + std::string(relation.name) + "\"",
                         "the relation \"help\" lists every relation and column");
  }
  if (source->add_fixed_rows != nullptr) source->add_fixed_rows(out);
  if (source->add_directory_rows != nullptr) source->add_directory_rows(filter, out);
  if (source->has_rows_per_segment()) {
    HostPools host(filter.directory);
    for_each_segment(filter, [&](Attachment& segment) {
      const size_t first = out.size();
      if (source->add_rows != nullptr) source->add_rows(segment, wall_now_ns, out);
      if (source->add_rows_among != nullptr) source->add_rows_among(segment, host, wall_now_ns, out);
      if (!source->is_identified()) return;
      const Value identity[] = {segment.header().instance_id, segment.header().pool};
      for (size_t i = first; i < out.size(); ++i)
        out[i].insert(out[i].begin(), std::begin(identity), std::end(identity));
    });
  }
  return Status::ok();
}

}  // namespace tide
