// HealthReport: what the report on the health of the pools contains, as text and as JSON.
#pragma once

#include <string_view>

#include "render/host_reading.hpp"

namespace tide {

inline constexpr size_t kOldestLeases = 5;

// 0 healthy, 1 degraded, 2 unhealthy. What cannot be read counts as unhealthy.
int severity_of(const ReportedPool& pool);
std::string_view worst_status(const HostReading& host);

}  // namespace tide
