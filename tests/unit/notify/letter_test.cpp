// Bodies for receivers: valid JSON within the limits that the receivers have, whatever the texts contain.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "notify/http_library.hpp"
#include "notify/letter.hpp"
#include "notify/webhook.hpp"

namespace tide::test {
namespace {

using Body = nlohmann::json;
using enum WebhookFormat;

constexpr int64_t kNow = 1'769'904'000'000'000'000;  // 2026-02-01 00:00:00Z

Sender shop() { return {"shop", "web", "db1", std::string(32, 'a'), "0.1.0"}; }

AlertChange alert(uint64_t id, AlertStep step = AlertStep::fired) {
  AlertChange change;
  change.step = step;
  change.alert_id = id;
  change.severity = Severity::critical;
  change.rule = "breaker_open";
  change.metric = "breaker_open";
  change.value = 1;
  change.threshold = 1;
  change.since_wall_ns = kNow - 61'000'000'000;
  change.message = "The breaker is open.";
  change.advice = "Check the database.";
  if (step == AlertStep::acknowledged) {
    change.acked_by = "olivia";
    change.acked_wall_ns = kNow;
  }
  if (step == AlertStep::resolved) change.resolved_wall_ns = kNow;
  return change;
}

Body body_of(WebhookFormat format, const std::vector<AlertChange>& changes, const Sender& sender = shop()) {
  return Body::parse(make_letter(format, sender, changes, "key", kNow).body);
}

TEST(Letter, AlertmanagerVersion4) {
  const Body body = body_of(alertmanager, {alert(1), alert(2, AlertStep::resolved)});
  EXPECT_EQ(body["version"], "4");
  EXPECT_EQ(body["status"], "firing");
  EXPECT_EQ(body["groupLabels"], Body({{"pool", "shop"}}));
  EXPECT_EQ(body["truncatedAlerts"], 0);
  ASSERT_EQ(body["alerts"].size(), 2U);
  const Body& first = body["alerts"][0];
  EXPECT_EQ(first["status"], "firing");
  EXPECT_EQ(first["startsAt"], "2026-01-31T23:58:59.000Z");
  EXPECT_EQ(first["endsAt"], "0001-01-01T00:00:00Z");
  EXPECT_EQ(first["labels"]["alertname"], "breaker_open");
  EXPECT_EQ(first["labels"]["severity"], "critical");
  EXPECT_EQ(first["annotations"]["description"], "Check the database.");
  EXPECT_EQ(body["alerts"][1]["status"], "resolved");
  EXPECT_EQ(body["alerts"][1]["endsAt"], "2026-02-01T00:00:00.000Z");
  EXPECT_EQ(body["commonLabels"], first["labels"]) << "two alerts of one rule";
  EXPECT_EQ(body_of(alertmanager, {alert(2, AlertStep::resolved)})["status"], "resolved");
}

// What identifies an alert does not change until it ends.
TEST(Letter, FingerprintIsStable) {
  const Body fired = body_of(alertmanager, {alert(1)}), ended = body_of(alertmanager, {alert(1, AlertStep::resolved)});
  EXPECT_EQ(fired["alerts"][0]["fingerprint"], ended["alerts"][0]["fingerprint"]);
  EXPECT_EQ(fired["alerts"][0]["labels"], ended["alerts"][0]["labels"]);
  Sender other = shop();
  other.instance_id = std::string(32, 'b');
  EXPECT_NE(fired["alerts"][0]["fingerprint"], body_of(alertmanager, {alert(1)}, other)["alerts"][0]["fingerprint"]);
}

TEST(Letter, ChangesOfOneAlertAreMerged) {
  const std::vector<AlertChange> changes = {alert(1), alert(1, AlertStep::acknowledged), alert(1, AlertStep::resolved)};
  for (const WebhookFormat format : {alertmanager, alertmanager_api, slack}) {
    const Body body = body_of(format, changes);
    EXPECT_EQ(format == slack          ? body["blocks"].size() - 1
              : format == alertmanager ? body["alerts"].size()
                                       : body.size(),
              1U);
  }
  const Body merged = body_of(alertmanager, changes)["alerts"][0];
  EXPECT_EQ(merged["status"], "resolved");
  EXPECT_EQ(merged["startsAt"], "2026-01-31T23:58:59.000Z") << "it is told when it fired";
}

TEST(Letter, AcknowledgedAlertStillFires) {
  const Body body = body_of(alertmanager, {alert(1, AlertStep::acknowledged)});
  EXPECT_EQ(body["alerts"][0]["status"], "firing");
  EXPECT_EQ(body["alerts"][0]["annotations"]["acked_by"], "olivia");
}

TEST(Letter, AlertmanagerApiEndsInTheFutureWhileFiring) {
  const Body body = body_of(alertmanager_api, {alert(1), alert(2, AlertStep::resolved)});
  ASSERT_TRUE(body.is_array());
  EXPECT_EQ(body[0]["endsAt"], "2026-02-01T00:04:00.000Z");
  EXPECT_EQ(body[1]["endsAt"], "2026-02-01T00:00:00.000Z");
  EXPECT_EQ(default_path(alertmanager_api), "/api/v2/alerts");
}

TEST(Letter, PagerDutyEvents) {
  const Body trigger = body_of(pagerduty, {alert(1)});
  EXPECT_EQ(trigger["routing_key"], "key");
  EXPECT_EQ(trigger["event_action"], "trigger");
  EXPECT_EQ(trigger["payload"]["severity"], "critical");
  EXPECT_EQ(trigger["payload"]["source"], "db1");
  EXPECT_EQ(trigger["payload"]["custom_details"]["pool"], "shop");
  const Body acknowledge = body_of(pagerduty, {alert(1, AlertStep::acknowledged)});
  EXPECT_EQ(acknowledge["event_action"], "acknowledge");
  EXPECT_EQ(acknowledge["dedup_key"], trigger["dedup_key"]);
  EXPECT_FALSE(acknowledge.contains("payload"));
  const Body resolve = body_of(pagerduty, {alert(1, AlertStep::resolved)});
  EXPECT_EQ(resolve["event_action"], "resolve");
  EXPECT_EQ(resolve["dedup_key"], trigger["dedup_key"]);
  EXPECT_NE(body_of(pagerduty, {alert(2)})["dedup_key"], trigger["dedup_key"]);
}

TEST(Letter, SlackEscapesAndStaysWithinItsLimits) {
  AlertChange evil = alert(1);
  evil.message = "<!channel> & <https://evil|click>";
  const Body body = body_of(slack, {evil});
  const std::string text = body["blocks"][1]["text"]["text"];
  EXPECT_NE(text.find("&lt;!channel&gt; &amp; &lt;https://evil|click&gt;"), std::string::npos) << text;
  EXPECT_NE(body["text"].get<std::string>().find("1 firing"), std::string::npos);
}

TEST(Letter, LongAndHostileTexts) {
  for (const std::string& unit : {std::string("&"), std::string("\"\\\n\r\t"), std::string("\xC3\xBC"),
                                  std::string("\xFF\x00", 2), std::string("\xF0\x9F\x90\x98")}) {
    std::string text;
    while (text.size() < 5000) text += unit;
    AlertChange change = alert(1, AlertStep::acknowledged);
    change.rule = change.metric = change.message = change.advice = change.acked_by = text;
    AlertChange fired = change;
    fired.step = AlertStep::fired;
    const Sender sender{text, text, text, text, "0.1.0"};
    for (const WebhookFormat format : {alertmanager, alertmanager_api, slack, pagerduty}) {
      const Body body = body_of(format, {fired}, sender);
      (void)body_of(format, {change}, sender);
      if (format == slack) {
        for (const Body& block : body["blocks"]) EXPECT_LE(block["text"]["text"].get<std::string>().size(), 3000U);
      }
      if (format == pagerduty) {
        EXPECT_LE(body["dedup_key"].get<std::string>().size(), 255U);
        EXPECT_LE(body["payload"]["summary"].get<std::string>().size(), 1024U);
      }
    }
  }
}

TEST(Letter, UrlWithoutAPathGetsThatOfTheFormat) {
  Policy policy;
  const auto url = [&policy](WebhookFormat format, const char* text) {
    policy.notify_webhook_format = format;
    policy.notify_webhook_url = text;
    return receiver_url(policy);
  };
  EXPECT_EQ(url(alertmanager_api, "http://am:9093"), "http://am:9093/api/v2/alerts");
  EXPECT_EQ(url(alertmanager_api, "http://am:9093/"), "http://am:9093/api/v2/alerts");
  EXPECT_EQ(url(alertmanager_api, "http://am/prefix/api/v2/alerts"), "http://am/prefix/api/v2/alerts");
  EXPECT_EQ(url(pagerduty, "https://events.pagerduty.com"), "https://events.pagerduty.com/v2/enqueue");
  EXPECT_EQ(url(alertmanager, "http://h"), "http://h");
  EXPECT_EQ(url(slack, "https://hooks.example/T0?x=1"), "https://hooks.example/T0?x=1");
}

// RFC 4231, test cases 2 and 6.
TEST(Signature, IsHmacSha256) {
  const auto library = HttpLibrary::load();
  ASSERT_TRUE(library) << library.status().message();
  ASSERT_TRUE((*library)->can_sign());
  EXPECT_EQ((*library)->sign("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ((*library)->sign(std::string(131, '\xAA'), "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace tide::test
