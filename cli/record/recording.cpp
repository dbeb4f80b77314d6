#include "record/recording.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "command.hpp"
#include "text/print.hpp"

namespace tide::cli::record {
namespace {

std::string old_path(const std::string& path) { return path + ".old"; }

[[noreturn]] void fail(const std::string& what, const std::string& path, const std::string& hint = "") {
  throw Failure{kFailed, what + " " + in_quotes(path) + ": " + std::strerror(errno), "", hint};
}

uint32_t number_at(std::string_view bytes, size_t offset) {
  uint32_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

uint64_t checksum_at(std::string_view bytes, size_t offset) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// Up to `most` bytes of a regular file. nullopt: there is none.
std::optional<std::string> read_file(const std::string& path, uint64_t most) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0 && errno == ENOENT) return std::nullopt;
  if (file.get() < 0) fail("cannot open", path);
  struct stat about {};
  if (fstat(file.get(), &about) != 0) fail("cannot read", path);
  if (!S_ISREG(about.st_mode)) {
    throw Failure{kMisuse, in_quotes(path) + " is not a recording", "It is not a regular file.",
                  "Recordings are written by \"tidepool record\"."};
  }
  std::string bytes(static_cast<size_t>(std::min(most, static_cast<uint64_t>(about.st_size))), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (got < 0 && errno != EINTR) fail("cannot read", path);
    if (got == 0) break;
    done += got < 0 ? 0 : static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

bool is_recording(const std::string& path) {
  const auto begin = read_file(path, kRecordingMagic.size());
  return begin && *begin == kRecordingMagic;
}

void require_free(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0 || is_recording(path)) return;
  throw Failure{kMisuse, in_quotes(path) + " exists and is not a recording", "It is not overwritten.",
                "Choose another file with -o."};
}

int create(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
  if (file < 0) fail("cannot create", path, "Choose a directory that this user may write with -o.");
  return file;
}

void write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t done = write(file, bytes.data(), bytes.size());
    if (done < 0 && errno != EINTR) fail("cannot write", path);
    bytes.remove_prefix(done < 0 ? 0 : static_cast<size_t>(done));
  }
}

}  // namespace

RecordingWriter::RecordingWriter(std::string path, Bounds bounds) : path_(std::move(path)), bounds_(bounds) {
  require_free(path_);
  kept_old_ = access(path_.c_str(), F_OK) == 0;
  if (kept_old_) set_aside();
}

RecordingWriter::~RecordingWriter() {
  if (file_ >= 0) close(file_);
}

void RecordingWriter::set_aside() {
  if (file_ >= 0) close(std::exchange(file_, -1));
  if (rename(path_.c_str(), old_path(path_).c_str()) != 0) fail("cannot rename", path_);
}

void RecordingWriter::begin() {
  file_ = create(path_);
  file_bytes_ = 0;
  encoder_.restart();
  put(recording_header());
}

void RecordingWriter::put(const std::string& bytes) {
  write_all(file_, bytes, path_);
  file_bytes_ += bytes.size();
  bytes_ += bytes.size();
}

void RecordingWriter::add(const Frame& frame) {
  const bool is_over = frame.mono_ns - began_ns_ >= bounds_.keep_ns || file_bytes_ >= bounds_.bytes_max / 2;
  if (file_ >= 0 && is_over) set_aside();
  if (file_ < 0) {
    begin();
    began_ns_ = frame.mono_ns;
  }
  put(encoder_.encode(frame));
  ++frames_;
}

void RecordingWriter::sync() {
  if (file_ >= 0 && fdatasync(file_) != 0) fail("cannot write", path_);
}

uint64_t write_recording(const std::string& path, const std::vector<Frame>& frames) {
  require_free(path);
  const std::string unfinished = path + ".part";
  const File file(create(unfinished));
  FrameEncoder encoder;
  std::string bytes = recording_header();
  for (const Frame& frame : frames) bytes += encoder.encode(frame);
  try {
    write_all(file.get(), bytes, path);
    if (fsync(file.get()) != 0) fail("cannot write", path);
    if (rename(unfinished.c_str(), path.c_str()) != 0) fail("cannot create", path);
  } catch (...) {
    unlink(unfinished.c_str());
    throw;
  }
  return bytes.size();
}

