#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "intelligence/as_of.hpp"
#include "intelligence/impl/engagement_store.hpp"
#include "model/entity.hpp"

namespace castiel::intelligence::impl {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr std::string_view kThread = "thread";  // kind of the footprint all of a thread have

std::optional<Date> date_in(const json::object& object, std::string_view member) {
  const auto date = parse_date(std::string_view(string_or(object, member)).substr(0, 10));
  return date ? std::optional(*date) : std::nullopt;
}

}  // namespace

// One load, under the store's lock.
class EngagementLoader {
 public:
  EngagementLoader(EngagementStore& store, const storage::Reader& reader) : store_(store), reader_(reader) {}

  Result<Engagements> run(std::span<const Deal> deals, std::optional<Date> since,
                          std::span<const std::string> mail_domains) {
    CASTIEL_TRY(read_links());
    if (!links_.empty()) keep_wanted(deals, since);
    if (links_.empty()) {
      store_.kept_.clear();
      return std::move(result_);
    }
    CASTIEL_ASSIGN(own_, tenancy::OwnPeople::load(reader_, mail_domains));
    // Who writes to whom cannot be told while nobody is known to be ours.
    if (!own_.knows_anybody()) return std::move(result_);
    forget_if_we_changed();
    for (auto& [id, kept] : store_.kept_) kept.used = false;
    CASTIEL_TRY(read_touches());
    CASTIEL_TRY(read_answers());
    std::erase_if(store_.kept_, [](const auto& entry) { return !entry.second.used; });
    CASTIEL_TRY(read_promises());
    finish(deals);
    return std::move(result_);
  }

 private:
  struct Linked {
    ShardId shard;
    bool sure = true;
    Timestamp at;
  };

  // Documents came with mails or stand for themselves: nobody says anything to anybody with them.
  static bool is_read(std::string_view type) {
    return type == model::type::kEmail || type == model::type::kMessage || type == model::type::kMeeting ||
           type == model::type::kEvent;
  }

  // Only deals that are open, now or at some time since then, are judged by what is linked to them.
  void keep_wanted(std::span<const Deal> deals, std::optional<Date> since) {
    std::unordered_map<std::string, std::vector<Linked>> wanted;
    for (const Deal& deal : deals) {
      const auto linked = links_.find(deal.id.str());
      if (linked == links_.end()) continue;
      const auto closed = closed_at(deal);
      if (deal.status == Status::open || (since && closed && start_of(*since) <= *closed))
        wanted.insert(links_.extract(linked));
    }
    links_ = std::move(wanted);
  }

