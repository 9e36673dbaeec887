#include "linking/link_handler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "content/name_key.hpp"
#include "linking/impl/effects.hpp"
#include "linking/strategies.hpp"
#include "model/entity.hpp"
#include "model/event_types.hpp"

namespace castiel::linking {
namespace {

using messaging::Event;
using messaging::Incoming;
using storage::Link;

namespace event = model::event;
namespace queue = model::queue;
namespace type = model::type;

constexpr std::size_t kMaxMates = 500;  // of a thread, or that came with one mail
constexpr std::string_view kCreatedBy = "linking";

bool is_processed(std::string_view t) {
  return t == event::kEmailProcessed || t == event::kMessageProcessed || t == event::kDocumentProcessed ||
         t == event::kMeetingProcessed || t == event::kEventProcessed;
}

bool inherited(const Link& link) {
  return link.evidence.find("\"inherited\":true") != std::string::npos;
}
// What the rest of a thread takes over.
bool speaks_for_thread(const Link& link) {
  return link.status == "attached" && link.to_type == type::kOpportunity &&
         (!link.decided_by.empty() || (link.strategy == strategy::kExplicit && !inherited(link)));
}

// A mail a machine answered with comes after the mail it answers, and what came with a mail after that.
int rank_of(const Content& content) {
  return !content.parent ? 0 : content.key.type == type::kEmail ? 1 : 2;
}

// One content and what becomes of its links.
struct Item {
  const Event* cause = nullptr;
  Content content;
  std::vector<Link> links;  // to be put
  std::vector<Link> gone;   // no longer found
  std::vector<storage::Footprint> footprints;
  std::vector<storage::Interaction> interactions;
};

class LinkPlan final : public messaging::Plan {
 public:
  LinkPlan(std::shared_ptr<const Directory> directory, IdGenerator& ids)
      : directory_(std::move(directory)), ids_(&ids) {}

  Result<> add(const storage::Reader& reader, const ShardId& id, const Event& cause, bool again);
  Result<> link_all(const storage::Reader& reader, Timestamp now);
  Result<> apply(messaging::Step& step) override;
  std::span<const messaging::RecordFailure> failures() const override { return {}; }
  std::string summary() const override {
    return fmt::format("{} linked: {} attached, {} suggested", items_.size(), attached_, suggested_);
  }
  // The thread of a content, and what came with it.
  Result<> add_around(const storage::Reader& reader, const ShardId& id, const Event& cause);
  // Content that has been linked with this directory already.
  Result<bool> is_current(const storage::Reader& reader, const ShardId& id) const;

 private:
  Result<> link(const storage::Reader& reader, Item& item, Timestamp now);
  Result<std::vector<Link>> links_of(const storage::Reader& reader, const ShardId& id) const;
  Result<Context> context_of(const storage::Reader& reader, const Content& content) const;
  Result<> add_mates(const storage::Reader& reader, const Item& item);
  Result<std::string> seen_around(const storage::Reader& reader, const Content& content) const;

