#include "workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/json.hpp"

namespace castiel::sim {

namespace {

constexpr std::size_t kPage = 200;  // records of a page; a page is one message and dies as one

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

std::string time_text(std::int64_t seconds) {
  return to_string(Timestamp{seconds * 1'000'000});
}
std::string date_text(std::int64_t seconds) {
  return time_text(seconds).substr(0, 10);
}

template <class T>
const T& pick(SeededRandom& random, const std::vector<T>& from) {
  return from[random.below(from.size())];
}

class Maker {
 public:
  Maker(SeededRandom& random, Timestamp from, std::string tenant, bool mixed, bool small)
      : random_(random), from_(from), now_(from.micros / 1'000'000), mixed_(mixed), small_(small) {
    work_.tenant = std::move(tenant);
    work_.mark = "of-" + work_.tenant;
  }

  TenantWork make() {
    dated_ = random_.below(3) != 0;
    users_ = 1 + static_cast<int>(random_.below(3));
    accounts_ = 2 + static_cast<int>(random_.below(small_ ? 3 : 8));
    // Texts name a deal by its number; those of one digit are not taken for one.
    deals_ = 3 + static_cast<int>(random_.below(small_ ? 4 : 11));
    if (small_ && mixed_ && chance(2)) deals_ = 11;
    Wave first = full_export(0);
    std::optional<ContentMaker> contents;
    if (mixed_) {
      contents.emplace(random_, from_, work_.tenant, work_.mark, deals_);
      first.contents = contents->make("w0");
    }
    work_.waves.push_back(first);
    if (!small_ && random_.below(2) == 0) work_.waves.push_back(first);  // nothing new
    if (random_.below(4) != 0) {
      work_.waves.push_back(updated_export(1));
      if (contents) work_.waves.back().contents = contents->make("w1");
    }
    work_.waves.push_back(work_.waves.back());  // the last import always comes twice
    give_behaviours();
    return std::move(work_);
  }

 private:
  bool chance(int in) { return random_.below(static_cast<std::uint64_t>(in)) == 0; }
  std::int64_t past_time() {
    return now_ - 86'400 * 400 + static_cast<std::int64_t>(random_.below(86'400 * 390 / 2)) * 2;
  }  // even seconds

  File file(std::string path, std::string entity, std::vector<std::string> columns, bool dated) {
    File f{fmt::format("/{}/{}", work_.tenant, path),
           std::move(entity),
           path.ends_with("l"),
           dated,
           std::move(columns),
           {}};
    if (dated) f.columns.push_back("LastModifiedDate");
    return f;
  }
  void add(File& f, std::string key, std::vector<std::string> cells) {
    Row row{std::move(key), std::move(cells), 0, "", false};
    if (f.dated) {
      row.modified = past_time();
      row.cells.push_back(time_text(row.modified));
    }
    f.rows.push_back(std::move(row));
  }

  Wave full_export(int wave) {
    Wave result;
    const std::string folder = fmt::format("w{}", wave);
    auto users = file(folder + "/users.csv", "user", {"Id", "Name", "Email", "Title"}, false);
    for (int i = 0; i < users_; ++i) {
      add(users, fmt::format("U{}", i),
          {fmt::format("U{}", i), fmt::format("Person {} {}", i, work_.mark),
           fmt::format("p{}@{}.example", i, work_.tenant), "Rep"});
    }
    result.files.push_back(std::move(users));

    auto accounts = file(folder + "/accounts.csv", "account", {"Id", "Name", "Industry", "OwnerId"}, dated_);
    for (int i = 0; i < accounts_; ++i) {
      add(accounts, fmt::format("A{}", i),
          {fmt::format("A{}", i), fmt::format("Company {} {}", i * 1117, work_.mark),
           pick(random_, industries_), owner()});
    }
    result.files.push_back(std::move(accounts));

    if (chance(2)) {
      auto products = file(folder + "/products.jsonl", "product", {"Id", "Name", "ProductCode"}, false);
      for (int i = 0; i < 3; ++i)
        add(products, fmt::format("P{}", i),
            {fmt::format("P{}", i), fmt::format("Thing {} {}", i * 7919, work_.mark),
             fmt::format("T-{}", i)});
      result.files.push_back(std::move(products));
    }

    const int parts = 1 + static_cast<int>(random_.below(3));
    int next = 0;
    for (int part = 0; part < parts; ++part) {
      const bool json = chance(3);
      auto deals = file(fmt::format("{}/opportunities_{}.{}", folder, part, json ? "jsonl" : "csv"),
                        "opportunity", kDeal, dated_);
      const int until = part + 1 == parts ? deals_ : deals_ * (part + 1) / parts;
      for (; next < until; ++next) add_deal(deals, next);
      disturb(deals, result);
      if (!deals.rows.empty()) result.files.push_back(std::move(deals));
    }
    if (chance(60)) result.files.push_back(large_file(folder));
    if (chance(2)) result.files.push_back(history(folder));
    return result;
  }

