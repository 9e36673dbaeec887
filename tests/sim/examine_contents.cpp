// The checkers of the other kinds of source: the index holds what the shards say, links lead from content to
// records of the same tenant and each brings about one activity, and all of it is what it is without faults.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "model/entity.hpp"
#include "rows.hpp"
#include "search/chunks.hpp"
#include "world.hpp"

namespace castiel::sim {

namespace {

constexpr std::size_t kIdLength = 26;

// Ids are time-ordered: for thousands of years they begin with a zero.
bool is_id(std::string_view text) {
  return text.front() == '0' &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
}

class ContentExaminer {
 public:
  ContentExaminer(const storage::Reader& reader, const std::string& path, const Workload& workload,
                  const std::map<std::string, std::string>& names, Probes& probes)
      : reader_(reader), rows_(path), workload_(workload), names_(names), probes_(probes) {}

  Verdict run() {
    if (auto done = shards(); !done) fail(done.error().describe());
    if (auto done = links(); !done) fail(done.error().describe());
    nothing_crosses_tenants();
    return std::move(verdict_);
  }

 private:
  void fail(const std::string& text) { verdict_.failures.push_back(reader_.tenant().str() + " " + text); }
  void state(const std::string& text) { verdict_.state.insert(reader_.tenant().str() + " " + text); }
  std::string name(const std::string& id) const {
    const auto it = names_.find(id);
    return it == names_.end() ? "nothing" : it->second;
  }

  // Texts in the index, and the tasks.
  Result<> shards() {
    std::map<std::string, std::vector<std::string>> indexed;
    for (const auto& row :
         rows_.query("SELECT tenant, shard_id, ordinal, title, text FROM search_chunk ORDER BY "
                     "tenant, shard_id, ordinal")) {
      if (row[0] == reader_.tenant().str()) indexed[row[1]].push_back(row[3] + "|" + row[4]);
    }
    storage::ShardQuery query;
    query.include_deleted = true;
    query.limit = 100'000;
    CASTIEL_ASSIGN(const auto all, reader_.shards(query));
    for (const auto& shard : all) {
      const std::string who = name(shard.id.str());
      if (shard.key.type == model::type::kTask) {
        auto data = parse_json(shard.data).value_or(json::object{});
        data.get_object().erase("saidAt");  // of what has no time of its own, when it was read
        state(fmt::format("task {} {}", who, with_names(json::serialize(data), names_)));
      }
      std::vector<std::string> texts;
      if (workload_.mixed && !shard.deleted_at && search::is_searched(shard.key.type)) {
        for (const auto& chunk : search::chunks_of(shard)) texts.push_back(chunk.title + "|" + chunk.text);
      }
      if (texts != indexed[shard.id.str()])
        fail(fmt::format("{}: {} texts of it are in the index, it has {}, or others", who,
                         indexed[shard.id.str()].size(), texts.size()));
      indexed.erase(shard.id.str());
    }
    for (const auto& [id, texts] : indexed) fail(fmt::format("the index has texts of {}", name(id)));
    return {};
  }

  Result<> links() {
    std::map<std::string, int> activities;  // by content and target
    storage::ShardQuery query;
    query.type = model::type::kActivity;
    query.limit = 100'000;
    CASTIEL_ASSIGN(const auto made, reader_.shards(query));
    for (const auto& shard : made) {
      CASTIEL_ASSIGN(const auto data, parse_json(shard.data));
      const auto& o = data.get_object();
      ++activities[fmt::format("{} -> {}", name(string_or(o.at("source").get_object(), "id")),
                               name(string_or(o.at("target").get_object(), "id")))];
      state(fmt::format("activity {}", with_names(shard.data, names_)));
    }
    storage::LinkQuery links;
    links.limit = 100'000;
    CASTIEL_ASSIGN(const auto found, reader_.links(links));
    for (const auto& link : found) {
      const std::string between = fmt::format("{} -> {}", name(link.from.str()), name(link.to.str()));
      if (between.find("nothing") != between.npos) fail("a link leads nowhere: " + between);
      const int n = activities[between];
      activities.erase(between);
      if (n != (link.status == "attached" ? 1 : 0))
        fail(fmt::format("{} is {} and has {} activities", between, link.status, n));
      if (link.status == "attached") probes_.hit("linked");
      state(fmt::format("link {} {} {} {} {}", between, link.status, link.strategy, link.confidence,
                        with_names(link.evidence, names_)));
    }
    for (const auto& [between, n] : activities) {
      if (n > 0) fail(fmt::format("{} has {} activities and no link", between, n));
    }
    return {};
  }

  void nothing_crosses_tenants() {
    const std::string& tenant = reader_.tenant().str();
    for (const auto* sql :
         {"SELECT tenant, title || text || locator FROM search_chunk",
          "SELECT tenant, reason || evidence FROM link", "SELECT tenant, key FROM footprint",
          "SELECT tenant, person || own FROM interaction"}) {
      for (const auto& row : rows_.query(sql)) {
        if (row[0] != tenant) continue;
        for (const auto& work : workload_.tenants) {
          if (work.tenant == tenant) continue;
          if (row[1].find(work.mark) != std::string::npos ||
              row[1].find(work.tenant + ".example") != std::string::npos)
            fail(fmt::format("has what belongs to {}: {}", work.tenant, row[1].substr(0, 120)));
        }
      }
    }
    for (const auto* sql :
         {"SELECT l.tenant, l.id FROM link l JOIN shard s ON s.id IN (l.from_id, l.to_id) WHERE "
          "s.tenant <> l.tenant",
          "SELECT c.tenant, c.id FROM search_chunk c JOIN shard s ON s.id = c.shard_id WHERE "
          "s.tenant <> c.tenant"}) {
      for (const auto& row : rows_.query(sql))
        fail(fmt::format("{} of {} is of two tenants", row[1], row[0]));
    }
  }

  const storage::Reader& reader_;
  Rows rows_;
  const Workload& workload_;
  const std::map<std::string, std::string>& names_;
  Probes& probes_;
  Verdict verdict_;
};

}  // namespace

std::string with_names(std::string_view text, const std::map<std::string, std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + kIdLength <= text.size() && is_id(text.substr(i, kIdLength))) {
      const auto it = names.find(std::string(text.substr(i, kIdLength)));
      out += it == names.end() ? "?" : it->second;
      i += kIdLength - 1;
    } else {
      out += text[i];
    }
  }
  return out;
}

Verdict examine_contents(const storage::Reader& reader, const std::string& path, const Workload& workload,
                         const std::map<std::string, std::string>& names, Probes& probes) {
  return ContentExaminer(reader, path, workload, names, probes).run();
}

}  // namespace castiel::sim
