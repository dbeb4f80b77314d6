// Random statements with parameters, and what they should become.
#pragma once

#include <string>
#include <string_view>

#include "base/rng.hpp"

namespace tide::test {

struct RandomStatement {
  std::string given;     // with ?
  std::string expected;  // with $1 ...; blanks beside parameters may differ
  int parameters = 0;
};

// A valid statement of PostgreSQL: expressions in which ? is a parameter, an operator, or a part of something else.
// In the pieces % is a parameter, and ^ an operator's ?, which is given as ??.
inline RandomStatement random_statement(Rng& rng) {
  constexpr std::string_view kValues[] = {
      "%::text",
      "1=%",
      "'a'||%::text||%",
      "%::int-1",
      "%::int+%::int*-%::int",
      "@%::int",
      "- - %::int",
      "'{\"a\":1}'::jsonb ? %",
      "'{\"a\":1}'::jsonb?'a'",
      "'{}'::jsonb ^ %",
      "'{}'::jsonb^'a'",
      "'{}'::jsonb ?| array[%,%::text]",
      "'{}'::jsonb ?& array['a']",
      "'{}'::jsonb ^| array[%]",
      "'{}'::jsonb @? '$.a'",
      "'{}'::jsonb @^ '$.a'",
      "'{}'::jsonb @? %",
      "('{}'::jsonb)? %",
      "(array['{}'::jsonb])[1]? %",
      "'{}'::jsonb->%::text?'a'",
      "'{}'::jsonb operator(pg_catalog.?) %",
      "point '(1,1)' ?- point '(2,2)'",
      "lseg '((0,0),(1,1))' ?|| lseg '((0,0),(2,2))'",
      "lseg '((0,0),(1,1))'?-|lseg '((0,0),(2,2))'",
      "(^- lseg '((0,0),(1,1))')",
      "case when %::bool then %else 'x' end",
      "case 1 when %then 'a'else%end",
      "(array[1,2,3])[%:%::int]",
      "cast(%as int)",
      "coalesce(%,'a?')",
      "% in (%,'b',%)",
      "'a' like %escape'?'",
      "1 between %and %::int",
      "extract(day from %::timestamptz)",
      "substring('abc'from %for 1)",
      "timestamptz '2026-01-01' at time zone %",
      "trim(both %from 'a')",
      "'a' is distinct from%",
      "not %::bool",
      "sum(1) over (order by 1 rows % preceding)",
      "sum(1) over (rows between%preceding and%following)",
      "E'\\'?' || %::text",
      "E'\\\\' || %::text",
      "'\\\\' || %::text",
      "'it''s ?'",
      "U&'\\0041?'",
      "B'101'",
      "X'1f'",
      "N'?'",
      "$$?'$$||%::text",
      "$x$ ? $$ $1 $x$",
      "$\xc3\xa9$?$\xc3\xa9$",
      "1/*?*/+/*?/*?*/'*/%::int",
      "1--?'\n+%::int",
      "'a'\n'?'",
      "1 as \"a?\"\"?\"",
      "1.5e3 as a$2",
      "make_date(year=>%,month:=1,day=>%)",
      "'\xf0\x9f\x90\x98?'||%::text",
      "\t%::text\r",
  };
  constexpr std::string_view kTails[] = {
      "",
      " where%::bool and not %::bool",
      " group by %::text",
      " order by %::text,%::int",
      " limit%offset %",
      " offset %rows fetch first %rows only",
      " fetch next %row only -- ?",
      " union all select%::text where '{}'::jsonb ?'a'",
      ";",
      " /* ? */",
  };
  RandomStatement out;
  const auto add = [&](std::string_view piece) {
    for (const char c : piece) {
      if (c == '%') {
        out.given += '?';
        out.expected += '$' + std::to_string(++out.parameters);
      } else if (c == '^') {
        out.given += "??";
        out.expected += '?';
      } else {
        out.given += c;
        out.expected += c;
      }
    }
  };
  const bool is_values = rng.below(2) == 0;
  const uint64_t values = 1 + rng.below(4);
  add("select");
  for (uint64_t i = 0; i < values; ++i) {
    add(i == 0 ? " " : ",");
    add(kValues[rng.below(std::size(kValues))]);
  }
  // With GROUP BY or UNION the columns would have to fit.
  if (!is_values) {
    add(" from (select 1) q(n)");
    uint64_t tail = rng.below(std::size(kTails));
    if (tail == 2 || tail == 7) tail = 0;
    add(kTails[tail]);
  }
  return out;
}

inline std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ') out += c;
  }
  return out;
}

// Pieces of text that split at wrong places, whole ones and beginnings.
inline std::string random_garbage(Rng& rng, uint64_t pieces_max) {
  constexpr std::string_view kParts[] = {"'",        "\"",         "$$",    "$a$",    "/*",
                                         "*/",       "--",         "\n",    "\\",     "E'",
                                         "x'",       "U&\"",       "(",     ")",      ";",
                                         " ",        "a",          ".",     "1",      "$1",
                                         "$2",       "?",          "?1",    "?2",     "??",
                                         ":",        "::",         ":a",    "@a",     "$a",
                                         "\xc3\xa9", "[",          "]",     "`",      "=",
                                         "-",        "@?",         "?|",    "||",     ",",
                                         "in",       "*",          "#",     "select", "and",
                                         "limit",    "operator",   "array", "'?'",    "\"?\"",
                                         "[?]",      "`?`",        "--?\n", "/*?*/",  "\xf0\x9f\x90\x98",
                                         "\xff",     "\r",         "0x1f",  "1e5",    "order by",
                                         "32766",    "99999999999"};
  std::string text;
  for (uint64_t n = rng.below(pieces_max + 1); n > 0; --n) text += kParts[rng.below(std::size(kParts))];
  return text;
}

}  // namespace tide::test
