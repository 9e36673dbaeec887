#include "crm_files.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace castiel::functional {

namespace {

constexpr const char* kStages[] = {"Prospecting", "Qualification", "Proposal",
                                   "Negotiation", "Closed Won",    "Closed Lost"};

// Days of 2025 and 2026, as far as needed: each month has at least 28.
std::string date(int day) {
  const int month = day / 28;
  return fmt::format("{}-{:02}-{:02}", 2025 + month / 12, month % 12 + 1, day % 28 + 1);
}
std::string time(int day, int minute) {
  return fmt::format("{}T{:02}:{:02}:00.000Z", date(day), minute / 60 % 24, minute % 60);
}

using Names = std::map<std::string, std::string, std::less<>>;

// The ids of shards in a text are replaced by what they name at the source, other ids by nothing.
std::string text_with_names(std::string_view text, const Names& names) {
  constexpr std::size_t kLength = 26;
  const auto is_id = [](std::string_view s) {
    return s.front() == '0' &&
           std::ranges::all_of(s, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.size() - i < kLength || !is_id(text.substr(i, kLength))) {
      out += text[i];
      continue;
    }
    const auto it = names.find(text.substr(i, kLength));
    if (it != names.end()) out += it->second;
    i += kLength - 1;
  }
  return out;
}

json::value with_names(const json::value& value, const Names& names) {
  if (const auto* text = value.if_string()) return json::value(text_with_names(*text, names));
  if (const auto* array = value.if_array()) {
    json::array copy;
    for (const auto& item : *array) copy.push_back(with_names(item, names));
    return copy;
  }
  if (const auto* object = value.if_object()) {
    std::map<std::string, json::value> sorted;
    for (const auto& [key, item] : *object) sorted.emplace(key, with_names(item, names));
    json::object copy;
    for (auto& [key, item] : sorted) copy[key] = std::move(item);
    return copy;
  }
  return value;
}

// Straight from the database: what the program shows of them is a part.
std::vector<std::string> links_and_texts(const Path& data, const std::string& tenant, const Names& names) {
  std::vector<std::string> all;
  if (!std::filesystem::exists(data / "castiel.db")) return all;  // the store is elsewhere
  sqlite3* db = nullptr;
  sqlite3_open_v2((data / "castiel.db").c_str(), &db, SQLITE_OPEN_READONLY, nullptr);
  for (const char* sql :
       {"SELECT 'link', from_id, to_id, status, strategy, confidence, evidence FROM link WHERE "
        "tenant = ?1",
        "SELECT 'text', shard_id, ordinal, title, text FROM search_chunk WHERE tenant = ?1"}) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(db, sql, -1, &statement, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_bind_text(statement, 1, tenant.data(), static_cast<int>(tenant.size()), nullptr);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      std::string line;
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
        line += text_with_names(bytes == nullptr ? "" : bytes, names) + " | ";
      }
      all.push_back(std::move(line));
    }
    sqlite3_finalize(statement);
  }
  sqlite3_close(db);
  std::ranges::sort(all);
  return all;
}

}  // namespace

