// Recording: the frames of a flight recorder, in a file that stays small and can be read whatever happened to its writer.
//
// The writer appends whole frames, each with one write. When the file covers the time to keep, or is full, it becomes
// FILE.old, and a new one begins with a complete frame: together they hold at least that time, unless they are full before.
//
// The reader keeps the bytes and decodes frames when they are asked for. It skips what is damaged, and ignores a last frame
// that was not written completely; notes() tells both.
//
// Threads: one at a time.
// Failure: throws Failure where a file cannot be written or is not a recording.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/encoding.hpp"
#include "record/frame.hpp"

namespace tide::cli::record {

inline constexpr uint64_t kRecordingBytesMax = uint64_t{128} << 20;  // of a file

struct Bounds {
  int64_t keep_ns = 3'600'000'000'000;
  uint64_t bytes_max = kRecordingBytesMax;
};

class RecordingWriter {
 public:
  // An existing recording is renamed to FILE.old; any other existing file is refused.
  RecordingWriter(std::string path, Bounds bounds);
  ~RecordingWriter();
  RecordingWriter(const RecordingWriter&) = delete;
  RecordingWriter& operator=(const RecordingWriter&) = delete;

  void add(const Frame& frame);
  // On the disk.
  void sync();
  int64_t frames() const { return frames_; }
  uint64_t bytes() const { return bytes_; }
  bool kept_old() const { return kept_old_; }  // there was a recording, which is now FILE.old

 private:
  void begin();
  void put(const std::string& bytes);
  void set_aside();

  const std::string path_;
  const Bounds bounds_;
  int file_ = -1;
  FrameEncoder encoder_;
  int64_t frames_ = 0;
  int64_t began_ns_ = 0;  // the first frame of this file
  uint64_t file_bytes_ = 0;
  uint64_t bytes_ = 0;
  bool kept_old_ = false;
};

// Writes a recording of these frames, all or nothing, over an existing file only if that is a recording. Returns its bytes.
uint64_t write_recording(const std::string& path, const std::vector<Frame>& frames);

class Recording {
 public:
  // With FILE.old, if it exists and continues in FILE.
  static Recording load(const std::string& path);
  // `name`: for messages.
  static Recording of_bytes(std::string bytes, const std::string& name);
  static Recording of_frames(const std::vector<Frame>& frames);

  size_t size() const { return places_.size(); }
  // i < size(). An empty frame if it cannot be decoded, which of_bytes() has excluded.
  const Frame& frame(size_t i);
  // Problems that were found, one sentence each; none for an intact recording.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  struct Place {
    size_t offset = 0;  // of the contents, in bytes_
    size_t length = 0;
  };
  void add_bytes(const std::string& bytes, const std::string& name);

  std::string bytes_;
  std::vector<Place> places_;
  std::vector<std::string> notes_;
  FrameDecoder decoder_;
  Frame current_;
  size_t current_number_ = SIZE_MAX;
};

}  // namespace tide::cli::record