  std::shared_ptr<const Directory> directory_;
  IdGenerator* ids_;
  Feedback feedback_;
  std::vector<std::unique_ptr<Item>> items_;
  std::map<ShardId, Item*> by_id_;
  std::map<ShardId, std::string>
      around_;  // what was seen of threads and parents, to be compared under the lock
  std::int64_t attached_ = 0, suggested_ = 0;
};

Result<bool> LinkPlan::is_current(const storage::Reader& reader, const ShardId& id) const {
  CASTIEL_ASSIGN(const auto prints, reader.footprints(id));
  const auto it = std::ranges::find(prints, footprint::kLinkedWith, &storage::Footprint::kind);
  // What was never linked has its own event coming.
  return it == prints.end() || it->key == std::to_string(directory_->version());
}

Result<> LinkPlan::add(const storage::Reader& reader, const ShardId& id, const Event& cause, bool again) {
  if (by_id_.contains(id)) return {};
  if (again) {
    CASTIEL_ASSIGN(const bool current, is_current(reader, id));
    if (current) return {};
  }
  CASTIEL_ASSIGN(const auto shard, reader.shard(id));
  if (!shard || shard->deleted_at) return {};
  auto content = read_content(*shard);
  if (!content) return {};
  auto item = std::make_unique<Item>();
  item->cause = &cause;
  item->content = std::move(*content);
  by_id_[id] = item.get();
  items_.push_back(std::move(item));
  return {};
}

Result<> LinkPlan::add_around(const storage::Reader& reader, const ShardId& id, const Event& cause) {
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return {};
  const auto content = it->second->content;
  if (!content.thread.empty()) {
    CASTIEL_ASSIGN(const auto mates,
                   reader.shards_with({std::string(footprint::kThread), content.thread}, kMaxMates));
    for (const auto& mate : mates) CASTIEL_TRY(add(reader, mate, cause, false));
  }
  CASTIEL_ASSIGN(const auto children,
                 reader.shards_with({std::string(footprint::kParent), parent_key(content.key)}, kMaxMates));
  for (const auto& child : children) CASTIEL_TRY(add(reader, child, cause, false));
  return {};
}

// The links as they will be when the plan is done.
Result<std::vector<Link>> LinkPlan::links_of(const storage::Reader& reader, const ShardId& id) const {
  storage::LinkQuery query;
  query.from = id;
  CASTIEL_ASSIGN(auto links, reader.links(query));
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return links;
  std::erase_if(links, [](const Link& l) { return l.decided_by.empty(); });
  for (const auto& planned : it->second->links) {
    if (std::ranges::find(links, planned.to, &Link::to) == links.end()) links.push_back(planned);
  }
  return links;
}

Result<Context> LinkPlan::context_of(const storage::Reader& reader, const Content& content) const {
  Context context;
  if (!content.thread.empty()) {
    CASTIEL_ASSIGN(auto mates,
                   reader.shards_with({std::string(footprint::kThread), content.thread}, kMaxMates));
    for (const auto& item : items_) {
      if (item->content.thread == content.thread && std::ranges::find(mates, item->content.id) == mates.end())
        mates.push_back(item->content.id);
    }
    for (const auto& mate : mates) {
      if (mate == content.id) continue;
      CASTIEL_ASSIGN(const auto links, links_of(reader, mate));
      std::ranges::copy_if(links, std::back_inserter(context.thread), speaks_for_thread);
    }
  }
  if (content.parent) {
    CASTIEL_ASSIGN(const auto parent, reader.shard(*content.parent));
    if (parent) {
      CASTIEL_ASSIGN(const auto links, links_of(reader, parent->id));
      std::ranges::copy_if(links, std::back_inserter(context.parent),
                           [](const Link& l) { return l.status == "attached"; });
    }
  }
  return context;
}

// What others' links around this content are, as one text.
Result<std::string> LinkPlan::seen_around(const storage::Reader& reader, const Content& content) const {
  std::string seen;
  const auto note = [&](const ShardId& id) -> Result<> {
    storage::LinkQuery query;
    query.from = id;
    CASTIEL_ASSIGN(const auto links, reader.links(query));
    for (const auto& l : links) seen += fmt::format("{}={}/{}/{} ", l.id, l.status, l.strategy, l.decided_by);
    seen += id.str() + "\n";
    return {};
  };
  if (!content.thread.empty()) {
    CASTIEL_ASSIGN(const auto mates,
                   reader.shards_with({std::string(footprint::kThread), content.thread}, kMaxMates));
    for (const auto& mate : mates) CASTIEL_TRY(note(mate));
  }
  if (content.parent) {
    CASTIEL_ASSIGN(const auto parent, reader.shard(*content.parent));
    if (parent) CASTIEL_TRY(note(parent->id));
  }
  CASTIEL_ASSIGN(const auto children,
                 reader.shards_with({std::string(footprint::kParent), parent_key(content.key)}, kMaxMates));
  for (const auto& child : children) seen += child.str() + "\n";
  return seen;
}

Result<> LinkPlan::link(const storage::Reader& reader, Item& item, Timestamp now) {
  const auto& content = item.content;
  CASTIEL_ASSIGN(const auto context, context_of(reader, content));
  CASTIEL_ASSIGN(auto signals, find_signals(reader, *directory_, content, context));
  const auto decided = decide(std::move(signals), feedback_);
  storage::LinkQuery query;
  query.from = content.id;
  CASTIEL_ASSIGN(auto before, reader.links(query));
  query.status = "ignored";
  CASTIEL_ASSIGN(const auto kept, reader.links(query));
  before.insert(before.end(), kept.begin(), kept.end());
  item.links.clear();
  item.gone.clear();
  for (const auto& d : decided) {
    const auto old = std::ranges::find(before, d.to, &Link::to);
    if (old != before.end() && !old->decided_by.empty()) continue;
    Link link;
    link.id = old != before.end() ? old->id : ids_->next();
    link.from = content.id;
    link.from_type = content.key.type;
    link.to = d.to;
    link.to_type = d.to_type;
    link.strategy = d.strategy;
    link.confidence = d.confidence;
    link.status = d.status;
    link.reason = d.reason;
    auto evidence = d.evidence;
    if (d.inherited && !evidence.empty()) evidence.front().get_object()["inherited"] = true;
    link.evidence = json::serialize(evidence);
    link.created_by = kCreatedBy;
    link.created_at = old != before.end() ? old->created_at : now;
    link.last_verified_at = now;
    link.correlation = item.cause->correlation;
    item.links.push_back(std::move(link));
  }
  for (const auto& old : before) {
    if (!old.decided_by.empty()) continue;
    if (std::ranges::find(decided, old.to, &Decided::to) == decided.end()) item.gone.push_back(old);
  }
  item.footprints = footprints_of(content, directory_->version());
  item.interactions = interactions_of(content, directory_->own());
  return {};
}

// Others that take over what this content is linked to.
Result<> LinkPlan::add_mates(const storage::Reader& reader, const Item& item) {
  const auto& content = item.content;
  storage::LinkQuery query;
  query.from = content.id;
  CASTIEL_ASSIGN(const auto before, reader.links(query));
  const auto said = [](const std::vector<Link>& links, auto&& counts) {
    std::set<std::string> out;
    for (const auto& l : links) {
      if (counts(l)) out.insert(fmt::format("{} {}", l.to.str(), l.strategy == strategy::kExplicit));
    }
    return out;
  };
  CASTIEL_ASSIGN(const auto after, links_of(reader, content.id));
  const auto attached = [](const Link& l) { return l.status == "attached"; };
  if (!content.thread.empty() && said(before, speaks_for_thread) != said(after, speaks_for_thread)) {
    CASTIEL_ASSIGN(const auto mates,
                   reader.shards_with({std::string(footprint::kThread), content.thread}, kMaxMates));
    for (const auto& mate : mates) CASTIEL_TRY(add(reader, mate, *item.cause, false));
  }
  if (said(before, attached) != said(after, attached)) {
    CASTIEL_ASSIGN(const auto children,
                   reader.shards_with({std::string(footprint::kParent), parent_key(content.key)}, kMaxMates));
    for (const auto& child : children) CASTIEL_TRY(add(reader, child, *item.cause, false));
  }
  return {};
}

Result<> LinkPlan::link_all(const storage::Reader& reader, Timestamp now) {
  CASTIEL_ASSIGN(const auto feedback, reader.link_feedback());
  for (const auto& f : feedback) feedback_[f.strategy] = f;
  // A first round finds what stands in each itself, and whom it concerns; then all are decided with what the
  // others said, children of a mail after the mail. What they take over may concern others in turn.
  for (std::size_t looked_at = 0; looked_at < items_.size();) {
    for (; looked_at < items_.size(); ++looked_at) {
      CASTIEL_TRY(link(reader, *items_[looked_at], now));
      CASTIEL_TRY(add_mates(reader, *items_[looked_at]));
    }
    for (const int rank : {0, 1, 2}) {
      for (const auto& item : items_) {
        if (rank_of(item->content) == rank) CASTIEL_TRY(link(reader, *item, now));
      }
    }
    for (std::size_t i = 0; i < looked_at; ++i) CASTIEL_TRY(add_mates(reader, *items_[i]));
  }
  for (const auto& item : items_) {
    CASTIEL_ASSIGN(around_[item->content.id], seen_around(reader, item->content));
  }
  return {};
}

Result<> LinkPlan::apply(messaging::Step& step) {
  auto& tx = step.tx();
  CASTIEL_ASSIGN(const auto version, tx.directory_version());
  if (!items_.empty() && version != directory_->version())
    return conditional("version_conflict", "the directory changed meanwhile");
  for (const auto& item : items_) {
    CASTIEL_ASSIGN(const auto around, seen_around(tx, item->content));
    if (around != around_[item->content.id])
      return conditional("version_conflict", "links of the same thread changed meanwhile");
  }
  std::map<const Event*, std::vector<LinkChange>> changes;
  // By how many links of each status there are more: what one page links, a later one may link otherwise.
  std::map<const Event*, std::pair<std::int64_t, std::int64_t>> more;
  for (const auto& item : items_) {
    const auto& content = item->content;
    auto& [attached, suggested] = more[item->cause];
    const auto tally = [&](std::string_view before, std::string_view now) {
      attached += (now == "attached") - (before == "attached");
      suggested += (now == "suggested") - (before == "suggested");
    };
    std::map<ShardId, Link> before;
    for (const char* status : {"", "ignored"}) {
      storage::LinkQuery query;
      query.from = content.id;
      query.status = status;
      CASTIEL_ASSIGN(auto links, tx.links(query));
      for (auto& l : links) before[l.to] = std::move(l);
    }
    const auto direction = content.direction(directory_->own());
    auto& list = changes[item->cause];
    std::vector<Link> puts;
    for (auto& link : item->links) {
      const auto old = before.find(link.to);
      if (old != before.end() && !old->second.decided_by.empty()) continue;
      const bool fresh = old == before.end();
      const bool same = !fresh && old->second.status == link.status &&
                        old->second.confidence == link.confidence && old->second.strategy == link.strategy;
      if (same && old->second.evidence == link.evidence && old->second.reason == link.reason) {
        // Only its activity may have to follow the content.
        if (link.status == "attached") list.push_back({old->second, "ignored", &content, direction});
        continue;
      }
      puts.push_back(link);
      tally(fresh ? "" : old->second.status, link.status);
      list.push_back({link, fresh ? "" : old->second.status, &content, direction});
      if (link.status == "attached" && (fresh || old->second.status != "attached")) ++attached_;
      if (link.status == "suggested" && (fresh || old->second.status != "suggested")) ++suggested_;
    }
    CASTIEL_TRY(tx.put_links(puts));
    for (auto gone : item->gone) {
      CASTIEL_TRY(tx.drop_link(gone.id));
      const auto status = gone.status;
      tally(status, "");
      gone.status = "ignored";
      list.push_back({std::move(gone), status, &content, direction});
    }
    CASTIEL_TRY(tx.put_footprints(content.id, item->footprints));
    CASTIEL_TRY(tx.put_interactions(content.id, item->interactions));
  }
  for (const auto& [cause, list] : changes) {
    CASTIEL_TRY(step.count(*cause, "links:attached", more[cause].first));
    CASTIEL_TRY(step.count(*cause, "links:suggested", more[cause].second));
    CASTIEL_TRY(write_effects(tx, list, *ids_, step.now(), cause->correlation,
                              [&](messaging::Publication p) { return step.publish(*cause, std::move(p)); }));
  }
  return {};
}

// Content that a CRM record may concern: by its people's addresses and names, by its domain, by its name.
class Relink {
 public:
  Relink(const storage::Reader& reader, LinkPlan& plan) : reader_(&reader), plan_(&plan) {}

