// The relations "settings" and "help": two catalogues, the one of options and the one of this room, as rows.
#include "policy/settings.hpp"

#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "reading/vocabulary.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Column kSettingColumns[] = {
    {"instance_id", text, "", "The instance, as in pools.", open},
    {"pool", text, "", "The pool's name.", open},
    {"name", text, "", "The option.", open},
    // Open, as the values in pg_settings are: no option holds a secret.
    {"value", text, "", "Its value; set it to change the option of the running pool.", open, true},
    {"unit", text, "", "What its numbers count; null when they count nothing.", open},
    {"default_value", text, "", "Its value where nobody gave one.", open},
    {"source", text, "", "Where the value came from: default, preset, environment, url, options or manual.", open},
    {"applies", text, "", "When a change takes effect: now, new_connections or reopen.", open},
    {"min", text, "", "The smallest value that is accepted.", open},
    {"max", text, "", "The largest value that is accepted.", open},
    {"description", text, "", "What it does.", open},
};

constexpr Column kHelpColumns[] = {
    {"relation", text, "", "The relation.", open},
    {"column_name", text, "", "Its column; null in the row that explains the relation itself.", open},
    {"type", text, "", "The column's type.", open},
    {"unit", text, "", "What its numbers count; null when they count nothing.", open},
    {"meaning", text, "", "What it tells.", open},
    {"privacy", text, "",
     "open, or masked: shown as <insufficient privilege> (objects: null) to PostgreSQL roles without the rights of "
     "pg_read_all_stats; null for a relation.", open},
};

void add_settings(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const HeaderCopy& h = segment.header();
  for (const SettingCopy& copy : segment.read_settings()) {
    // An owner of another version may have options that are unknown here: their values are shown all the same.
    const Setting* known = find_setting(copy.name);
    out.push_back({
        cell::text(h.instance_id),
        cell::text(h.pool),
        cell::text(copy.name),
        cell::text(copy.value),
        known != nullptr ? cell::text_or_null(known->unit) : cell::none(),
        known != nullptr ? cell::text(known->default_text) : cell::none(),
        cell::text(setting_source_word(copy.source)),
        known != nullptr ? cell::text(applies_name(known->applies)) : cell::none(),
        known != nullptr ? cell::text_or_null(known->min_text) : cell::none(),
        known != nullptr ? cell::text_or_null(known->max_text) : cell::none(),
        known != nullptr ? cell::text(known->description) : cell::none(),
    });
  }
}

void add_help(std::vector<Row>& out) {
  for (const Relation& relation : relations_catalogue()) {
    out.push_back({cell::text(relation.name), cell::none(), cell::none(), cell::none(), cell::text(relation.meaning),
                   cell::none()});
    for (const Column& column : relation.columns) {
      out.push_back({cell::text(relation.name), cell::text(column.name), cell::text(type_name(column.type)),
                     cell::text_or_null(column.unit), cell::text(column.meaning),
                     cell::text(privacy_name(column.privacy))});
    }
  }
}

}  // namespace

const Source& settings_source() {
  static constexpr Source kSource{{"settings", "Every option of each pool.", kSettingColumns}, add_settings};
  return kSource;
}

const Source& help_source() {
  static constexpr Source kSource{{"help", "This: every relation and column.", kHelpColumns}, nullptr, add_help};
  return kSource;
}

}  // namespace tide
