// Lists of targets: those of replica_url, and a URL that names several servers.
//
// Threads: any. Failure: Status, which quotes no part of a target but what relations show of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/parse.hpp"

namespace tide {

inline constexpr size_t kReplicasMax = 16;

// The elements of a list. A comma separates two targets only if the next one begins there: a URL of PostgreSQL, or a keyword
// such as "host=". Other commas are those of libpq, as in host=a,b.
std::vector<std::string> split_targets(std::string_view text);

// The targets of replica_url; none for an empty text.
Result<std::vector<Target>> parse_replicas(std::string_view text);

// The list as the relations show it, without passwords; it can be parsed again.
std::string shown_replicas(std::string_view text);

// Whether two targets name the same server, as far as their texts tell.
bool is_same_server(const Target& one, const Target& other);

// The error for a replica that names the same server as the primary.
Status check_primary_is_no_replica(const Target& primary, std::string_view replica_url);

}  // namespace tide
