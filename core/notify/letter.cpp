#include "notify/letter.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/units.hpp"
#include "brain/alerts/rule.hpp"

namespace tide {
namespace {

using OrderedJson = nlohmann::ordered_json;
using Labels = std::map<std::string, std::string>;  // sorted, as the fingerprint requires

constexpr size_t kSlackTextBytesMax = 3000;
constexpr size_t kSlackFieldBytesMax = 500;  // of one text in it, escaped
constexpr size_t kSummaryBytesMax = 1024;    // PagerDuty
constexpr size_t kDedupKeyBytesMax = 255;
constexpr std::string_view kNoEnd = "0001-01-01T00:00:00Z";

// "2026-01-31T23:59:59.123Z"
std::string rfc3339(int64_t wall_ns) {
  std::string text = format_wall_ns(wall_ns);
  text[10] = 'T';
  return text;
}

std::string_view status_of(const AlertChange& change) { return change.is_resolved() ? "resolved" : "firing"; }

// The last change of each alert, in the order in which the alerts first appear.
std::vector<const AlertChange*> latest_of(std::span<const AlertChange> changes) {
  std::vector<const AlertChange*> latest;
  for (const AlertChange& change : changes) {
    const auto same = std::find_if(latest.begin(), latest.end(),
                                   [&](const AlertChange* other) { return other->alert_id == change.alert_id; });
    if (same == latest.end()) {
      latest.push_back(&change);
    } else {
      *same = &change;
    }
  }
  return latest;
}

// A label without a value is the same as none.
Labels labels_of(const Sender& sender, const AlertChange& change) {
  Labels labels;
  const auto add = [&labels](const char* name, std::string_view value) {
    if (!value.empty()) labels.emplace(name, clean_text(value));
  };
  add("alertname", change.rule);
  add("severity", word(change.severity));
  add("metric", change.metric);
  add("pool", sender.pool);
  add("app", sender.app);
  add("host", sender.host);
  add("instance_id", sender.instance_id);
  return labels;
}

OrderedJson annotations_of(const AlertChange& change) {
  OrderedJson out = OrderedJson::object();
  const auto add = [&out](const char* name, std::string_view value) {
    if (!value.empty()) out[name] = clean_text(value);
  };
  add("summary", change.rule + ": " + change.message);
  add("description", change.advice);
  add("value", brain::figure(change.value));
  add("threshold", brain::figure(change.threshold));
  add("acked_by", change.acked_by);
  if (change.acked_wall_ns != 0) add("acked_at", rfc3339(change.acked_wall_ns));
  return out;
}

OrderedJson json_of(const Labels& labels) {
  OrderedJson out = OrderedJson::object();
  for (const auto& [name, value] : labels) out[name] = value;
  return out;
}

// As Prometheus computes it (FNV-1a over the sorted names and values), so that it is stable and comparable.
std::string fingerprint_of(const Labels& labels) {
  uint64_t hash = 14695981039346656037ULL;
  const auto add = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    hash = (hash ^ 0xFFU) * 1099511628211ULL;
  };
  for (const auto& [name, value] : labels) {
    add(name);
    add(value);
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

// What all of these objects have in common.
OrderedJson common_of(const std::vector<OrderedJson>& objects) {
  OrderedJson common = objects.front();
  for (const OrderedJson& other : objects) {
    for (auto at = common.begin(); at != common.end();) {
      const auto found = other.find(at.key());
      at = found != other.end() && *found == *at ? std::next(at) : common.erase(at);
    }
  }
  return common;
}

std::string alertmanager(const Sender& sender, const std::vector<const AlertChange*>& alerts) {
  OrderedJson list = OrderedJson::array();
  std::vector<OrderedJson> all_labels, all_annotations;
  bool is_any_firing = false;
  for (const AlertChange* const alert : alerts) {
    const Labels labels = labels_of(sender, *alert);
    all_labels.push_back(json_of(labels));
    all_annotations.push_back(annotations_of(*alert));
    is_any_firing = is_any_firing || !alert->is_resolved();
    list.push_back({{"status", status_of(*alert)},
                    {"labels", all_labels.back()},
                    {"annotations", all_annotations.back()},
                    {"startsAt", rfc3339(alert->since_wall_ns)},
                    {"endsAt", alert->is_resolved() ? rfc3339(alert->resolved_wall_ns) : std::string(kNoEnd)},
                    {"generatorURL", ""},
                    {"fingerprint", fingerprint_of(labels)}});
  }
  const std::string pool = clean_text(sender.pool);
  return json_dump(OrderedJson{{"version", "4"},
                               {"groupKey", "{}:{pool=" + json_text(pool) + "}"},
                               {"truncatedAlerts", 0},
                               {"status", is_any_firing ? "firing" : "resolved"},
                               {"receiver", "tidepool"},
                               {"groupLabels", {{"pool", pool}}},
                               {"commonLabels", common_of(all_labels)},
                               {"commonAnnotations", common_of(all_annotations)},
                               {"externalURL", ""},
                               {"alerts", list}});
}

std::string alertmanager_api(const Sender& sender, const std::vector<const AlertChange*>& alerts, int64_t wall_ns) {
  OrderedJson list = OrderedJson::array();
  for (const AlertChange* const alert : alerts) {
    const int64_t end_ns = alert->is_resolved() ? alert->resolved_wall_ns : wall_ns + kFiringFor.ns();
    list.push_back({{"labels", json_of(labels_of(sender, *alert))},
                    {"annotations", annotations_of(*alert)},
                    {"startsAt", rfc3339(alert->since_wall_ns)},
                    {"endsAt", rfc3339(end_ns)}});
  }
  return json_dump(list);
}

// At most `bytes_max` bytes of Slack's markup; an escape is not cut.
std::string slack_text(std::string_view text, size_t bytes_max) {
  std::string out;
  const std::string clean = clean_text(text);
  for (size_t at = 0; at < clean.size();) {
    const size_t length = std::max<size_t>(1, utf8_length(std::string_view(clean).substr(at)));
    std::string part = clean.substr(at, length);
    if (part == "&") part = "&amp;";
    if (part == "<") part = "&lt;";
    if (part == ">") part = "&gt;";
    if (out.size() + part.size() + 3 > bytes_max) return out + "...";
    out += part;
    at += length;
  }
  return out;
}

std::string slack_line(const AlertChange& alert) {
  const auto field = [](std::string_view text) { return slack_text(text, kSlackFieldBytesMax); };
  std::string what(word(alert.severity));
  if (alert.step == AlertStep::acknowledged) what += ", acknowledged by " + alert.acked_by;
  if (alert.is_resolved())
    what = "resolved after " + describe_span(Span::nanos(alert.resolved_wall_ns - alert.since_wall_ns));
  std::string out = "*" + field(alert.rule) + "* (" + field(what) + "): " + field(alert.message) + "\n" +
                    field(alert.metric) + " " + brain::figure(alert.value) + ", threshold " +
                    brain::figure(alert.threshold) + ", since " + format_wall_ns(alert.since_wall_ns);
  if (!alert.advice.empty() && !alert.is_resolved()) out += "\n" + field(alert.advice);
  TIDE_ASSERT(out.size() <= kSlackTextBytesMax);
  return out;
}

std::string slack(const Sender& sender, const std::vector<const AlertChange*>& alerts) {
  const auto section = [](const std::string& text) {
    return OrderedJson{{"type", "section"}, {"text", {{"type", "mrkdwn"}, {"text", text}}}};
  };
  const auto resolved = static_cast<size_t>(
      std::count_if(alerts.begin(), alerts.end(), [](const AlertChange* alert) { return alert->is_resolved(); }));
  std::string title = "Pool " + slack_text(sender.pool, kSlackFieldBytesMax);
  if (!sender.app.empty()) title += " of " + slack_text(sender.app, kSlackFieldBytesMax);
  if (!sender.host.empty()) title += " on " + slack_text(sender.host, kSlackFieldBytesMax);
  if (resolved < alerts.size()) title += ": " + std::to_string(alerts.size() - resolved) + " firing";
  if (resolved != 0) title += (resolved < alerts.size() ? ", " : ": ") + std::to_string(resolved) + " resolved";
  OrderedJson blocks = OrderedJson::array({section(title)});
  for (const AlertChange* const alert : alerts) blocks.push_back(section(slack_line(*alert)));
  return json_dump(OrderedJson{{"text", title}, {"blocks", blocks}});
}

// The same for all events of an alert; pool names and rules are short, a longer key is cut at its end.
std::string dedup_key(const Sender& sender, const AlertChange& alert) {
  const std::string key = clean_text("tidepool/" + sender.instance_id + "/" + std::to_string(alert.alert_id) + "/" +
                                     sender.pool + "/" + alert.rule);
  return std::string(utf8_prefix(key, kDedupKeyBytesMax));
}

std::string pagerduty(const Sender& sender, const AlertChange& alert, std::string_view routing_key) {
  static constexpr std::string_view kActions[] = {"trigger", "acknowledge", "resolve"};  // by AlertStep
  OrderedJson event{{"routing_key", routing_key},
                    {"event_action", kActions[static_cast<size_t>(alert.step)]},
                    {"dedup_key", dedup_key(sender, alert)}};
  if (alert.step == AlertStep::fired) {
    const std::string summary = "pool " + sender.pool + ": " + alert.rule + ": " + alert.message;
    OrderedJson details = json_of(labels_of(sender, alert));
    details.update(annotations_of(alert));
    event["payload"] = {{"summary", shortened(clean_text(summary), kSummaryBytesMax)},
                        {"source", clean_text(sender.host.empty() ? sender.pool : sender.host)},
                        {"severity", word(alert.severity)},
                        {"timestamp", rfc3339(alert.since_wall_ns)},
                        {"component", clean_text(sender.pool)},
                        {"group", clean_text(sender.app)},
                        {"class", clean_text(alert.rule)},
                        {"custom_details", details}};
    event["client"] = "tidepool";
  }
  return json_dump(event);
}

std::string body_of(WebhookFormat format, const Sender& sender, std::span<const AlertChange> changes,
                    std::string_view secret, int64_t wall_ns) {
  const std::vector<const AlertChange*> alerts = latest_of(changes);
  switch (format) {
    case WebhookFormat::alertmanager: return alertmanager(sender, alerts);
    case WebhookFormat::alertmanager_api: return alertmanager_api(sender, alerts, wall_ns);
    case WebhookFormat::slack: return slack(sender, alerts);
    case WebhookFormat::pagerduty: return pagerduty(sender, changes.front(), secret);
  }
  return {};
}

}  // namespace

size_t changes_max(WebhookFormat format) {
  switch (format) {
    case WebhookFormat::alertmanager:
    case WebhookFormat::alertmanager_api: return 64;
    case WebhookFormat::slack: return 10;  // more blocks and text than this may be refused
    case WebhookFormat::pagerduty: return 1;
  }
  return 1;
}

std::string_view default_path(WebhookFormat format) {
  if (format == WebhookFormat::alertmanager_api) return "/api/v2/alerts";
  return format == WebhookFormat::pagerduty ? "/v2/enqueue" : "";
}

Letter make_letter(WebhookFormat format, const Sender& sender, std::span<const AlertChange> changes,
                   std::string_view secret, int64_t wall_ns) {
  TIDE_ASSERT(!changes.empty());
  Letter letter;
  letter.body = body_of(format, sender, changes, secret, wall_ns);
  letter.headers = {"Content-Type: application/json", "User-Agent: tidepool/" + sender.version};
  return letter;
}

}  // namespace tide
