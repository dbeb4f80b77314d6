#include "write.hpp"

#include <array>

#include "table.hpp"

SQLITE_EXTENSION_INIT3

namespace tide::sqlite {
namespace {

constexpr std::string_view kMagic = "tidepool row";

int refuse(sqlite3_vtab* vtab, int code, const std::string& text) {
  set_message(vtab, table_of(vtab).sql_name() + ": " + text);
  return code;
}

// Nothing for a text that contains a NUL byte.
std::optional<Given> assigned_value(sqlite3_value* value) {
  const int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return Given::null();
  if (const auto whole = type == SQLITE_TEXT ? std::nullopt : whole_number(value)) return Given::whole(*whole);
  auto text = text_of(value);
  return text ? std::optional(Given::of_text(*std::move(text))) : std::nullopt;
}

std::optional<std::string> run(std::list<Staging::Staged>& staged, int32_t mode) {
  std::vector<tide_command*> commands;
  for (Staging::Staged& each : staged) commands.push_back(&each.command);
  tide_control_options with = TIDE_CONTROL_OPTIONS_INIT;
  with.via = "sqlite";
  tide_error error = TIDE_ERROR_INIT;
  const tide_status status =
      tide_control_batch(commands.data(), static_cast<int32_t>(commands.size()), mode, -1, &with, &error);
  return status == TIDE_OK ? std::nullopt : std::optional(explain(error));
}

}  // namespace

std::string RowIdentity::pack() const {
  std::string blob;
  for (const std::string_view field :
       {kMagic, std::string_view(directory), std::string_view(instance_id), std::string_view(key)}) {
    blob.append(field).push_back('\0');
  }
  return blob;
}

std::optional<RowIdentity> RowIdentity::unpack(std::string_view blob) {
  std::array<std::string, 4> fields;
  for (std::string& field : fields) {
    const size_t end = blob.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    field = blob.substr(0, end);
    blob.remove_prefix(end + 1);
  }
  if (fields[0] != kMagic || !blob.empty()) return std::nullopt;
  return RowIdentity{fields[1], fields[2], fields[3]};
}

std::string assignable_columns(const tide_relation& relation) {
  std::string names;
  for (int i = 0; i < relation.ncolumns; ++i) {
    if (relation.columns[i].is_writable == 0) continue;
    if (!names.empty()) names.append(", ");
    names.append(relation.columns[i].name);
  }
  return names;
}

std::optional<std::string> Staging::stage(std::list<Staged> row) {
  if (auto why = run(row, TIDE_BATCH_CHECK)) return why;
  for (Staged& each : row) each.sequence = next_sequence_++;
  staged_.splice(staged_.end(), row);
  return std::nullopt;
}

void Staging::release(Table table, int number) {
  auto& marks = marks_[table];
  marks.erase(marks.lower_bound(number), marks.end());
}

void Staging::rollback_to(Table table, int number) {
  auto& marks = marks_[table];
  // A table that joined the transaction after this savepoint was opened does not know its number, but only later ones,
  // or none that is still open: then all its staged commands are newer than the savepoint.
  const auto mark = marks.lower_bound(number);
  const uint64_t first = mark != marks.end() ? mark->second : 0;
  std::erase_if(staged_, [&](const Staged& s) { return s.table == table && s.sequence >= first; });
  marks.erase(marks.upper_bound(number), marks.end());
}

std::optional<std::string> Staging::publish() {
  // Called for each table of the transaction, and again if COMMIT is retried: posted commands are not posted again.
  std::list<Staged> commands;
  commands.swap(staged_);
  const auto why = run(commands, TIDE_BATCH_GIVE);
  if (why) {
    published_.clear();
    return why;
  }
  for (const Staged& each : commands) {
    if (each.command.state == TIDE_COMMAND_REPLACED) continue;
    published_.push_back("command " + std::to_string(each.command.command_id) + ", " + each.command.verb +
                         " of instance " + each.row.instance_id);
    if (each.command.state != TIDE_COMMAND_GIVEN) continue;
    sqlite3_log(SQLITE_NOTICE, "tidepool: %s, has not been answered yet", published_.back().c_str());
  }
  return std::nullopt;
}

void Staging::commit(Table table) {
  published_.clear();
  drop(table);
}

void Staging::drop(Table table) {
  for (const std::string& command : published_) {
    sqlite3_log(SQLITE_WARNING, "tidepool: %s, remains in force although the transaction was rolled back",
                command.c_str());
  }
  published_.clear();
  std::erase_if(staged_, [&](const Staged& s) { return s.table == table; });
  marks_.erase(table);
}

int write_update(sqlite3_vtab* vtab, int count, sqlite3_value** values, sqlite3_int64*) {
  return guarded(vtab, [&]() -> int {
    Table& table = table_of(vtab);
    const tide_relation& relation = *table.relation;
    const std::string hint = "\nHint: UPDATE may set " + assignable_columns(relation);
    const bool is_insert = count > 1 && sqlite3_value_type(values[0]) == SQLITE_NULL;
    if (count == 1 || is_insert) {
      return refuse(
          vtab, SQLITE_READONLY,
          std::string(is_insert ? "INSERT" : "DELETE") + " is refused: its rows follow the state of the pools" + hint);
    }
    if (sqlite3_value_int64(values[0]) != sqlite3_value_int64(values[1])) {
      return refuse(vtab, SQLITE_CONSTRAINT, "rowid cannot be assigned" + hint);
    }
    sqlite3_value** const assigned = values + 2;
    sqlite3_value* hidden = assigned[table.directory()];
    std::optional<RowIdentity> row;
    if (sqlite3_value_type(hidden) == SQLITE_BLOB) {
      const auto* bytes = static_cast<const char*>(sqlite3_value_blob(hidden));
      const auto length = static_cast<size_t>(sqlite3_value_bytes(hidden));
      if (bytes != nullptr) row = RowIdentity::unpack({bytes, length});
    }
    if (!row) {
      bool is_told = false;
      for (int i = 0; i < relation.ncolumns; ++i) is_told = is_told || sqlite3_value_nochange(assigned[i]) != 0;
      if (is_told) return refuse(vtab, SQLITE_CONSTRAINT, "dir cannot be assigned" + hint);
      // SQLite passes a complete new row here, which does not show which columns were assigned.
      return refuse(vtab, SQLITE_CONSTRAINT,
                    "UPDATE ... FROM does not say which columns were assigned"
                    "\nHint: write SET column = (SELECT ...) instead");
    }

    std::list<Staging::Staged> commands;
    for (int i = 0; i < relation.ncolumns; ++i) {
      if (sqlite3_value_nochange(assigned[i]) != 0) continue;
      const std::string name = relation.columns[i].name;
      if (relation.columns[i].is_writable == 0)
        return refuse(vtab, SQLITE_CONSTRAINT, name + " cannot be assigned" + hint);
      auto value = assigned_value(assigned[i]);
      if (!value) return refuse(vtab, SQLITE_CONSTRAINT, name + " cannot be a text with a NUL inside");
      Staging::Staged& staged = commands.emplace_back(Staging::Staged{vtab, *row, *std::move(value)});
      const tide_value given = staged.value.value();
      tide_error error = TIDE_ERROR_INIT;
      if (tide_assign(relation.name, relation.columns[i].name, staged.row.key.c_str(), &given, &staged.command,
                      &error) != TIDE_OK) {
        return refuse(vtab, SQLITE_CONSTRAINT, explain(error));
      }
      staged.command.pool = staged.row.instance_id.c_str();
      staged.command.directory = staged.row.directory.c_str();
    }
    if (auto why = table.staging->stage(std::move(commands))) return refuse(vtab, SQLITE_CONSTRAINT, *why);
    return SQLITE_OK;
  });
}

int write_begin(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] { return table_of(vtab).staging->begin(vtab), SQLITE_OK; });
}
int write_sync(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] {
    const auto why = table_of(vtab).staging->publish();
    return why ? refuse(vtab, SQLITE_CONSTRAINT, *why) : SQLITE_OK;
  });
}
int write_commit(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] { return table_of(vtab).staging->commit(vtab), SQLITE_OK; });
}
int write_rollback(sqlite3_vtab* vtab) {
  return guarded(vtab, [&] { return table_of(vtab).staging->drop(vtab), SQLITE_OK; });
}
int write_savepoint(sqlite3_vtab* vtab, int number) {
  return guarded(vtab, [&] { return table_of(vtab).staging->savepoint(vtab, number), SQLITE_OK; });
}
int write_release(sqlite3_vtab* vtab, int number) {
  return guarded(vtab, [&] { return table_of(vtab).staging->release(vtab, number), SQLITE_OK; });
}
int write_rollback_to(sqlite3_vtab* vtab, int number) {
  return guarded(vtab, [&] { return table_of(vtab).staging->rollback_to(vtab, number), SQLITE_OK; });
}

}  // namespace tide::sqlite
