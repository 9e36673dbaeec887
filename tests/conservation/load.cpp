#include "load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

namespace castiel::conservation {

namespace json = boost::json;
using namespace std::chrono_literals;
using functional::Path;

namespace {

constexpr auto kBetweenRequests = 100ms;
constexpr auto kPause = 20ms;
constexpr auto kLastAnswers = 20s;  // after the load was stopped
constexpr int kMostDeals = 150;     // in a file
constexpr const char* kHeader =
    "Id,Name,StageName,Amount,CurrencyIsoCode,CloseDate,CreatedDate,LastModifiedDate,Note__c\n";

}  // namespace

json::object asked(const Path& socket, const std::string& target, const functional::Ask& ask, int status) {
  const auto answer = functional::http(socket, target, ask);
  if (answer.status != status) return {};
  boost::system::error_code error;
  auto value = json::parse(answer.body, error);
  return !error && value.is_object() ? std::move(value.get_object()) : json::object();
}

Load::Load(LoadOptions options, Book& book)
    : options_(std::move(options)), book_(&book), random_(options_.seed) {}

int Load::below(int n) {
  return static_cast<int>(random_() % static_cast<std::uint64_t>(n));
}

std::string Load::token() {
  return fmt::format("{:016x}", random_());
}

std::string Load::deal_line(const std::string& tenant, int number, std::size_t version, Sending& sending) {
  const std::string amount =
      fmt::format("{}.{:02}", 1000 + below(90'000), 1 + below(99));  // never .00, which is stored without
  sending.field = "amount";
  sending.value = amount;
  sending.source = fmt::format(
      "{}{:012},Deal {} "
      "{},Proposal,{},EUR,2027-03-01,2026-01-01T10:00:00.000Z,2026-02-01T10:{:02}:00.000Z,{}",
      tenant, number, number, token(), amount, version, token());
  return sending.source;
}

Load::File Load::deals(const std::string& tenant) {
  File file;
  file.text = kHeader;
  const int count = 1 + below(kMostDeals), bad = below(3) == 0 ? below(count) : -1;
  for (int i = 0; i < count; ++i) {
    if (i == bad) {
      file.bad_line = fmt::format("{}{:012},{},too few", tenant, ++numbers_, token());
      file.text += file.bad_line + "\n";
    }
    Sending sending;
    file.text += deal_line(tenant, ++numbers_, 0, sending) + "\n";
    Key key{tenant, sending.source.substr(0, sending.source.find(','))};
    file.records.emplace_back(std::move(key), std::move(sending));
  }
  return file;
}

// Newer data of deals that were acknowledged.
Load::File Load::updates(const std::string& tenant) {
  File file;
  file.text = kHeader;
  std::vector<std::pair<Key, std::size_t>> known;
  book_->with([&](Book& book) {
    for (const auto& [key, record] : book.records) {
      if (key.tenant == tenant && record.type == "opportunity" && record.sendings.size() < 50 &&
          record.sendings.back().acknowledged)
        known.emplace_back(key, record.sendings.size());
    }
  });
  std::ranges::shuffle(known, random_);
  known.resize(std::min(known.size(), static_cast<std::size_t>(1 + below(40))));
  for (const auto& [key, version] : known) {
    Sending sending;
    file.text += deal_line(tenant, std::atoi(key.id.c_str() + tenant.size()), version, sending) + "\n";
    file.records.emplace_back(key, std::move(sending));
  }
  return file;
}

Load::File Load::mails(const std::string& tenant) {
  File file;
  file.mails = true;
  for (int i = 0, count = 1 + below(6); i < count; ++i) {
    const std::string id = fmt::format("{}.{}.{}@mail.example", tenant, ++numbers_, token()), say = token();
    Sending sending;
    sending.field = "bodyPlainText";
    sending.value = "Nothing but " + say;
    sending.source = fmt::format(
        "From: Ann <ann@customer.example>\nTo: Bob <bob@seller.example>\nSubject: {0}\nMessage-ID: "
        "<{1}>\nDate: "
        "Wed, 04 Feb 2026 10:00:00 +0000\nContent-Type: text/plain; charset=utf-8\n\n{2}\n",
        say, id, sending.value);
    file.records.emplace_back(Key{tenant, id}, std::move(sending));
  }
  return file;
}

void Load::write(File& file, const std::string& tenant) {
  const Path place = options_.folder / fmt::format("{}-{}", tenant, ++files_);
  if (!file.mails) {
    file.path = place.string() + ".csv";
    std::ofstream(file.path, std::ios::binary) << file.text;
    return;
  }
  file.path = place.string();
  std::filesystem::create_directories(place);
  for (std::size_t i = 0; i < file.records.size(); ++i)
    std::ofstream(place / fmt::format("{}.eml", i), std::ios::binary) << file.records[i].second.source;
}

// Sends the request until it is answered. What was sent is in the book before: it may arrive unanswered.
void Load::ask(const std::string& tenant, File& file, const std::stop_token& stop) {
  std::vector<std::size_t> places;
  book_->with([&](Book& book) {
    for (const auto& [key, sending] : file.records) {
      auto& record = book.records[key];
      record.type = file.mails ? "email" : "opportunity";
      places.push_back(record.sendings.size());
      record.sendings.push_back(sending);
    }
  });
  functional::Ask ask;
  ask.method = "POST";
  ask.body = json::serialize(json::object{{"paths", json::array{json::value(file.path)}}});
  ask.headers = fmt::format("Idempotency-Key: {}-{}\r\n", options_.seed, ++keys_);
  const int most = below(8) == 0 ? 1 : 1'000'000;
  std::optional<std::chrono::steady_clock::time_point> last;
  for (int requests = 1;; ++requests) {
    if (!file.bad_line.empty())
      book_->with([&](Book& book) { ++book.bad_lines[{tenant, file.bad_line}].requests; });
    const auto answer = asked(options_.socket, "/api/v1/imports?tenant=" + tenant, ask, 202);
    if (const auto* id = answer.if_contains("correlationId"); id != nullptr && id->is_string()) {
      book_->with([&](Book& book) {
        for (std::size_t i = 0; i < places.size(); ++i)
          book.records[file.records[i].first].sendings[places[i]].acknowledged = true;
        if (!file.bad_line.empty()) book.bad_lines[{tenant, file.bad_line}].acknowledged = true;
        Import import{tenant, file.path, std::string(id->get_string())};
        import.records = static_cast<std::int64_t>(file.records.size());
        import.bad_lines = file.bad_line.empty() ? 0 : 1;
        import.requests = requests;
        import.mails = file.mails;
        book.imports.push_back(std::move(import));
      });
      return;
    }
    if (stop.stop_requested() && !last) last = std::chrono::steady_clock::now() + kLastAnswers;
    if (requests >= most || (last && std::chrono::steady_clock::now() > *last)) {
      book_->with([&](Book& book) { ++book.unanswered; });
      return;
    }
    std::this_thread::sleep_for(kBetweenRequests);
  }
}

// How far the open imports are. What was told to be read stays so; and once all files are, nobody needs them.
void Load::watch() {
  auto open = book_->with([](Book& book) {
    std::vector<std::pair<std::size_t, Import>> found;
    for (std::size_t i = 0; i < book.imports.size(); ++i)
      if (!book.imports[i].done) found.emplace_back(i, book.imports[i]);
    return found;
  });
  for (auto& [place, import] : open) {
    const auto status = asked(options_.socket,
                              fmt::format("/api/v1/imports/{}?tenant={}", import.correlation, import.tenant));
    const auto* records = status.if_contains("records");
    if (records == nullptr || !status.contains("status")) continue;
    const auto read = records->at("read").to_number<std::int64_t>();
    const auto& files = status.at("files").as_object();
    const bool all = files.at("read").to_number<int>() + files.at("skipped").to_number<int>() ==
                     files.at("total").to_number<int>();
    const bool remove = all && !import.file_removed && below(4) == 0;
    if (remove) std::filesystem::remove_all(import.path);
    book_->with([&](Book& book) {
      auto& own = book.imports[place];
      if (read < own.read)
        book.broken.push_back(
            fmt::format("{} had read {} records, and now {}", own.correlation, own.read, read));
      own.read = read;
      own.file_removed = own.file_removed || remove;
      own.done = status.at("status") == "done";
    });
  }
}

void Load::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    watch();
    const auto open =
        book_->with([](Book& book) { return std::ranges::count(book.imports, false, &Import::done); });
    if (open >= options_.most_open) {
      std::this_thread::sleep_for(kPause);
      continue;
    }
    const auto& tenant =
        options_.tenants[static_cast<std::size_t>(below(static_cast<int>(options_.tenants.size())))];
    const int what = below(6);
    auto file = what == 0 ? mails(tenant) : what == 1 ? updates(tenant) : deals(tenant);
    if (file.records.empty()) continue;
    write(file, tenant);
    ask(tenant, file, stop);
  }
}

}  // namespace castiel::conservation