CrmCounts write_crm(const TempFolder& folder, std::uint64_t seed, CrmShape shape) {
  std::mt19937_64 random(seed);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<std::uint64_t>(n)); };
  CrmCounts counts;
  std::string users = "Id,Name,FirstName,LastName,Email,Team__c,IsActive,LastModifiedDate\n";
  for (int i = 0; i < shape.users; ++i) {
    users += fmt::format("005U{:014},User {},User,{},user{}@seller.example,Team {},true,{}\n", i, i, i, i,
                         i % 3, time(10, i));
  }
  std::string accounts = "Id,Name,Website,Industry,BillingCity,OwnerId,CreatedDate,LastModifiedDate\n";
  for (int i = 0; i < shape.accounts; ++i) {
    accounts += fmt::format(
        "001A{:014},\"Company {}, Inc.\",https://company{}.example,Industry {},City,005U{:014},{},{}\n", i, i,
        i, i % 7, below(shape.users), time(20, i), time(30 + i % 100, i));
  }
  std::string products = "Id,Name,ProductCode,Family,IsActive,LastModifiedDate\n";
  for (int i = 0; i < shape.products; ++i)
    products += fmt::format("01tP{:014},Product {},P-{},Family {},true,{}\n", i, i, i, i % 4, time(5, i));
  counts.records += shape.users + shape.accounts + shape.products;

  std::string deals =
      "Id,AccountId,Name,StageName,Amount,CurrencyIsoCode,CloseDate,IsClosed,IsWon,OwnerId,CreatedDate,"
      "LastModifiedDate\n";
  std::string history = "Id,OpportunityId,CreatedById,CreatedDate,Field,OldValue,NewValue\n";
  int change = 0;
  for (int i = 0; i < shape.opportunities; ++i) {
    if (shape.bad_rows && i % 97 == 13) {
      deals += fmt::format("006B{:014},too,few\n", i);
      ++counts.records, ++counts.lost;
      continue;
    }
    if (shape.bad_rows && i % 131 == 17) {
      deals += fmt::format(
          "006B{:014},001A{:014},Deal {},Proposal,100,EUR,{},false,false,005U{:014},{},{},one,more\n", i, 0,
          i, date(400), 0, time(40, i), time(50, i));
      ++counts.records, ++counts.lost;
      continue;
    }
    if (shape.bad_rows && i % 61 == 60) {  // a deal once more, far below its first row, with another amount
      deals += fmt::format("006D{:014},001A{:014},Twice,Proposal,7,EUR,{},false,false,005U{:014},{},{}\n",
                           i - 58, 0, date(400), 0, time(40, i), time(29, i));
      ++counts.records;
    }
    const int created = 30 + below(300), stage = below(6);
    const std::string amount = shape.bad_rows && i % 89 == 5
                                   ? "about a lot"
                                   : fmt::format("{}.{:02}", 1000 + below(90'000), below(100));
    deals +=
        fmt::format("006D{:014},001A{:014},\"Deal {}\nin two lines\",{},{},EUR,{},{},{},005U{:014},{},{}\n",
                    i, below(shape.accounts), i, kStages[stage], amount, date(created + 30 + below(90)),
                    stage >= 4, stage == 4, below(shape.users), time(created, i), time(created + 20, i));
    ++counts.records;
    for (int c = 0; c < shape.changes_each; ++c, ++change) {
      const bool money = c % 2 == 1;
      history += fmt::format("017H{:014},006D{:014},005U{:014},{},{},{},{}\n", change, i, below(shape.users),
                             time(created + 1 + c, i + c), money ? "Amount" : "StageName",
                             money ? "900.5" : "Prospecting",
                             money ? fmt::format("{}.0", 1000 + below(5000)) : kStages[1 + below(3)]);
      ++counts.records;
    }
  }
  if (shape.bad_rows) {
    history +=
        "017HX,,005U00000000000000,2025-05-05T10:00:00.000Z,StageName,Proposal,Negotiation\n";  // of no deal
    ++counts.records, ++counts.lost;
  }
  folder.write("crm/User.csv", users);
  folder.write("crm/Account.csv", accounts);
  folder.write("crm/Product2.csv", products);
  folder.write("crm/Opportunity.csv", deals);
  folder.write("crm/OpportunityFieldHistory.csv", history);
  return counts;
}

// What a text is linked to is listed by the ids of the shards, so by which source's was there first.
static void sort_links(json::object& shard) {
  for (auto& [key, value] : shard.at("data").as_object()) {
    if (!std::string_view(key).starts_with("linked") || !value.is_array()) continue;
    std::ranges::sort(value.as_array(), {}, [](const json::value& v) { return json::serialize(v); });
  }
}

Stored stored(const Path& data, const std::string& tenant) {
  Stored all;
  auto shards = castiel({"shards", "list", "--tenant", tenant, "--data", data.string(), "--json"});
  EXPECT_EQ(shards.status, 0) << shards.err;
  const auto lines = shards.lines();
  Names names;
  // What follows from others has their ids in its key.
  for (const bool follows : {false, true}) {
    for (const auto& shard : lines) {
      const auto type = text(shard, "type");
      if ((type == "activity") != follows) continue;
      names[text(shard, "id")] = fmt::format("{}:{}:{}", text(shard, "integration"), type,
                                             text_with_names(text(shard, "externalId"), names));
    }
  }
  EXPECT_EQ(names.size(), lines.size()) << "a shard is listed twice";
  for (auto shard : lines) {
    const std::string id = text(shard, "id");
    shard["id"] = names[id];
    for (const char* differs : {"correlationId", "createdAt", "updatedAt"}) {
      EXPECT_FALSE(text(shard, differs).empty());
      shard.erase(differs);
    }
    // How often it was written depends on when its record was linked, and when an undated call was read.
    if (text(shard, "type") == "activity") shard.erase("version");
    if (text(shard, "type") == "task") shard.at("data").get_object().erase("saidAt");
    auto named = with_names(shard, names);
    sort_links(named.as_object());
    all.shards.push_back(json::serialize(named));
  }
  std::set<std::string> identities;
  for (const auto& [id, name] : names)
    EXPECT_TRUE(identities.insert(name).second) << name << " is stored twice";
  std::ranges::sort(all.shards);
  all.links = links_and_texts(data, tenant, names);
  auto letters = castiel({"dlq", "list", "--tenant", tenant, "--data", data.string(), "--json"});
  EXPECT_EQ(letters.status, 0) << letters.err;
  for (const auto& letter : letters.lines()) {
    const auto* pointer = find(letter, "pointer");
    all.dead_letters.push_back(fmt::format("{} {} {}", text(letter, "code"), text(letter, "key"),
                                           pointer != nullptr ? json::serialize(*pointer) : ""));
  }
  std::ranges::sort(all.dead_letters);
  // Histories come from a server: a process for each shard would take minutes.
  Server server(data);
  for (const auto& [id, name] : names) {
    if (name.find(":opportunity:") == std::string::npos && name.find(":account:") == std::string::npos)
      continue;
    const auto answer = server.get(fmt::format("/api/v1/shards/{}/history?tenant={}&limit=500", id, tenant));
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto page = answer.object();
    EXPECT_TRUE(page.contains("next") && page.at("next").is_null());
    for (const auto& item : page.at("items").get_array()) {
      json::object entry = item.get_object();
      for (const char* differs : {"correlationId", "recordedAt"}) entry.erase(differs);
      all.changes.push_back(name + " " + json::serialize(with_names(entry, names)));
    }
  }
  std::ranges::sort(all.changes);
  server.process().signal(15);
  EXPECT_EQ(server.process().finish().status, 0);
  return all;
}

// Workers find problems in any order.
std::vector<std::string> comparable(const json::object& summary) {
  std::vector<std::string> same;
  for (const char* key : {"tenant", "files", "records", "shards", "links", "problemCount", "without"}) {
    if (const auto* value = summary.if_contains(key))
      same.push_back(fmt::format("{} {}", key, json::serialize(*value)));
  }
  for (const char* key : {"problems", "resolved", "unresolved"}) {
    const auto* value = summary.if_contains(key);
    if (value == nullptr || !value->is_array()) continue;
    for (const auto& item : value->get_array())
      same.push_back(fmt::format("{} {}", key, json::serialize(item)));
  }
  std::ranges::sort(same);
  return same;
}

void expect_same(const char* what, const std::vector<std::string>& expected,
                 const std::vector<std::string>& got) {
  EXPECT_EQ(expected.size(), got.size()) << what;
  for (std::size_t i = 0; i < std::min(expected.size(), got.size()); ++i) {
    if (expected[i] == got[i]) continue;
    ADD_FAILURE() << what << " differ:\n  " << expected[i] << "\n  " << got[i];
    return;
  }
}

void expect_same(const Stored& expected, const Stored& got) {
  expect_same("shards", expected.shards, got.shards);
  expect_same("changes", expected.changes, got.changes);
  expect_same("links and texts", expected.links, got.links);
  expect_same("dead letters", expected.dead_letters, got.dead_letters);
}

bool is_done(const std::filesystem::path& data) {
  const auto answer = castiel({"imports", "--tenant", "acme", "--data", data.string(), "--json"});
  if (answer.status != 0) return false;  // killed before there was a tenant
  const auto runs = answer.lines();
  EXPECT_LE(runs.size(), 1u) << "an interrupted import was not taken up but begun anew";
  return !runs.empty() && text(runs.front(), "status") == "done";
}

}  // namespace castiel::functional