Recording Recording::load(const std::string& path) {
  const auto bytes = read_file(path, kRecordingBytesMax);
  if (!bytes) {
    throw Failure{kFailed, "no recording " + in_quotes(path), "",
                  "Make one with \"tidepool record\" or \"tidepool record --last\"."};
  }
  Recording recording;
  const auto old = read_file(old_path(path), kRecordingBytesMax);
  if (old && old->starts_with(kRecordingMagic)) recording.add_bytes(*old, old_path(path));
  const Frame last = recording.size() == 0 ? Frame{} : recording.frame(recording.size() - 1);
  const size_t olds = recording.size();
  recording.add_bytes(*bytes, path);
  // An older recording of something else is no beginning of this one.
  constexpr int64_t kPause_ns = 60'000'000'000;
  const bool continues = olds > 0 && olds < recording.size() && recording.frame(olds).mono_ns >= last.mono_ns &&
                         recording.frame(olds).mono_ns - last.mono_ns <= kPause_ns;
  return continues || olds == 0 ? std::move(recording) : of_bytes(*bytes, path);
}

Recording Recording::of_bytes(std::string bytes, const std::string& name) {
  Recording recording;
  recording.add_bytes(bytes, name);
  return recording;
}

Recording Recording::of_frames(const std::vector<Frame>& frames) {
  FrameEncoder encoder;
  std::string bytes = recording_header();
  for (const Frame& frame : frames) bytes += encoder.encode(frame);
  return of_bytes(std::move(bytes), "frames");
}

void Recording::add_bytes(const std::string& bytes, const std::string& name) {
  const auto refuse = [&name](const std::string& why) {
    throw Failure{kFailed, in_quotes(name) + " is not a recording that can be shown", why,
                  "Recordings are written by \"tidepool record\"."};
  };
  if (!bytes.starts_with(kRecordingMagic)) refuse("It does not begin like one.");
  if (bytes.size() < kRecordingHeaderBytes) refuse("It ends within its header.");
  const uint32_t version = number_at(bytes, kRecordingMagic.size());
  if (version != kRecordingVersion) {
    refuse("It has version " + std::to_string(version) + " of the format; this program reads version " +
           std::to_string(kRecordingVersion) + ".");
  }
  const size_t base = bytes_.size();
  bytes_ += bytes;
  const std::string_view all(bytes_);
  const size_t before = places_.size();
  size_t skipped = 0;
  size_t torn = 0;
  size_t work = 4 * bytes.size();  // for checksums: a hostile file may contain a frame at every place
  decoder_.forget();
  for (size_t at = base + kRecordingHeaderBytes; at < all.size();) {
    const size_t left = all.size() - at;
    const bool has_header = left >= kFrameHeaderBytes && all.substr(at, kFrameMagic.size()) == kFrameMagic;
    const size_t length = has_header ? number_at(all, at + 4) : 0;
    const bool is_whole =
        has_header && length <= kFrameBytesMax && length <= left - kFrameHeaderBytes && length <= work;
    work -= is_whole ? length : 0;
    const std::string_view contents = is_whole ? all.substr(at + kFrameHeaderBytes, length) : std::string_view{};
    if (is_whole && frame_checksum(contents) == checksum_at(all, at + 8)) {
      // A difference is of no use without the frame before it.
      if (decoder_.decode(contents, current_)) {
        places_.push_back({at + kFrameHeaderBytes, length});
      } else {
        ++skipped;
      }
      at += kFrameHeaderBytes + length;
      continue;
    }
    decoder_.forget();
    const size_t next = all.find(kFrameMagic, at + 1);
    if (next == std::string_view::npos) {
      torn = left;
      break;
    }
    ++skipped;
    at = next;
  }
  current_number_ = SIZE_MAX;
  decoder_.forget();
  if (places_.size() == before) refuse("It contains no intact frame.");
  if (skipped > 0)
    notes_.push_back(in_quotes(name) + " is damaged: " + std::to_string(skipped) + " parts were skipped.");
  if (torn > 0) notes_.push_back("The last frame of " + in_quotes(name) + " is incomplete and is left out.");
}

const Frame& Recording::frame(size_t i) {
  if (i == current_number_) return current_;
  const auto contents = [this](size_t number) {
    return std::string_view(bytes_).substr(places_[number].offset, places_[number].length);
  };
  size_t from = i;
  if (current_number_ == SIZE_MAX || i != current_number_ + 1) {
    while (from > 0 && !FrameDecoder::is_complete(contents(from))) --from;
    decoder_.forget();
  }
  for (; from <= i; ++from) {
    if (!decoder_.decode(contents(from), current_)) current_ = Frame{};
  }
  current_number_ = i;
  return current_;
}

}  // namespace tide::cli::record
