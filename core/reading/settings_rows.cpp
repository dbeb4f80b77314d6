// The relations "settings" and "help": two catalogues, the one of options and the one of this room, as rows.
#include "policy/settings.hpp"

#include "reading/cell.hpp"
#include "reading/source.hpp"
#include "reading/vocabulary.hpp"

namespace tide {
namespace {

using enum ColumnType;

constexpr Column kSettingColumns[] = {
    {"instance_id", text, "", "The instance, as in pools."},
    {"pool", text, "", "The pool's name."},
    {"name", text, "", "The option."},
    {"value", text, "", "Its value; set it to change the option of the running pool.", true},
    {"unit", text, "", "What its numbers count; null when they count nothing."},
    {"default_value", text, "", "Its value where nobody gave one."},
    {"source", text, "", "Where the value came from: default, preset, environment, url, options or manual."},
    {"applies", text, "", "When a change takes effect: now, new_connections or reopen."},
    {"min", text, "", "The smallest value that is accepted."},
    {"max", text, "", "The largest value that is accepted."},
    {"description", text, "", "What it does."},
};

constexpr Column kHelpColumns[] = {
    {"relation", text, "", "The relation."},
    {"column_name", text, "", "Its column; null in the row that explains the relation itself."},
    {"type", text, "", "The column's type."},
    {"unit", text, "", "What its numbers count; null when they count nothing."},
    {"meaning", text, "", "What it tells."},
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
    out.push_back({cell::text(relation.name), cell::none(), cell::none(), cell::none(), cell::text(relation.meaning)});
    for (const Column& column : relation.columns) {
      out.push_back({cell::text(relation.name), cell::text(column.name), cell::text(type_name(column.type)),
                     cell::text_or_null(column.unit), cell::text(column.meaning)});
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
