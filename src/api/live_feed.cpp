#include "api/live_feed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <thread>

#include "api/impl/calls.hpp"
#include "base/digest.hpp"
#include "sync/import_job.hpp"

namespace castiel::api {

struct LiveFeed::Impl {
  struct Subscriber {
    TenantId tenant;
    std::shared_ptr<http::EventStream> stream;
    // What it was told last.
    std::int64_t data_version = -1;
    std::map<CorrelationId, std::uint64_t> imports;
    std::uint64_t queues = 0;
    Duration pinged{0};
  };

  Impl(Services& s, telemetry::Log l) : services(s), log(std::move(l)) {}

  Result<> look(Subscriber& subscriber, const std::string& queues, std::uint64_t queues_hash, Duration now);
  Result<> look_at_imports(Subscriber& subscriber, const storage::Reader& reader);

  Services& services;
  telemetry::Log log;
  std::mutex polling;  // one look at a time; taken before `mutex`
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  std::thread thread;
};

LiveFeed::LiveFeed(Services& services, telemetry::Log log)
    : impl_(std::make_unique<Impl>(services, std::move(log))) {}
LiveFeed::~LiveFeed() {
  stop();
}

void LiveFeed::start() {
  impl_->thread = std::thread([this] {
    std::unique_lock lock(impl_->mutex);
    while (!impl_->stopping) {
      // Silent while nobody listens.
      impl_->wake.wait(lock, [this] { return impl_->stopping || !impl_->subscribers.empty(); });
      if (impl_->stopping) return;
      lock.unlock();
      poll();
      lock.lock();
      impl_->wake.wait_for(lock, kInterval, [this] { return impl_->stopping; });
    }
  });
}

void LiveFeed::stop() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    for (const auto& s : impl_->subscribers) s->stream->close();
    impl_->subscribers.clear();
  }
  impl_->wake.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

Result<std::shared_ptr<http::EventStream>> LiveFeed::subscribe(const TenantId& tenant) {
  CASTIEL_ASSIGN(const bool exists, impl_->services.store.tenant_exists(tenant));
  if (!exists) return permanent("unknown_tenant", fmt::format("there is no tenant '{}'", tenant.str()));
  auto subscriber = std::make_shared<Impl::Subscriber>();
  subscriber->tenant = tenant;
  subscriber->stream = std::make_shared<http::EventStream>();
  subscriber->pinged = impl_->services.clock.monotonic();
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return transient("stopping", "the server is stopping");
    std::erase_if(impl_->subscribers, [](const auto& s) { return s->stream->closed(); });
    if (impl_->subscribers.size() >= kMaxSubscribers) {
      return transient("too_many_streams", fmt::format("{} live streams are open already", kMaxSubscribers));
    }
    impl_->subscribers.push_back(subscriber);
  }
  impl_->wake.notify_all();
  return subscriber->stream;
}

Result<> LiveFeed::Impl::look_at_imports(Subscriber& subscriber, const storage::Reader& reader) {
  constexpr std::size_t kNewest = 10;
  CASTIEL_ASSIGN(const auto runs, reader.import_runs(kNewest));
  std::map<CorrelationId, std::uint64_t> told;
  for (const auto& run : runs) {
    CASTIEL_ASSIGN(auto status, sync::import_status(reader, run.correlation, services.clock.now()));
    const std::string text = json::serialize(status);
    // Rate and remaining time move by themselves while nothing happens.
    status.erase("rate");
    status.erase("remaining");
    const auto hash = stable_hash(json::serialize(status));
    const auto known = subscriber.imports.find(run.correlation);
    if (known == subscriber.imports.end() || known->second != hash)
      subscriber.stream->publish("import", text);
    told[run.correlation] = hash;
  }
  subscriber.imports = std::move(told);
  return {};
}

Result<> LiveFeed::Impl::look(Subscriber& subscriber, const std::string& queues, std::uint64_t queues_hash,
                              Duration now) {
  using Delivery = http::EventStream::Delivery;
  CASTIEL_ASSIGN(const auto reader, services.store.read(subscriber.tenant));
  CASTIEL_TRY(look_at_imports(subscriber, *reader));
  if (subscriber.queues != queues_hash) {
    subscriber.queues = queues_hash;
    subscriber.stream->publish("queues", queues, Delivery::latest);
  }
  CASTIEL_ASSIGN(const auto version, reader->data_version());
  if (subscriber.data_version != version) {
    subscriber.data_version = version;
    subscriber.stream->publish("changed", json::serialize(json::object{{"tenant", subscriber.tenant.str()}}),
                               Delivery::latest);
  }
  if (now - subscriber.pinged >= kPing) {
    subscriber.pinged = now;
    subscriber.stream->publish("ping", "{}", Delivery::latest);
  }
  return {};
}

void LiveFeed::poll() {
  std::lock_guard one_at_a_time(impl_->polling);
  std::vector<std::shared_ptr<Impl::Subscriber>> listening;
  {
    std::lock_guard lock(impl_->mutex);
    std::erase_if(impl_->subscribers, [](const auto& s) { return s->stream->closed(); });
    listening = impl_->subscribers;
  }
  if (listening.empty()) return;
  auto queues = impl::queues_json(impl_->services);
  if (!queues) {
    impl_->log.error("live_feed_failed", queues.error());
    return;
  }
  const std::string text = json::serialize(*queues);
  const Duration now = impl_->services.clock.monotonic();
  for (const auto& subscriber : listening) {
    if (const auto looked = impl_->look(*subscriber, text, stable_hash(text), now); !looked) {
      // An erased tenant has nothing more to tell.
      if (looked.error().code == "unknown_tenant") subscriber->stream->close();
      impl_->log.error("live_feed_failed", looked.error());
    }
  }
}

}  // namespace castiel::api
