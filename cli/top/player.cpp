#include "player.hpp"

#include <tidepool/tidepool.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

#include "timeline.hpp"

namespace tide::cli::top {
namespace {

// The last time of day h:m:s, local time, at or before a moment.
int64_t last_time_of_day(int hours, int minutes, int seconds, int64_t end_us) {
  const auto end = static_cast<time_t>(end_us / 1'000'000);
  tm parts{};
  if (localtime_r(&end, &parts) == nullptr) return end_us;
  const int wanted = hours * 3600 + minutes * 60 + seconds;
  const int last = parts.tm_hour * 3600 + parts.tm_min * 60 + parts.tm_sec;
  const int back = last >= wanted ? last - wanted : last - wanted + 86'400;
  return (int64_t{end} - back) * 1'000'000 + 999'999;
}

}  // namespace

Player::Player(const Timeline& timeline) : timeline_(timeline), position_(timeline.size() - 1) {}

size_t Player::size() const { return timeline_.size(); }

void Player::toggle(int64_t now_ns) {
  is_playing_ = !is_playing_;
  if (is_playing_ && is_end()) position_ = 0;
  since_ns_ = now_ns;
}

void Player::step(int64_t moments) {
  is_playing_ = false;
  const auto last = static_cast<int64_t>(size()) - 1;
  position_ = static_cast<size_t>(std::clamp<int64_t>(static_cast<int64_t>(position_) + moments, 0, last));
}

std::optional<int64_t> Player::moment_of(std::string_view where) const {
  const int64_t end_us = timeline_.wall_us(size() - 1);
  const std::string text(where);
  if (text.starts_with("-") || text.starts_with("+")) {
    int64_t micros = 0;
    if (tide_duration_parse(text.c_str() + 1, &micros, nullptr) != TIDE_OK) return std::nullopt;
    micros = std::min<int64_t>(micros, int64_t{1} << 50);
    return timeline_.wall_us(position_) + (text[0] == '-' ? -micros : micros);
  }
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  char rest = 0;
  const int read = std::sscanf(text.c_str(), "%2d:%2d:%2d%c", &hours, &minutes, &seconds, &rest);
  const bool is_time = (read == 3 || (read == 2 && std::count(text.begin(), text.end(), ':') == 1)) && hours >= 0 &&
                       hours < 24 && minutes >= 0 && minutes < 60 && seconds >= 0 && seconds < 61;
  return is_time ? std::optional(last_time_of_day(hours, minutes, seconds, end_us)) : std::nullopt;
}

bool Player::go(std::string_view where) {
  if (where == "start" || where == "end") {
    step(where == "end" ? static_cast<int64_t>(size()) : -static_cast<int64_t>(size()));
    return true;
  }
  const auto moment = moment_of(where);
  if (!moment) return false;
  position_ = timeline_.find(*moment);
  is_playing_ = false;
  return true;
}

bool Player::tick(int64_t now_ns) {
  if (!is_playing_) return false;
  const size_t before = position_;
  while (!is_end()) {
    const auto shown_ns = static_cast<int64_t>(static_cast<double>(timeline_.duration_ns(position_)) / speed_);
    if (now_ns - since_ns_ < shown_ns) break;
    since_ns_ += shown_ns;
    ++position_;
  }
  if (is_end()) is_playing_ = false;
  return position_ != before;
}

}  // namespace tide::cli::top
