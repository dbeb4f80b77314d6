#include "driver/libpq/conninfo.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace tide::libpq {
namespace {

std::map<std::string, std::string> words_of(const std::string& text, const Policy& policy = {}, size_t rotation = 0,
                                            const std::string* password = nullptr) {
  Result<ConnectWords> parsed = ConnectWords::parse(text);
  EXPECT_TRUE(parsed.is_ok()) << text;
  std::map<std::string, std::string> out;
  for (auto& [key, value] : parsed->words(policy, "shop/app", rotation, password)) {
    EXPECT_TRUE(out.emplace(key, value).second) << key << " twice";
  }
  return out;
}

TEST(ConnectWords, PolicySetsWhatTheTargetDoesNot) {
  Policy policy;
  policy.statement_timeout = Span::seconds(7);
  policy.idle_in_transaction_timeout = Span();
  policy.keepalive_idle = Span::seconds(12);
  const auto words = words_of("postgresql://joe@db:6000/shop", policy);
  EXPECT_EQ(words.at("host"), "db");
  EXPECT_EQ(words.at("fallback_application_name"), "shop/app");
  EXPECT_EQ(words.at("keepalives_idle"), "12");
  EXPECT_EQ(words.at("keepalives_interval"), "4");
  EXPECT_EQ(words.at("tcp_user_timeout"), "24000");
  EXPECT_EQ(words.at("options"), "-c statement_timeout=7000 ");
}

TEST(ConnectWords, TargetOverridesPolicy) {
  const auto words =
      words_of("host=db keepalives=0 tcp_user_timeout=5 client_encoding=LATIN1 options='-c work_mem=1MB'");
  EXPECT_EQ(words.at("keepalives"), "0");
  EXPECT_EQ(words.at("tcp_user_timeout"), "5");
  EXPECT_EQ(words.at("client_encoding"), "LATIN1");
  const std::string options = words.at("options");
  EXPECT_LT(options.find("statement_timeout"), options.find("work_mem")) << "the later -c wins: " << options;
}

TEST(ConnectWords, WithoutTimeoutsNoOptionsAreSent) {
  Policy policy;
  policy.statement_timeout = policy.idle_in_transaction_timeout = Span();
  EXPECT_EQ(words_of("host=db", policy).count("options"), 0u) << "poolers refuse start-up options";
}

TEST(ConnectWords, RotationKeepsPairsOfHostAndPort) {
  const auto words = words_of("host=a,b,c port=1,2,3", {}, 4);
  EXPECT_EQ(words.at("host"), "b,c,a");
  EXPECT_EQ(words.at("port"), "2,3,1");
  EXPECT_EQ(words_of("host=a,b port=5", {}, 1).at("port"), "5");
  EXPECT_EQ(ConnectWords::parse("host=a,b,c")->hosts(), 3u);
  EXPECT_EQ(ConnectWords::parse("dbname=x")->hosts(), 1u);
}

TEST(ConnectWords, CallbackPasswordReplacesTheGivenOne) {
  const std::string fresh = "new";
  EXPECT_EQ(words_of("host=db password=old", {}, 0, &fresh).at("password"), "new");
}

TEST(ConnectWords, ErrorsContainNoPassword) {
  Result<ConnectWords> parsed = ConnectWords::parse("host=db password=hunter2 nonsense=1");
  ASSERT_FALSE(parsed.is_ok());
  EXPECT_NE(parsed.status().message().find("nonsense"), std::string::npos);
  EXPECT_EQ(parsed.status().message().find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace tide::libpq
