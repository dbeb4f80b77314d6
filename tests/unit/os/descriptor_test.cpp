#include "os/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <utility>

#include "os/shortage.hpp"
#include "os/user.hpp"

namespace tide {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

TEST(Descriptor, IsClosedOnceByLastOwner) {
  int fd = -1;
  {
    Descriptor first = Descriptor::epoll("nothing");
    fd = first.get();
    Descriptor second(std::move(first));
    EXPECT_FALSE(first.is_open());
    first = std::move(second);
    EXPECT_EQ(first.get(), fd);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(Descriptor, CopyOutlivesOriginal) {
  Descriptor original = Descriptor::epoll("nothing");
  const Descriptor copy = Descriptor::copy_of(original.get());
  original.close();
  EXPECT_GT(copy.get(), STDERR_FILENO);
  EXPECT_EQ(::fcntl(copy.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_FALSE(Descriptor::copy_of(-1).is_open());
}

TEST(Bell, IsReadableFromFirstRingUntilClear) {
  const Bell bell("nothing");
  EXPECT_FALSE(is_readable(bell.fd()));
  bell.ring();
  bell.ring();
  EXPECT_TRUE(is_readable(bell.fd()));
  bell.clear();
  EXPECT_FALSE(is_readable(bell.fd()));
  bell.clear();  // returns although there is nothing to clear
}

TEST(Bell, ShortageNamesFailedOperation) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  std::string message;
  try {
    const Bell bell("cannot ring");
  } catch (const Shortage& shortage) {
    message = shortage.what();
  }
  const bool is_silent = !Bell().is_open();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(message.starts_with("cannot ring: ")) << message;
  EXPECT_NE(message.find("RLIMIT_NOFILE is 0"), message.npos) << message;
  EXPECT_TRUE(is_silent);
}

TEST(User, HasAName) { EXPECT_FALSE(user_name().empty()); }

bool is_readable_within(int fd, int ms) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, ms) == 1;
}

TEST(Alarm, GoesOffAtItsTimeOrWhenItIsRung) {
  const Alarm alarm;
  ASSERT_TRUE(alarm.is_open());
  EXPECT_FALSE(is_readable(alarm.fd()));
  alarm.set_in(Span::seconds(3600));
  EXPECT_FALSE(is_readable(alarm.fd()));
  alarm.ring();
  EXPECT_TRUE(is_readable_within(alarm.fd(), 5000));
  alarm.clear();
  EXPECT_FALSE(is_readable(alarm.fd()));
  alarm.set_in(Span::millis(1));
  EXPECT_TRUE(is_readable_within(alarm.fd(), 5000));
  alarm.clear();
  alarm.set_in(Span::millis(-1));
  EXPECT_TRUE(is_readable_within(alarm.fd(), 5000)) << "a time that has passed";
}

}  // namespace
}  // namespace tide
