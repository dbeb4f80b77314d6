#include "reading/fleet.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "os/descriptor.hpp"
#include "segment/directory.hpp"
#include "segment/local_pools.hpp"

namespace tide {
namespace {

// How to open a segment that passed the filter again, in the order of visits.
template <typename Place>
struct Found {
  std::string pool;
  std::string instance_id;
  Place place;

  bool operator<(const Found& other) const {
    return std::tie(pool, instance_id) < std::tie(other.pool, other.instance_id);
  }
};

bool is_wanted(const FleetFilter& filter, const HeaderCopy& header) {
  return (filter.pool.empty() || filter.pool == header.pool) &&
         (filter.instance_id.empty() || filter.instance_id == header.instance_id);
}

void visit_local(const FleetFilter& filter, const std::function<void(Attachment&)>& visit) {
  std::vector<Found<Descriptor>> found;
  for (const LocalPool& pool : local_pools().list()) {
    Descriptor own = Descriptor::copy_of(pool.segment_fd);
    if (!own.is_open()) continue;
    const auto segment = Attachment::from_fd(own.get());
    if (!segment || !is_wanted(filter, segment->header())) continue;
    found.push_back({segment->header().pool, segment->header().instance_id, std::move(own)});
  }
  std::sort(found.begin(), found.end());
  for (const auto& one : found) {
    if (auto segment = Attachment::from_fd(one.place.get())) visit(*segment);
  }
}

void visit_files(const FleetFilter& filter, const std::function<void(Attachment&)>& visit) {
  // Opened twice: the order is known only after all headers are read, and that many files must not be open at once.
  std::vector<Found<std::string>> found;
  for (const std::string& path : list_segments(resolve_directory(filter.directory))) {
    const auto segment = Attachment::open(path);
    if (!segment || !is_wanted(filter, segment->header())) continue;
    if (!is_home_of(path, segment->header().pool, segment->header().instance_id)) continue;
    found.push_back({segment->header().pool, segment->header().instance_id, path});
  }
  std::sort(found.begin(), found.end());
  for (const auto& one : found) {
    auto segment = Attachment::open(one.place);
    if (segment && segment->header().instance_id == one.instance_id) visit(*segment);
  }
}

}  // namespace

void for_each_segment(const FleetFilter& filter, const std::function<void(Attachment&)>& visit) {
  visit_local(filter, visit);
  visit_files(filter, visit);
}

}  // namespace tide
