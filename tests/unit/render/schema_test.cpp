// docs/schema describes every member of the reports in JSON. The files are written from the same tables as the reports:
// TIDE_ACCEPT=1 rewrites them.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "render/figures.hpp"
#include "render/pool_members.hpp"
#include "unit/render/report_support.hpp"

namespace tide {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTimePattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?Z$";

Json described(const std::string& meaning, Json schema) {
  schema["description"] = meaning;
  return schema;
}
Json nullable(const char* type) { return {{"type", {type, "null"}}}; }

Json schema_of(const Column& column) {
  Json out;
  switch (column.type) {
    case ColumnType::integer:
    case ColumnType::int4: out = nullable("integer"); break;
    case ColumnType::real: out = nullable("number"); break;
    case ColumnType::text: out = nullable("string"); break;
    case ColumnType::boolean: out = nullable("boolean"); break;
    case ColumnType::json: out = {{"type", {"object", "array", "string", "null"}}}; break;
    case ColumnType::time:
      out = nullable("string");
      out["pattern"] = kTimePattern;
      break;
  }
  const std::string unit = column.unit.empty() ? "" : " [" + std::string(column.unit) + "]";
  const std::string masked = column.privacy == Privacy::masked ? " Null if masked." : "";
  return described(std::string(column.meaning) + unit + masked, out);
}

Json object_of(const Json& members) {
  Json required = Json::array();
  for (const auto& [name, schema] : members.items()) required.push_back(name);
  return {{"type", "object"}, {"properties", members}, {"required", required}, {"additionalProperties", false}};
}

Json columns_of_relation(std::string_view relation, Chosen chosen) {
  Json members = Json::object();
  for (const Column& column : find_relation(relation)->columns) {
    if (is_chosen(chosen, column)) members[std::string(column.name)] = schema_of(column);
  }
  return members;
}

void add_member(const PoolMember& member, Json& members) {
  Json columns = columns_of_relation(member.relation, member.chosen);
  if (member.relation == "insights") {
    columns["command"] = described("The change as SQL that can be run; null if there is none.", nullable("string"));
  }
  Json schema = object_of(columns);
  if (member.rows_max > 0) schema = {{"type", "array"}, {"maxItems", member.rows_max}, {"items", schema}};
  members[std::string(member.name)] = described(std::string(member.meaning), schema);
}

Json figures_schema() {
  Json members;
  for (const Figure& each : figures_catalogue()) {
    members[std::string(each.name)] =
        described(std::string(each.meaning) + " [" + std::string(each.unit) + "]", nullable("number"));
  }
  return described("Shares and averages since the statistics were reset; null if nothing was counted.",
                   object_of(members));
}

Json series_schema() {
  Json members;
  members["resolution_ms"] = described("The length of an interval: 1000, 60000 or 3600000.", {{"type", "integer"}});
  members["at_ms"] =
      described("The end of each interval, in ms since 1970.", {{"type", "array"}, {"items", {{"type", "integer"}}}});
  for (const Column& column : find_relation("pool_history")->columns) {
    if (column.name == "resolution_ms" || !is_chosen(Chosen::numbers, column)) continue;
    Json value = schema_of(column);
    const std::string meaning = value["description"];
    value.erase("description");
    members[std::string(column.name)] = described(meaning, {{"type", "array"}, {"items", value}});
  }
  Json out = object_of(members);
  out["type"] = {"object", "null"};
  return described("The history since the time asked for, as arrays of the same length; null if none was asked for.",
                   out);
}

Json head_schema(const char* report) {
  Json members;
  members["report"] = described("Which report this is.", {{"const", report}});
  members["version"] = described("Changes when a member is removed or changes its meaning.", {{"const", 1}});
  members["at"] = described("When it was made, in UTC.", {{"type", "string"}, {"pattern", kTimePattern}});
  members["directory"] = described("Where pools of other processes were looked for.", {{"type", "string"}});
  members["masked"] =
      described("True if the reader may not see targets, users, tags and messages.", {{"type", "boolean"}});
  members["message"] = described("Null, or that there are no pools.", nullable("string"));
  members["hint"] = described("Null, or what to check if there are no pools.", nullable("string"));
  return members;
}

Json identity() {
  return {{"instance_id", described("Identifier of the pool's instance.", {{"type", "string"}})},
          {"pool", described("The pool's name.", {{"type", "string"}})}};
}

Json whole(const char* title, Json head, const Json& pool) {
  head["pools"] = described("One for each instance.", {{"type", "array"}, {"items", object_of(pool)}});
  Json out = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}};
  out["$comment"] = "Written by tests/unit/render/schema_test.cpp from the tables of core/render; do not edit.";
  out.update(object_of(head));
  return out;
}

Json dashboard_schema() {
  Json pool = identity();
  for (const PoolMember& member : dashboard_members()) add_member(member, pool);
  pool["figures"] = figures_schema();
  pool["series"] = series_schema();
  Json head = head_schema("dashboard");
  head["since"] = described("From when the history is included; null: none.", nullable("string"));
  return whole("tidepool: dashboard", head, pool);
}

Json health_schema() {
  Json pool = identity();
  pool.update(columns_of_relation("health", Chosen::all));
  for (const PoolMember& member : health_members()) add_member(member, pool);
  pool["figures"] = figures_schema();
  Json head = head_schema("health");
  head["status"] = described("The worst of all pools; null if there are none.",
                             {{"enum", {"healthy", "degraded", "unhealthy", nullptr}}});
  return whole("tidepool: health report", head, pool);
}

void compare(const char* file, const Json& schema) {
  const char* source = std::getenv("TIDE_SOURCE");
  ASSERT_NE(source, nullptr);
  const std::string path = std::string(source) + "/docs/schema/" + file;
  const std::string text = schema.dump(1) + "\n";
  if (std::getenv("TIDE_ACCEPT") != nullptr) std::ofstream(path) << text;
  std::ostringstream found;
  found << std::ifstream(path).rdbuf();
  EXPECT_TRUE(found.str() == text) << path << " is not current; run this test with TIDE_ACCEPT=1";
}

TEST(Schema, OfTheDashboardIsCurrent) { compare("dashboard.schema.json", dashboard_schema()); }
TEST(Schema, OfTheHealthReportIsCurrent) { compare("health.schema.json", health_schema()); }

}  // namespace
}  // namespace tide