  Result<> for_record(const Event& cause, const ShardId& id) {
    CASTIEL_ASSIGN(const auto shard, reader_->shard(id));
    if (!shard) return {};
    const auto parsed = parse_json(shard->data);
    if (!parsed || !parsed->is_object()) return {};
    const auto& data = parsed->get_object();
    const auto& t = shard->key.type;
    if (t == type::kContact) {
      CASTIEL_TRY(for_contact(cause, data));
      CASTIEL_TRY(linked_to(cause, id));
    } else if (t == type::kAccount) {
      CASTIEL_TRY(for_account(cause, id, data));
    } else if (t == type::kOpportunity) {
      mentioned(cause, string_or(data, "name"));
      mentioned(cause, shard->key.external_id);
      CASTIEL_TRY(linked_to(cause, id));
      CASTIEL_TRY(neighbours(cause, id));
    } else if (t == type::kContactRole) {
      CASTIEL_TRY(neighbours(cause, id));
    }
    return {};
  }

  // What the names of all those records stand in, with few questions to the full-text index.
  Result<> for_names() {
    for (const auto& [cause, names] : names_) {
      std::vector<storage::SearchTerm> terms;
      for (const auto& name : names) terms.push_back({name, false});
      for (std::size_t first = 0; first < terms.size(); first += storage::kMaxSearchTerms) {
        const auto n = std::min(storage::kMaxSearchTerms, terms.size() - first);
        CASTIEL_TRY(search(*cause, std::span(terms).subspan(first, n)));
      }
    }
    return {};
  }

