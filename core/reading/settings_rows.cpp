// The relations "settings", "presets" and "help": catalogues as rows.
#include <span>

#include "policy/preset.hpp"
#include "policy/settings.hpp"
#include "reading/policy_of.hpp"

#include "model/words.hpp"
#include "reading/cell.hpp"
#include "reading/source.hpp"

namespace tide {
namespace {

using enum ColumnType;
using enum Privacy;

constexpr Setter kSetOption[] = {{Verb::set, "value", "option", "name"}};

constexpr Column kSettingColumns[] = {
    {"name", text, "", "The option.", open},
    // Open, as the values in pg_settings are: no option holds a secret.
    {"value", text, "", "Current value. Set it to change the option of the running pool.", open, kSetOption},
    {"unit", text, "", "Unit; null if there is none.", open},
    {"default_value", text, "", "Default value.", open},
    {"source", text, "", "Source of the value: default, preset, environment, url, options or manual.", open},
    {"applies", text, "", "When a change takes effect: now, new_connections or reopen.", open},
    {"min", text, "", "Smallest accepted value.", open},
    {"max", text, "", "Largest accepted value.", open},
    {"description", text, "", "Description of the option.", open},
    {"note", text, "", "Why the option has this value, or why it has no effect; null if there is nothing to note.",
     open},
};

constexpr Column kHelpColumns[] = {
    {"relation", text, "", "The relation.", open},
    {"column_name", text, "", "Name of the column; null in the row that describes the relation.", open},
    {"type", text, "", "The column's type.", open},
    {"unit", text, "", "Unit; null if there is none.", open},
    {"meaning", text, "", "Description.", open},
    {"privacy", text, "",
     "open, or masked: shown as <insufficient privilege> (JSON: null) to PostgreSQL roles without pg_read_all_stats; "
     "null for a relation.",
     open},
};

// Why the option has its value, and why the value has no effect.
std::string note_on(const Setting& setting, std::span<const format::SettingRecord> settings, const Policy& policy,
                    std::string_view backend) {
  std::string note;
  for (const format::SettingRecord& record : settings) {
    if (record.is_note == 1 && record.name.view() == setting.name) note = clean_text(record.value);
  }
  const std::string effect = why_without_effect(policy, backend, setting);
  if (!effect.empty()) note += (note.empty() ? "" : "; ") + effect;
  return note;
}

void add_settings(const Attachment& segment, int64_t, std::vector<Row>& out) {
  const auto block = segment.read_settings();
  if (!block) return;
  const auto settings = records_of(*block);
  const Policy policy = policy_of(settings);
  const std::string_view backend = word_of<Backend>(segment.header().backend);
  for (const format::SettingRecord& record : settings) {
    // An owner of another version may have options that are unknown here; their values are shown as well.
    const Setting* known = find_setting(record.name.view());
    if (record.is_note == 1 && known != nullptr) continue;  // shown in the option's own row
    const std::string note =
        known != nullptr ? note_on(*known, settings, policy, backend) : std::string(note_of_word(record.name.view()));
    out.push_back({
        cell::text(record.name),
        cell::text(record.value),
        known != nullptr ? cell::text_or_null(known->unit) : cell::none(),
        known != nullptr ? cell::text(known->default_text) : cell::none(),
        cell::text(word_of<SettingSource>(record.source)),
        known != nullptr ? cell::text(applies_name(known->applies)) : cell::none(),
        known != nullptr ? cell::text_or_null(known->min_text) : cell::none(),
        known != nullptr ? cell::text_or_null(known->max_text) : cell::none(),
        known != nullptr ? cell::text(known->description) : cell::none(),
        cell::text_or_null(note),
    });
  }
}

constexpr Column kPresetColumns[] = {
    {"preset", text, "", "Name of the preset.", open},
    {"option", text, "", "Option set by the preset.", open},
    {"value", text, "", "Value of the option, unless another is given.", open},
    {"document", text, "", "Requirement document that specifies the value; null if there is none.", open},
    {"note", text, "", "Differences between documents, or why it is set; null if there is nothing to note.", open},
};

void add_presets(std::vector<Row>& out) {
  const std::span<const std::string_view> names = find_setting("preset")->choices;
  for (size_t i = 0; i < names.size(); ++i) {
    for (const PresetValue& each : preset_values(static_cast<Preset>(i))) {
      out.push_back({cell::text(names[i]), cell::text(each.option), cell::text(each.value),
                     cell::text_or_null(each.document), cell::text_or_null(each.note)});
    }
  }
}

void add_help(std::vector<Row>& out) {
  for (const Relation& relation : relations_catalogue()) {
    out.push_back({cell::text(relation.name), cell::none(), cell::none(), cell::none(), cell::text(relation.meaning),
                   cell::none()});
    for (const Column& column : relation.columns) {
      out.push_back({cell::text(relation.name), cell::text(column.name), cell::text(sql_type(column.type)),
                     cell::text_or_null(column.unit), cell::text(column.meaning),
                     cell::text(column.privacy == masked ? "masked" : "open")});
    }
  }
}

}  // namespace

Policy policy_of(std::span<const format::SettingRecord> settings) {
  Policy policy;
  for (const format::SettingRecord& record : settings) {
    const Setting* const known = record.is_note == 1 ? nullptr : find_setting(record.name.view());
    if (known != nullptr) (void)assign_value(policy, *known, record.value.view()).is_ok();
  }
  return policy;
}

const Source& settings_source() {
  static constexpr Source kSource{{"settings", "Every option of each pool.", kSettingColumns}, add_settings};
  return kSource;
}

const Source& presets_source() {
  static constexpr Source kSource{
      {"presets", "Named sets of option values for the option preset.", kPresetColumns}, nullptr, add_presets};
  return kSource;
}

const Source& help_source() {
  static constexpr Source kSource{{"help", "Every relation and column.", kHelpColumns}, nullptr, add_help};
  return kSource;
}

}  // namespace tide