  Result<> read_links() {
    for (const bool sure : {true, false}) {
      storage::LinkQuery query;
      query.status = sure ? "attached" : "suggested";
      query.to_type = model::type::kOpportunity;
      query.limit = kPage;
      for (;;) {
        CASTIEL_ASSIGN(const auto page, reader_.links(query));
        for (const auto& link : page) {
          // One of theirs wrote, if perhaps about another deal of theirs: not silence.
          const bool may_excuse = link.strategy == "participant" || link.confidence >= kMinSuggested;
          if (!is_read(link.from_type) || (!sure && !may_excuse)) continue;
          // Ids are ordered by time: later pages bring newer links.
          auto& list = links_[link.to.str()];
          if (list.size() >= 2 * kMaxLinksOfDeal)
            list.erase(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(kMaxLinksOfDeal));
          list.push_back({link.from, sure, link.created_at});
        }
        if (page.size() < kPage) break;
        query.after = page.back().id;
      }
    }
    for (auto& [id, list] : links_) {
      if (list.size() > kMaxLinksOfDeal)
        list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(kMaxLinksOfDeal));
    }
    return {};
  }

  void forget_if_we_changed() {
    std::string own;
    for (const auto& domain : own_.domains()) own += domain + "\n";
    own += std::to_string(own_.size());
    if (own != store_.own_) store_.kept_.clear();
    store_.own_ = std::move(own);
  }

  // Kept ones whose version is still the stored one stay; the others are read again.
  Result<> read_touches() {
    std::set<std::string> wanted;
    for (const auto& [deal, list] : links_) {
      for (const Linked& linked : list) {
        if (wanted.size() < kMaxTouches) wanted.insert(linked.shard.str());
      }
    }
    CASTIEL_TRY(check(wanted));
    for (const auto& id : wanted) CASTIEL_TRY(touch(ShardId(id)));
    for (auto& [deal, list] : links_) {
      DealEngagement made;
      for (const Linked& linked : list) {
        const auto kept = store_.kept_.find(linked.shard.str());
        if (kept == store_.kept_.end() || kept->second.touch == nullptr) continue;
        made.touches.push_back({kept->second.touch, linked.sure, linked.at});
      }
      if (!made.touches.empty()) result_.of_deal.emplace(deal, std::move(made));
    }
    return {};
  }

  Result<> check(const std::set<std::string>& wanted) {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;  // external ids
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> shards;
    for (const auto& id : wanted) {
      const auto it = store_.kept_.find(id);
      if (it == store_.kept_.end()) continue;
      const std::pair group(it->second.key.type, it->second.key.integration);
      groups[group].push_back(it->second.key.external_id);
      shards[group].push_back(id);
    }
    for (const auto& [group, external] : groups) {
      for (std::size_t first = 0; first < external.size(); first += kPage) {
        const std::size_t n = std::min(kPage, external.size() - first);
        CASTIEL_ASSIGN(const auto heads,
                       reader_.heads(group.first, group.second, std::span(external).subspan(first, n)));
        for (std::size_t i = 0; i < n; ++i) {
          auto& kept = store_.kept_[shards[group][first + i]];
          if (heads[i] && heads[i]->version == kept.version && !heads[i]->deleted)
            kept.used = true;
          else
            store_.kept_.erase(shards[group][first + i]);
        }
      }
    }
    return {};
  }

  Result<std::shared_ptr<const Touch>> touch(const ShardId& id) {
    auto it = store_.kept_.find(id.str());
    if (it == store_.kept_.end()) {
      CASTIEL_ASSIGN(const auto shard, reader_.shard(id));
      if (!shard || shard->deleted_at) return std::shared_ptr<const Touch>();
      it = store_.kept_
               .emplace(id.str(), EngagementStore::Kept{shard->key, shard->version, read_touch(*shard, own_)})
               .first;
    }
    it->second.used = true;
    return it->second.touch;
  }

  // Bounces and automatic answers may be linked to nothing, but they stand in the threads of our mails.
  Result<> read_answers() {
    for (auto& [deal, engagement] : result_.of_deal) {
      std::map<std::string, Timestamp> threads;
      for (const auto& linked : engagement.touches) {
        if (linked.sure && linked.touch->way == Way::outbound && !linked.touch->thread.empty())
          threads[linked.touch->thread] = std::max(threads[linked.touch->thread], linked.touch->at);
      }
      std::vector<std::pair<Timestamp, std::string>> newest;
      for (const auto& [thread, at] : threads) newest.emplace_back(at, thread);
      std::ranges::sort(newest, std::ranges::greater());
      if (newest.size() > kMaxThreadsOfDeal) newest.resize(kMaxThreadsOfDeal);
      for (const auto& [at, thread] : newest) CASTIEL_TRY(read_thread(engagement, thread));
    }
    return {};
  }

  Result<> read_thread(DealEngagement& engagement, const std::string& thread) {
    constexpr std::size_t kMates = 100;
    CASTIEL_ASSIGN(const auto mates, reader_.shards_with({std::string(kThread), thread}, kMates));
    std::set<std::string> ids;
    for (const auto& mate : mates) {
      if (std::ranges::none_of(engagement.touches, [&](const auto& t) { return t.touch->shard == mate; }))
        ids.insert(mate.str());
    }
    CASTIEL_TRY(check(ids));
    for (const auto& id : ids) {
      CASTIEL_ASSIGN(const auto found, touch(ShardId(id)));
      if (found != nullptr && found->automatic && !found->cues.empty())
        engagement.touches.push_back({found, true, found->recorded_at});
    }
    return {};
  }

  Result<> read_promises() {
    std::unordered_map<std::string, std::vector<DealEngagement*>> of_source;
    for (auto& [deal, engagement] : result_.of_deal) {
      for (const auto& linked : engagement.touches)
        of_source[linked.touch->shard.str()].push_back(&engagement);
    }
    return reader_.each_shard(model::type::kTask, [&](const model::Shard& shard) -> Result<> {
      const auto parsed = parse_json(shard.data);
      if (!parsed || !parsed->is_object()) return {};
      const auto& data = parsed->get_object();
      const auto* source = get_object(data, "source");
      const auto found = source == nullptr ? of_source.end() : of_source.find(string_or(*source, "id"));
      if (found == of_source.end()) return {};
      const Promise promise = read_promise(shard, data, ShardId(found->first));
      for (DealEngagement* engagement : found->second) engagement->promises.push_back(promise);
      return {};
    });
  }

  static Promise read_promise(const model::Shard& shard, const json::object& data, ShardId source) {
    Promise promise;
    promise.id = shard.id;
    promise.text = string_or(data, "title");
    promise.kind = string_or(data, "kind");
    promise.ours = string_or(data, "ownerSide") == "own";
    promise.owner = string_or(data, "owner");
    promise.due = date_in(data, "dueDate");
    promise.at = shard.source_version;
    promise.recorded_at = shard.created_at;
    if (const auto* confidence = data.if_contains("confidence");
        confidence != nullptr && confidence->is_number())
      promise.confidence = confidence->to_number<double>();
    promise.done = string_or(data, "status", "open") != "open";
    promise.source = std::move(source);
    if (const auto* evidence = get_object(data, "evidence")) {
      promise.sentence = string_or(*evidence, "text");
      if (evidence->contains("segment")) {
        promise.place.field = "transcript.segments";
        promise.place.segment = static_cast<int>(int_or(*evidence, "segment", 0));
        if (const auto* start = evidence->if_contains("startTime"); start != nullptr && start->is_number())
          promise.place.minute = static_cast<int>(start->to_number<double>() / 60);
      } else {
        promise.place.field = "bodyPlainText";
        promise.place.start = static_cast<int>(int_or(*evidence, "start", 0));
        promise.place.end = static_cast<int>(int_or(*evidence, "end", 0));
      }
    }
    return promise;
  }

  void finish(std::span<const Deal> deals) {
    auto newest = newest_source_change(deals);
    for (auto& [deal, engagement] : result_.of_deal) {
      for (const auto& linked : engagement.touches) {
        const Touch& t = *linked.touch;
        if (t.calendar || t.type == model::type::kMeeting || t.at > t.recorded_at) continue;
        result_.newest = std::max(result_.newest.value_or(t.at), t.at);
      }
    }
    if (result_.newest) newest = std::max(newest.value_or(*result_.newest), *result_.newest);
    for (auto& [deal, engagement] : result_.of_deal) {
      for (auto& linked : engagement.touches) {
        // An entry without a time of its own, in data stored later than it is: known as of that data's time.
        if (linked.touch->calendar && newest && linked.touch->known_at == linked.touch->recorded_at) {
          Touch dated = *linked.touch;
          dated.known_at = std::min({dated.known_at, *newest, dated.at});
          linked.touch = std::make_shared<const Touch>(std::move(dated));
        }
        if (linked.touch->calendar) {
          auto& since = result_.facts.calendar_since;
          since = std::min(since.value_or(linked.touch->known_at), linked.touch->known_at);
        }
      }
      std::ranges::stable_sort(engagement.touches, {}, [](const LinkedTouch& t) { return t.touch->at; });
    }
  }

  EngagementStore& store_;
  const storage::Reader& reader_;
  tenancy::OwnPeople own_;
  std::unordered_map<std::string, std::vector<Linked>> links_;  // by deal
  Engagements result_;
};

Result<Engagements> EngagementStore::load(const storage::Reader& reader, std::span<const Deal> deals,
                                          std::optional<Date> since,
                                          std::span<const std::string> mail_domains) {
  std::lock_guard lock(mutex_);
  return EngagementLoader(*this, reader).run(deals, since, mail_domains);
}

}  // namespace castiel::intelligence::impl
