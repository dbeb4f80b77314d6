// Metrics: what exports report of each pool to monitoring systems, a row for each value. Formats differ only in how they
// write these rows.
//
// Names are those of OpenTelemetry's semantic conventions where it has one, else tidepool.*; the other numbers of `pools`
// and `pool_stats` follow from their columns, so that a new column is a new metric.
// Invariants: rows of one name are neighbours and have the same instrument, unit and Prometheus name; no two rows have the
// same name and attribute; every source is a column of the catalogue.
// Threads: any; the catalogue lives forever.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "model/words.hpp"

namespace tide {

// counter           only grows, except by reset_stats
// up_down_counter   a number that may be added over pools
// gauge             a number that may not
// histogram         of durations
// state             one series for each word of `words`: 1 for the current one, else 0
// info              always 1; its attribute is the value
#define TIDE_INSTRUMENTS(X) X(counter) X(up_down_counter) X(gauge) X(histogram) X(state) X(info)
TIDE_WORDS(Instrument, TIDE_INSTRUMENTS)

struct ExportMetric {
  std::string name;  // "db.client.connection.count"
  Instrument instrument = Instrument::gauge;
  std::string unit;             // in UCUM: "s", "By", "1", "{connection}"; "": none
  std::string meaning;          // one sentence
  std::string_view relation;    // the source; at most one row of it for each pool, except pool_histograms
  std::string_view column;      // of the relation; of a histogram, the word in its column `metric`
  std::string_view attribute;   // that tells it from other rows of the name; "": none
  std::string_view value;       // of the attribute; for state and info it is the value of the column instead
  std::string_view history;     // column of pool_history with the same value at earlier times; "": none
  std::string prometheus_name;  // of the family: with the unit, and _total for counters
  double divisor = 1;           // the column's unit / unit
  bool is_former_name = false;  // only for receivers that ask for it
};

std::span<const ExportMetric> metrics_catalogue();

// Every word that pools.state or pools.breaker may have; empty for other columns.
std::span<const std::string_view> state_words(const ExportMetric& metric);

// The name of a value of the column in OpenTelemetry's conventions, if it is a counter that has one; "" otherwise.
std::string_view opentelemetry_name_of(std::string_view pool_stats_column);

}  // namespace tide
