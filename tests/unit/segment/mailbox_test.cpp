// Commands through the mailbox: from a sender's post_command() to the owner's take(), with honest and with hostile
// writers.
#include "segment/mailbox.hpp"
#include "base/owned_id.hpp"
#include "model/words.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <thread>

#include "segment/attach.hpp"
#include "segment/mailbox_checksum.hpp"
#include "segment/mailbox_sender.hpp"
#include "segment/rings.hpp"
#include "segment/segment.hpp"

namespace tide {
namespace {

class MailboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tide_mailbox_XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    SegmentSpec spec;
    spec.instance_id = random_instance_id();
    spec.pool = "app";
    spec.directory = directory_;
    auto created = Segment::create(spec);
    ASSERT_TRUE(created.is_ok()) << created.status().message();
    segment_ = created.take();
    mailbox_ = std::make_unique<Mailbox>(segment_->mailbox_path());
    auto attached = Attachment::open(segment_->path());
    ASSERT_TRUE(attached.is_ok()) << attached.status().message();
    attachment_ = std::make_unique<Attachment>(attached.take());
  }
  void TearDown() override {
    attachment_.reset();
    mailbox_.reset();
    segment_.reset();
    std::filesystem::remove_all(directory_);
  }

  Result<uint64_t> post(std::string_view verb = "pause") { return post_command(*attachment_, verb, "{}", "tester"); }
  uint64_t id_of(uint64_t number) const { return owned_id(attachment_->header().owner, number); }
  // Writes the record of the owner's answer.
  void answer(uint64_t number) {
    if (!answers_) answers_.emplace(segment_->commands(), segment_->header().commands.count);
    answers_->append([&](format::CommandRecord& out) {
      out.command_id = id_of(number);
      out.status = static_cast<uint32_t>(CommandStatus::applied);
    });
  }
  void obey_all() {
    for (const PostedCommand& order : mailbox_->take()) answer(order.number);
  }
  void scribble(const void* bytes, size_t size, off_t offset) {
    const int fd = ::open(segment_->mailbox_path().c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::pwrite(fd, bytes, size, offset), static_cast<ssize_t>(size));
    ::close(fd);
  }
  void set_sent(uint64_t sent) { scribble(&sent, sizeof sent, offsetof(format::MailboxHeader, sent)); }
  uint64_t sent() {
    uint64_t value = 0;
    const int fd = ::open(segment_->mailbox_path().c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_EQ(::pread(fd, &value, sizeof value, offsetof(format::MailboxHeader, sent)),
              static_cast<ssize_t>(sizeof value));
    ::close(fd);
    return value;
  }

  std::string directory_;
  std::unique_ptr<Segment> segment_;
  std::unique_ptr<Mailbox> mailbox_;
  std::unique_ptr<Attachment> attachment_;
  std::optional<Ring<format::CommandRecord>> answers_;
};

TEST_F(MailboxTest, CommandArrivesUnchanged) {
  const auto id = post_command(*attachment_, "scale", R"({"target_size":8})", "alice");
  ASSERT_TRUE(id.is_ok()) << id.status().message();
  EXPECT_EQ(*id, id_of(1));
  const auto commands = mailbox_->take();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(commands[0].number, 1U);
  EXPECT_EQ(commands[0].verb, "scale");
  EXPECT_EQ(commands[0].arguments, R"({"target_size":8})");
  EXPECT_EQ(commands[0].actor, "alice");
  EXPECT_GT(commands[0].issued_wall_ns, 0);
  EXPECT_TRUE(mailbox_->take().empty());
}

TEST_F(MailboxTest, PostedCommandsAreListedUntilAnswered) {
  EXPECT_TRUE(read_posted_commands(*attachment_).empty());
  for (const char* verb : {"pause", "resume", "drain"}) ASSERT_TRUE(post(verb).is_ok());
  auto waiting = read_posted_commands(*attachment_);
  ASSERT_EQ(waiting.size(), 3U);
  EXPECT_EQ(waiting[0].command_id, id_of(1));
  EXPECT_EQ(waiting[2].verb.view(), "drain");
  EXPECT_EQ(waiting[1].status, 0U);
  EXPECT_EQ(waiting[1].actor.view(), "tester");
  answer(1);
  answer(2);
  waiting = read_posted_commands(*attachment_);
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].command_id, id_of(3));
}

TEST_F(MailboxTest, FullMailboxRefusesUntilAnAnswer) {
  for (uint32_t i = 0; i < format::kMailboxCommands; ++i) ASSERT_TRUE(post().is_ok());
  const auto refused = post();
  ASSERT_FALSE(refused.is_ok());
  EXPECT_EQ(refused.status().code, Code::refused);
  EXPECT_NE(refused.status().message().find("full"), std::string::npos);
  EXPECT_EQ(read_posted_commands(*attachment_).size(), format::kMailboxCommands);
  EXPECT_EQ(sent(), format::kMailboxCommands);
  answer(1);
  EXPECT_TRUE(post().is_ok());
  EXPECT_FALSE(post().is_ok());
  // Nothing was lost except what the owner had answered.
  EXPECT_EQ(mailbox_->take().size(), format::kMailboxCommands);
}

TEST_F(MailboxTest, RingWrapsAroundManyTimes) {
  std::set<uint64_t> ids;
  for (int i = 0; i < 1000; ++i) {
    const auto id = post();
    ASSERT_TRUE(id.is_ok()) << i << ": " << id.status().message();
    EXPECT_TRUE(ids.insert(*id).second);
    if (i % 7 == 0) obey_all();
  }
  EXPECT_EQ(mailbox_->damaged(), 0U);
}

