#pragma once
// From a record as its source sent it to canonical data: typed fields, unknown fields kept, relations and
// names under which others refer to it. Pure: the same page and record always give the same result. One
// thread at a time.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "connectors/mapping.hpp"
#include "content/csv.hpp"
#include "model/entity.hpp"
#include "model/shard.hpp"

namespace castiel::processing {

// How the records of a page are to be read: the part of integration.data.raw that is the same for all of
// them.
struct PageHeader {
  std::string integration;
  connectors::RecordMapping mapping;
  connectors::SourceFormat format = connectors::SourceFormat::csv;
  content::CsvDialect dialect;
  Timestamp observed_at;  // the version of records without a modification time
  bool force = false;
};
Result<PageHeader> read_page_header(const json::object& data);  // error invalid_page

// A reference to another shard, as the record gives it.
struct RelationSeed {
  std::string role;  // "account" of accountId and accountName
  std::string kind;  // alias kind: "account:id", "account:name", "contact:email"
  std::string key;   // normalised
  std::string text;  // as written
};

struct FieldProblem {
  std::string field;
  std::string code;
  std::string message;
};

struct MappedRecord {
  std::string external_id;
  std::string data;  // JSON text, see model::Shard::data
  std::uint64_t content_hash = 0;
  Timestamp source_version;
  bool dated = false;
  bool deleted = false;
  std::optional<Timestamp> created_at;  // at the source
  std::vector<RelationSeed> relations;
  std::vector<std::pair<std::string, std::string>> aliases;  // kind and key
  std::vector<FieldProblem>
      problems;  // values that could not be read; the text is kept among the custom fields
};

// A record of an export of past values.
struct MappedChanges {
  model::ShardKey shard;
  std::vector<model::FieldChange> changes;  // recorded_at and correlation are left to the caller
  std::vector<FieldProblem> problems;
};

// One page's mapping, made ready once.
class Mapper {
 public:
  static Result<Mapper> create(PageHeader header);
  ~Mapper();
  Mapper(Mapper&&) noexcept;

  const PageHeader& header() const;
  // Errors: invalid_json, unsupported (the text cannot be split into fields), missing_id.
  Result<MappedRecord> map(std::string_view key, std::string_view source) const;
  // For entity opportunity_change. Errors also: invalid_time when it is not known when the change was.
  Result<MappedChanges> map_changes(std::string_view source) const;

 private:
  struct Impl;
  explicit Mapper(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The key under which a thing of this type is found by its name: legal forms do not count for accounts.
std::string alias_key(std::string_view type, std::string_view name);
// Salesforce's 15-character ids with the 3 characters that make them safe against lost case; others
// unchanged.
std::string normalize_id(std::string_view integration, std::string_view id);

}  // namespace castiel::processing
