#include "intelligence/deal_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <list>
#include <mutex>

#include "intelligence/impl/book.hpp"
#include "intelligence/render.hpp"

namespace castiel::intelligence {
namespace {

constexpr auto kLongestReuse = std::chrono::seconds(30);
constexpr int kReuseFactor = 10;  // making books takes at most a tenth of the time while an import runs

std::string fingerprint(const BookOptions& o) {
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", fmt::join(o.mail_domains, ","), o.currency,
                     o.rates_text, o.fiscal_start_month, o.simulations, fmt::join(o.stage_order, "\n"),
                     fmt::join(o.risk.disabled, "\n"), o.risk.silence_warn_days, o.risk.silence_risk_days,
                     o.risk.enough_won, o.stale_days, o.risk.push_warn_days, o.risk.amount_cut);
}

Result<bool> import_runs(const storage::Reader& reader) {
  constexpr std::size_t kNewest = 4;
  CASTIEL_ASSIGN(const auto runs, reader.import_runs(kNewest));
  return std::ranges::any_of(runs, [](const auto& run) { return run.status == "running"; });
}

}  // namespace

struct DealBook::Impl {
  // What a book was asked for; the version says which data it was made from.
  struct Request {
    TenantId tenant;
    std::optional<Date> as_of;
    Date today;
    std::string options;
    bool operator==(const Request&) const = default;
  };
  struct Entry {
    Request request;
    std::int64_t version = 0;
    bool done = false;
    std::shared_ptr<const Book> book;
    Error error;
    Duration made_at{0}, cost{0};
    std::uint64_t used = 0;
  };

  const Clock& clock;
  OptionsOf options_of;
  std::mutex mutex;
  std::condition_variable changed;
  std::list<std::shared_ptr<Entry>> entries;
  std::uint64_t uses = 0;
  std::map<TenantId, std::shared_ptr<impl::EngagementStore>> stores;

  std::shared_ptr<impl::EngagementStore> store_of(const TenantId& tenant) {
    std::lock_guard lock(mutex);
    auto& store = stores[tenant];
    if (store == nullptr) store = std::make_shared<impl::EngagementStore>();
    return store;
  }

  Impl(const Clock& c, OptionsOf o) : clock(c), options_of(std::move(o)) {}

  // Older data of the same request is of no use any more; beyond that the least recently used go.
  void evict(const Entry& fresh) {
    entries.remove_if(
        [&](const auto& e) { return e->done && e->request == fresh.request && e->version < fresh.version; });
    for (;;) {
      std::size_t deals = 0, books = 0;
      auto oldest = entries.end();
      for (auto it = entries.begin(); it != entries.end(); ++it) {
        if (!(*it)->done) continue;
        ++books;
        deals += (*it)->book->deals.size();
        if (it->get() != &fresh && (oldest == entries.end() || (*it)->used < (*oldest)->used)) oldest = it;
      }
      if ((books <= kMaxBooks && deals <= kMaxDealsKept) || oldest == entries.end()) return;
      entries.erase(oldest);
    }
  }
};

DealBook::DealBook(const Clock& clock, OptionsOf options_of)
    : impl_(std::make_unique<Impl>(clock, std::move(options_of))) {}
DealBook::~DealBook() = default;

Result<std::shared_ptr<const Book>> DealBook::open(const storage::Reader& reader, std::optional<Date> as_of,
                                                   Freshness freshness) {
  const Timestamp now = impl_->clock.now();
  CASTIEL_ASSIGN(const auto version, reader.data_version());
  const BookOptions options = impl_->options_of ? impl_->options_of(reader) : BookOptions{};
  const Impl::Request request{reader.tenant(), as_of, date_of(now), fingerprint(options)};
  bool reuse = false;
  if (freshness == Freshness::relaxed) {
    CASTIEL_ASSIGN(reuse, import_runs(reader));
  }
  std::unique_lock lock(impl_->mutex);
  const auto wanted = [&](const auto& entry) {
    return entry->request == request && entry->version == version;
  };
  if (const auto found = std::ranges::find_if(impl_->entries, wanted); found != impl_->entries.end()) {
    const auto kept = *found;  // stays when another thread evicts it
    impl_->changed.wait(lock, [&] { return kept->done || !kept->error.code.empty(); });
    if (!kept->done) return std::unexpected(kept->error);
    kept->used = ++impl_->uses;
    return kept->book;
  }
  for (const auto& entry : impl_->entries) {
    if (!reuse || !entry->done || entry->request != request) continue;
    const Duration age = impl_->clock.monotonic() - entry->made_at;
    if (age < std::min<Duration>(kLongestReuse, entry->cost * kReuseFactor)) return entry->book;
  }
  const auto entry = std::make_shared<Impl::Entry>();
  entry->request = request;
  entry->version = version;
  impl_->entries.push_back(entry);
  lock.unlock();

  const Duration start = impl_->clock.monotonic();
  Result<std::shared_ptr<const Book>> made = permanent("internal", "the deals could not be read");
  try {
    auto loaded = impl::load(reader);
    auto linked =
        loaded ? impl_->store_of(reader.tenant())->load(reader, loaded->deals, as_of, options.mail_domains)
               : Result<impl::Engagements>(std::unexpected(loaded.error()));
    if (linked) {
      made = std::make_shared<const Book>(std::move(*loaded), std::move(*linked), as_of, now, options);
    } else {
      made = std::unexpected(std::move(linked.error()));
    }
  } catch (const std::bad_alloc&) {
    made = transient("out_of_memory", "there is not enough memory for the tenant's deals");
  }
  lock.lock();
  if (!made) {
    entry->error = made.error();
    impl_->entries.remove(entry);
  } else {
    entry->book = *made;
    entry->done = true;
    entry->made_at = impl_->clock.monotonic();
    entry->cost = entry->made_at - start;
    entry->used = ++impl_->uses;
    impl_->evict(*entry);
  }
  impl_->changed.notify_all();
  return made;
}