  // A later export: some deals moved on, some files as before, some in an older state.
  Wave updated_export(int wave) {
    Wave result;
    const std::string folder = fmt::format("w{}", wave);
    for (auto f : work_.waves.front().files) {
      if (f.entity == "opportunity_change") continue;
      f.path = fmt::format("/{}/{}/{}", work_.tenant, folder, f.path.substr(f.path.rfind('/') + 1));
      std::erase_if(f.rows, [](const Row& r) { return r.lost; });
      for (auto& row : f.rows) {
        if (f.entity == "opportunity" && chance(3)) {
          row.cells[4] = pick(random_, stages_);
          row.cells[5] = std::to_string(1000 + random_.below(90'000));
        }
        if (f.entity == "account" && chance(4)) row.cells[2] = pick(random_, industries_);
        if (f.dated && chance(2)) {
          row.modified = past_time();  // may be before what is known: then it must not win
          row.cells.back() = time_text(row.modified);
        }
      }
      if (chance(6)) continue;
      result.files.push_back(std::move(f));
    }
    if (result.files.empty()) {
      result.files.push_back(work_.waves.front().files.front());
      result.files.back().path = fmt::format("/{}/{}/users.csv", work_.tenant, folder);
    }
    if (chance(2)) result.files.push_back(history(folder));
    return result;
  }

  void add_deal(File& f, int i) {
    // Some amounts and dates cannot be read; the record is kept all the same.
    std::string amount = chance(15) ? "soon" : fmt::format("{}", 1000 + random_.below(90'000));
    std::string close =
        chance(15) ? "whenever" : date_text(now_ + static_cast<std::int64_t>(random_.below(86'400 * 90)));
    const std::string account =
        chance(8) ? fmt::format("A{}", accounts_ + 3)
                  : fmt::format("A{}", random_.below(static_cast<std::uint64_t>(accounts_)));
    add(f, fmt::format("OPP-{}", i),
        {fmt::format("OPP-{}", i), fmt::format("Deal {}, {}", i, work_.mark), account, owner(),
         pick(random_, stages_), amount, close});
  }

  // The same keys once more in one file or across files: same content, other content, other versions. And
  // lines that are broken.
  void disturb(File& f, const Wave& before) {
    std::vector<Row> others;
    for (const auto& earlier : before.files) {
      if (earlier.entity == "opportunity" && earlier.dated == f.dated)
        others.insert(others.end(), earlier.rows.begin(), earlier.rows.end());
    }
    others.insert(others.end(), f.rows.begin(), f.rows.end());
    std::erase_if(others, [](const Row& r) { return r.lost; });
    for (int i = 0; i < 4 && !others.empty(); ++i) {
      if (!chance(2)) continue;
      Row again = pick(random_, others);
      if (chance(2)) again.cells[4] = pick(random_, stages_);
      if (f.dated && chance(2)) {
        again.modified = past_time();
        again.cells.back() = time_text(again.modified);
      }
      f.rows.insert(f.rows.begin() + static_cast<std::ptrdiff_t>(random_.below(f.rows.size() + 1)),
                    std::move(again));
    }
    if (!f.json && f.rows.size() > 3 && chance(4)) {
      f.rows.insert(f.rows.begin() + static_cast<std::ptrdiff_t>(random_.below(f.rows.size())),
                    Row{"", {"broken", work_.mark}, 0, "wrong_field_count", true});
    }
  }

  File large_file(const std::string& folder) {
    auto f = file(folder + "/opportunities_9.csv", "opportunity", kDeal, dated_);
    for (int i = 0; i < 230; ++i) add_deal(f, 1000 + i);
    return f;
  }

  File history(const std::string& folder) {
    auto f = file(folder + "/opportunity_history.csv", "opportunity_change",
                  {"Id", "OpportunityId", "Field", "OldValue", "NewValue", "CreatedDate"}, false);
    const int n = 2 + static_cast<int>(random_.below(10));
    for (int i = 0; i < n; ++i) {
      const std::string id = fmt::format("H{}-{}", folder, i);
      const std::string deal = fmt::format("OPP-{}", random_.below(static_cast<std::uint64_t>(deals_) + 2));
      const std::string when = time_text(past_time() + 1);  // odd seconds: never the time of a record
      Row row{id,
              {id, deal, "StageName", pick(random_, stages_) + " " + work_.mark,
               pick(random_, stages_) + " " + work_.mark, when},
              0,
              "",
              false};
      if (chance(12)) {
        row.cells[1].clear();
        row.dead = "missing_id";
      } else if (chance(12)) {
        row.cells[5].clear();
        row.dead = "invalid_time";
      }
      f.rows.push_back(std::move(row));
    }
    return f;
  }

  void give_behaviours() {
    std::vector<std::string> keys;
    for (const auto& f : work_.waves.front().files) {
      for (const auto& row : f.rows) {
        if (!row.lost && f.entity == "opportunity") keys.push_back(row.key);
      }
    }
    for (const auto& wave : work_.waves) {
      for (const auto& f : wave.contents.files) {
        for (const auto& r : f.records) {
          keys.push_back(r.key);
          for (const auto& a : r.attachments) keys.push_back(a.key);
        }
      }
    }
    if (keys.empty()) return;
    const auto give = [&](Behaviour b) { work_.behaviours.try_emplace(pick(random_, keys), b); };
    for (int i = 0; i < 3; ++i) {
      if (chance(2)) give({Behaviour::Kind::flaky, 1 + static_cast<int>(random_.below(2))});
    }
    if (chance(3)) give({Behaviour::Kind::hopeless, 0});
    if (chance(4)) give({Behaviour::Kind::deadly, 1 + static_cast<int>(random_.below(2))});
    if (mixed_ && chance(3)) give({Behaviour::Kind::hopeless, 0});
    if (mixed_ && chance(8)) give({Behaviour::Kind::deadly_for_ever, 0});
    if (chance(8) && accounts_ > 2)
      work_.behaviours.try_emplace("A0", Behaviour{Behaviour::Kind::deadly_for_ever, 0});
  }

  std::string owner() { return fmt::format("U{}", random_.below(static_cast<std::uint64_t>(users_) + 1)); }

  inline static const std::vector<std::string> kDeal{"Id",        "Name",   "AccountId", "OwnerId",
                                                     "StageName", "Amount", "CloseDate"};
  inline static const std::vector<std::string> stages_{"Prospecting", "Qualification", "Proposal",
                                                       "Negotiation", "Closed Won",    "Closed Lost"};
  inline static const std::vector<std::string> industries_{"Energy", "Retail", "Finance", "Health"};

  SeededRandom& random_;
  Timestamp from_;
  std::int64_t now_;
  bool mixed_, small_;
  TenantWork work_;
  bool dated_ = true;
  int users_ = 0, accounts_ = 0, deals_ = 0;
};

}  // namespace

std::string File::line_of(const Row& row) const {
  if (json && !row.lost) {
    json::object object;
    for (std::size_t i = 0; i < columns.size() && i < row.cells.size(); ++i)
      object[columns[i]] = row.cells[i];
    return json::serialize(object);
  }
  std::string line;
  for (std::size_t i = 0; i < row.cells.size(); ++i) line += (i > 0 ? "," : "") + csv_field(row.cells[i]);
  return line;
}

std::string File::text() const {
  std::string out;
  if (!json) {
    for (std::size_t i = 0; i < columns.size(); ++i) out += (i > 0 ? "," : "") + columns[i];
    out += '\n';
  }
  for (const auto& row : rows) out += line_of(row) + '\n';
  return out;
}

std::int64_t Workload::records() const {
  std::int64_t n = 0;
  for (const auto& t : tenants) {
    for (const auto& w : t.waves) {
      for (const auto& f : w.files) n += static_cast<std::int64_t>(f.rows.size());
      for (const auto& f : w.contents.files) n += static_cast<std::int64_t>(f.records.size());
    }
  }
  return n;
}

Workload make_workload(SeededRandom& random, Timestamp from, bool small) {
  Workload workload;
  const std::size_t tenants = 2 + (small ? 0 : random.below(2));
  workload.mixed = random.below(small ? 3 : 2) == 0;
  for (std::size_t i = 0; i < tenants; ++i)
    workload.tenants.push_back(Maker(random, from, fmt::format("t{}", i), workload.mixed, small).make());
  return workload;
}

namespace {

// What comes of a wave's mails, calls, entries and documents.
class ContentModel {
 public:
  ContentModel(const TenantWork& work, Expected& expected) : work_(&work), expected_(&expected) {}

  void read(const Contents& contents, ExpectedWave& wave, std::int64_t wave_number) {
    wave_ = &wave;
    now_ = 1'000'000'000'000 + wave_number;
    for (const auto& file : contents.files) {
      if (!done_.insert(file.kind + file.bytes).second) continue;
      for (const auto& record : file.records) {
        ++wave.read;
        const auto code = death(record);
        if (!code.empty()) {
          ++wave.dead;
          continue;
        }
        ++wave.mapped;
        place(record);
      }
    }
  }

 private:
  std::string death(const ContentRecord& record) {
    const auto it = work_->behaviours.find(record.key);
    if (it == work_->behaviours.end()) return {};
    const std::string code = it->second.kind == Behaviour::Kind::hopeless          ? "dependency_failed"
                             : it->second.kind == Behaviour::Kind::deadly_for_ever ? "crashed"
                                                                                   : "";
    if (!code.empty()) ++wave_->dead_codes[code];
    return code;
  }
  void place(const ContentRecord& record) {
    const std::int64_t rank = record.rank == 0 ? now_ : record.rank;
    auto [it, fresh] = expected_->shards.try_emplace({record.type, record.key});
    auto& shard = it->second;
    if (!fresh && (shard.content == record.content || rank <= shard.rank)) return;
    ++(fresh ? wave_->created : wave_->updated);
    ++shard.version;
    shard.content = record.content;
    shard.rank = rank;
    shard.fields.clear();
    if (!record.field.empty()) shard.fields[record.field] = record.value;
    for (const auto& a : record.attachments) {
      if (death(a).empty()) place(a);
    }
  }

  const TenantWork* work_;
  Expected* expected_;
  ExpectedWave* wave_ = nullptr;
  std::int64_t now_ = 0;
  std::set<std::string> done_;  // ways of reading and bytes
};

}  // namespace

Expected expect(const TenantWork& work) {
  Expected expected;
  ContentModel contents(work, expected);
  std::set<std::string> files_done;  // undated files whose bytes were read before are passed over
  for (std::size_t w = 0; w < work.waves.size(); ++w) {
    ExpectedWave wave;
    const auto bury = [&](const std::string& code, std::int64_t n) {
      wave.dead += n;
      wave.dead_codes[code] += n;
    };
    for (const auto& file : work.waves[w].files) {
      if (!file.dated && !files_done.insert(file.text()).second) continue;
      for (std::size_t page = 0; page < file.rows.size(); page += kPage) {
        const auto begin = file.rows.begin() + static_cast<std::ptrdiff_t>(page);
        const auto end =
            file.rows.begin() + static_cast<std::ptrdiff_t>(std::min(file.rows.size(), page + kPage));
        for (auto row = begin; row != end; ++row) {
          ++wave.read;
          // A page that the process died with is taken apart: only the record that kills ends for it.
          const auto behaviour = work.behaviours.find(row->key);
          const bool deadly = behaviour != work.behaviours.end() &&
                              behaviour->second.kind == Behaviour::Kind::deadly_for_ever;
          if (row->lost || (!row->dead.empty() && !deadly)) {
            bury(row->dead, 1);
            continue;
          }
          if (deadly) {
            bury("crashed", 1);
            continue;
          }
          if (const auto it = work.behaviours.find(row->key);
              it != work.behaviours.end() && it->second.kind == Behaviour::Kind::hopeless) {
            bury("dependency_failed", 1);
            continue;
          }
          if (file.entity == "opportunity_change") {
            expected.past_changes.insert(
                fmt::format("{}|{}|stage|{}", row->cells[1], row->cells[5], row->cells[4]));
            ++wave.mapped;
            continue;
          }
          std::string content;
          for (std::size_t i = 0; i < row->cells.size() - (file.dated ? 1 : 0); ++i)
            content += row->cells[i] + "|";
          const std::int64_t rank =
              file.dated ? row->modified : 1'000'000'000'000 + static_cast<std::int64_t>(w);
          auto [it, fresh] = expected.shards.try_emplace({file.entity, row->key});
          auto& shard = it->second;
          if (!fresh && (shard.content == content || rank < shard.rank)) {
            ++wave.mapped;
            continue;
          }
          if (!fresh && rank == shard.rank) {
            bury("key_collision", 1);
            continue;
          }
          ++wave.mapped;
          ++(fresh ? wave.created : wave.updated);
          ++shard.version;
          shard.content = std::move(content);
          shard.rank = rank;
          shard.fields = {{"name", row->cells[1]}};
          if (file.entity == "opportunity") shard.fields["stage"] = row->cells[4];
          if (file.entity == "account") shard.fields["industry"] = row->cells[2];
        }
      }
    }
    contents.read(work.waves[w].contents, wave, static_cast<std::int64_t>(w));
    expected.waves.push_back(std::move(wave));
  }
  return expected;
}

}  // namespace castiel::sim
