// The relation "tags": who holds connections, by the tag of the lease.
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kTagColumns[] = {
    {"tag", text, "", "Tag of the leases; null for those without one.", masked},
    {"in_use", integer, "leases", "Leases with this tag, at the last sample."},
    {"waiting", integer, "callers",
     "Callers with this tag that waited, at the last sample; of the first 128 in the queue."},
    {"samples_total", integer, "",
     "Leases and waiting callers with this tag that were seen by a sample; one sample a second, fewer in pools with "
     "thousands of connections. When there is no room, tags with few samples are replaced by others; reset_stats "
     "empties "
     "the relation."},
    {"held_ms_total", real, "ms", "Time that leases of this tag were held, estimated from the samples."},
    {"waited_ms_total", real, "ms", "Time that callers with this tag waited, estimated from the samples."},
    {"longest_ms", real, "ms", "Longest lease that a sample saw."},
    {"last_seen", time, "", "Last sample that saw this tag."},
};

void add_tags(const Attachment& segment, int64_t, std::vector<Row>& out) {
  for (const format::TagRecord& record : segment.read_tags()) {
    out.push_back({
        cell::text_or_null(record.tag),
        cell::count(record.in_use),
        cell::count(record.waiting),
        cell::count(record.samples),
        cell::ms_total(record.held_ns_total),
        cell::ms_total(record.waiting_ns_total),
        cell::ms(cell::signed_of(record.longest_ns)),
        cell::time(cell::signed_of(record.last_wall_ns)),
    });
  }
}

}  // namespace

const Source& tags_source() {
  static constexpr Source kSource{
      {"tags", "Who holds and awaits connections, by the tag of the lease, from a sample each second.", kTagColumns},
      add_tags};
  return kSource;
}

}  // namespace tide
