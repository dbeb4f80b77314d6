#include "record/encoding.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace tide::cli::record {

// Reads numbers from bytes that may be anything. After the first failure everything fails.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool byte(uint8_t& out) {
    if (bytes_.empty()) return false;
    out = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return true;
  }
  bool number(uint64_t& out) {
    out = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      uint8_t next = 0;
      if (!byte(next)) return false;
      out |= uint64_t{next & 0x7Fu} << shift;
      if (next < 0x80) return true;
    }
    return false;
  }
  bool count(size_t most, size_t& out) {
    uint64_t read = 0;
    if (!number(read) || read > most) return false;
    out = static_cast<size_t>(read);
    return true;
  }
  bool difference(uint64_t& out) {
    if (!number(out)) return false;
    out = (out >> 1) ^ (~(out & 1) + 1);
    return true;
  }
  bool real(double& out) {
    if (bytes_.size() < sizeof out) return false;
    std::memcpy(&out, bytes_.data(), sizeof out);
    bytes_.remove_prefix(sizeof out);
    return true;
  }
  bool text(std::string& out) {
    size_t length = 0;
    if (!count(bytes_.size(), length) || length > bytes_.size()) return false;
    out.assign(bytes_.substr(0, length));
    bytes_.remove_prefix(length);
    return true;
  }
  bool is_at_end() const { return bytes_.empty(); }
  size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

