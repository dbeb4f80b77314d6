// Exports through the C++ interface.
#include <chrono>
#include <string>

#include "support.hpp"

namespace {

using namespace std::chrono_literals;
using tidepool::export_as;

class Export : public tidepool_test::Database {};

TEST_F(Export, TextOfOneFormat) {
  const std::string text = export_as("prometheus", {.pool = "cpp", .connection_max = true});
  EXPECT_NE(text.find("tidepool_size{db_client_connection_pool_name=\"cpp\""), text.npos);
  EXPECT_NE(text.find("db_client_connection_max{"), text.npos);
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(Export, HistoryIsWhatCsvShows) {
  EXPECT_TRUE(export_as("csv", {.pool = "cpp"}).starts_with("at,instance_id,pool,metric,"));
  EXPECT_TRUE(export_as("csv", {.pool = "cpp", .history = 1min}).starts_with("instance_id,pool,at,resolution_ms,"));
}

TEST_F(Export, ErrorsAreThrown) {
  try {
    export_as("csv", {.pool = "no_such_pool"});
    FAIL() << "accepted";
  } catch (const tidepool::error& why) {
    EXPECT_EQ(why.status(), TIDE_NOT_FOUND);
  }
  EXPECT_THROW(export_as("cvs"), tidepool::error);
}

}  // namespace
