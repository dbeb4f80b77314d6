#include "screen.hpp"

// Of curses only functions, because its macros have common names.
#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "command.hpp"

namespace tide::cli::top {
namespace {

volatile std::sig_atomic_t is_asked_to_end = 0;

void ask_to_end(int) { is_asked_to_end = 1; }

// For a crash: what must be written, kept where a signal handler can reach it.
struct Restoration {
  termios before{};
  bool is_armed = false;
  char sequence[128] = {};
  size_t bytes = 0;
};
Restoration restoration;

void restore_after_crash(int number) {
  if (restoration.is_armed) {
    [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, restoration.sequence, restoration.bytes);
    tcsetattr(STDIN_FILENO, TCSANOW, &restoration.before);
  }
  std::signal(number, SIG_DFL);
  std::raise(number);
}

constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int kCrashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

short pair_of(Style style) {
  switch (style) {
    case Style::good: return 1;
    case Style::warning: return 2;
    case Style::bad: return 3;
    case Style::title: return 4;
    case Style::plain:
    case Style::dim: break;
  }
  return 0;
}

void begin_colours() {
  start_color();
  use_default_colors();
  init_pair(1, COLOR_GREEN, -1);
  init_pair(2, COLOR_YELLOW, -1);
  init_pair(3, COLOR_RED, -1);
  init_pair(4, COLOR_CYAN, -1);
}

void append_capability(const char* name) {
  const char* text = tigetstr(name);
  if (text == nullptr || text == reinterpret_cast<const char*>(-1)) return;
  const size_t length = std::strlen(text);
  if (restoration.bytes + length > sizeof restoration.sequence) return;
  std::memcpy(restoration.sequence + restoration.bytes, text, length);
  restoration.bytes += length;
}

std::optional<Key> key_of_code(wint_t code) {
  using Name = Key::Name;
  switch (code) {
    case KEY_UP: return Key{Name::up};
    case KEY_DOWN: return Key{Name::down};
    case KEY_LEFT: return Key{Name::left};
    case KEY_RIGHT: return Key{Name::right};
    case KEY_PPAGE: return Key{Name::page_up};
    case KEY_NPAGE: return Key{Name::page_down};
    case KEY_HOME: return Key{Name::home};
    case KEY_END: return Key{Name::end};
    case KEY_ENTER: return Key{Name::enter};
    case KEY_BACKSPACE: return Key{Name::backspace};
    case KEY_RESIZE: return Key{Name::redraw};
    default: break;
  }
  if (code > KEY_F0 && code <= KEY_F0 + 12) return Key{Name::function, 0, static_cast<int>(code - KEY_F0)};
  return std::nullopt;
}

Key key_of_character(wint_t character) {
  using Name = Key::Name;
  switch (character) {
    case '\r':
    case '\n': return {Name::enter};
    case 27: return {Name::escape};
    case 8:
    case 127: return {Name::backspace};
    case '\t': return {Name::tab};
    case 12: return {Name::redraw};  // Ctrl-L
    default: return Key::of(static_cast<char32_t>(character));
  }
}

}  // namespace

struct Screen::Session {
  SCREEN* terminal = nullptr;
  struct sigaction ending_before[std::size(kEnding)] = {};
  struct sigaction crashes_before[std::size(kCrashes)] = {};
};

Screen::Screen(bool is_utf8, bool has_colour) : session_(nullptr), is_utf8_(is_utf8), has_colour_(has_colour) {
  const char* kind = std::getenv("TERM");
  const std::string name = kind == nullptr ? "" : kind;
  tcgetattr(STDIN_FILENO, &restoration.before);
  SCREEN* terminal = newterm(nullptr, stdout, stdin);
  const char* position = terminal == nullptr ? nullptr : tigetstr("cup");
  if (position == nullptr || position == reinterpret_cast<const char*>(-1)) {
    if (terminal != nullptr) {
      endwin();
      delscreen(terminal);
    }
    throw Failure{kFailed, "the terminal \"" + name + "\" cannot show a screen",
                  "Its type is in the environment variable TERM.",
                  "Set TERM to the type of the terminal, or use tidepool top --once."};
  }
  session_ = new Session;
  session_->terminal = terminal;
  restoration.bytes = 0;
  append_capability("rmcup");
  append_capability("cnorm");
  append_capability("sgr0");
  restoration.is_armed = true;
  is_asked_to_end = 0;
  struct sigaction action {};
  action.sa_handler = ask_to_end;  // without SA_RESTART: a wait for a key ends
  for (size_t i = 0; i < std::size(kEnding); ++i) sigaction(kEnding[i], &action, &session_->ending_before[i]);
  action.sa_handler = restore_after_crash;
  for (size_t i = 0; i < std::size(kCrashes); ++i) sigaction(kCrashes[i], &action, &session_->crashes_before[i]);
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  set_escdelay(25);
  curs_set(0);
  has_colour_ = has_colour_ && has_colors();
  if (has_colour_) begin_colours();
}

Screen::~Screen() {
  endwin();
  restoration.is_armed = false;
  for (size_t i = 0; i < std::size(kEnding); ++i) sigaction(kEnding[i], &session_->ending_before[i], nullptr);
  for (size_t i = 0; i < std::size(kCrashes); ++i) sigaction(kCrashes[i], &session_->crashes_before[i], nullptr);
  delscreen(session_->terminal);
  delete session_;
}

Size Screen::size() const { return {getmaxx(stdscr), getmaxy(stdscr)}; }

void Screen::put_cell(int x, int y, const GridCell& cell) {
  attr_t attributes = A_NORMAL;
  if (cell.is_reverse) attributes |= A_REVERSE;
  if (cell.is_bold) attributes |= A_BOLD;
  if (cell.style == Style::dim) attributes |= A_DIM;
  // Without colours what is bad must stand out, too.
  if (!has_colour_ && (cell.style == Style::bad || cell.style == Style::title)) attributes |= A_BOLD;
  const wchar_t text[] = {static_cast<wchar_t>(cell.character), 0};
  cchar_t shown{};
  setcchar(&shown, text, attributes, has_colour_ ? pair_of(cell.style) : short{0}, nullptr);
  mvadd_wch(y, x, &shown);
}

void Screen::put(const Grid& grid, bool everything) {
  const Size room = size();
  erase();
  for (int y = 0; y < std::min(room.height, grid.size().height); ++y) {
    for (int x = 0; x < std::min(room.width, grid.size().width); ++x) {
      const GridCell& cell = grid.at(x, y);
      const bool is_blank = cell.character == ' ' && !cell.is_reverse;
      if (cell.character != 0 && !is_blank) put_cell(x, y, cell);
    }
  }
  if (everything) clearok(stdscr, TRUE);
  refresh();
}

std::optional<Key> Screen::next_key() {
  wint_t code = 0;
  const int kind = get_wch(&code);
  if (kind == ERR) return std::nullopt;
  return kind == KEY_CODE_YES ? key_of_code(code) : std::optional(key_of_character(code));
}

std::optional<Key> Screen::read(int timeout_ms) {
  if (auto key = next_key()) return key;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = poll(&input, 1, timeout_ms);
  // A change of the window's size interrupts the wait; the key for it comes from curses.
  if (ready <= 0) return next_key();
  auto key = next_key();
  if (!key && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) is_gone_ = true;
  return key;
}

bool Screen::is_over() const { return is_gone_ || is_asked_to_end != 0; }

}  // namespace tide::cli::top
