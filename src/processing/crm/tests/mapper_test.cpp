#include "processing/crm/mapper.hpp"

#include <gtest/gtest.h>

namespace castiel::processing {
namespace {

using connectors::ColumnMapping;

PageHeader header(std::string entity, std::vector<std::pair<std::string, std::string>> columns,
                  std::string integration = "files") {
  PageHeader h;
  h.integration = integration;
  h.mapping.entity = std::move(entity);
  h.mapping.integration = integration;
  for (auto& [column, field] : columns) h.mapping.columns.push_back({column, field, 1, ""});
  h.observed_at = parse_timestamp("2026-01-01T00:00:00Z").value();
  return h;
}

json::object data_of(const MappedRecord& record) {
  return parse_json(record.data).value().get_object();
}

TEST(Mapper, types_fields_and_keeps_unknown_ones) {
  const auto mapper = Mapper::create(header("opportunity", {{"Id", "id"},
                                                            {"Name", "name"},
                                                            {"Amount", "amount"},
                                                            {"Close", "closeDate"},
                                                            {"Stage", "stage"},
                                                            {"Colour", ""}}))
                          .value();
  const auto record = mapper.map("1", R"(1,"Big, one","1,250.50",2026-03-01,Closed Won,red)").value();
  EXPECT_EQ(
      record.data,
      R"({"amount":"1250.50","closeDate":"2026-03-01","currency":"unknown","name":"Big, one","stage":"Closed Won","status":"won","custom":{"Colour":"red"}})");
  EXPECT_TRUE(record.problems.empty());
  EXPECT_FALSE(record.dated);
}

TEST(Mapper, a_value_that_cannot_be_read_is_reported_and_kept) {
  const auto mapper = Mapper::create(header("opportunity", {{"Id", "id"}, {"Amount", "amount"}})).value();
  const auto record = mapper.map("7", "7,a lot").value();
  ASSERT_EQ(record.problems.size(), 1u);
  EXPECT_EQ(record.problems[0].code, "invalid_amount");
  EXPECT_NE(record.problems[0].message.find("opportunity 7"), std::string::npos);
  EXPECT_EQ(data_of(record).at("custom").at("Amount").as_string(), "a lot");
}

TEST(Mapper, markers_for_no_date_are_missing_dates) {
  const auto mapper = Mapper::create(header("opportunity", {{"Id", "id"}, {"Close", "closeDate"}})).value();
  for (const char* source : {"1,9999-12-31", "1,1900-01-01"}) {
    const auto record = mapper.map("1", source).value();
    ASSERT_EQ(record.problems.size(), 1u) << source;
    EXPECT_EQ(record.problems[0].code, "implausible_date");
    EXPECT_FALSE(data_of(record).contains("closeDate"));
  }
}

TEST(Mapper, the_same_content_has_the_same_hash_whatever_its_modification_time) {
  const auto mapper =
      Mapper::create(header("account", {{"Id", "id"}, {"Name", "name"}, {"Mod", "modifiedAt"}})).value();
  const auto a = mapper.map("1", "1,Acme,2026-01-01T00:00:00Z").value(),
             b = mapper.map("1", "1,Acme,2026-02-01T00:00:00Z").value();
  EXPECT_EQ(a.content_hash, b.content_hash);
  EXPECT_LT(a.source_version, b.source_version);
  EXPECT_TRUE(a.dated);
  EXPECT_NE(mapper.map("1", "1,Acne,2026-01-01T00:00:00Z")->content_hash, a.content_hash);
}

TEST(Mapper, an_id_decides_a_relation_and_the_name_stays_as_its_text) {
  const auto mapper = Mapper::create(header("opportunity", {{"Id", "id"},
                                                            {"AccountId", "accountId"},
                                                            {"Account", "accountName"},
                                                            {"Owner", "ownerName"}}))
                          .value();
  const auto record = mapper.map("1", "1,A1,Acme Inc,Kim Lee").value();
  ASSERT_EQ(record.relations.size(), 2u);
  EXPECT_EQ(record.relations[0].kind, "account:id");
  EXPECT_EQ(record.relations[0].key, "A1");
  EXPECT_EQ(record.relations[0].text, "Acme Inc");
  EXPECT_EQ(record.relations[1].kind, "user:name");
  EXPECT_EQ(record.relations[1].key, "kimlee");
}

TEST(Mapper, several_references_in_one_field_are_several_relations) {
  const auto mapper =
      Mapper::create(header("opportunity",
                            {{"Id", "id"}, {"Contacts", "contactId"}, {"Names", "contactName"}}, "hubspot"))
          .value();
  const auto record = mapper.map("1", "1,11;12,Ann Ray (ann@x.example);Bo Li (bo@x.example)").value();
  ASSERT_EQ(record.relations.size(), 2u);
  EXPECT_EQ(record.relations[1].key, "12");
  EXPECT_EQ(record.relations[1].text, "Bo Li (bo@x.example)");
}

TEST(Mapper, short_salesforce_ids_are_the_long_ones) {
  EXPECT_EQ(normalize_id("salesforce", "001A0000006Vm9r"), "001A0000006Vm9rIAC");
  EXPECT_EQ(normalize_id("salesforce", "001A0000006Vm9rIAC"), "001A0000006Vm9rIAC");
  EXPECT_EQ(normalize_id("hubspot", "001A0000006Vm9r"), "001A0000006Vm9r");
}

TEST(Mapper, a_change_of_a_field_becomes_history_of_the_canonical_field) {
  const auto mapper = Mapper::create(header("opportunity_change", {{"OpportunityId", "opportunityId"},
                                                                   {"Field", "field"},
                                                                   {"OldValue", "oldValue"},
                                                                   {"NewValue", "newValue"},
                                                                   {"CreatedDate", "changedAt"}}))
                          .value();
  const auto mapped = mapper.map_changes("6,CloseDate,2026-01-31,2026-02-28,2026-01-20T10:00:00Z").value();
  ASSERT_EQ(mapped.changes.size(), 1u);
  EXPECT_EQ(mapped.shard.external_id, "6");
  EXPECT_EQ(mapped.changes[0].field, "closeDate");
  EXPECT_EQ(mapped.changes[0].old_value, "2026-01-31");
  EXPECT_EQ(mapped.changes[0].new_value, "2026-02-28");
  EXPECT_EQ(to_string(mapped.changes[0].effective_at), "2026-01-20T10:00:00Z");
}

TEST(Mapper, a_change_without_a_time_is_refused) {
  const auto mapper = Mapper::create(header("opportunity_change", {{"OpportunityId", "opportunityId"},
                                                                   {"Field", "field"},
                                                                   {"NewValue", "newValue"}}))
                          .value();
  EXPECT_EQ(mapper.map_changes("6,StageName,Won").error().code, "invalid_time");
}

}  // namespace
}  // namespace castiel::processing
