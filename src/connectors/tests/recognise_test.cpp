#include "connectors/recognise.hpp"

#include <gtest/gtest.h>

#include <map>

#include "content/csv.hpp"
#include "model/entity.hpp"

namespace castiel::connectors {
namespace {

struct Table {
  std::string file;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

Result<Recognition> recognise_text(std::string file, std::string_view header, std::string_view row,
                                   const SourceMapEntry* user = nullptr) {
  Table table{std::move(file), content::parse_csv_record(header, {}), {}};
  if (!row.empty()) table.rows.push_back(content::parse_csv_record(row, {}));
  return recognise({table.file, table.columns, table.rows}, user);
}

// What a header must be recognised as: entity, integration and, as "column>field", each column of importance.
struct Golden {
  std::string file, header, row, entity, integration;
  std::map<std::string, std::string> fields;
};

void check(const Golden& golden) {
  const auto found = recognise_text(golden.file, golden.header, golden.row);
  ASSERT_TRUE(found) << golden.file << ": " << found.error().message;
  EXPECT_EQ(found->mapping.entity, golden.entity) << golden.file << ": " << found->why;
  EXPECT_EQ(found->mapping.integration, golden.integration) << golden.file;
  for (const auto& [column, field] : golden.fields) {
    const auto at = std::ranges::find(found->mapping.columns, column, &ColumnMapping::column);
    ASSERT_NE(at, found->mapping.columns.end()) << column;
    EXPECT_EQ(at->field, field) << golden.file << ": " << column;
  }
}

TEST(Recognise, salesforce_exports) {
  check({"Opportunity.csv",
         "Id,IsDeleted,AccountId,Name,StageName,Amount,Probability,CloseDate,Type,NextStep,LeadSource,"
         "IsClosed,IsWon,ForecastCategoryName,CurrencyIsoCode,ContactId,OwnerId,"
         "CreatedDate,LastModifiedDate,SystemModstamp,LastActivityDate,Loss_Reason__c",
         "0065g0000AAASeqAQH,false,0015g0000AAAIrSAQX,Deal,Closed "
         "Lost,9000.0,0.0,2024-11-27,New,,Web,true,false,Omitted,EUR,0035g0000AAALlxAQH,0055g0000AAAMfLAQX,"
         "2024-05-27T12:38:58.000Z,2024-11-27T11:32:09.000Z,2024-11-27T11:32:10.000Z,2024-11-25,Price",
         "opportunity",
         "salesforce",
         {{"Id", "id"},
          {"Name", "name"},
          {"StageName", "stage"},
          {"Amount", "amount"},
          {"Probability", "probability"},
          {"CloseDate", "closeDate"},
          {"AccountId", "accountId"},
          {"OwnerId", "ownerId"},
          {"CreatedDate", "createdDate"},
          {"SystemModstamp", "modifiedAt"},
          {"LastModifiedDate", ""},
          {"CurrencyIsoCode", "currency"},
          {"Loss_Reason__c", "lostReason"},
          {"ContactId", "contactId"},
          {"IsWon", "isWon"}}});
  check({"report1732.csv",
         "Opportunity Name,Stage,Amount,Close Date,Account Name,Opportunity Owner,Opportunity ID,Probability "
         "(%)",
         "Big,Prospecting,\"1,000.00\",3/25/2017,Acme,Jane,0065g0000AAASeqAQH,10",
         "opportunity",
         "salesforce",
         {{"Opportunity Name", "name"},
          {"Opportunity ID", "id"},
          {"Account Name", "accountName"},
          {"Opportunity Owner", "ownerName"},
          {"Probability (%)", "probability"}}});
  check({"Account.csv",
         "Id,IsDeleted,Name,Type,ParentId,BillingStreet,BillingCity,BillingPostalCode,BillingCountry,Phone,"
         "Website,Industry,AnnualRevenue,NumberOfEmployees,OwnerId,SystemModstamp",
         "",
         "account",
         "salesforce",
         {{"Id", "id"},
          {"BillingCountry", "country"},
          {"ParentId", "parentId"},
          {"AnnualRevenue", "annualRevenue"},
          {"NumberOfEmployees", "employees"}}});
  check({"Contact.csv",
         "Id,AccountId,LastName,FirstName,Salutation,Name,Phone,Email,Title,Department,MailingCity,OwnerId,"
         "SystemModstamp",
         "",
         "contact",
         "salesforce",
         {{"Email", "email"}, {"AccountId", "accountId"}, {"Title", "title"}}});
  check({"User.csv",
         "Id,Username,LastName,FirstName,Name,CompanyName,Department,Title,Team__c,Region__c,Email,IsActive,"
         "UserRoleId,ManagerId,TimeZoneSidKey,CreatedDate,SystemModstamp",
         "",
         "user",
         "salesforce",
         {{"Team__c", "team"}, {"ManagerId", "managerId"}, {"Name", "name"}, {"Email", "email"}}});
  check({"OpportunityContactRole.csv",
         "Id,IsDeleted,OpportunityId,ContactId,Role,IsPrimary,CreatedDate,SystemModstamp",
         "",
         "contact_role",
         "salesforce",
         {{"Id", "id"},
          {"OpportunityId", "opportunityId"},
          {"ContactId", "contactId"},
          {"Role", "role"},
          {"IsPrimary", "isPrimary"}}});
  check({"OpportunityFieldHistory.csv",
         "Id,IsDeleted,OpportunityId,CreatedById,CreatedDate,Field,OldValue,NewValue",
         "0175g0000AAAHsNAQX,false,0065g0000AAASeqAQH,0055g0000AAAMfLAQX,2024-05-27T12:38:58.000Z,StageName,"
         "A,B",
         "opportunity_change",
         "salesforce",
         {{"Id", "id"},
          {"OpportunityId", "opportunityId"},
          {"CreatedDate", "changedAt"},
          {"CreatedById", "changedBy"},
          {"Field", "field"},
          {"OldValue", "oldValue"},
          {"NewValue", "newValue"}}});
  check({"OpportunityHistory.csv",
         "Id,OpportunityId,CreatedById,CreatedDate,StageName,Amount,ExpectedRevenue,CloseDate,Probability,"
         "ForecastCategory,SystemModstamp,IsDeleted",
         "",
         "opportunity_change",
         "salesforce",
         {{"StageName", "stage"}, {"OpportunityId", "opportunityId"}, {"CreatedDate", "changedAt"}}});
  check({"Product2.csv",
         "Id,Name,ProductCode,Description,IsActive,CreatedDate,SystemModstamp,Family,IsDeleted",
         "",
         "product",
         "salesforce",
         {{"ProductCode", "code"}, {"Family", "family"}}});
}

TEST(Recognise, salesforce_reports_without_ids) {
  check({"report.csv",
         "Opportunity Name,Stage,Amount,Close Date,Account Name,Opportunity Owner",
         "Big,Prospecting,1000,3/25/2017,Acme,Jane",
         "opportunity",
         "salesforce",
         {{"Opportunity Name", "name"}, {"Opportunity Owner", "ownerName"}}});
}

TEST(Recognise, hubspot_exports_and_objects) {
  check({"deals.csv",
         "Record ID,Deal Name,Deal Stage,Pipeline,Amount,Currency,Close Date,Create Date,Deal owner,Deal "
         "Type,Associated Company,Associated Company IDs,Associated Contact,Associated Contact IDs,"
         "Last Activity Date,Next step,Deal Description,Last Modified Date,Is Closed Won,Deal "
         "probability,Closed Lost Reason",
         "30911520183,Roll-out,Closed Lost,Sales Pipeline,231000,EUR,2025-01-13 17:00,2024-05-08 15:12,Aoife "
         "Brennan,New,Corrib,18830147455,F (f@c.example),211749776,2025-01-06 12:00,,,2025-01-13 "
         "13:36,false,0.0,No decision",
         "opportunity",
         "hubspot",
         {{"Record ID", "id"},
          {"Deal Name", "name"},
          {"Deal Stage", "stage"},
          {"Deal owner", "ownerName"},
          {"Associated Company", "accountName"},
          {"Associated Company IDs", "accountId"},
          {"Associated Contact IDs", "contactId"},
          {"Create Date", "createdDate"},
          {"Last Modified Date", "modifiedAt"},
          {"Deal probability", "probability"},
          {"Closed Lost Reason", "lostReason"},
          {"Is Closed Won", "isWon"},
          {"Deal Description", "description"}}});
  check({"companies.csv",
         "Record ID,Company name,Company Domain Name,Phone Number,City,Country/Region,Industry,Number of "
         "Employees,Annual Revenue,Company owner,Create Date,Last Modified Date",
         "",
         "account",
         "hubspot",
         {{"Company name", "name"},
          {"Company Domain Name", "domain"},
          {"Country/Region", "country"},
          {"Company owner", "ownerName"},
          {"Create Date", "createdAt"}}});
  check({"contacts.csv",
         "Record ID,First Name,Last Name,Email,Phone Number,Job Title,Company Name,Associated "
         "Company,Associated Company IDs,Contact owner,Lifecycle Stage,Create Date",
         "",
         "contact",
         "hubspot",
         {{"Email", "email"},
          {"Associated Company", "accountName"},
          {"Associated Company IDs", "accountId"},
          {"Job Title", "title"}}});
  check({"crm/hubspot/users.csv",
         "First name,Last name,Email,Main team,Additional teams",
         "",
         "user",
         "hubspot",
         {{"Email", "email"}, {"Main team", "team"}}});
  check({"deal-property-history.csv",
         "Record ID,Property,Previous value,Value,Changed at,Changed by,Source",
         "30911520183,Deal Stage,,Appointment Scheduled,2024-05-08 15:12,A B,CRM UI",
         "opportunity_change",
         "hubspot",
         {{"Record ID", "opportunityId"},
          {"Property", "field"},
          {"Previous value", "oldValue"},
          {"Value", "newValue"},
          {"Changed at", "changedAt"}}});
  check({"x.json",
         "id,properties.dealname,properties.dealstage,properties.amount,properties.closedate,properties."
         "hubspot_owner_id,properties.hs_lastmodifieddate,createdAt,archived",
         "",
         "opportunity",
         "hubspot",
         {{"id", "id"},
          {"properties.dealname", "name"},
          {"properties.amount", "amount"},
          {"properties.hubspot_owner_id", "ownerId"},
          {"properties.hs_lastmodifieddate", "modifiedAt"}}});
}

TEST(Recognise, pipedrive_exports_and_objects) {
  check({"export.csv",
         "Deal - ID,Deal - Title,Deal - Value,Deal - Currency,Deal - Organization,Deal - Contact person,Deal "
         "- Owner,Deal - Stage,Deal - Status,Deal - Expected close date,Deal - Deal created,Deal - Update "
         "time,Organization - Name",
         "",
         "opportunity",
         "pipedrive",
         {{"Deal - ID", "id"},
          {"Deal - Title", "name"},
          {"Deal - Value", "amount"},
          {"Deal - Organization", "accountName"},
          {"Deal - Contact person", "contactName"},
          {"Deal - Owner", "ownerName"},
          {"Deal - Stage", "stage"},
          {"Deal - Status", "status"},
          {"Deal - Expected close date", "closeDate"},
          {"Deal - Deal created", "createdDate"},
          {"Deal - Update time", "modifiedAt"}}});
  check({"orgs.csv",
         "Organization - ID,Organization - Name,Organization - Owner,Organization - Address,Organization - "
         "Update time",
         "",
         "account",
         "pipedrive",
         {{"Organization - ID", "id"},
          {"Organization - Name", "name"},
          {"Organization - Owner", "ownerName"}}});
  check({"people.csv",
         "Person - ID,Person - Name,Person - Email,Person - Phone,Person - Organization",
         "",
         "contact",
         "pipedrive",
         {{"Person - Name", "name"}, {"Person - Organization", "accountName"}}});
  check({"deals.json",
         "id,title,value,currency,status,stage_id,pipeline_id,person_id,org_id,owner_id,expected_close_date,"
         "add_time,update_time,lost_reason",
         "",
         "opportunity",
         "pipedrive",
         {{"title", "name"},
          {"value", "amount"},
          {"org_id", "accountId"},
          {"person_id", "contactId"},
          {"expected_close_date", "closeDate"},
          {"status", "status"},
          {"update_time", "modifiedAt"}}});
}

TEST(Recognise, dynamics_exports_and_objects) {
  check({"All Opportunities.csv",
         "(Do Not Modify) Opportunity,(Do Not Modify) Row Checksum,(Do Not Modify) Modified "
         "On,Topic,Potential Customer,Est. Close Date,Est. Revenue,Contact,Account,Probability,Status,Owner",
         "",
         "opportunity",
         "dynamics",
         {{"(Do Not Modify) Opportunity", "id"},
          {"Topic", "name"},
          {"Account", "accountName"},
          {"Contact", "contactName"},
          {"Est. Revenue", "amount"},
          {"Est. Close Date", "closeDate"},
          {"(Do Not Modify) Modified On", "modifiedAt"}}});
  check({"x.json",
         "@odata.etag,opportunityid,name,estimatedvalue,estimatedclosedate,closeprobability,statecode,"
         "statecode@OData.Community.Display.V1.FormattedValue,_ownerid_value,_customerid_value,createdon,"
         "modifiedon",
         "",
         "opportunity",
         "dynamics",
         {{"opportunityid", "id"},
          {"estimatedvalue", "amount"},
          {"statecode@OData.Community.Display.V1.FormattedValue", "status"},
          {"_ownerid_value", "ownerId"},
          {"_customerid_value", "accountId"},
          {"modifiedon", "modifiedAt"}}});
}

TEST(Recognise, tables_of_no_known_tool) {
  check({"sales_pipeline.csv",
         "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value",
         "1C1I7A6R,Moses Frase,GTX Plus Basic,Cancity,Won,2016-10-20,2017-03-01,1054",
         "opportunity",
         "files",
         {{"opportunity_id", "id"},
          {"sales_agent", "ownerName"},
          {"product", "productName"},
          {"account", "accountName"},
          {"deal_stage", "stage"},
          {"engage_date", "createdDate"},
          {"close_date", "closeDate"},
          {"close_value", "amount"}}});
  check({"accounts.csv",
         "account,sector,year_established,revenue,employees,office_location,subsidiary_of",
         "Acme,technolgy,1996,1100.04,2822,United States,",
         "account",
         "files",
         {{"account", "name"},
          {"sector", "industry"},
          {"year_established", "yearFounded"},
          {"revenue", "annualRevenue"},
          {"employees", "employees"},
          {"office_location", "country"},
          {"subsidiary_of", "parentName"}}});
  check({"products.csv",
         "product,series,sales_price",
         "GTX Basic,GTX,550",
         "product",
         "files",
         {{"product", "name"}, {"series", "family"}, {"sales_price", "price"}}});
  check({"sales_teams.csv",
         "sales_agent,manager,regional_office",
         "Anna Snelling,Dustin Brinkmann,Central",
         "user",
         "files",
         {{"sales_agent", "name"}, {"manager", "managerName"}, {"regional_office", "team"}}});
  check({"liste.csv",
         "Kunde,Betrag,Phase,Abschlussdatum,Bezeichnung",
         "Acme,\"1.200,50\",Angebot,31.12.2026,Neu",
         "opportunity",
         "files",
         {{"Betrag", "amount"}, {"Kunde", "accountName"}, {"Abschlussdatum", "closeDate"}}});
}

TEST(Recognise, infers_numbers_and_dates_and_doubts_values_that_do_not_fit) {
  const auto found = recognise_text("deals.csv", "Deal Name,Amount,Stage,Close Date,Create Date",
                                    "A,\"1.234,50\",Won,31.12.2016,next week");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mapping.numbers, content::NumberStyle::decimal_comma);
  EXPECT_EQ(found->mapping.dates, content::DateOrder::dmy);
  EXPECT_EQ(found->mapping.column_for("createdDate"), nullptr);
  EXPECT_FALSE(found->notes.empty());
}

TEST(Recognise, says_what_it_saw_in_a_table_it_does_not_know) {
  const auto found = recognise_text("weather.csv", "station,rainfall,wind", "A,5,7");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, "unrecognised_table");
  EXPECT_NE(found.error().message.find("station, rainfall, wind"), std::string::npos);
  EXPECT_NE(found.error().message.find("match: \"weather.csv\""), std::string::npos);
}

TEST(Recognise, lets_the_source_map_decide) {
  const auto map = parse_source_map(
      "files:\n- match: 'w*.csv'\n  entity: opportunity\n  columns: {station: id, rainfall: amount, Stage: "
      "''}\n  options: {decimal: comma, dates: dmy, currency: EUR, timezone: Europe/Berlin}\n",
      "map.yaml");
  ASSERT_TRUE(map) << map.error().message;
  const auto found = recognise_text("weather.csv", "station,rainfall,Stage,Close Date", "A,5,x,1/2/2017",
                                    map->find("/x/Weather.csv"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mapping.columns[0].field, "id");
  EXPECT_EQ(found->mapping.columns[1].field, "amount");
  EXPECT_EQ(found->mapping.columns[2].field, "");
  EXPECT_EQ(found->mapping.columns[3].field, "closeDate");
  EXPECT_EQ(found->mapping.numbers, content::NumberStyle::decimal_comma);
  EXPECT_EQ(found->mapping.default_currency, "EUR");
  EXPECT_EQ(found->mapping.time_zone, "Europe/Berlin");
}

TEST(RecordMapping, survives_json) {
  const auto found = recognise_text("deals.csv", "Deal Name,Amount,Stage,Odd", "A,5,Won,x");
  ASSERT_TRUE(found);
  const auto back = record_mapping_from_json(to_json(found->mapping));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, found->mapping);
  EXPECT_EQ(record_mapping_from_json({}).error().code, "invalid_mapping");
}

TEST(SourceMap, names_file_line_and_key_of_a_mistake) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"files:\n- match: a.csv\n  entity: dragon\n", "m.yaml:3: entity"},
      {"files:\n- match: a.csv\n  entity: account\n  columns: {X: amount}\n", "m.yaml:4: X"},
      {"files:\n- match: a.csv\n  colour: red\n", "m.yaml:3: colour"},
      {"files:\n- entity: account\n", "m.yaml:2: match"},
      {"files:\n- match: a.csv\n  options:\n    decimal: dot\n", "m.yaml:4: decimal"},
      {"files:\n- match: a.csv\n  options: {timezone: Mars}\n", "m.yaml:3: timezone"},
      {"files: [\n", "m.yaml:"},
      {"maps: []\n", "m.yaml:1: maps"}};
  for (const auto& [yaml, expected] : cases) {
    const auto map = parse_source_map(yaml, "m.yaml");
    ASSERT_FALSE(map) << yaml;
    EXPECT_EQ(map.error().code, "invalid_source_map");
    EXPECT_NE(map.error().message.find(expected), std::string::npos) << map.error().message;
  }
}

TEST(Glob, matches_as_shells_do) {
  EXPECT_TRUE(glob_matches("deals*.csv", "Deals-2017.CSV"));
  EXPECT_TRUE(glob_matches("**/x/*.csv", "a/b/x/c.csv"));
  EXPECT_TRUE(glob_matches("**/deals*.csv", "a/deals/x/deals1.csv"));
  EXPECT_FALSE(glob_matches("*.csv", "a/b.csv"));
  EXPECT_TRUE(glob_matches("q[1-4].csv", "q3.csv"));
  EXPECT_FALSE(glob_matches("q[!1-4].csv", "q3.csv"));
  EXPECT_FALSE(glob_matches("?", ""));
}

}  // namespace
}  // namespace castiel::connectors
