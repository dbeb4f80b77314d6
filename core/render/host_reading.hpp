// HostReading: the relations that a report needs, grouped by pool, with masked values as null.
//
// Each relation is read once for all pools: a pool that closes meanwhile has no rows in the later ones. The list of pools
// is that of the relation "pools".
// Threads: any.
// Failure: as read_relation(). render() refuses names that no pool has.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "reading/relation.hpp"
#include "reading/value.hpp"
#include "render/render.hpp"

namespace tide {

// The rows of one relation.
class RowSet {
 public:
  RowSet() = default;
  explicit RowSet(const Relation& relation) : relation_(&relation) {}

  std::span<const Column> columns() const;
  size_t size() const { return rows_.size(); }
  std::vector<Row>& rows() { return rows_; }
  const std::vector<Row>& rows() const { return rows_; }
  // Null outside of the rows and columns.
  const Value& at(size_t row, std::string_view column) const;

 private:
  const Relation* relation_ = nullptr;
  std::vector<Row> rows_;
};

// Conversions of values; null becomes `otherwise`.
double number_of(const Value& value, double otherwise = 0);
std::string text_of(const Value& value, std::string_view otherwise = "");

struct ReportedPool {
  std::string instance_id, pool;
  bool is_name_unique = true;  // no other pool that is alive has this name
  std::map<std::string_view, RowSet, std::less<>> relations;

  const RowSet& rows(std::string_view relation) const;
  const Value& first(std::string_view relation, std::string_view column) const { return rows(relation).at(0, column); }
};

struct HostReading {
  std::string directory;  // where pools of other processes were looked for
  size_t unreadable = 0;  // segments there that this user or this version cannot read; counted only if there is no pool
  std::vector<ReportedPool> pools;

  // What to say if there are none: a sentence, and what to check. "" if there are pools.
  std::string message() const;
  std::string hint() const;
};

Status read_host(const RenderRequest& request, std::span<const std::string_view> relations, HostReading& out);

// The history of one pool since request.since_wall_ns, oldest first, in the finest resolution that covers this time.
struct PoolHistory {
  int64_t resolution_ms = 0;
  RowSet rows;
};
int64_t history_resolution_ms(const RenderRequest& request);
PoolHistory read_history(const RenderRequest& request, const ReportedPool& pool);

}  // namespace tide
