// The mailbox with senders in two processes and its owner reading: every accepted command arrives once and intact.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/owned_id.hpp"
#include "model/words.hpp"
#include "race/storm.hpp"
#include "segment/mailbox.hpp"
#include "segment/mailbox_sender.hpp"

namespace tide::race {
namespace {

class MailboxStorm : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidepool-race-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    SegmentSpec spec;
    spec.instance_id = random_instance_id();
    spec.pool = "storm";
    spec.directory = folder_;
    auto made = Segment::create(spec);
    ASSERT_TRUE(made.is_ok()) << made.status().message();
    segment_ = made.take();
  }
  void TearDown() override {
    segment_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  static constexpr int kOrders = 150;

  // The number of accepted commands. Refused (full, or busy) is an answer too: it was not posted, so it is retried.
  int send(char name) const {
    auto attached = Attachment::open(segment_->path());
    if (!attached) return 0;
    int sent = 0;
    for (int i = 0; i < kOrders; ++i) {
      const std::string actor = std::string(1, name) + std::to_string(i);
      sent +=
          comes_true([&] { return post_command(*attached, "pause", "{}", actor).is_ok(); }, Span::seconds(20)) ? 1 : 0;
    }
    return sent;
  }

  std::string folder_;
  std::unique_ptr<Segment> segment_;
};

TEST_F(MailboxStorm, EveryCommandArrivesOnce) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(send('c') == kOrders ? 0 : 1);
  Mailbox mailbox(segment_->mailbox_path());
  Ring<format::CommandRecord> answers = segment_->ring(segment_->header().commands);
  const uint32_t owner = Attachment::from_fd(segment_->fd())->header().owner;
  std::set<std::string> seen;
  uint64_t last = 0;
  storm(3, [&](uint32_t me) {
    if (me != 0) {
      EXPECT_EQ(send(static_cast<char>('s' + me)), kOrders);
      return;
    }
    EXPECT_TRUE(comes_true([&] {
      for (const PostedCommand& order : mailbox.take()) {
        EXPECT_EQ(order.number, last + 1);
        last = order.number;
        EXPECT_EQ(order.verb, "pause");
        EXPECT_TRUE(seen.insert(order.actor).second) << order.actor << " arrived twice";
        // A command counts as waiting until it is answered.
        answers.append([&](format::CommandRecord& r) {
          r.command_id = owned_id(owner, order.number);
          r.status = static_cast<uint32_t>(CommandStatus::applied);
        });
      }
      return seen.size() == 3 * size_t{kOrders};
    }));
  });
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(seen.size(), 3 * size_t{kOrders});
  EXPECT_EQ(mailbox.damaged(), 0U);
}

}  // namespace
}  // namespace tide::race
