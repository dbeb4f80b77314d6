#include "model.hpp"

#include <algorithm>
#include <utility>

namespace tide::cli::top {
namespace {

constexpr int64_t kMessage_ns = 10'000'000'000;
constexpr size_t kInputBytesMax = 64;

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool matches(const Line& line, const std::string& filter) {
  if (filter.empty()) return true;
  const std::string wanted = lower(filter);
  return std::any_of(line.fields.begin(), line.fields.end(),
                     [&](const Field& field) { return lower(field.text).find(wanted) != std::string::npos; });
}

std::string utf8_of(char32_t c) {
  std::string out;
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | c >> 6));
  } else {
    if (c < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | c >> 12));
    } else {
      out.push_back(static_cast<char>(0xF0 | c >> 18));
      out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3F)));
  }
  out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  return out;
}

using enum KeyHelp::Where;
constexpr KeyHelp kKeys[] = {
    {"", "Views"},
    {"1-7 F1-F7", "pools, leases, waiters, alerts, insights, tags, events; Tab: next"},
    {"Enter", "open the pool at the cursor: the views then show only this one"},
    {"Esc", "back: closes questions, clears filter and marks, leaves the pool"},
    {"", "Table"},
    {"arrows j k", "move; PgUp, PgDn, Home and End move far"},
    {"/", "show only rows that contain a text"},
    {"s < >", "sort by the next or the previous column; r reverses"},
    {"w", "sparklines: connections in use, or waiting callers"},
    {"Space", "mark: a command is then for all marked rows", live},
    {"i", "set the refresh interval", live},
    {"Ctrl-L", "redraw the screen"},
    {"", "Commands, each after a confirmation", live},
    {"S + -", "scale the pool: ask for a size, one more, one less", live},
    {"b", "burst: allow more connections than max_size for a time", live},
    {"p", "pause the pool, or resume it", live},
    {"K", "revoke the marked leases, or the one at the cursor", live},
    {"a", "acknowledge alerts", live},
    {"", "Recording", recording},
    {"Space", "play or pause", recording},
    {"left right", "one moment back or ahead; { and }: a minute", recording},
    {"[ ]", "half or double speed", recording},
    {"g", "go to a time", recording},
    {"q", "quit"},
};

}  // namespace

std::vector<KeyHelp> key_help(bool is_recording) {
  std::vector<KeyHelp> keys;
  for (const KeyHelp& key : kKeys) {
    if (key.where == everywhere || (key.where == recording) == is_recording) keys.push_back(key);
  }
  return keys;
}

Model::Model(int64_t interval_ns, Player* player)
    : interval_ns_(interval_ns), player_(player), snapshot_(std::make_shared<const Snapshot>()) {
  for (size_t i = 0; i < kViews; ++i) {
    const View& view = about(static_cast<ViewKind>(i));
    states_[i].sorted_by = view.sorted_by;
    states_[i].is_descending = view.columns[view.sorted_by].is_descending;
  }
}

void Model::show(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  has_snapshot_ = true;
  rebuild();
}

void Model::rebuild() {
  lines_ = lines_of(table(), *snapshot_, scope_);
  std::set<std::string>& marks = state().marks;
  if (!marks.empty()) {
    std::set<std::string> still;
    for (const Line& one : lines_) {
      if (marks.contains(one.key)) still.insert(one.key);
    }
    marks = std::move(still);
  }
  std::erase_if(lines_, [this](const Line& one) { return !matches(one, state().filter); });
  sort_lines();
  place_cursor();
}

void Model::sort_lines() {
  const size_t column = state().sorted_by;
  const bool is_descending = state().is_descending;
  std::stable_sort(lines_.begin(), lines_.end(), [=](const Line& a, const Line& b) {
    const auto& left = a.fields[column].sorts_as;
    const auto& right = b.fields[column].sorts_as;
    return is_descending ? right < left : left < right;
  });
}

// The cursor stays with its row; if that is gone, at its place.
void Model::place_cursor() {
  ViewState& own = state();
  const auto found =
      std::find_if(lines_.begin(), lines_.end(), [&](const Line& one) { return one.key == own.cursor_key; });
  if (found != lines_.end()) own.cursor = static_cast<size_t>(found - lines_.begin());
  own.cursor = lines_.empty() ? 0 : std::min(own.cursor, lines_.size() - 1);
  if (!lines_.empty()) own.cursor_key = lines_[own.cursor].key;
}

void Model::move(int64_t rows) {
  if (lines_.empty()) return;
  ViewState& own = state();
  const auto last = static_cast<int64_t>(lines_.size()) - 1;
  own.cursor = static_cast<size_t>(std::clamp<int64_t>(static_cast<int64_t>(own.cursor) + rows, 0, last));
  own.cursor_key = lines_[own.cursor].key;
}

