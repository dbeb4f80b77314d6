// From what a user typed (URL, options, environment) to a Target and a Policy, or a readable refusal.
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

// Where a pool's connections go. `secret` parts never leave this struct but to the driver.
struct Target {
  Backend backend = Backend::sqlite;
  std::string scheme;  // "sqlite", "postgresql", or that of a registered driver
  std::string
      connect_text;   // what the driver is given (SQLite: the path; PostgreSQL: URL without tidepool.* parameters)
  std::string shown;  // without credentials: "host:5432/db" or the file's absolute path
  std::string user;   // shown as db_user; empty where there is none
};

struct ParsedOptions {
  Target target;
  Policy policy;
  std::vector<SettingSource> sources;  // parallel to settings_catalogue()
  std::vector<SettingNote> notes;      // other pools' words that were accepted
};

// Everything a pool is opened with. Precedence: options over URL parameters over environment over preset over default.
//   url      "sqlite:///path/file.db", "sqlite::memory:", "postgresql://...", libpq key words ("host=... dbname=..."),
//            a bare path ending in .db, .sqlite or .sqlite3, or a scheme in `custom_schemes` ("fake://...").
//            Empty or null: host, port, database, username, password or dbPath among the options, else DATABASE_URL, else
//            DB_HOST/DB_PORT/DB_NAME/DB_USERNAME/DB_PASSWORD. Parameters "tidepool.<option>=" are options; others stay
//            with the driver.
//   options  "key=value key='quoted value'" words (blanks, commas or new lines between), or a JSON object: see
//            policy/json.hpp. Null or empty: none. The threshold sizer's options choose it where sizing is not given.
// Fails with bad_option or bad_argument; no error text, hint or detail ever holds a password.
Result<ParsedOptions> parse_options(std::string_view url, std::string_view options,
                                    std::span<const std::string> custom_schemes, const Environment& environment);

// One thing to say about what parse_options() would be given.
struct Finding {
  enum class Kind : uint8_t { error, advice, note };
  Kind kind;
  Status about;  // of advice and notes, too: message, detail, hint
};
// Everything at once: what would be refused, then (if nothing would) values that are accepted but rarely wise, and what
// has no effect. No `url` (not even an empty one): the options alone are looked at.
std::vector<Finding> check_options(std::optional<std::string_view> url, std::string_view options,
                                   std::span<const std::string> custom_schemes, const Environment& environment);
std::string_view finding_word(Finding::Kind kind);  // "error", "advice", "note"

}  // namespace tide
