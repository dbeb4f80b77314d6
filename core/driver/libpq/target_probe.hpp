// The probe of a PostgreSQL server; see pool/target_probe.hpp.
#pragma once

#include <memory>

#include "driver/libpq/connector.hpp"
#include "pool/target_probe.hpp"

namespace tide {

// Never fails: errors in the target are reported by ask(). The clock must outlive the probe.
std::unique_ptr<TargetProbe> make_postgresql_probe(PostgresqlTarget target, const Policy& policy, const Clock& clock);

}  // namespace tide
