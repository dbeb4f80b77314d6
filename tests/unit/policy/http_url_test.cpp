// URLs of receivers: what is accepted, what is shown of them, and that neither an error nor a relation repeats their keys.
#include <gtest/gtest.h>

#include "policy/http_url.hpp"
#include "policy_support.hpp"

namespace tide {
namespace {

using test::contains;

TEST(HttpUrl, Accepted) {
  for (const char* url : {"http://h", "https://hooks.example/T0/B0/key", "HTTP://h:1", "http://[::1]:9093/x",
                          "http://u:p@h:80?x#y", "https://h:65535/"}) {
    EXPECT_EQ(why_not_http_url(url), "") << url;
  }
}

TEST(HttpUrl, RefusedWithTheReason) {
  for (const auto& [url, why] :
       std::initializer_list<std::pair<const char*, const char*>>{{"hooks.example/key", "no scheme"},
                                                                  {"ftp://h/key", "other than http and https"},
                                                                  {"http:///key", "no host"},
                                                                  {"http://:80/key", "no host"},
                                                                  {"http://u@/key", "no host"},
                                                                  {"http://h:0/key", "port"},
                                                                  {"http://h:65536/key", "port"},
                                                                  {"http://h:x/key", "port"},
                                                                  {"http://h /key", "blank"},
                                                                  {"http://h/\nkey", "control character"}}) {
    const std::string said = why_not_http_url(url);
    EXPECT_TRUE(contains(said, why)) << url << ": " << said;
    EXPECT_FALSE(contains(said, "key")) << said;
  }
}

TEST(HttpUrl, OnlyTheOriginIsShown) {
  EXPECT_EQ(origin_of("https://user:key@hooks.example:8443/key?key#key"), "https://hooks.example:8443");
  EXPECT_EQ(origin_of("http://[::1]:9093/key"), "http://[::1]:9093");
  EXPECT_EQ(origin_of("no url with a key"), "");
}

TEST(HttpUrl, OptionsKeepTheirSecrets) {
  Policy policy;
  const Setting& url = *find_setting("notify_webhook_url");
  const Setting& secret = *find_setting("notify_webhook_secret");
  ASSERT_TRUE(assign_value(policy, url, "https://hooks.example/key"));
  ASSERT_TRUE(assign_value(policy, secret, "key"));
  EXPECT_EQ(format_value(policy, url), "https://hooks.example");
  EXPECT_EQ(format_value(policy, secret), "********");
  for (const std::string& bad :
       {std::string("hooks.example/key"), "https://h/key" + std::string(1001, 'a'), std::string("\xFFkey")}) {
    for (const Setting* setting : {&url, &secret}) {
      const Status status = assign_value(policy, *setting, bad);
      EXPECT_FALSE(contains(status.message() + status.detail() + status.hint(), "key")) << status.message();
    }
  }
  EXPECT_TRUE(is_secret_name("notify_webhook_url"));
  EXPECT_TRUE(is_secret_name("webhookUrl"));
}

TEST(HttpUrl, PagerDutyNeedsItsKey) {
  Policy policy;
  policy.notify_webhook_format = WebhookFormat::pagerduty;
  EXPECT_TRUE(check_policy(policy)) << "there is no webhook";
  policy.notify_webhook_url = "https://events.example";
  const Status status = check_policy(policy);
  EXPECT_TRUE(contains(status.message(), "notify_webhook_secret")) << status.message();
  EXPECT_FALSE(status.hint().empty());
  policy.notify_webhook_secret = "key";
  EXPECT_TRUE(check_policy(policy));
}

}  // namespace
}  // namespace tide