void Model::go_to(ViewKind view) {
  view_ = view;
  rebuild();
}

void Model::open_pool() {
  const Line* at = line();
  if (at == nullptr) return;
  if (is_page_of_pool()) return;
  scope_ = at->instance_id;
  scope_name_ = at->pool;
  go_to(ViewKind::pools);
}

void Model::go_back() {
  ViewState& own = state();
  if (!own.filter.empty()) {
    own.filter.clear();
  } else if (!own.marks.empty()) {
    own.marks.clear();
  } else if (!scope_.empty()) {
    scope_.clear();
    view_ = ViewKind::pools;
  } else {
    view_ = ViewKind::pools;
  }
  rebuild();
}

void Model::mark() {
  if (const Line* at = line()) {
    std::set<std::string>& marks = state().marks;
    if (!marks.insert(at->key).second) marks.erase(at->key);
    move(1);
  }
}

void Model::sort_by(int64_t columns) {
  const View& view = about(table());
  const auto count = static_cast<int64_t>(view.columns.size());
  const int64_t next = (static_cast<int64_t>(state().sorted_by) + columns + count) % count;
  state().sorted_by = static_cast<size_t>(next);
  state().is_descending = view.columns[state().sorted_by].is_descending;
  rebuild();
  const std::string_view title = view.columns[state().sorted_by].title;
  say("sorted by " + lower(std::string(title.empty() ? "overdue" : title)) +
      (state().is_descending ? ", largest first" : ", smallest first"));
}

size_t Model::rows_of(ViewKind kind) const {
  const auto count = [this](const auto& rows) {
    if (scope_.empty()) return rows.size();
    return static_cast<size_t>(
        std::count_if(rows.begin(), rows.end(), [this](const auto& row) { return row.instance_id == scope_; }));
  };
  switch (kind) {
    case ViewKind::pools: return count(snapshot_->pools);
    case ViewKind::leases: return count(snapshot_->leases);
    case ViewKind::waiters: return count(snapshot_->waiters);
    case ViewKind::alerts: {
      return static_cast<size_t>(std::count_if(
          snapshot_->alerts.begin(), snapshot_->alerts.end(),
          [this](const AlertRow& row) { return row.is_firing() && (scope_.empty() || row.instance_id == scope_); }));
    }
    case ViewKind::insights: return count(snapshot_->insights);
    case ViewKind::tags: return count(snapshot_->tags);
    case ViewKind::events: return count(snapshot_->events);
  }
  return 0;
}

const PoolRow* Model::selected_pool() const {
  if (!scope_.empty()) return snapshot_->find_pool(scope_);
  const Line* at = line();
  return at == nullptr ? nullptr : snapshot_->find_pool(at->instance_id);
}

bool Model::tick(int64_t now_ns) {
  now_ns_ = now_ns;
  bool is_changed = player_ != nullptr && player_->tick(now_ns);
  if (!message_.text.empty() && now_ns >= message_.until_ns) {
    message_ = {};
    is_changed = true;
  }
  return is_changed;
}

void Model::say(std::string text, Style style) { message_ = {std::move(text), style, now_ns_ + kMessage_ns}; }

void Model::warn(std::string text, int64_t now_ns) {
  now_ns_ = now_ns;
  say(std::move(text), Style::warning);
}

std::vector<Order> Model::take_orders() { return std::exchange(orders_, {}); }

void Model::answer(const Answer& answer, int64_t now_ns) {
  now_ns_ = now_ns;
  if (answer.is_applied) {
    say("done: " + answer.order.says, Style::good);
  } else {
    say("not done: " + answer.order.says + ": " + answer.why, Style::bad);
  }
}

void Model::press(const Key& key, int64_t now_ns) {
  now_ns_ = now_ns;
  if (key.name == Key::Name::redraw) {
    wants_redraw_ = true;
  } else if (dialog_.kind != Dialog::Kind::none) {
    press_in_dialog(key);
  } else {
    message_ = {};
    press_in_table(key);
  }
}

bool Model::is_navigation(const Key& key) {
  const auto page = static_cast<int64_t>(std::max<size_t>(1, page_rows_));
  const auto all = static_cast<int64_t>(lines_.size());
  switch (key.name) {
    case Key::Name::up: move(-1); return true;
    case Key::Name::down: move(1); return true;
    case Key::Name::page_up: move(-page); return true;
    case Key::Name::page_down: move(page); return true;
    case Key::Name::home: move(-all); return true;
    case Key::Name::end: move(all); return true;
    default: return false;
  }
}

