// Turns URL, options and environment into a Target and a Policy, or an error.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "model/words.hpp"
#include "policy/environment.hpp"
#include "policy/settings.hpp"

namespace tide {

// The database that a pool connects to. Credentials are passed from here to the driver only.
struct Target {
  Backend backend = Backend::sqlite;
  std::string scheme;  // "sqlite", "postgresql", or that of a registered driver
  std::string
      connect_text;   // passed to the driver (SQLite: the path; PostgreSQL: the URL without tidepool.* parameters)
  std::string shown;  // without credentials: "host:5432/db" or the absolute path of the file
  std::string user;   // shown as db_user; may be empty
};

struct ParsedOptions {
  Target target;
  Policy policy;
  std::vector<SettingSource> sources;  // parallel to settings_catalogue()
  std::vector<bool> is_shared;         // likewise: the value is one of the shared options
  std::vector<SettingNote> notes;      // accepted words of other pools
};

// All that a pool is opened with. Precedence: options, URL parameters, shared options, environment, preset, default.
//   url      "sqlite:///path/file.db", "sqlite::memory:", "postgresql://...", libpq keywords ("host=... dbname=..."),
//            a bare path ending in .db, .sqlite or .sqlite3, or a scheme in `custom_schemes` ("fake://...").
//            Empty: host, port, database, username, password or dbPath of the options, else DATABASE_URL, else
//            DB_HOST/DB_PORT/DB_NAME/DB_USERNAME/DB_PASSWORD. Parameters "tidepool.<option>=" are options; others are
//            passed to the driver. None: the target stays empty, unless the options name it.
//   options  "key=value key='quoted value'" words, separated by blanks, commas or line breaks, or a JSON object:
//            see policy/json.hpp. Options of the threshold sizer select it unless sizing is given.
//   shared   options of several pools, in the same format. Parts of the address complete those of `options`.
// Fails with bad_option or bad_argument; message, detail and hint never contain a password.
Result<ParsedOptions> parse_options(std::optional<std::string_view> url, std::string_view options,
                                    std::span<const std::string> custom_schemes, const Environment& environment,
                                    std::string_view shared = {});

// One result of check_options().
struct Finding {
  enum class Kind : uint8_t { error, advice, note };
  Kind kind;
  Status about;  // also of advice and notes: message, detail, hint
};
// Reports all errors, or, if there are none, values that are rarely useful and options without an effect. Without `url` (as
// opposed to an empty one) only the options are checked.
std::vector<Finding> check_options(std::optional<std::string_view> url, std::string_view options,
                                   std::span<const std::string> custom_schemes, const Environment& environment);
std::string_view finding_word(Finding::Kind kind);  // "error", "advice", "note"

}  // namespace tide