namespace {

enum ValueKind : uint8_t { null_value = 0, whole_value = 1, real_value = 2, text_value = 3 };

void put_number(std::string& out, uint64_t number) {
  for (; number >= 0x80; number >>= 7) out.push_back(static_cast<char>(number | 0x80));
  out.push_back(static_cast<char>(number));
}

// Small differences of either sign take few bytes. Unsigned, because foreign numbers may overflow.
void put_difference(std::string& out, uint64_t difference) {
  put_number(out, (difference << 1) ^ ((difference >> 63) != 0 ? ~uint64_t{0} : 0));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

template <typename Number>
void put_fixed(std::string& out, Number value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

using Dictionary = std::unordered_map<std::string, uint64_t>;

void put_value(std::string& out, const Value& value, const Value* before, Dictionary& dictionary) {
  out.push_back(static_cast<char>(value.index()));
  if (const auto* whole = std::get_if<int64_t>(&value)) {
    const auto* base = before == nullptr ? nullptr : std::get_if<int64_t>(before);
    put_difference(out, static_cast<uint64_t>(*whole) - static_cast<uint64_t>(base == nullptr ? 0 : *base));
  } else if (const auto* real = std::get_if<double>(&value)) {
    put_fixed(out, *real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    const auto [known, is_new] = dictionary.try_emplace(*text, dictionary.size());
    put_number(out, is_new ? 0 : known->second + 1);
    if (is_new) put_text(out, *text);
  }
}

// A bit for each value that differs from the one before, then those values.
void put_row(std::string& out, const std::vector<Value>& row, const std::vector<Value>* before,
             Dictionary& dictionary) {
  const size_t map_at = out.size();
  out.append((row.size() + 7) / 8, '\0');
  for (size_t i = 0; i < row.size(); ++i) {
    const Value* old = before == nullptr ? nullptr : &(*before)[i];
    if (old != nullptr && *old == row[i]) continue;
    out[map_at + i / 8] = static_cast<char>(static_cast<uint8_t>(out[map_at + i / 8]) | 1u << i % 8);
    put_value(out, row[i], old, dictionary);
  }
}

void put_table(std::string& out, const Table& table, const Table* before, Dictionary& dictionary) {
  put_text(out, table.relation);
  const bool is_known = before != nullptr && before->columns == table.columns;
  put_number(out, is_known ? 0 : table.columns.size() + 1);
  if (!is_known) {
    for (const std::string& column : table.columns) put_text(out, column);
  }
  put_number(out, table.rows.size());
  for (size_t i = 0; i < table.rows.size(); ++i) {
    put_row(out, table.rows[i], is_known && i < before->rows.size() ? &before->rows[i] : nullptr, dictionary);
  }
}

}  // namespace

std::string recording_header() {
  std::string out(kRecordingMagic);
  put_fixed(out, kRecordingVersion);
  put_fixed(out, uint32_t{0});
  return out;
}

uint64_t frame_checksum(std::string_view contents) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : contents) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return hash;
}

std::string FrameEncoder::encode(Frame frame) {
  const bool is_complete = until_complete_ == 0;
  until_complete_ = is_complete ? kCompleteEvery - 1 : until_complete_ - 1;
  if (is_complete) dictionary_.clear();
  std::string contents(1, is_complete ? 1 : 0);
  put_difference(contents, static_cast<uint64_t>(frame.wall_us));
  put_difference(contents, static_cast<uint64_t>(frame.mono_ns));
  put_text(contents, frame.host);
  put_number(contents, frame.tables.size());
  for (const Table& table : frame.tables) {
    put_table(contents, table, is_complete ? nullptr : before_.table(table.relation), dictionary_);
  }
  before_ = std::move(frame);
  std::string out(kFrameMagic);
  put_fixed(out, static_cast<uint32_t>(contents.size()));
  put_fixed(out, frame_checksum(contents));
  return out + contents;
}

bool FrameDecoder::read_text(ByteReader& in, std::string& out) {
  uint64_t number = 0;
  if (!in.number(number) || number > dictionary_.size()) return false;
  if (number == 0) {
    if (!in.text(out)) return false;
    dictionary_.push_back(out);
  } else {
    out = dictionary_[static_cast<size_t>(number - 1)];
  }
  return true;
}

bool FrameDecoder::read_value(ByteReader& in, const Value* before, Value& out) {
  uint8_t kind = 0;
  if (!in.byte(kind)) return false;
  switch (kind) {
    case null_value: out = std::monostate{}; return true;
    case whole_value: {
      uint64_t difference = 0;
      if (!in.difference(difference)) return false;
      const auto* base = before == nullptr ? nullptr : std::get_if<int64_t>(before);
      out = static_cast<int64_t>(static_cast<uint64_t>(base == nullptr ? 0 : *base) + difference);
      return true;
    }
    case real_value: {
      double real = 0;
      if (!in.real(real)) return false;
      out = real;
      return true;
    }
    case text_value: {
      std::string text;
      if (!read_text(in, text)) return false;
      out = std::move(text);
      return true;
    }
    default: return false;
  }
}

bool FrameDecoder::read_row(ByteReader& in, const std::vector<Value>* before, std::vector<Value>& out) {
  std::vector<uint8_t> changed((out.size() + 7) / 8);
  for (uint8_t& bits : changed) {
    if (!in.byte(bits)) return false;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const Value* old = before == nullptr ? nullptr : &(*before)[i];
    const bool is_changed = (changed[i / 8] >> i % 8 & 1) != 0;
    if (!is_changed && old == nullptr) return false;
    if (!is_changed) out[i] = *old;
    if (is_changed && !read_value(in, old, out[i])) return false;
    const auto* text = std::get_if<std::string>(&out[i]);
    text_bytes_ += text == nullptr ? 0 : text->size();
    if (text_bytes_ > kFrameTextBytesMax) return false;
  }
  return true;
}

bool FrameDecoder::read_table(ByteReader& in, const Table* before, Table& out) {
  size_t columns = 0;
  if (!in.count(kColumnsMax + 1, columns)) return false;
  const bool is_known = columns == 0;
  if (is_known) {
    if (before == nullptr) return false;
    out.columns = before->columns;
  } else {
    out.columns.resize(columns - 1);
    for (std::string& column : out.columns) {
      if (!in.text(column)) return false;
    }
  }
  size_t rows = 0;
  if (!in.count(in.left(), rows) || out.columns.empty()) return false;
  values_ += rows * out.columns.size();
  if (values_ > kFrameValuesMax) return false;
  out.rows.reserve(rows);
  for (size_t i = 0; i < rows; ++i) {
    const bool has_old = is_known && i < before->rows.size();
    std::vector<Value>& row = out.rows.emplace_back(out.columns.size());
    if (!read_row(in, has_old ? &before->rows[i] : nullptr, row)) return false;
  }
  return true;
}

bool FrameDecoder::decode(std::string_view contents, Frame& out) {
  const bool had_before = std::exchange(has_before_, false);
  ByteReader in(contents);
  uint8_t kind = 0;
  if (!in.byte(kind) || kind > 1 || (kind == 0 && !had_before)) return false;
  if (kind == 1) dictionary_.clear();
  values_ = 0;
  text_bytes_ = 0;
  Frame frame;
  uint64_t wall_us = 0;
  uint64_t mono_ns = 0;
  size_t tables = 0;
  if (!in.difference(wall_us) || !in.difference(mono_ns) || !in.text(frame.host) || !in.count(kTablesMax, tables))
    return false;
  if (wall_us > kWallMax_us || mono_ns > kMonoMax_ns) return false;
  frame.wall_us = static_cast<int64_t>(wall_us);
  frame.mono_ns = static_cast<int64_t>(mono_ns);
  for (size_t i = 0; i < tables; ++i) {
    Table& table = frame.tables.emplace_back();
    if (!in.text(table.relation)) return false;
    if (!read_table(in, kind == 1 ? nullptr : before_.table(table.relation), table)) return false;
  }
  if (!in.is_at_end()) return false;
  before_ = frame;
  has_before_ = true;
  out = std::move(frame);
  return true;
}

}  // namespace tide::cli::record
