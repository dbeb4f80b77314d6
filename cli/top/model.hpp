// Model: the state of the screen. Snapshots, keys and answers go in; what is to be painted, and orders to pools, come out.
//
// It knows no terminal, no clock and no pool: everything is an argument, so that every conversation can be tested.
//
// Threads: one. Failure: none; what cannot be done is said in the message line.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "player.hpp"
#include "snapshot.hpp"
#include "views.hpp"

namespace tide::cli::top {

struct Key {
  enum class Name : uint8_t {
    character,
    enter,
    escape,
    backspace,
    tab,
    up,
    down,
    left,
    right,
    page_up,
    page_down,
    home,
    end,
    function,
    redraw
  };
  Name name = Name::character;
  char32_t character = 0;
  int number = 0;  // of a function key

  static Key of(char32_t character) { return {Name::character, character, 0}; }
};

// A command to a pool.
struct Order {
  std::string pool;  // its instance_id; "": the arguments determine it
  std::string verb;
  std::string arguments;  // JSON
  std::string says;       // "scale shop to 8 connections"
};

struct Answer {
  Order order;
  bool is_applied = false;
  std::string why = {};  // it was not
};

struct Dialog {
  enum class Kind : uint8_t { none, help, filter, prompt, confirm };
  Kind kind = Kind::none;
  std::string question = {};  // of a prompt and a confirmation
  std::string input = {};     // of a prompt, UTF-8
  std::function<void(const std::string&)> on_input = {};
  std::function<void()> on_yes = {};
  size_t scroll = 0;  // of the help
};

struct Message {
  std::string text = {};
  Style style = Style::plain;
  int64_t until_ns = 0;
};

class Model {
 public:
  // `player`: of a recording; nullptr: live pools.
  explicit Model(int64_t interval_ns, Player* player = nullptr);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void show(std::shared_ptr<const Snapshot> snapshot);
  void press(const Key& key, int64_t now_ns);
  void answer(const Answer& answer, int64_t now_ns);
  // What the user should know, as a message.
  void warn(std::string text, int64_t now_ns);
  // Ends messages and plays the recording. True: something changed.
  bool tick(int64_t now_ns);
  std::vector<Order> take_orders();

  bool is_done() const { return is_done_; }
  bool takes_redraw() { return std::exchange(wants_redraw_, false); }
  int64_t interval_ns() const { return interval_ns_; }

  const Snapshot& snapshot() const { return *snapshot_; }
  bool has_snapshot() const { return has_snapshot_; }
  ViewKind view() const { return view_; }
  // Which rows the table has: in the page of a pool its leases.
  ViewKind table() const { return is_page_of_pool() ? ViewKind::leases : view_; }
  bool is_page_of_pool() const { return view_ == ViewKind::pools && !scope_.empty(); }
  const std::string& scope() const { return scope_; }  // an instance_id; "": all pools
  const std::string& scope_name() const { return scope_name_; }
  const std::vector<Line>& lines() const { return lines_; }
  size_t cursor() const { return state().cursor; }
  bool is_marked(const Line& line) const { return state().marks.contains(line.key); }
  size_t marks() const { return state().marks.size(); }
  size_t sorted_by() const { return state().sorted_by; }
  bool is_descending() const { return state().is_descending; }
  const std::string& filter() const { return state().filter; }
  size_t rows_of(ViewKind kind) const;               // in the scope, without the filter
  const PoolRow* selected_pool() const;              // nullptr: there is none
  bool shows_waits() const { return shows_waits_; }  // the sparklines: waiting callers instead of leases
  const Dialog& dialog() const { return dialog_; }
  const Message& message() const { return message_; }
  const Player* player() const { return player_; }
  void set_page(size_t rows) { page_rows_ = rows; }  // how many rows the screen had room for

 private:
  // What is remembered of a view while another one is shown.
  struct ViewState {
    size_t cursor = 0;
    std::string cursor_key = {};
    std::set<std::string> marks = {};
    std::string filter = {};
    size_t sorted_by = 0;
    bool is_descending = false;
  };

  ViewState& state() { return states_[static_cast<size_t>(table())]; }
  const ViewState& state() const { return states_[static_cast<size_t>(table())]; }
  void rebuild();
  void sort_lines();
  void place_cursor();
  void move(int64_t rows);
  void go_to(ViewKind view);
  void open_pool();
  void go_back();
  void mark();
  void sort_by(int64_t columns);
  const Line* line() const { return state().cursor < lines_.size() ? &lines_[state().cursor] : nullptr; }

  void press_in_table(const Key& key);
  void press_in_replay(char32_t character);
  void step(int64_t moments);
  void press_in_dialog(const Key& key);
  void press_in_help(const Key& key);
  bool is_navigation(const Key& key);
  void edit(std::string& text, const Key& key);

  void say(std::string text, Style style = Style::plain);
  void ask(std::string question, std::string input, std::function<void(const std::string&)> on_input);
  void confirm(std::string question, std::vector<Order> orders);
  // The pools that a command is for; says so if there is none.
  std::vector<const PoolRow*> targets();
  void scale(int64_t difference);
  void ask_scale();
  void scale_to(const std::string& size);
  void ask_burst();
  void burst_for(const std::string& duration);
  void pause();
  void revoke();
  void acknowledge();
  void set_interval(const std::string& interval);

  int64_t interval_ns_;
  Player* const player_;
  std::shared_ptr<const Snapshot> snapshot_;
  bool has_snapshot_ = false;
  ViewKind view_ = ViewKind::pools;
  std::string scope_;
  std::string scope_name_;
  ViewState states_[kViews];
  std::vector<Line> lines_;
  Dialog dialog_;
  Message message_;
  std::vector<Order> orders_;
  size_t page_rows_ = 10;
  int64_t now_ns_ = 0;  // of the last call that said it
  bool shows_waits_ = false;
  bool is_done_ = false;
  bool wants_redraw_ = false;
};

// What a key does, for the help. An empty key begins a section.
struct KeyHelp {
  enum class Where : uint8_t { everywhere, live, recording };

  std::string_view key;
  std::string_view meaning;
  Where where = Where::everywhere;
};
std::vector<KeyHelp> key_help(bool is_recording);

}  // namespace tide::cli::top
