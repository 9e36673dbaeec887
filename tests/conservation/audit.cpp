#include "audit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <thread>

#include "load.hpp"

namespace castiel::conservation {

namespace json = boost::json;
using namespace std::chrono_literals;
using functional::Path;

namespace {

constexpr auto kBetween = 300ms;

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// Nothing when a page has no answer.
std::optional<std::vector<json::object>> all_of(const Path& socket, const std::string& target) {
  std::vector<json::object> all;
  std::string cursor;
  do {
    auto page = asked(socket, target + "&limit=500" + (cursor.empty() ? "" : "&cursor=" + cursor));
    if (!page.contains("items")) return std::nullopt;
    for (auto& item : page.at("items").as_array()) all.push_back(std::move(item.as_object()));
    cursor = text_of(page, "next");
  } while (!cursor.empty());
  return all;
}

class Auditor {
 public:
  Auditor(const Path& socket, Book& book) : socket_(socket), book_(book) {}

  Audit look(const std::vector<std::string>& tenants) {
    for (const auto& broken : book_.broken) found_.problems.push_back(broken);
    for (const auto& tenant : tenants) {
      imports(tenant);
      letters(tenant);
      shards(tenant);
      reconciliation(tenant);
    }
    bad_lines();
    return std::move(found_);
  }

 private:
  template <typename... Words>
  void wrong(fmt::format_string<Words...> words, Words&&... rest) {
    found_.problems.push_back(fmt::format(words, std::forward<Words>(rest)...));
  }

  // Each import that was accepted ends, and its account of itself adds up.
  void imports(const std::string& tenant) {
    for (auto& import : book_.imports) {
      if (import.tenant != tenant) continue;
      ++found_.imports;
      const auto status =
          asked(socket_, fmt::format("/api/v1/imports/{}?tenant={}", import.correlation, tenant));
      const auto state = text_of(status, "status");
      if (state != "done") {
        ++found_.unfinished;
        wrong("import {} of {} is {}", import.correlation, import.path, state.empty() ? "not known" : state);
        continue;
      }
      import.done = true;
      // Asked for twice, files of mails may have been skipped the second time.
      if (import.requests > 1 && import.mails) continue;
      std::int64_t effects = 0;
      for (const auto& [type, counts] : status.at("shards").as_object())
        for (const auto& [what, count] : counts.as_object()) effects += count.to_number<std::int64_t>();
      const auto& records = status.at("records").as_object();
      const auto told = [&](const char* name) { return records.at(name).to_number<std::int64_t>(); };
      if (told("read") != import.records + import.bad_lines || told("mapped") != import.records ||
          told("deadLettered") + told("quarantined") != import.bad_lines || effects != import.records)
        wrong("import {} of {} with {} records and {} bad lines accounts for {} and {} effects",
              import.correlation, import.path, import.records, import.bad_lines, json::serialize(records),
              effects);
    }
  }

  void letters(const std::string& tenant) {
    for (const std::string place : {"dlq", "quarantine"}) {
      const auto list = all_of(socket_, fmt::format("/api/v1/{}?tenant={}", place, tenant));
      if (!list) return wrong("the {} of {} does not answer", place, tenant);
      for (const auto& item : *list) {
        const auto letter =
            asked(socket_, fmt::format("/api/v1/{}/{}?tenant={}", place, text_of(item, "id"), tenant));
        const auto payload = text_of(letter, "payload");
        ++found_.letters;
        if (place == "dlq" && book_.bad_lines.contains({tenant, payload})) {
          ++bad_[{tenant, payload}];
          continue;
        }
        ++found_.others;
        bool known = false;
        for (const auto& [key, record] : book_.records) {
          if (key.tenant != tenant || payload.find(key.id) == std::string::npos) continue;
          known = true;
          lettered_.insert(key);
        }
        if (!known) wrong("letter of nobody: {} {}", text_of(item, "code"), payload.substr(0, 300));
      }
    }
  }

  void shards(const std::string& tenant) {
    const auto list = all_of(socket_, fmt::format("/api/v1/shards?tenant={}&deleted=true", tenant));
    if (!list) return wrong("the shards of {} do not answer", tenant);
    std::set<Key> seen;
    for (const auto& shard : *list) {
      ++found_.stored;
      const Key key{tenant, text_of(shard, "externalId")};
      const auto it = book_.records.find(key);
      if (it == book_.records.end() || it->second.type != text_of(shard, "type") ||
          text_of(shard, "tenant") != tenant) {
        wrong("invented: {}", json::serialize(shard).substr(0, 400));
      } else if (!seen.insert(key).second) {
        wrong("twice: {}", json::serialize(shard).substr(0, 400));
      } else {
        compare(key, it->second, shard);
      }
    }
    for (const auto& [key, record] : book_.records) {
      if (key.tenant != tenant) continue;
      const bool owed = std::ranges::any_of(record.sendings, &Sending::acknowledged);
      ++(owed ? found_.owed : found_.doubtful);
      if (owed && !seen.contains(key) && !lettered_.contains(key)) wrong("lost: {} {}", record.type, key.id);
    }
  }

