// The rules: each looks at one reading of a pool and adds what it finds. docs/insights.md is generated from their texts.
//
// A rule needs evidence before it says something: least counts and times are constants beside it. It names one change,
// and, where that is an option, a value that the option accepts.
// Threads: any; pure functions. Failure: none.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "reading/insights/insight.hpp"
#include "reading/insights/pool_reading.hpp"

namespace tide {

// What the rules have found. A rule adds at most kPerRule insights, so that a hundred tags do not hide the rest.
class Findings {
 public:
  static constexpr size_t kPerRule = 3;

  void begin(std::string_view subject);
  // Without its subject.
  void add(Insight insight);
  std::vector<Insight> take();  // most severe first

 private:
  std::string_view subject_;
  size_t added_ = 0;
  std::vector<Insight> found_;
};

struct InsightRule {
  std::string_view subject;
  std::string_view name;     // in the documentation
  std::string_view meaning;  // sentences: what it says and when ...
  std::string_view advice;   // ... and what to do about it
  void (*judge)(const PoolReading&, Findings&);
};

std::span<const InsightRule> size_rules();
std::span<const InsightRule> lease_rules();
std::span<const InsightRule> connection_rules();
std::span<const InsightRule> statement_rules();
// All of them, in the order in which they are asked.
std::vector<InsightRule> insight_rules();

std::vector<Insight> insights_of(const PoolReading& reading);

}  // namespace tide
