// Mutated inputs: nothing crashes, nothing outside its range is accepted, and no refusal tells a password.
#include <gtest/gtest.h>

#include "base/rng.hpp"
#include "base/text.hpp"
#include "policy_support.hpp"
#include "unit/support/rounds.hpp"

namespace tide {
namespace {

const std::string kCustom[] = {"fake"};

constexpr std::string_view kUrls[] = {
    "sqlite:///tmp/app.db?tidepool.max_size=20&tidepool.idle_timeout=5min",
    "sqlite::memory:?tidepool.preset=batch",
    "app.sqlite3?tidepool.burst=off",
    "postgresql://me:hunter2@h1:5432,h2:5433/app?sslmode=require&tidepool.acquire_timeout=2s&password=hunter2",
    "postgresql://[::1]:5432/app?options=-c%20password%3Dhunter2",
    "host=h port=5432 dbname='my app' password='hunter2' tidepool.min_size=1",
    "fake://me:hunter2@x/y?seed=7&tidepool.max_waiting=5",
};
constexpr std::string_view kOptions[] = {
    "max_size=20 min_size=1, acquire_timeout='30s' validation_query=\"select 'x'\"",
    "maxConnections=50,minConnections=10,idleTimeoutMillis=30000,scaleUp.utilization=0.7",
    R"({"poolConfig": {"maxConnections": 20, "scaleUpThreshold": 0.8}, "lease_timeout": "30s", "burst": true})",
    R"({"thresholds": {"scaleDown": {"utilization": 0.2, "consecutivePeriods": 3}}, "dir": "/tmp/x"})",
};
constexpr std::string_view kAlphabet = "=&?:/@%'\"\\{}[],.#+-_ \n\t0129eEaszxM\x01\x7F\xC3\xA4\xFF";

std::string mutated(std::string_view seed, Rng& rng) {
  std::string text(seed);
  for (uint64_t left = rng.below(4); left > 0 && !text.empty(); --left) {
    const size_t at = rng.below(text.size());
    const char c = rng.chance(0.02) ? '\0' : kAlphabet[rng.below(kAlphabet.size())];
    switch (rng.below(5)) {
      case 0: text[at] = c; break;
      case 1: text.insert(at, 1, c); break;
      case 2: text.erase(at, 1); break;
      case 3: text.insert(at, text.substr(rng.below(text.size()), 1 + rng.below(5))); break;
      default: text.resize(at); break;
    }
  }
  return text;
}

void expect_sound(const Result<ParsedOptions>& parsed, const std::string& input) {
  if (!parsed) {
    const Status& status = parsed.status();
    const bool is_promised =
        status.code == Code::bad_option || status.code == Code::bad_argument || status.code == Code::unsupported;
    ASSERT_TRUE(is_promised) << input;
    ASSERT_FALSE(status.message().empty()) << input;
    ASSERT_TRUE(is_plain_utf8(test::whole_text(status))) << input;
    // The bounds of tide_error, where the texts end up.
    ASSERT_LT(status.message().size(), 512U) << input;
    ASSERT_LT(status.detail().size(), 1024U) << input;
    ASSERT_LT(status.hint().size(), 256U) << input;
    return;
  }
  ASSERT_TRUE(check_policy(parsed->policy)) << input;
  ASSERT_TRUE(is_plain_utf8(parsed->target.shown)) << input;
  for (const Setting& setting : settings_catalogue()) {
    Policy again;
    const std::string shown = format_value(parsed->policy, setting);
    ASSERT_TRUE(assign_value(again, setting, shown)) << input << ": " << setting.name << "=" << shown;
    ASSERT_EQ(format_value(again, setting), shown) << input;
  }
}

TEST(Garbage, MutatedUrlsAndOptionsAreAcceptedOrRejected) {
  Rng rng(4711);
  size_t accepted = 0;
  for (int round = 0; round < test::rounds(20'000); ++round) {
    const std::string url = mutated(kUrls[rng.below(std::size(kUrls))], rng);
    const std::string options = mutated(kOptions[rng.below(std::size(kOptions))], rng);
    const auto parsed = test::parse(url, options, {}, kCustom);
    expect_sound(parsed, url + " <> " + options);
    if (HasFatalFailure()) return;
    if (parsed) ++accepted;
    // A mutation never moves a whole password, and only other parts of the URL are ever quoted.
    if (!parsed) {
      ASSERT_EQ(test::whole_text(parsed.status()).find("hunter2"), std::string::npos) << url;
    }
  }
  EXPECT_GT(accepted, static_cast<size_t>(test::rounds(500))) << "the mutations are too wild to test acceptance";
}

TEST(Garbage, RandomBytesAreRejected) {
  Rng rng(99);
  for (int round = 0; round < test::rounds(5'000); ++round) {
    std::string noise(rng.below(40), '\0');
    for (char& c : noise) {
      c = rng.chance(0.7) ? kAlphabet[rng.below(kAlphabet.size())] : static_cast<char>(rng.below(256));
    }
    expect_sound(test::parse(noise, "", {}, kCustom), noise);
    expect_sound(test::parse("sqlite::memory:", noise), noise);
    expect_sound(test::parse("sqlite::memory:", "{" + noise), noise);
    if (HasFatalFailure()) return;
    for (const Setting& setting : settings_catalogue()) {
      Policy policy;
      const Status status = assign_value(policy, setting, noise);
      if (!status) {
        ASSERT_EQ(format_value(policy, setting), setting.default_text);
      }
    }
  }
}

TEST(Garbage, PasswordsAreMaskedInAnyContext) {
  Rng rng(31337);
  constexpr std::string_view kSecrets[] = {"postgresql://me:hunter2@h/db", "host=h password='hunter2'",
                                           "host=h password=hunter2", "{\"password\": \"hunter2\"",
                                           "postgresql://h/db?sslpassword=hunter2"};
  for (int round = 0; round < test::rounds(20'000); ++round) {
    std::string noise(rng.below(30), '\0');
    for (char& c : noise) c = kAlphabet[rng.below(kAlphabet.size())];
    const std::string_view secret = kSecrets[rng.below(std::size(kSecrets))];
    for (const std::string& text : {std::string(secret) + noise, noise + " " + std::string(secret)}) {
      const std::string masked = without_password(text);
      ASSERT_EQ(masked.find("hunter2"), std::string::npos) << text;
      ASSERT_LE(masked.size(), text.size() + 64) << text;
    }
  }
}

}  // namespace
}  // namespace tide