void Model::press_in_table(const Key& key) {
  if (is_navigation(key)) return;
  const bool is_character = key.name == Key::Name::character;
  const int view = is_character                      ? static_cast<int>(key.character) - '0'
                   : key.name == Key::Name::function ? key.number
                                                     : 0;
  if (view >= 1 && view <= static_cast<int>(kViews)) return go_to(static_cast<ViewKind>(view - 1));
  switch (key.name) {
    case Key::Name::enter: return open_pool();
    case Key::Name::escape: return go_back();
    case Key::Name::tab: return go_to(static_cast<ViewKind>((static_cast<size_t>(view_) + 1) % kViews));
    case Key::Name::left: return step(-1);
    case Key::Name::right: return step(1);
    default: break;
  }
  if (!is_character) return;
  switch (key.character) {
    case 'q': is_done_ = true; return;
    case '?': dialog_ = {Dialog::Kind::help}; return;
    case '/': dialog_ = {Dialog::Kind::filter}; return;
    case 'j': return move(1);
    case 'k': return move(-1);
    case 's':
    case '>': return sort_by(1);
    case '<': return sort_by(-1);
    case 'r': state().is_descending = !state().is_descending; return rebuild();
    case 'w': shows_waits_ = !shows_waits_; return;
    default: break;
  }
  if (player_ != nullptr) return press_in_replay(key.character);
  switch (key.character) {
    case ' ': return mark();
    case 'i': return ask("Refresh every (0.2s to 60s)", "", [this](const std::string& text) { set_interval(text); });
    case 'S': return ask_scale();
    case '+': return scale(1);
    case '-': return scale(-1);
    case 'b': return ask_burst();
    case 'p': return pause();
    case 'K': return revoke();
    case 'a': return acknowledge();
    default: return;
  }
}

void Model::step(int64_t moments) {
  if (player_ != nullptr) player_->step(moments);
}

void Model::press_in_replay(char32_t character) {
  switch (character) {
    case ' ': return player_->toggle(now_ns_);
    case '{': return step(-60);
    case '}': return step(60);
    case '[': return player_->slower();
    case ']': return player_->faster();
    case 'g':
      return ask("Go to (14:05:30, -5m, +30s, start, end)", "", [this](const std::string& text) {
        if (!player_->go(text))
          say("not a time: " + text + " (accepted: 14:05, 14:05:30, -5m, +30s, start, end)", Style::bad);
      });
    case 'S':
    case '+':
    case '-':
    case 'b':
    case 'p':
    case 'K':
    case 'a': return say("this is a recording: pools are steered in the live view", Style::warning);
    default: return;
  }
}

void Model::edit(std::string& text, const Key& key) {
  if (key.name == Key::Name::backspace) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) text.pop_back();
    if (!text.empty()) text.pop_back();
  } else if (key.name == Key::Name::character && key.character >= 0x20 && key.character != 0x7F) {
    const std::string more = utf8_of(key.character);
    if (text.size() + more.size() <= kInputBytesMax) text += more;
  }
}

void Model::press_in_help(const Key& key) {
  const bool is_down = key.name == Key::Name::down || key.name == Key::Name::page_down || key.character == 'j';
  const bool is_up = key.name == Key::Name::up || key.name == Key::Name::page_up || key.character == 'k';
  if (is_down) {
    dialog_.scroll = std::min(dialog_.scroll + 1, std::size(kKeys) - 1);
  } else if (is_up) {
    dialog_.scroll -= dialog_.scroll > 0 ? 1 : 0;
  } else {
    dialog_ = {};
  }
}

void Model::press_in_dialog(const Key& key) {
  const bool is_escape = key.name == Key::Name::escape;
  switch (dialog_.kind) {
    case Dialog::Kind::none: return;
    case Dialog::Kind::help: return press_in_help(key);
    case Dialog::Kind::filter:
      if (is_navigation(key)) return;
      if (is_escape) state().filter.clear();
      edit(state().filter, key);
      if (is_escape || key.name == Key::Name::enter) dialog_ = {};
      return rebuild();
    case Dialog::Kind::prompt: {
      if (is_escape) {
        dialog_ = {};
        return say("cancelled");
      }
      edit(dialog_.input, key);
      if (key.name != Key::Name::enter) return;
      const Dialog done = std::exchange(dialog_, {});
      return done.input.empty() ? say("cancelled") : done.on_input(done.input);
    }
    case Dialog::Kind::confirm: {
      const Dialog done = std::exchange(dialog_, {});
      const bool is_yes = key.name == Key::Name::character && (key.character == 'y' || key.character == 'Y');
      return is_yes ? done.on_yes() : say("cancelled");
    }
  }
}

}  // namespace tide::cli::top
