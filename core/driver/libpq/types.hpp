// The types of PostgreSQL whose values the driver knows. Their numbers (pg_type.oid) never change.
// Threads: pure.
#pragma once

#include <libpq-fe.h>

namespace tide::libpq {

enum class Type : Oid {
  boolean = 16,
  bytea = 17,
  int8 = 20,
  int2 = 21,
  int4 = 23,
  text = 25,
  oid = 26,
  json = 114,
  float4 = 700,
  float8 = 701,
  bpchar = 1042,
  varchar = 1043,
};

}  // namespace tide::libpq
