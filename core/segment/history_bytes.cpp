#include "segment/history_bytes.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <tuple>

#include "base/text.hpp"

namespace tide {
namespace {

constexpr int64_t kSetBackMaxNs = 86'400'000'000'000;

constexpr uint32_t records_in(std::string_view region) {
#define TIDE_COUNT(name, Record, count, meaning) \
  if (region == #name) return count;
  TIDE_REGIONS(TIDE_COUNT)
#undef TIDE_COUNT
  return 0;
}
constexpr std::array<uint32_t, History::kSeries> kRecordsMax = {records_in("history_1s"), records_in("history_1m"),
                                                                records_in("history_1h")};
static_assert(std::min({kRecordsMax[0], kRecordsMax[1], kRecordsMax[2]}) > 0);

// By words, as all parts have a multiple of 8 bytes. It detects torn files, not forged ones.
uint64_t checksum_of(std::string_view bytes, uint64_t sum) {
  for (size_t at = 0; at + sizeof(uint64_t) <= bytes.size(); at += sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum = (std::rotl(sum, 23) ^ word) * 0x9E3779B97F4A7C15ULL;
  }
  return sum;
}

uint64_t checksum_of(format::HistoryFileHeader header, std::string_view records) {
  header.checksum = 0;
  const std::string_view bytes(reinterpret_cast<const char*>(&header), sizeof header);
  return checksum_of(records, checksum_of(bytes, 0xCBF29CE484222325ULL));
}

// What an owner can have measured; NaN stands for "not measured".
bool is_amount(double number) { return std::isnan(number) || (number >= 0 && number < 1e18); }

// Wall clocks are set back, but not by days.
bool is_plausible(const format::HistoryRecord& record, int64_t wall_now_ns) {
  if (record.at_wall_ns <= 0 || record.at_wall_ns - kSetBackMaxNs > wall_now_ns || record.covers_ms == 0) return false;
  if (record.health < -1 || record.health > 100) return false;
  const double amounts[] = {record.in_use_avg, record.wait_p99_ms,  record.use_ms,  record.predicted_in_use,
                            record.query_ms,   record.query_p99_ms, record.wait_ms, record.replica_lag_ms};
  return std::all_of(std::begin(amounts), std::end(amounts), is_amount);
}

auto key_of(const format::HistoryRecord& record) {
  InstanceId instance{};
  std::copy(std::begin(record.instance_id), std::end(record.instance_id), instance.begin());
  return std::tuple(record.at_wall_ns, instance);
}

void arrange(History::Records& records, size_t records_max) {
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return key_of(a) < key_of(b); });
  const auto same = [](const auto& a, const auto& b) { return key_of(a) == key_of(b); };
  records.erase(std::unique(records.begin(), records.end(), same), records.end());
  if (records.size() > records_max) {
    records.erase(records.begin(), records.end() - static_cast<ptrdiff_t>(records_max));
  }
}

Status wrong_bytes(std::string why) { return Status::error(Code::refused, std::move(why)); }

Status check_header(const format::HistoryFileHeader& header, std::string_view bytes, std::string_view pool) {
  if (std::memcmp(header.magic, format::kHistoryMagic, sizeof header.magic) != 0) {
    return wrong_bytes("it is not a history of a pool");
  }
  if (header.layout_version != format::kLayoutVersion || header.header_bytes != sizeof header ||
      header.record_bytes != sizeof(format::HistoryRecord)) {
    return wrong_bytes("layout version " + std::to_string(header.layout_version) + " is not supported");
  }
  const uint64_t records = uint64_t{header.seconds} + header.minutes + header.hours;
  if (bytes.size() != sizeof header + records * sizeof(format::HistoryRecord)) return wrong_bytes("its size is wrong");
  if (checksum_of(header, bytes.substr(sizeof header)) != header.checksum) return wrong_bytes("its checksum is wrong");
  if (header.pool.view() != pool) {
    return Status::error(Code::bad_argument, "it is the history of pool " + in_quotes(clean_text(header.pool)));
  }
  return Status::ok();
}

}  // namespace

const uint64_t kHistoryBytesMax =
    sizeof(format::HistoryFileHeader) +
    uint64_t{kRecordsMax[0] + kRecordsMax[1] + kRecordsMax[2]} * sizeof(format::HistoryRecord);

History History::of(const Attachment& segment, int64_t wall_now_ns) {
  History history;
  for (size_t i = 0; i < kSeries; ++i) {
    history.series_[i] = segment.read_history(kResolutionsMs[i]);
    std::erase_if(history.series_[i], [&](const auto& record) { return !is_plausible(record, wall_now_ns); });
  }
  return history;
}

size_t History::size() const {
  size_t n = 0;
  for (const Records& records : series_) n += records.size();
  return n;
}

void History::merge(History&& other) {
  for (size_t i = 0; i < kSeries; ++i) {
    series_[i].insert(series_[i].end(), other.series_[i].begin(), other.series_[i].end());
    arrange(series_[i], kRecordsMax[i]);
  }
}

std::string bytes_of(const History& history, const HistoryOwner& owner, int64_t wall_now_ns) {
  format::HistoryFileHeader header{};
  std::memcpy(header.magic, format::kHistoryMagic, sizeof header.magic);
  header.layout_version = format::kLayoutVersion;
  header.header_bytes = sizeof header;
  std::copy(owner.instance_id.begin(), owner.instance_id.end(), std::begin(header.instance_id));
  header.written_wall_ns = wall_now_ns;
  header.record_bytes = sizeof(format::HistoryRecord);
  header.seconds = static_cast<uint32_t>(history.series(0).size());
  header.minutes = static_cast<uint32_t>(history.series(1).size());
  header.hours = static_cast<uint32_t>(history.series(2).size());
  header.pool.assign(owner.pool);
  std::string bytes(sizeof header, '\0');
  bytes.reserve(sizeof header + history.size() * sizeof(format::HistoryRecord));
  for (size_t i = 0; i < History::kSeries; ++i) {
    for (const format::HistoryRecord& record : history.series(i)) {
      bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
    }
  }
  header.checksum = checksum_of(header, std::string_view(bytes).substr(sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

Result<History> history_of(std::string_view bytes, std::string_view pool, int64_t wall_now_ns) {
  format::HistoryFileHeader header;
  if (bytes.size() < sizeof header) return wrong_bytes("it is too short");
  std::memcpy(static_cast<void*>(&header), bytes.data(), sizeof header);
  if (Status sound = check_header(header, bytes, pool); !sound) return sound;
  History found, history;
  bytes.remove_prefix(sizeof header);
  const uint32_t counts[] = {header.seconds, header.minutes, header.hours};
  for (size_t i = 0; i < History::kSeries; ++i) {
    for (uint32_t n = 0; n < counts[i]; ++n) {
      format::HistoryRecord record;
      std::memcpy(static_cast<void*>(&record), bytes.data(), sizeof record);
      bytes.remove_prefix(sizeof record);
      if (is_plausible(record, wall_now_ns)) found.series(i).push_back(record);
    }
  }
  history.merge(std::move(found));
  return history;
}

}  // namespace tide