 private:
  Result<> take(const Event& cause, std::string_view kind, std::string key) {
    if (key.empty()) return {};
    CASTIEL_ASSIGN(const auto shards,
                   reader_->shards_with({std::string(kind), std::move(key)}, LinkHandler::kMaxRelinked));
    for (const auto& shard : shards) CASTIEL_TRY(plan_->add(*reader_, shard, cause, true));
    return {};
  }

  Result<> linked_to(const Event& cause, const ShardId& id) {
    storage::LinkQuery query;
    query.to = id;
    query.limit = LinkHandler::kMaxRelinked;
    CASTIEL_ASSIGN(const auto links, reader_->links(query));
    for (const auto& link : links) CASTIEL_TRY(plan_->add(*reader_, link.from, cause, true));
    return {};
  }

  void mentioned(const Event& cause, std::string name) {
    if (content::name_key(name).size() >= Gazetteer::kMinKeyBytes) names_[&cause].insert(std::move(name));
  }

  // Content with one of the names. A query with too many answers is asked again for each name.
  Result<> search(const Event& cause, std::span<const storage::SearchTerm> names) {
    storage::SearchQuery query;
    query.terms.assign(names.begin(), names.end());
    query.limit = LinkHandler::kMaxRelinked;
    CASTIEL_ASSIGN(const auto answer, reader_->search(query));
    if (names.size() > 1 && static_cast<std::size_t>(answer.total) > answer.hits.size()) {
      for (std::size_t i = 0; i < names.size(); ++i) CASTIEL_TRY(search(cause, names.subspan(i, 1)));
      return {};
    }
    for (const auto& hit : answer.hits) CASTIEL_TRY(plan_->add(*reader_, hit.chunk.shard, cause, true));
    return {};
  }

