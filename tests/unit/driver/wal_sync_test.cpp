// WalSync without a disk: the test decides how long a sync takes, and what it returns.
#include "driver/sqlite/wal_sync.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "unit/driver/support.hpp"

namespace tide::test {
namespace {

using sqlite::FileIdentity;
using sqlite::WalSync;

class WalSyncTest : public ::testing::Test {
 protected:
  void SetUp() override { identity_ = make_wal(); }
  FileIdentity make_wal() {
    std::filesystem::remove(path_);
    Descriptor made(::open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    struct stat found {};
    EXPECT_EQ(::fstat(made.get(), &found), 0);
    kept_.push_back(std::move(made));  // so that its inode is not used again
    return {found.st_dev, found.st_ino};
  }
  // Each sync waits for an answer of the test: 0, or an error.
  int sync(int fd) {
    std::unique_lock lock(mutex_);
    ++begun_;
    last_fd_ = fd;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_free_ || !answers_.empty(); });
    ++ended_;
    if (answers_.empty()) return 0;
    errno = answers_.front();
    answers_.pop_front();
    return errno == 0 ? 0 : -1;
  }
  void answer(int error) {
    const std::lock_guard lock(mutex_);
    answers_.push_back(error);
    changed_.notify_all();
  }
  void answer_all() {
    const std::lock_guard lock(mutex_);
    is_free_ = true;
    changed_.notify_all();
  }
  void until_begun(int syncs) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ >= syncs; });
  }
  int begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  int ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  void until_waiting(size_t waiters) {
    while (wal_.waiting() != waiters) std::this_thread::yield();
  }
  std::thread committer(Status& status) {
    return std::thread([this, &status] { status = wal_.wait(path_, identity_); });
  }
  static void expect_unconfirmed(Status status, int error) {
    EXPECT_EQ(status.code, Code::unknown_outcome);
    EXPECT_EQ(status.sqlstate(), "58030");
    EXPECT_FALSE(status.is_retryable);
    EXPECT_NE(status.message().find(std::strerror(error)), std::string::npos) << status.message();
    EXPECT_NE(status.message().find("shown.db"), std::string::npos) << status.message();
    EXPECT_FALSE(status.detail().empty());
    EXPECT_FALSE(status.hint().empty());
  }

  TempDir dir_;
  const std::string path_ = dir_.file("test.db-wal");
  FileIdentity identity_;
  std::vector<Descriptor> kept_;
  std::mutex mutex_;  // guards the following
  std::condition_variable changed_;
  std::deque<int> answers_;
  int begun_ = 0;
  int ended_ = 0;
  int last_fd_ = -1;
  bool is_free_ = false;
  WalSync wal_{"shown.db", [this](int fd) { return sync(fd); }};
};

// G1, G2
TEST_F(WalSyncTest, G1CommitsShareTheNextSync) {
  constexpr size_t kFollowers = 16;
  std::vector<Status> statuses(kFollowers + 1, Status::error(Code::internal, "still waiting"));
  std::vector<std::thread> threads;
  threads.push_back(committer(statuses[0]));
  until_begun(1);
  for (size_t i = 1; i <= kFollowers; ++i) threads.push_back(committer(statuses[i]));
  until_waiting(kFollowers);
  EXPECT_EQ(begun(), 1);  // one at a time
  answer(0);
  threads[0].join();
  EXPECT_OK(statuses[0]);
  until_begun(2);  // began after they had committed
  until_waiting(kFollowers - 1);
  answer(0);
  for (size_t i = 1; i <= kFollowers; ++i) threads[i].join();
  for (const Status& status : statuses) EXPECT_OK(status);
  EXPECT_EQ(begun(), 2);
}

TEST_F(WalSyncTest, G1CommitDuringASyncIsNotCoveredByIt) {
  Status first;
  Status second;
  std::thread leader = committer(first);
  until_begun(1);
  std::thread follower = committer(second);
  until_waiting(1);
  answer(0);
  until_begun(2);  // else the follower would have returned
  leader.join();
  answer(0);
  follower.join();
  EXPECT_OK(first);
  EXPECT_OK(second);
}

// G3
TEST_F(WalSyncTest, G3FailureReachesAllWaitersAndIsPermanent) {
  EXPECT_OK(wal_.check());
  Status first;
  std::array<Status, 3> late;
  std::thread leader = committer(first);
  until_begun(1);
  std::vector<std::thread> followers;
  for (Status& status : late) followers.push_back(committer(status));
  until_waiting(3);
  answer(EIO);
  leader.join();
  for (std::thread& follower : followers) follower.join();
  expect_unconfirmed(first, EIO);
  for (const Status& status : late) expect_unconfirmed(status, EIO);
  answer_all();  // from now on the kernel would report success
  expect_unconfirmed(wal_.wait(path_, identity_), EIO);
  expect_unconfirmed(wal_.wait(path_, make_wal()), EIO);
  EXPECT_EQ(begun(), 1);
  const Status refused = wal_.check();
  EXPECT_EQ(refused.code, Code::database);
  EXPECT_EQ(refused.sqlstate(), "58030");
  EXPECT_FALSE(refused.is_retryable);
}

TEST_F(WalSyncTest, InterruptedSyncIsRepeated) {
  answer(EINTR);
  answer(0);
  EXPECT_OK(wal_.wait(path_, identity_));
  EXPECT_EQ(begun(), 2);
}

TEST_F(WalSyncTest, ReplacedWalIsOpenedAgain) {
  answer_all();
  const auto synced_file = [this] {
    struct stat found {};
    EXPECT_EQ(::fstat(last_fd_, &found), 0);
    return FileIdentity{found.st_dev, found.st_ino};
  };
  EXPECT_TRUE(wal_.open(path_, identity_));
  EXPECT_OK(wal_.wait(path_, identity_));
  EXPECT_EQ(synced_file(), identity_);
  EXPECT_EQ(::fcntl(last_fd_, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  const FileIdentity other = make_wal();
  EXPECT_OK(wal_.wait(path_, other));
  EXPECT_EQ(synced_file(), other);
}

// What cannot be opened is unconfirmed, but a file that is put back is used again.
TEST_F(WalSyncTest, MissingWalIsNoPermanentFailure) {
  answer_all();
  std::filesystem::remove(path_);
  EXPECT_FALSE(wal_.open(path_, identity_));
  expect_unconfirmed(wal_.wait(path_, identity_), ENOENT);
  const FileIdentity other = make_wal();
  expect_unconfirmed(wal_.wait(path_, identity_), ESTALE);
  EXPECT_EQ(begun(), 0);
  EXPECT_OK(wal_.check());
  EXPECT_OK(wal_.wait(path_, other));
}

// In a storm nobody waits for ever, or returns too early.
TEST_F(WalSyncTest, G1G2EveryCommitIsFollowedByASync) {
  answer_all();
  constexpr int kThreads = 16;
  constexpr int kCommits = 2'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int k = 0; k < kCommits; ++k) {
        const int begun_before = begun();
        EXPECT_OK(wal_.wait(path_, identity_));
        EXPECT_GT(ended(), begun_before);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wal_.waiting(), 0u);
  EXPECT_LE(begun(), kThreads * kCommits);
}

}  // namespace
}  // namespace tide::test
