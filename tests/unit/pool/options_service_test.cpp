// The effect of the options of the service.
#include "service/service.hpp"
#include "unit/pool/options_support.hpp"

namespace tide::test {
namespace {

using fake::Fault;

TEST_F(OptionEffect, retry_attempts) {
  // How often a statement that always conflicts is executed.
  const auto look = [&] {
    int64_t executed = 0;
    server_->set_faults([&](std::string_view) {
      ++executed;
      return Fault::conflict;
    });
    Service service(*pool_, {[this](Span span) { run(span); }, 1});
    Call call;
    call.sql = "add a 1";
    ResultTable table;
    EXPECT_EQ(service.run(call, {}, table).sqlstate(), "40001");
    server_->set_faults({});
    return executed;
  };
  EXPECT_EQ(with("0", "", look), 1);
  EXPECT_EQ(with("5", "", look), 6);
}

TEST_F(OptionEffect, commit_check) {
  // A transaction whose connection is lost after it was committed.
  const auto look = [&] {
    Service service(*pool_, {[this](Span span) { run(span); }, 1});
    TransactionId id = 0;
    EXPECT_OK(service.begin({}, id));
    Call call;
    call.sql = "add a 1";
    ResultTable table;
    EXPECT_OK(service.run_in(id, call, Span::nanos(-1), table));
    server_->set_faults([](std::string_view sql) { return sql == "COMMIT" ? Fault::lost_executed : Fault::none; });
    const Status status = service.commit(id);
    server_->set_faults({});
    return std::string(code_name(status.code));
  };
  EXPECT_EQ(with("on", "min_size=3", look), "ok");
  EXPECT_EQ(with("off", "min_size=3", look), "unknown_outcome");
}

}  // namespace
}  // namespace tide::test