  Result<> for_contact(const Event& cause, const json::object& data) {
    CASTIEL_TRY(take(cause, footprint::kPerson, string_or(data, "email")));
    std::string name = string_or(data, "name");
    if (name.empty()) name = string_or(data, "firstName") + " " + string_or(data, "lastName");
    if (name.find(' ') != std::string::npos) mentioned(cause, name);
    return take(cause, footprint::kPersonName, content::name_key(name));
  }

  Result<> for_account(const Event& cause, const ShardId& id, const json::object& data) {
    for (const char* member : {"domain", "website"}) {
      std::string domain = string_or(data, member);
      if (const auto scheme = domain.find("://"); scheme != domain.npos) domain.erase(0, scheme + 3);
      if (domain.starts_with("www.")) domain.erase(0, 4);
      domain = domain.substr(0, domain.find_first_of("/?#:"));
      CASTIEL_TRY(take(cause, footprint::kDomain, domain));
    }
    mentioned(cause, string_or(data, "name"));
    return linked_to(cause, id);
  }

  // Of a deal or role: content with its people, its account's people and domain.
  Result<> neighbours(const Event& cause, const ShardId& id) {
    CASTIEL_ASSIGN(const auto relations, reader_->relations_from(id));
    for (const auto& r : relations) {
      if (!r.to) continue;
      if (r.role == "contact") {
        CASTIEL_ASSIGN(const auto contact, reader_->shard(*r.to));
        const auto data = contact ? parse_json(contact->data) : parse_json("{}");
        if (data && data->is_object()) CASTIEL_TRY(for_contact(cause, data->get_object()));
      } else if (r.role == "account") {
        CASTIEL_TRY(linked_to(cause, *r.to));
      } else if (r.role == "opportunity") {
        CASTIEL_TRY(linked_to(cause, *r.to));
      }
    }
    return {};
  }

