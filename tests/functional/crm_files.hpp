#pragma once
// A sales organisation's exports, invented from a seed; and a tenant's stored state in a form that two runs
// share.

#include <cstdint>
#include <string>
#include <vector>

#include "support.hpp"

namespace castiel::functional {

struct CrmShape {
  int accounts = 150;
  int users = 12;
  int products = 20;
  int opportunities = 1200;
  int changes_each = 2;
  bool bad_rows = true;  // now and then one with too few fields, too many, an amount that is none, or the id
                         // of an earlier one
};

struct CrmCounts {
  std::int64_t records = 0;  // rows that can be read as records, bad ones included
  std::int64_t lost = 0;     // of them, those that have to end as dead letters
};

// Writes User.csv, Account.csv, Product2.csv, Opportunity.csv, OpportunityFieldHistory.csv into `folder`/crm.
CrmCounts write_crm(const TempFolder& folder, std::uint64_t seed, CrmShape shape = {});

// Whether the only import of a data folder has ended, though its process was killed before it could say so.
// The same command would be a second import then.
bool is_done(const std::filesystem::path& data);

// What is stored, without what may differ between two imports of the same files (ids of shards, correlation
// ids, times of recording): a sorted line for each shard, change and dead letter.
struct Stored {
  std::vector<std::string> shards;
  std::vector<std::string> changes;
  std::vector<std::string> dead_letters;
  std::vector<std::string> links;  // and the texts in the index
  bool operator==(const Stored&) const = default;
};
Stored stored(const Path& data, const std::string& tenant);

// What of an import's summary has to come out alike whatever happened on the way: a line each.
std::vector<std::string> comparable(const json::object& summary);
// Fails the test at the first difference.
void expect_same(const char* what, const std::vector<std::string>& expected,
                 const std::vector<std::string>& got);
void expect_same(const Stored& expected, const Stored& got);

}  // namespace castiel::functional