Result<json::object> DealBook::overview(const storage::Reader& reader, std::optional<Date> as_of,
                                        Freshness freshness) {
  constexpr std::size_t kChanges = 20;
  CASTIEL_ASSIGN(const auto book, open(reader, as_of, freshness));
  CASTIEL_ASSIGN(auto forecast, book->forecast({}, GroupBy::none));
  CASTIEL_ASSIGN(auto changes, impl::recent_changes_json(reader, *book, kChanges));
  return impl::overview_json(reader, *book, std::move(forecast), std::move(changes));
}

Result<json::object> DealBook::deals(const storage::Reader& reader, const DealQuery& query,
                                     Freshness freshness) {
  CASTIEL_ASSIGN(const auto book, open(reader, query.as_of, freshness));
  return impl::deals_json(*book, query);
}

Result<json::object> DealBook::deal(const storage::Reader& reader, const ShardId& id,
                                    std::optional<Date> as_of, Freshness freshness) {
  CASTIEL_ASSIGN(auto shard, reader.shard(id));
  CASTIEL_ASSIGN(auto book, open(reader, as_of, freshness));
  const Deal* deal = shard ? book->find(id) : nullptr;
  if (shard && deal == nullptr && freshness == Freshness::relaxed) {  // it came after the book was made
    CASTIEL_ASSIGN(book, open(reader, as_of, Freshness::exact));
    deal = book->find(id);
  }
  if (deal == nullptr) return permanent("not_found", fmt::format("there is no deal {}", id.str()));
  const Evaluation evaluation = book->evaluate(*deal);
  if (!evaluation.view.exists) {
    return permanent("not_found",
                     fmt::format("deal {} did not exist at {}", id.str(), to_string(book->as_of.as_of)));
  }
  auto result = deal_detail_json(evaluation, book->model.facts());
  result["asOf"] = to_string(book->as_of.as_of);
  result["asOfReason"] = book->as_of.reason;
  CASTIEL_ASSIGN(result["data"], parse_json(shard->data));
  json::object source{{"file", nullptr}, {"line", nullptr}};
  if (const auto origin = parse_json(shard->origin); origin && origin->is_object()) {
    for (const auto& member : origin->get_object()) source[member.key()] = member.value();
  }
  source["integration"] = shard->key.integration;
  source["correlationId"] = shard->correlation.str();
  result["source"] = std::move(source);
  return result;
}

Result<json::object> DealBook::timeline(const storage::Reader& reader, const ShardId& id,
                                        std::string_view cursor, std::size_t limit) {
  return impl::timeline_json(reader, id, cursor, limit);
}

Result<json::object> DealBook::forecast(const storage::Reader& reader, const ForecastQuery& query,
                                        Freshness freshness) {
  CASTIEL_ASSIGN(const auto book, open(reader, query.as_of, freshness));
  return book->forecast(query.period, query.by);
}

void DealBook::forget(const TenantId& tenant) {
  std::lock_guard lock(impl_->mutex);
  impl_->entries.remove_if([&](const auto& e) { return e->done && e->request.tenant == tenant; });
  impl_->stores.erase(tenant);
}

Result<json::object> DealBook::backtest(const storage::Reader& reader) {
  CASTIEL_ASSIGN(const auto book, open(reader));
  return book->backtest();
}

}  // namespace castiel::intelligence