TEST_F(MailboxTest, SendersNeverShareANumber) {
  std::set<uint64_t> ids[2];
  std::thread senders[2];
  for (size_t who = 0; who < 2; ++who) {
    senders[who] = std::thread([&, who] {
      auto own = Attachment::open(segment_->path());
      for (int i = 0; own && i < 30; ++i) {
        const auto id = post_command(*own, "pause", "{}", who == 0 ? "a" : "b");
        if (id) ids[who].insert(*id);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(ids[0].size(), 30U);
  EXPECT_EQ(ids[1].size(), 30U);
  ids[0].merge(ids[1]);
  EXPECT_EQ(ids[0].size(), 60U);
  EXPECT_EQ(mailbox_->take().size(), 60U);
}

TEST_F(MailboxTest, HostileCountDoesNotBlockOrOverflow) {
  for (const uint64_t wild :
       {UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63, uint64_t{1} << 40, uint64_t{500}, uint64_t{0}}) {
    set_sent(wild);
    EXPECT_TRUE(read_posted_commands(*attachment_).size() <= format::kMailboxCommands);
    mailbox_->take();
    const auto id = post();
    ASSERT_TRUE(id.is_ok()) << wild << ": " << id.status().message();
    const auto commands = mailbox_->take();
    ASSERT_EQ(commands.size(), 1U) << wild;
    EXPECT_EQ(id_of(commands[0].number), *id);
    answer(commands[0].number);
  }
}

TEST_F(MailboxTest, AnsweredIdsAreNotReissued) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(post().is_ok());
  obey_all();
  set_sent(0);
  std::vector<unsigned char> zeros(format::kMailboxCommands * sizeof(format::MailboxCommand));
  scribble(zeros.data(), zeros.size(), sizeof(format::MailboxHeader));
  const auto id = post();
  ASSERT_TRUE(id.is_ok());
  EXPECT_EQ(*id, id_of(6));
  EXPECT_EQ(mailbox_->take().size(), 1U);
}

TEST_F(MailboxTest, GarbageIsSkipped) {
  std::vector<unsigned char> garbage(format::kMailboxCommands * sizeof(format::MailboxCommand));
  uint32_t state = 1;
  for (unsigned char& byte : garbage) byte = static_cast<unsigned char>((state = state * 1664525 + 1013904223) >> 24);
  scribble(garbage.data(), garbage.size(), sizeof(format::MailboxHeader));
  set_sent(40);
  EXPECT_TRUE(read_posted_commands(*attachment_).empty());
  EXPECT_TRUE(mailbox_->take().empty());
  ASSERT_TRUE(post().is_ok());
  EXPECT_EQ(mailbox_->take().size(), 1U);
}

TEST_F(MailboxTest, ForgedCommandShowsNoForeignBytes) {
  format::MailboxCommand order{};
  order.number = 1;
  order.verb.assign("pause");
  order.actor.assign("x\x01\xFF");
  order.arguments.length = 65535;
  order.checksum = mailbox_checksum(order);
  scribble(&order, sizeof order, sizeof(format::MailboxHeader) + sizeof order);
  set_sent(1);
  const auto waiting = read_posted_commands(*attachment_);
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(waiting[0].actor.view().find_first_of("\x01\xFF"), std::string::npos);
  EXPECT_LE(waiting[0].arguments.view().size(), FixedText<896>::kBytesMax);
}

TEST_F(MailboxTest, ForeignMailboxesAreRefused) {
  const std::string path = segment_->mailbox_path();
  const auto expect_refused = [&](const char* why) {
    const auto id = post();
    ASSERT_FALSE(id.is_ok()) << why;
    EXPECT_EQ(id.status().code, Code::refused) << why;
    EXPECT_TRUE(read_posted_commands(*attachment_).empty()) << why;
  };
  const uint8_t foreign[16] = {1};
  scribble(foreign, sizeof foreign, offsetof(format::MailboxHeader, instance_id));
  expect_refused("another instance");
  ASSERT_EQ(::truncate(path.c_str(), 100), 0);
  expect_refused("cut");
  ::unlink(path.c_str());
  expect_refused("gone");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  expect_refused("a pipe");
  ::unlink(path.c_str());
  ASSERT_EQ(::symlink("/dev/null", path.c_str()), 0);
  expect_refused("a link");
  ::unlink(path.c_str());
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  expect_refused("a directory");
  ::rmdir(path.c_str());
}

TEST_F(MailboxTest, HeldLockBlocksSendersOnlyBriefly) {
  const int fd = ::open(segment_->mailbox_path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  const auto id = post();
  ASSERT_FALSE(id.is_ok());
  EXPECT_EQ(id.status().code, Code::refused);
  EXPECT_NE(id.status().message().find("busy"), std::string::npos);
  ::close(fd);
  EXPECT_TRUE(post().is_ok());
}

TEST_F(MailboxTest, SegmentWithoutFileHasNoMailbox) {
  auto local = Attachment::from_fd(segment_->fd());
  ASSERT_TRUE(local.is_ok());
  EXPECT_EQ(post_command(*local, "pause", "{}", "x").status().code, Code::refused);
  EXPECT_TRUE(read_posted_commands(*local).empty());
}

TEST_F(MailboxTest, OversizedCommandIsRefused) {
  EXPECT_EQ(post_command(*attachment_, "set", std::string(895, ' '), "x").status().code, Code::bad_argument);
  EXPECT_TRUE(post_command(*attachment_, "set", std::string(894, ' '), std::string(500, 'x')).is_ok());
  EXPECT_EQ(mailbox_->take()[0].arguments.size(), 894U);
}

}  // namespace
}  // namespace tide