  const storage::Reader* reader_;
  LinkPlan* plan_;
  std::map<const Event*, std::set<std::string>> names_;  // of the records of each event
};

bool is_of_directory(std::string_view t) {
  return t == type::kAccount || t == type::kContact || t == type::kOpportunity || t == type::kContactRole;
}

}  // namespace

std::vector<std::string> LinkHandler::patterns() {
  std::vector<std::string> all;
  for (const auto& name : {event::kEmailProcessed, event::kMessageProcessed, event::kDocumentProcessed,
                           event::kMeetingProcessed, event::kEventProcessed, event::kShardCreated,
                           event::kShardUpdated, event::kShardDeleted, event::kEntityLinked})
    all.emplace_back(name);
  return all;
}

// Linking needs the whole of an import's CRM data at once: while other stages still have records of it, its
// messages wait. Stages before this one never wait for it, so this ends. An import that was killed is not
// waited for: others of the tenant would wait behind it; what it brings later is linked then.
Result<bool> LinkHandler::import_runs(const storage::Reader& reader, const CorrelationId& correlation) {
  CASTIEL_ASSIGN(const auto run, reader.import_run(correlation));
  if (!run) return false;
  CASTIEL_ASSIGN(const bool under_way, storage::is_under_way(reader, *run, clock_->now()));
  if (!under_way) return false;
  const auto detail = parse_json(run->detail);
  if (detail && detail->is_object() && !bool_or(detail->get_object(), "announced", true)) return true;
  for (const auto& before : {queue::kDataRaw, queue::kRelations, queue::kCommunications, queue::kDocuments,
                             queue::kMeetings, queue::kEvents}) {
    CASTIEL_ASSIGN(const auto waiting, reader.pending(correlation, before));
    if (waiting > 0) return true;
  }
  return false;
}

Result<std::unique_ptr<messaging::Plan>> LinkHandler::prepare(const storage::Reader& reader,
                                                              std::span<const Incoming> batch) {
  std::set<CorrelationId> flows;
  std::optional<Timestamp> newest;  // of the events that look into the full-text index
  for (const Incoming& in : batch) {
    flows.insert(in.event.correlation);
    const auto* records = get_array(in.event.data.get_object(), "records");
    if (!is_processed(in.event.type) && in.event.type != event::kEntityLinked && records != nullptr &&
        std::ranges::any_of(*records, [](const json::value& r) {
          return r.is_object() && is_of_directory(string_or(r.get_object(), "type"));
        }))
      newest = std::max(newest.value_or(in.event.time), in.event.time);
  }
  for (const auto& flow : flows) {
    CASTIEL_ASSIGN(const bool busy, import_runs(reader, flow));
    if (patience_.wait(reader.tenant(), flow.str(), busy))
      return transient("not_yet", fmt::format("import {} is still bringing data", flow.str()));
  }
  if (newest) {
    // What was published before the record came must be in the index, or a mention of it would be missed.
    CASTIEL_ASSIGN(const auto oldest, reader.oldest_waiting(queue::kSearchIndex));
    if (patience_.wait(reader.tenant(), "index", oldest && *oldest <= *newest))
      return transient("not_yet", "the full-text index is behind");
  }

  // As long as all content was linked with this directory, no record of it says anything new. The directory
  // is large, so it is read only where something is to be linked: never while a CRM alone is imported.
  CASTIEL_ASSIGN(const auto version, reader.directory_version());
  CASTIEL_ASSIGN(const bool stale, reader.any_footprint_besides(
                                       {std::string(footprint::kLinkedWith), std::to_string(version)}));
  const bool content = std::ranges::any_of(batch, [](const Incoming& in) {
    return is_processed(in.event.type) || in.event.type == event::kEntityLinked;
  });
  std::shared_ptr<const Directory> directory;
  if (content || (stale && newest)) {
    CASTIEL_ASSIGN(directory, directories_.open(reader));
  }
  auto plan = std::make_unique<LinkPlan>(std::move(directory), *ids_);
  Relink relink(reader, *plan);
  for (const Incoming& in : batch) {
    const auto* records = get_array(in.event.data.get_object(), "records");
    if (records == nullptr) continue;
    for (const auto& item : *records) {
      const auto* record = item.if_object();
      if (record == nullptr) continue;
      if (is_processed(in.event.type)) {
        CASTIEL_TRY(plan->add(reader, ShardId(string_or(*record, "id")), in.event, false));
      } else if (in.event.type == event::kEntityLinked) {
        // A person's decision speaks for the thread; what this stage itself says is no news to it.
        if (!record->contains("decidedBy")) continue;
        CASTIEL_TRY(plan->add(reader, ShardId(string_or(*record, "sourceId")), in.event, false));
        CASTIEL_TRY(plan->add_around(reader, ShardId(string_or(*record, "sourceId")), in.event));
      } else if (stale && is_of_directory(string_or(*record, "type"))) {
        CASTIEL_TRY(relink.for_record(in.event, ShardId(string_or(*record, "id"))));
      }
    }
  }
  CASTIEL_TRY(relink.for_names());
  CASTIEL_TRY(plan->link_all(reader, clock_->now()));
  return plan;
}

}  // namespace castiel::linking
