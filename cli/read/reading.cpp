#include "read/reading.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "commands.hpp"
#include "text/print.hpp"

namespace tide::cli {
namespace {

constexpr const char* kSeeDoctor = "tidepool doctor says where pools are looked for, and what is wrong there";

std::vector<Cell> row_of(const tide_cursor* cursor, const tide_relation& relation) {
  std::vector<Cell> row(static_cast<size_t>(relation.ncolumns));
  for (int i = 0; i < relation.ncolumns; ++i) {
    Cell& cell = row[static_cast<size_t>(i)];
    size_t length = 0;
    const char* const text = tide_cursor_text(cursor, i, &length);
    if (text == nullptr) continue;
    cell.is_null = false;
    cell.text.assign(text, length);
    cell.integer = tide_cursor_int(cursor, i);
    cell.real = tide_cursor_double(cursor, i);
  }
  return row;
}

bool is_hidden(const std::string& status) {
  return status == "unreadable" || status == "damaged" || status == "other_version";
}

// "2 files that are not read: ... (other_version: layout version 9 ...)", or "".
std::string unread_files(const Which& which) {
  constexpr size_t kShownMax = 3;
  const Reading files = read("segments", {which.directory, "", ""});
  std::string list;
  size_t count = 0;
  for (size_t row = 0; row < files.rows.size(); ++row) {
    if (!is_hidden(files.text(row, "status"))) continue;
    if (++count > kShownMax) continue;
    list += fmt::format("{}{} is {}: {}", list.empty() ? "" : "; ", files.text(row, "path"), files.text(row, "status"),
                        files.text(row, "message"));
  }
  if (count > kShownMax) list += fmt::format(" and {} more", count - kShownMax);
  return list;
}

}  // namespace

int Reading::column(std::string_view name) const {
  for (int i = 0; i < relation->ncolumns; ++i) {
    if (relation->columns[i].name == name) return i;
  }
  return -1;
}

const Cell& Reading::cell(size_t row, std::string_view name) const {
  static const Cell kNull;
  const int place = column(name);
  return place < 0 ? kNull : rows[row][static_cast<size_t>(place)];
}

Which which_of(const Common& common, const std::string& pool) { return {common.directory, pool, common.instance}; }

const tide_relation* relation_at(std::string_view name) {
  for (int i = 0; const tide_relation* relation = tide_relation_at(i); ++i) {
    if (relation->name == name) return relation;
  }
  return nullptr;
}

std::vector<std::string> relation_names() {
  std::vector<std::string> names;
  for (int i = 0; const tide_relation* relation = tide_relation_at(i); ++i) names.emplace_back(relation->name);
  return names;
}

void fail_with(const tide_error& error) {
  const int exit_code = error.status == TIDE_NOT_FOUND                                         ? kNoPool
                        : error.status == TIDE_BAD_ARGUMENT || error.status == TIDE_BAD_OPTION ? kMisuse
                                                                                               : kFailed;
  throw Failure{exit_code, error.message, error.detail, error.hint};
}

std::string directory_of(const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  char path[4096];
  tide_error error = TIDE_ERROR_INIT;
  if (tide_default_directory(path, sizeof path, &error) != TIDE_OK) fail_with(error);
  return path;
}

Reading read(const std::string& relation, const Which& which) {
  tide_filter filter = TIDE_FILTER_INIT;
  filter.directory = which.directory.empty() ? nullptr : which.directory.c_str();
  filter.pool = which.pool.c_str();
  filter.instance_id = which.instance.c_str();
  tide_cursor* cursor = nullptr;
  tide_error error = TIDE_ERROR_INIT;
  if (const tide_status status = tide_cursor_open(relation.c_str(), &filter, &cursor, &error); status != TIDE_OK)
    throw Failure{status == TIDE_NOT_FOUND ? kMisuse : kFailed, error.message, error.detail, error.hint};
  Reading reading{relation_at(relation), {}};
  while (tide_cursor_next(cursor) == 1) reading.rows.push_back(row_of(cursor, *reading.relation));
  tide_cursor_close(cursor);
  return reading;
}

void require_pools(const Which& which) {
  if (!read("pools", which).rows.empty()) return;
  const std::string directory = directory_of(which.directory);
  const std::string unread = unread_files(which);
  const Reading all = read("pools", {which.directory, "", ""});
  if (all.rows.empty()) {
    if (!unread.empty()) throw Failure{kNoPool, "no pool can be read in " + directory, unread, kSeeDoctor};
    const bool is_closed = ::access(directory.c_str(), R_OK | X_OK) != 0 && errno == EACCES;
    throw Failure{kNoPool, "no pools on this host",
                  "looked in " + directory + (is_closed ? ", which this user may not read" : ""),
                  "open a pool with publish=on; if it uses another directory, set TIDEPOOL_DIR or --dir to it; "
                  "tidepool doctor examines this"};
  }
  std::vector<std::string> names;
  for (size_t row = 0; row < all.rows.size(); ++row) names.push_back(all.text(row, "pool"));
  names.erase(std::unique(names.begin(), names.end()), names.end());
  constexpr size_t kListedMax = 20;
  std::vector<std::string> listed;
  for (const std::string& name : names) {
    if (listed.size() < kListedMax) listed.push_back(visible(name));
  }
  std::string detail = fmt::format("pools in {}: {}", directory, fmt::join(listed, ", "));
  if (names.size() > listed.size()) detail += fmt::format(" and {} more", names.size() - listed.size());
  if (!unread.empty()) detail += "\nnot read: " + unread;
  const std::string what = which.instance.empty() ? "no pool " + in_quotes(which.pool)
                                                  : "no instance " + in_quotes(which.instance) +
                                                        (which.pool.empty() ? "" : " of pool " + in_quotes(which.pool));
  throw Failure{kNoPool, what, detail, which.pool.empty() ? "" : did_you_mean(which.pool, names)};
}

void warn_of_unreadable(const Which& which) {
  if (const std::string unread = unread_files(which); !unread.empty())
    print_warning("some pools are not shown: " + unread, kSeeDoctor);
}

}  // namespace tide::cli
