#include "reading/fleet.hpp"

#include <algorithm>
#include <atomic>
#include <tuple>
#include <utility>

#include "os/clock.hpp"
#include "os/descriptor.hpp"
#include "segment/directory.hpp"

namespace tide {
namespace {

std::atomic<LocalSegments> local_segments_hook{nullptr};

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
  const LocalSegments local_segments = local_segments_hook.load(std::memory_order_acquire);
  if (local_segments == nullptr) return;
  std::vector<Found<Descriptor>> found;
  for (const int fd : local_segments()) {
    Descriptor own = Descriptor::copy_of(fd);
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

void set_local_segments(LocalSegments local_segments) {
  local_segments_hook.store(local_segments, std::memory_order_release);
}

int64_t wall_clock_ns() { return wall_ns_now(); }

}  // namespace tide
