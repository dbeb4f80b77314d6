// Encoding: frames as bytes. The format of a recording:
//
//   header   16 bytes: "TIDEREC\n", the version (4 bytes), 0 (4 bytes)
//   frames   each 16 bytes "TFRM", the bytes of its contents (4), their FNV-1a 64 checksum (8), and the contents
//
// Numbers are little-endian. A frame is either complete or a difference from the frame before it: every kCompleteEvery-th
// one is complete, so that what follows a damaged frame can be read again.
//
// What is decoded is hostile: every length, count and index is checked, and what a frame may expand to is limited.
//
// Threads: one at a time. Failure: decode() returns false for contents that are not a frame; it never throws on them,
// except std::bad_alloc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "record/frame.hpp"

namespace tide::cli::record {

inline constexpr std::string_view kRecordingMagic = "TIDEREC\n";
inline constexpr std::string_view kFrameMagic = "TFRM";
inline constexpr uint32_t kRecordingVersion = 1;
inline constexpr size_t kRecordingHeaderBytes = 16;
inline constexpr size_t kFrameHeaderBytes = 16;
inline constexpr size_t kFrameBytesMax = size_t{64} << 20;
inline constexpr size_t kFrameValuesMax = size_t{8} << 20;
inline constexpr size_t kFrameTextBytesMax = size_t{256} << 20;
// Times of a frame are below these limits, so that the differences of any two do not overflow.
inline constexpr uint64_t kWallMax_us = 4'000'000'000'000'000;
inline constexpr uint64_t kMonoMax_ns = 4'000'000'000'000'000'000;
inline constexpr size_t kTablesMax = 64;
inline constexpr size_t kColumnsMax = 256;
inline constexpr int kCompleteEvery = 60;

std::string recording_header();
uint64_t frame_checksum(std::string_view contents);

class FrameEncoder {
 public:
  // The bytes of a frame with its header. The first one, and the one after restart(), is complete.
  std::string encode(Frame frame);
  void restart() { until_complete_ = 0; }

 private:
  Frame before_;
  std::unordered_map<std::string, uint64_t> dictionary_;  // texts since the last complete frame
  int until_complete_ = 0;
};

class FrameDecoder {
 public:
  // `contents`: without the header of the frame. A difference is an error unless the frame before it was decoded.
  bool decode(std::string_view contents, Frame& out);
  static bool is_complete(std::string_view contents) { return !contents.empty() && contents[0] == 1; }
  void forget() { has_before_ = false; }

 private:
  bool read_table(class ByteReader& in, const Table* before, Table& out);
  bool read_row(class ByteReader& in, const std::vector<Value>* before, std::vector<Value>& out);
  bool read_value(class ByteReader& in, const Value* before, Value& out);
  bool read_text(class ByteReader& in, std::string& out);

  Frame before_;
  bool has_before_ = false;
  std::vector<std::string> dictionary_;
  size_t values_ = 0;      // of the frame being decoded
  size_t text_bytes_ = 0;  // likewise
};

}  // namespace tide::cli::record
