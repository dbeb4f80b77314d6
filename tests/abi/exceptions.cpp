// Functions of a C++ program that throw, although the headers forbid it: nothing crosses the library, the transaction is
// rolled back, the statement ends, and the pool continues.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <tidepool/tidepool.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace {

class ExceptionsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tidepool-exceptions-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    setenv("TIDEPOOL_DIR", pattern.c_str(), 1);
    const std::string url = "sqlite://" + (directory_ / "exceptions.db").string();
    tide_error err = TIDE_ERROR_INIT;
    ASSERT_EQ(tide_pool_open("exceptions", url.c_str(), "max_size=1", &pool_, &err), TIDE_OK) << err.message;
    ASSERT_EQ(tide_pool_query(pool_, "", "create table t (x)", 0, nullptr, nullptr, nullptr), TIDE_OK);
  }
  void TearDown() override {
    EXPECT_EQ(tide_pool_close(pool_, -1, nullptr), TIDE_OK);  // no lease is left over
    unsetenv("TIDEPOOL_DIR");
    std::filesystem::remove_all(directory_);
  }
  int64_t rows() {
    tide_result* result = nullptr;
    EXPECT_EQ(tide_pool_query(pool_, "", "select count(*) from t", 0, nullptr, &result, nullptr), TIDE_OK);
    const int64_t found = tide_result_value(result, 0, 0).integer;
    tide_result_free(result);
    return found;
  }

  std::filesystem::path directory_;
  tide_pool* pool_ = nullptr;
};

int insert_and_throw(void* calls, tide_tx tx) {
  ++*static_cast<int*>(calls);
  EXPECT_EQ(tide_tx_execute(tx, "insert into t values (1)", 0, nullptr, nullptr, nullptr, nullptr), TIDE_OK);
  throw std::runtime_error("the tide is out");
}

TEST_F(ExceptionsTest, BodyIsRolledBack) {
  int calls = 0;
  tide_error err = TIDE_ERROR_INIT;
  EXPECT_EQ(tide_pool_transaction(pool_, insert_and_throw, &calls, nullptr, &err), TIDE_ROLLED_BACK);
  EXPECT_NE(std::string(err.message).find("the tide is out"), std::string::npos) << err.message;
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(rows(), 0);

  tide_lease lease{};
  ASSERT_EQ(tide_pool_acquire(pool_, "", -1, &lease, nullptr), TIDE_OK);
  EXPECT_EQ(tide_lease_transaction(lease, insert_and_throw, &calls, nullptr, &err), TIDE_ROLLED_BACK);
  EXPECT_EQ(tide_lease_release(lease, nullptr), TIDE_OK);
  EXPECT_EQ(rows(), 0);
}

TEST_F(ExceptionsTest, BodyThrowsNoException) {
  const auto throw_number = [](void*, tide_tx) -> int { throw 7; };
  tide_error err = TIDE_ERROR_INIT;
  EXPECT_EQ(tide_pool_transaction(pool_, throw_number, nullptr, nullptr, &err), TIDE_ROLLED_BACK);
  EXPECT_NE(std::string(err.message).find("unknown type"), std::string::npos) << err.message;
}

TEST_F(ExceptionsTest, RowCallbackEndsTheStatement) {
  const auto throw_at_row = [](void*, const tide_result*, int64_t) -> int {
    throw std::runtime_error("the net is full");
  };
  tide_error err = TIDE_ERROR_INIT;
  EXPECT_EQ(
      tide_pool_stream(pool_, "select 1 union all select 2", 0, nullptr, nullptr, throw_at_row, nullptr, nullptr, &err),
      TIDE_INTERNAL);
  EXPECT_STREQ(err.message, "the net is full");

  tide_lease lease{};
  ASSERT_EQ(tide_pool_acquire(pool_, "", -1, &lease, nullptr), TIDE_OK);
  EXPECT_EQ(tide_lease_stream(lease, "select 1 union all select 2", 0, nullptr, nullptr, throw_at_row, nullptr, nullptr,
                              nullptr),
            TIDE_INTERNAL);
  EXPECT_EQ(tide_lease_query_with(lease, "select 1", 0, nullptr, nullptr, nullptr, nullptr), TIDE_OK);
  EXPECT_EQ(tide_lease_release(lease, nullptr), TIDE_OK);
}

}  // namespace
