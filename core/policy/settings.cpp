#include "policy/settings.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "policy/catalogue.hpp"

namespace tide {
namespace {

struct Catalogue {
  std::vector<std::string> default_texts;
  std::vector<Setting> settings;
  std::vector<std::string_view> names;  // current and old, for "did you mean"
};

// The defaults are taken from Policy, so that they cannot differ from it.
Catalogue make_catalogue() {
  Catalogue catalogue;
  const std::span<const CatalogueRow> rows = catalogue_rows();
  const Policy defaults;
  catalogue.default_texts.reserve(rows.size());  // settings refer to these
  for (const CatalogueRow& row : rows) {
    catalogue.default_texts.push_back(format_member(defaults, row.member));
    const auto* chosen = std::get_if<ChoiceMember>(&row.member);
    catalogue.settings.push_back({row.name, static_cast<SettingKind>(row.member.index()), row.unit,
                                  catalogue.default_texts.back(), row.min_text, row.max_text, row.applies,
                                  chosen != nullptr ? chosen->names : std::span<const std::string_view>{},
                                  row.old_names, row.description});
    catalogue.names.push_back(row.name);
    catalogue.names.insert(catalogue.names.end(), row.old_names.begin(), row.old_names.end());
  }
  return catalogue;
}

const Catalogue& catalogue() {
  // Never freed, because threads may still use it while the process exits.
  static const Catalogue& made = *new Catalogue(make_catalogue());
  return made;
}

static_assert(std::variant_size_v<Member> == static_cast<size_t>(SettingKind::bytes) + 1);
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<size_t>(SettingKind::choice), Member>, ChoiceMember>);
static_assert(
    std::is_same_v<std::variant_alternative_t<static_cast<size_t>(SettingKind::ratio), Member>, double Policy::*>);

}  // namespace

std::span<const Setting> settings_catalogue() { return catalogue().settings; }

const Setting* find_setting(std::string_view name_or_old_name) {
  for (const Setting& setting : settings_catalogue()) {
    if (setting.name == name_or_old_name) return &setting;
    for (const std::string_view old_name : setting.old_names) {
      if (old_name == name_or_old_name) return &setting;
    }
  }
  return nullptr;
}

size_t place_of(const Setting& setting) {
  const std::span<const Setting> all = settings_catalogue();
  const ptrdiff_t place = &setting - all.data();
  TIDE_ASSERT(place >= 0 && static_cast<size_t>(place) < all.size());
  return static_cast<size_t>(place);
}

const CatalogueRow& row_of(const Setting& setting) { return catalogue_rows()[place_of(setting)]; }

const Member& member_of(const Setting& setting) { return row_of(setting).member; }

Status unknown_option(std::string_view typed) {
  const std::string message = "unknown option " + in_quotes(typed);
  const std::string detail = "The relation \"settings\" lists all options.";
  constexpr std::string_view kPrefix = "tidepool.";
  if (typed.starts_with(kPrefix) && find_setting(typed.substr(kPrefix.size())) != nullptr) {
    return Status::error(Code::bad_option, message, detail, "The prefix \"tidepool.\" is for URLs only; omit it here.");
  }
  const std::string_view nearest = nearest_name(typed, catalogue().names);
  if (nearest.empty()) return Status::error(Code::bad_option, message, detail);
  const Setting& meant = *find_setting(nearest);
  std::string hint = "Did you mean \"" + std::string(meant.name) + "\"";
  const std::string_view old_name = nearest != meant.name      ? nearest
                                    : !meant.old_names.empty() ? meant.old_names.front()
                                                               : std::string_view{};
  if (!old_name.empty()) hint += " (old name \"" + std::string(old_name) + "\")";
  return Status::error(Code::bad_option, message, detail, hint + "?");
}

Result<const Setting*> set_option(Policy& policy, std::string_view name, std::string_view text, int64_t capacity) {
  const Setting* const setting = find_setting(name);
  if (setting == nullptr) return unknown_option(name);
  if (setting->applies == Applies::reopen) {
    return Status::error(
        Code::refused, "option " + in_quotes(setting->name) + " cannot be changed while the pool is open",
        "The option takes effect when a pool is opened.", "Close the pool, and open it with the new value.");
  }
  Policy changed = policy;
  if (Status assigned = assign_value(changed, *setting, text); !assigned) return assigned;
  if (setting->name == "max_size" && changed.max_size > capacity) {
    return Status::error(Code::refused,
                         "max_size " + std::to_string(changed.max_size) + " exceeds the capacity of this pool",
                         "The capacity is " + std::to_string(capacity) + "; it was fixed when the pool was opened.",
                         "Close the pool, and open it with a larger max_size.");
  }
  policy = changed;
  return setting;
}

std::string_view applies_name(Applies applies) {
  switch (applies) {
    case Applies::now: return "now";
    case Applies::new_connections: return "new_connections";
    case Applies::reopen: return "reopen";
  }
  return "unknown";
}

}  // namespace tide
