#include "messaging/schema_registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace castiel::messaging {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// FLOW-4
TEST(SchemaRegistry, every_type_has_a_stored_sample_of_every_version_and_the_newest_version_reads_it) {
  const auto registry = SchemaRegistry::create(builtin_schemas(), builtin_samples());
  ASSERT_TRUE(registry) << registry.error().message;
  std::set<std::pair<std::string_view, int>> sampled;
  for (const auto& sample : builtin_samples()) sampled.emplace(sample.type, sample.major);
  for (const auto& schema : builtin_schemas())
    EXPECT_TRUE(sampled.contains({schema.type, schema.major})) << schema.type << "/" << schema.major;
}

constexpr std::string_view kFirst =
    R"({"type":"object","required":["name"],"properties":{"name":{"type":"string"}}})";
constexpr std::string_view kSecond =
    R"({"type":"object","required":["title"],"properties":{"title":{"type":"string"}}})";
constexpr std::string_view kSample =
    R"({"specversion":"1.0","id":"1","source":"/x","type":"thing","time":"2026-01-01T00:00:00Z",)"
    R"("dataschema":"urn:castiel:schema:thing:1","tenantid":"acme","correlationid":"c","data":{"name":"n","more":1}})";

void rename(json::object& data) {
  data["title"] = data["name"];
  data.erase("name");
}
void lose(json::object& data) {
  data.erase("name");
}

TEST(SchemaRegistry, a_new_version_is_registered_only_when_it_reads_what_was_sent_before) {
  const SchemaText both[] = {{"thing", 1, kFirst}, {"thing", 2, kSecond}};
  const SchemaText samples[] = {{"thing", 1, kSample}};
  const Upcaster good[] = {{"thing", 1, rename}}, bad[] = {{"thing", 1, lose}};
  EXPECT_TRUE(SchemaRegistry::create(both, samples, good));
  EXPECT_THAT(SchemaRegistry::create(both, samples, bad).error().message,
              HasSubstr("does not fit version 2"));
  EXPECT_EQ(SchemaRegistry::create(both, {}, {}).error().code, "incompatible_schema") << "nothing lifts";
  const SchemaText gap[] = {{"thing", 3, kSecond}};
  EXPECT_EQ(SchemaRegistry::create(gap, {}, good).error().code, "incompatible_schema");
  const SchemaText only[] = {{"thing", 1, kSecond}};
  EXPECT_THAT(SchemaRegistry::create(only, samples, {}).error().message, HasSubstr("does not fit version 1"));
}

TEST(SchemaRegistry, the_version_before_is_read_and_unknown_fields_stay) {
  const SchemaText both[] = {{"thing", 1, kFirst}, {"thing", 2, kSecond}};
  const Upcaster lifts[] = {{"thing", 1, rename}};
  const auto registry = SchemaRegistry::create(both, {}, lifts).value();
  auto event = parse_event(kSample).value();
  EXPECT_FALSE(registry->check("thing", 1, event.data));
  ASSERT_TRUE(registry->upcast(event));
  EXPECT_EQ(event.schema, 2);
  EXPECT_EQ(event.data.at("title"), "n");
  EXPECT_EQ(event.data.at("more"), 1);
  EXPECT_EQ(parse_event(serialize(event)).value().data.at("more"), 1);
  event.schema = 3;
  EXPECT_EQ(registry->upcast(event).error().code, "unsupported_schema");
}

TEST(SchemaChanges, within_a_version_a_schema_may_only_add) {
  const auto change = [](std::string_view before, std::string_view next) {
    return breaking_changes(parse_json(before).value(), parse_json(next).value());
  };
  EXPECT_THAT(change(kFirst, kFirst), IsEmpty());
  EXPECT_THAT(change(kFirst, R"({"type":"object","required":["name"],
      "properties":{"name":{"type":["string","null"]},"more":{"type":"integer"}}})"),
              IsEmpty());
  EXPECT_THAT(change(kFirst, R"({"type":"object","required":["name","more"],
      "properties":{"name":{"type":"string"},"more":{}}})"),
              ElementsAre("/: requires \"more\" now"));
  EXPECT_THAT(change(kFirst, kSecond),
              ElementsAre("/: requires \"title\" now", "/: does not tell of name any more"));
  EXPECT_THAT(change(R"({"properties":{"n":{"type":"number","maximum":10}}})",
                     R"({"properties":{"n":{"type":"integer","maximum":9}}})"),
              ElementsAre("/n: takes fewer types", "/n: has a stricter maximum"));
  EXPECT_THAT(change(R"({"items":{"enum":["a","b"]}})", R"({"items":{"enum":["a"]}})"),
              ElementsAre("/items: takes fewer values"));
  EXPECT_THAT(change("{}", R"({"additionalProperties":false})"),
              ElementsAre("/: refuses unknown fields now"));
}

}  // namespace
}  // namespace castiel::messaging