  void compare(const Key& key, const Record& record, const json::object& shard) {
    const auto source = text_of(shard.at("source").as_object(), "text");
    std::size_t newest_owed = 0;
    std::optional<std::size_t> which;
    for (std::size_t i = 0; i < record.sendings.size(); ++i) {
      if (record.sendings[i].acknowledged) newest_owed = i;
      const auto& sent = record.sendings[i].source;
      if (record.type == "email" ? source.find(json::serialize(json::value(sent))) != std::string::npos
                                 : source == sent)
        which = i;
    }
    if (!which) {
      wrong("other bytes: {} has {}", key.id, source);
    } else if (*which < newest_owed && !lettered_.contains(key)) {
      wrong("lost: {} was sent {} times, stored is {}, acknowledged {}", key.id, record.sendings.size(),
            *which, newest_owed);
    } else {
      const auto& sending = record.sendings[*which];
      const auto value = text_of(shard.at("data").as_object(), sending.field);
      if (value != sending.value)
        wrong("other data: {} {} is {} for {}", key.id, sending.field, value, sending.value);
    }
    const auto version = shard.at("version").to_number<std::int64_t>();
    if (version < 1 || version > static_cast<std::int64_t>(record.sendings.size()))
      wrong("twice: {} was sent {} times and has version {}", key.id, record.sendings.size(), version);
    if (version > 1) history(key, shard, version);
  }

  // A change of the amount for each version but the first, each once.
  void history(const Key& key, const json::object& shard, std::int64_t version) {
    const auto changes =
        all_of(socket_, fmt::format("/api/v1/shards/{}/history?tenant={}", text_of(shard, "id"), key.tenant));
    if (!changes) return wrong("the history of {} does not answer", key.id);
    std::multiset<std::string> values;
    for (const auto& change : *changes)
      if (text_of(change, "field") == "amount") values.insert(json::serialize(change.at("to")));
    const std::set<std::string> distinct(values.begin(), values.end());
    if (distinct.size() != values.size() || static_cast<std::int64_t>(values.size()) >= version)
      wrong("twice: the history of {}, version {}, has {} amounts, {} of them distinct", key.id, version,
            values.size(), distinct.size());
  }

  void reconciliation(const std::string& tenant) {
    functional::Ask ask;
    ask.method = "POST";
    const auto answer = asked(socket_, "/api/v1/reconcile?tenant=" + tenant, ask);
    const auto* drift = answer.if_contains("drift");
    if (drift == nullptr) return wrong("no reconciliation of {}", tenant);
    if (drift->to_number<std::int64_t>() != 0 || answer.at("waiting").to_number<std::int64_t>() != 0)
      wrong("reconciliation of {}: {}", tenant, json::serialize(answer).substr(0, 1500));
  }

  void bad_lines() {
    for (const auto& [key, line] : book_.bad_lines) {
      const int letters = bad_[key];
      if (line.acknowledged && letters == 0) wrong("lost: the bad line {}", key.id);
      if (letters > std::max(line.requests, 1))
        wrong("twice: {} letters of the bad line {}", letters, key.id);
    }
  }

  Path socket_;
  Book& book_;
  Audit found_;
  std::map<Key, int> bad_;
  std::set<Key> lettered_;
};

}  // namespace

Audit audit(const Path& socket, Book& book, const std::vector<std::string>& tenants) {
  return book.with([&](Book& held) { return Auditor(socket, held).look(tenants); });
}

Audit settle(const Path& socket, Book& book, const std::vector<std::string>& tenants,
             functional::Millis limit) {
  const auto over = std::chrono::steady_clock::now() + limit;
  const auto all_done = [&] {
    return book.with([&](Book& held) {
      return std::ranges::all_of(held.imports, [&](Import& import) {
        if (import.done) return true;
        const auto status =
            asked(socket, fmt::format("/api/v1/imports/{}?tenant={}", import.correlation, import.tenant));
        import.done = text_of(status, "status") == "done";
        return import.done;
      });
    });
  };
  while (!all_done() && std::chrono::steady_clock::now() < over) std::this_thread::sleep_for(kBetween);
  for (;;) {
    auto found = audit(socket, book, tenants);
    if (found.problems.empty() || std::chrono::steady_clock::now() >= over) return found;
    std::this_thread::sleep_for(kBetween);
  }
}

}  // namespace castiel::conservation
