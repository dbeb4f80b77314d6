#include "record/frame.hpp"

#include <algorithm>

namespace tide::cli::record {

size_t Table::column(std::string_view name) const {
  return static_cast<size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
}

const Value* RowView::find(std::string_view column) const {
  const size_t at = table_.column(column);
  return at < values_.size() ? &values_[at] : nullptr;
}

std::optional<int64_t> RowView::whole(std::string_view column) const {
  const Value* found = find(column);
  const auto* value = found == nullptr ? nullptr : std::get_if<int64_t>(found);
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<double> RowView::number(std::string_view column) const {
  const Value* found = find(column);
  if (found == nullptr) return std::nullopt;
  if (const auto* value = std::get_if<double>(found)) return *value;
  if (const auto* value = std::get_if<int64_t>(found)) return static_cast<double>(*value);
  return std::nullopt;
}

std::string RowView::text(std::string_view column) const {
  const Value* found = find(column);
  const auto* value = found == nullptr ? nullptr : std::get_if<std::string>(found);
  return value == nullptr ? std::string() : *value;
}

const Table* Frame::table(std::string_view relation) const {
  const auto found =
      std::find_if(tables.begin(), tables.end(), [&](const Table& table) { return table.relation == relation; });
  return found == tables.end() ? nullptr : &*found;
}

}  // namespace tide::cli::record
