/* Exports of the C++ interface. Include <tidepool/tidepool.hpp>. */
#pragma once

#include <tidepool/export.h>
#include <tidepool/error.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace tidepool {

/** What export_as() writes; see tide_export_options. Empty texts mean all. */
struct export_options {
  std::string pool{};
  std::string instance_id{};
  std::string directory{};
  /** Also the history of this time until now; 0: only the current state. */
  std::chrono::milliseconds history{0};
  bool masked = false;
  bool legacy_names = false;
  bool connection_max = false;
};

/**
 * The state of the pools of this host in a format for another program, such as `export_as("prometheus")` for the answer to a
 * scrape. Needs no pool of this process. Throws an error with the status TIDE_NOT_FOUND if no pool has the name that was given.
 */
inline std::string export_as(const std::string& format, const export_options& options = {}) {
  tide_export_options wanted = TIDE_EXPORT_OPTIONS_INIT;
  if (options.masked) wanted.flags |= TIDE_EXPORT_MASKED;
  if (options.legacy_names) wanted.flags |= TIDE_EXPORT_LEGACY_NAMES;
  if (options.connection_max) wanted.flags |= TIDE_EXPORT_CONNECTION_MAX;
  wanted.directory = options.directory.c_str();
  wanted.pool = options.pool.c_str();
  wanted.instance_id = options.instance_id.c_str();
  wanted.since_ms = -options.history.count();
  char* text = nullptr;
  size_t bytes = 0;
  detail::call(tide_export_with, format.c_str(), &wanted, &text, &bytes);
  const std::unique_ptr<char, decltype(&tide_free)> owned(text, &tide_free);
  return {text, bytes};
}

}  // namespace tidepool
