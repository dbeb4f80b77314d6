// Player: which moment of a recording is shown, and when the next one is.
//
// Threads: one. The time is an argument. Failure: none; positions stay within the recording.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tide::cli::top {

class Timeline;

class Player {
 public:
  // Begins paused, at the last moment: what is asked first is what happened at the end.
  explicit Player(const Timeline& timeline);

  void toggle(int64_t now_ns);  // plays or pauses; at the end it plays from the beginning
  void step(int64_t moments);   // and pauses
  void faster() { speed_ = speed_ < kSpeedMax ? speed_ * 2 : speed_; }
  void slower() { speed_ = speed_ > kSpeedMin ? speed_ / 2 : speed_; }
  // "14:05", "14:05:30" (the last such local time at or before the end), "-5m" or "+30s" from here, "start", "end".
  // False: it is none of these.
  bool go(std::string_view where);
  // Moves on if it is time to. True: another moment is shown.
  bool tick(int64_t now_ns);

  size_t position() const { return position_; }
  size_t size() const;
  bool is_playing() const { return is_playing_; }
  double speed() const { return speed_; }
  bool is_end() const { return position_ + 1 >= size(); }

 private:
  static constexpr double kSpeedMax = 64;
  static constexpr double kSpeedMin = 0.25;
  std::optional<int64_t> moment_of(std::string_view where) const;

  const Timeline& timeline_;
  size_t position_;
  bool is_playing_ = false;
  double speed_ = 1;
  int64_t since_ns_ = 0;  // when the moment was shown first
};

}  // namespace tide::cli::top
