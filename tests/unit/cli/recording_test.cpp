// Recordings: nothing is lost that was written, and files may contain anything.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "command.hpp"
#include "record/recording.hpp"
#include "top/player.hpp"
#include "top/timeline.hpp"
#include "unit/cli/frames.hpp"
#include "unit/support/rounds.hpp"

namespace tide::cli::test {
namespace {

using tide::test::rounds;

using record::Recording;
using record::RecordingWriter;
using record::Value;

class RecordingFile : public ::testing::Test {
 protected:
  RecordingFile() {
    char name[] = "/dev/shm/tidepool-recording-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/a.rec";
  }
  ~RecordingFile() override {
    for (const char* ending : {"", ".old", ".part"}) unlink((path_ + ending).c_str());
    rmdir(folder_.c_str());
  }
  static std::string bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream bytes;
    bytes << file.rdbuf();
    return bytes.str();
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  std::string folder_;
  std::string path_;
};

// Frames that differ in every way that the encoding knows.
std::vector<Frame> various(int count) {
  std::vector<Frame> frames;
  for (int i = 0; i < count; ++i) {
    std::vector<Invented> pools(static_cast<size_t>(1 + i % 4));
    for (size_t k = 0; k < pools.size(); ++k) {
      pools[k].name = "pool" + std::to_string(k);
      pools[k].acquires = 100 + i * 7;
      pools[k].in_use = i % 5;
      pools[k].tags.assign(static_cast<size_t>(i % 3), "tag" + std::to_string(i % 7));
    }
    frames.push_back(frame_of(pools, i));
    Table odd{"odd", {"a", "b"}, {}};
    odd.rows.push_back({std::numeric_limits<int64_t>::min(), std::numeric_limits<double>::infinity()});
    odd.rows.push_back({std::numeric_limits<int64_t>::max(), std::string("\0x\xff", 3)});
    odd.rows.push_back(
        {i % 2 == 0 ? Value{} : Value{int64_t{i}}, i % 3 == 0 ? Value{std::string(300, 'x')} : Value{0.5}});
    if (i % 5 != 0) frames.back().tables.push_back(odd);
  }
  return frames;
}

std::string file_of(const std::vector<Frame>& frames) {
  record::FrameEncoder encoder;
  std::string bytes = record::recording_header();
  for (const Frame& frame : frames) bytes += encoder.encode(frame);
  return bytes;
}

TEST_F(RecordingFile, ReturnsEveryFrameInAnyOrder) {
  const std::vector<Frame> frames = various(200);
  Recording recording = Recording::of_frames(frames);
  ASSERT_EQ(recording.size(), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) EXPECT_EQ(recording.frame(i), frames[i]) << i;
  for (size_t i = 0; i < frames.size(); ++i)
    EXPECT_EQ(recording.frame(i * 73 % frames.size()), frames[i * 73 % frames.size()]);
  EXPECT_TRUE(recording.notes().empty());
}

TEST_F(RecordingFile, TornLastFrameIsIgnored) {
  const std::string bytes = file_of(various(5));
  const size_t last = file_of(various(4)).size();
  for (size_t length = last + 1; length < bytes.size(); length += 7) {
    const Recording recording = Recording::of_bytes(bytes.substr(0, length), "torn");
    EXPECT_EQ(recording.size(), 4u) << length;
    ASSERT_EQ(recording.notes().size(), 1u) << length;
    EXPECT_TRUE(contains(recording.notes()[0], "incomplete"));
  }
}

TEST_F(RecordingFile, DamageIsSkippedUpToTheNextCompleteFrame) {
  const std::vector<Frame> frames = various(150);
  std::string bytes = file_of(frames);
  bytes[file_of(various(10)).size() + 30] ^= 0x40;
  Recording recording = Recording::of_bytes(bytes, "damaged");
  ASSERT_EQ(recording.size(), 10u + (150 - record::kCompleteEvery));
  EXPECT_EQ(recording.frame(9), frames[9]);
  EXPECT_EQ(recording.frame(10), frames[record::kCompleteEvery]);
  EXPECT_EQ(recording.frame(99), frames[149]);
  EXPECT_TRUE(contains(recording.notes().at(0), "damaged"));
}

TEST_F(RecordingFile, StaysWithinItsBoundsAndKeepsTheTimeToKeep) {
  {
    RecordingWriter writer(path_, {.keep_ns = 60 * kSecond_ns});
    for (int i = 0; i < 400; ++i) writer.add(frame_of({{.acquires = i}}, i));
  }
  Recording recording = Recording::load(path_);
  EXPECT_GE(recording.size(), 60u);
  EXPECT_LE(recording.size(), 121u);
  EXPECT_EQ(recording.frame(recording.size() - 1), frame_of({{.acquires = 399}}, 399));
  {
    RecordingWriter writer(path_, {.keep_ns = 3600 * kSecond_ns, .bytes_max = 8192});
    EXPECT_TRUE(writer.kept_old());
    for (int i = 0; i < 400; ++i) writer.add(frame_of({{.acquires = i}, {.name = std::to_string(i)}}, i));
  }
  EXPECT_LE(bytes_of(path_).size() + bytes_of(path_ + ".old").size(), 3u * 8192);
}

TEST_F(RecordingFile, OtherFilesAreNotOverwritten) {
  write(path_, "a letter");
  EXPECT_THROW(RecordingWriter(path_, {}), Failure);
  EXPECT_THROW(record::write_recording(path_, {frame_of({{}})}), Failure);
  EXPECT_EQ(bytes_of(path_), "a letter");
}

TEST_F(RecordingFile, SaysWhatIsWrongWithAFile) {
  const auto why = [this](const std::string& bytes) {
    write(path_, bytes);
    try {
      (void)Recording::load(path_);
    } catch (const Failure& failure) {
      return failure.detail;
    }
    return std::string("nothing");
  };
  EXPECT_TRUE(contains(why(""), "does not begin like one"));
  EXPECT_TRUE(contains(why("SQLite format 3"), "does not begin like one"));
  EXPECT_TRUE(contains(why("TIDEREC\n"), "ends within its header"));
  EXPECT_TRUE(contains(why(record::recording_header()), "no intact frame"));
  std::string newer = file_of(various(1));
  newer[8] = 9;
  EXPECT_TRUE(contains(why(newer), "version 9")) << why(newer);
  unlink(path_.c_str());
  EXPECT_THROW((void)Recording::load(path_), Failure);
  EXPECT_THROW((void)Recording::load(folder_), Failure);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THROW((void)Recording::load(path_), Failure);
}

// A hostile file that is read, with a checksum that fits: everything that the screen does with it.
void use(Recording recording) {
  top::Timeline timeline(std::move(recording), "hostile");
  top::Player player(timeline);
  top::Model model(kSecond_ns, &player);
  for (size_t i = 0; i < timeline.size(); ++i) {
    (void)timeline.duration_ns(i);
    model.show(std::make_shared<const top::Snapshot>(timeline.at(i)));
    (void)top::paint(model, {80, 24}, true);
  }
}

TEST_F(RecordingFile, RandomBytesAreNeverACrash) {
  use_utf8();
  const std::string intact = file_of(various(12));
  uint64_t state = 88172645463325252u;
  const auto random = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  };
  int shown = 0;
  for (int round = 0; round < rounds(3000); ++round) {
    std::string bytes = intact;
    for (uint64_t i = 0; i <= random() % 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    // So that the decoder, too, meets what the checksum would have stopped.
    for (size_t at = bytes.find(record::kFrameMagic); round % 2 == 0 && at != std::string::npos;
         at = bytes.find(record::kFrameMagic, at + 4)) {
      if (bytes.size() - at < record::kFrameHeaderBytes) break;
      uint32_t length = 0;
      std::memcpy(&length, &bytes[at + 4], sizeof length);
      if (length > bytes.size() - at - record::kFrameHeaderBytes) continue;
      const uint64_t sum =
          record::frame_checksum(std::string_view(bytes).substr(at + record::kFrameHeaderBytes, length));
      std::memcpy(&bytes[at + 8], &sum, sizeof sum);
    }
    try {
      use(Recording::of_bytes(bytes, "hostile"));
      ++shown;
    } catch (const Failure& failure) {
      EXPECT_FALSE(failure.message.empty());
    }
  }
  EXPECT_GT(shown, rounds(3000) / 3);
}

TEST_F(RecordingFile, HugeCountsAreRefused) {
  for (const std::string number : {"\xff\xff\xff\xff\x0f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}) {
    std::string contents("\x01\x02\x02\x00\x01\x05pools", 11);
    std::string frame(record::kFrameMagic);
    contents += number;
    const auto length = static_cast<uint32_t>(contents.size());
    const uint64_t sum = record::frame_checksum(contents);
    frame.append(reinterpret_cast<const char*>(&length), sizeof length)
        .append(reinterpret_cast<const char*>(&sum), sizeof sum);
    EXPECT_THROW((void)Recording::of_bytes(record::recording_header() + frame + contents, "huge"), Failure);
  }
}

TEST_F(RecordingFile, ImpossibleTimesAreRefused) {
  for (const int64_t time : {std::numeric_limits<int64_t>::max(), int64_t{-1}}) {
    Frame frame = frame_of({{}});
    frame.wall_us = time;
    EXPECT_THROW((void)Recording::of_frames({frame}), Failure);
    frame = frame_of({{}});
    frame.mono_ns = time;
    EXPECT_THROW((void)Recording::of_frames({frame}), Failure);
  }
}

TEST_F(RecordingFile, HistoryIsShownBeforeTheFirstFrame) {
  Frame frame = frame_of({{}}, 600);
  Table history{"pool_history",
                {"instance_id", "pool", "at", "resolution_ms", "in_use_max", "waiting_max", "limit_size", "size"},
                {}};
  for (int64_t i = 1; i <= 300; ++i) {
    history.rows.push_back({instance_of(0), std::string("shop"), frame.wall_us - i * 1'000'000, 1000.0, i % 9,
                            i == 200 ? int64_t{5} : int64_t{0}, int64_t{10}, int64_t{9}});
  }
  frame.tables.push_back(history);
  top::Timeline timeline(Recording::of_frames({frame}), "a.rec");
  ASSERT_EQ(timeline.size(), 301u);
  const top::Snapshot& then = timeline.at(timeline.find(frame.wall_us - 200 * 1'000'000));
  EXPECT_EQ(then.pools.at(0).waiting, 5);
  EXPECT_EQ(then.pools.at(0).state, "history");
  EXPECT_EQ(timeline.at(300).pools.at(0).state, "running");
  EXPECT_EQ(timeline.at(300).pools.at(0).track.size(), 301u);
}

TEST_F(RecordingFile, PlayerFollowsTheTimesOfTheRecording) {
  std::vector<Frame> frames;
  for (int i = 0; i < 10; ++i) frames.push_back(frame_of({{}}, i));
  const top::Timeline timeline(Recording::of_frames(frames), "a.rec");
  top::Player player(timeline);
  EXPECT_EQ(player.position(), 9u);
  player.toggle(0);  // from the beginning
  EXPECT_FALSE(player.tick(kSecond_ns - 1));
  EXPECT_TRUE(player.tick(kSecond_ns));
  EXPECT_EQ(player.position(), 1u);
  player.faster();
  EXPECT_TRUE(player.tick(2 * kSecond_ns));
  EXPECT_EQ(player.position(), 3u);
  EXPECT_TRUE(player.go("-2s"));
  EXPECT_EQ(player.position(), 1u);
  EXPECT_TRUE(player.go("end"));
  EXPECT_EQ(player.position(), 9u);
  EXPECT_FALSE(player.go("noon"));
  EXPECT_FALSE(player.go("25:00"));
  player.step(-100);
  EXPECT_EQ(player.position(), 0u);
  player.toggle(0);
  EXPECT_TRUE(player.tick(100 * kSecond_ns));
  EXPECT_FALSE(player.is_playing());
}

}  // namespace
}  // namespace tide::cli::test
