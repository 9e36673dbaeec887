// Links with their review, the people of a deal, and search.

#include <fmt/format.h>

#include <cmath>

#include "api/content_json.hpp"
#include "api/impl/calls.hpp"
#include "linking/relationships.hpp"
#include "linking/review.hpp"
#include "model/entity.hpp"
#include "search/query.hpp"

namespace castiel::api::impl {
namespace {

Result<json::object> link_json(const storage::Reader& reader, const storage::Link& link) {
  json::object out{{"tenant", reader.tenant().str()},
                   {"sourceType", link.from_type},
                   {"sourceId", link.from.str()},
                   {"targetType", link.to_type},
                   {"targetId", link.to.str()}};
  for (auto& member : link_brief(link)) out[member.key()] = member.value();
  out["createdBy"] = link.created_by;
  out["createdAt"] = to_string(link.created_at);
  out["lastVerifiedAt"] = to_string(link.last_verified_at);
  out["decidedBy"] = link.decided_by.empty() ? json::value(nullptr) : json::value(link.decided_by);
  out["correlationId"] = link.correlation.str();
  CASTIEL_ASSIGN(auto from, link_source(reader, link));
  CASTIEL_ASSIGN(auto to, link_target(reader, link));
  out["sourceName"] = from.at("title");
  out["targetName"] = to.at("name");
  out["from"] = std::move(from);
  out["to"] = std::move(to);
  return out;
}

Result<json::value> links(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto limit, limit_of(call));
  storage::LinkQuery query;
  query.status = call.parameters.string_or("status");
  query.from = ShardId(call.parameters.string_or("source"));
  query.to = ShardId(call.parameters.string_or("target"));
  query.to_type = call.parameters.string_or("targetType");
  query.after = call.parameters.string_or("cursor");
  query.limit = limit + 1;
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(auto found, reader->links(query));
  json::value next;
  if (found.size() > limit) {
    found.resize(limit);
    next = found.back().id;
  }
  json::array items;
  for (const auto& link : found) {
    CASTIEL_ASSIGN(auto item, link_json(*reader, link));
    items.push_back(std::move(item));
  }
  return page(std::move(items), std::move(next));
}

using Decide =
    std::function<Result<storage::Link>(storage::Transaction&, const linking::Reviewer&, const std::string&)>;

Result<json::value> review(Services& services, const Call& call, std::string_view operation,
                           const Decide& decide) {
  if (services.publisher == nullptr) return permanent("not_available", "this process decides about no links");
  CASTIEL_ASSIGN(const auto tenant, tenant_of(call));
  return once(services, tenant, operation, call, [&]() -> Result<json::value> {
    CASTIEL_ASSIGN(auto tx, begin(services, tenant));
    std::vector<std::string> domains;
    if (services.mail_domains) domains = services.mail_domains(*tx);
    CASTIEL_ASSIGN(auto own, tenancy::OwnPeople::load(*tx, domains));
    const linking::Reviewer reviewer{services.publisher, &services.ids, &services.clock, call.actor,
                                     std::move(own)};
    CASTIEL_ASSIGN(const auto link, decide(*tx, reviewer, call.parameters.string_or("id")));
    CASTIEL_TRY(tx->commit());
    CASTIEL_ASSIGN(const auto reader, services.store.read(tenant));
    CASTIEL_ASSIGN(auto answer, link_json(*reader, link));
    return json::value(std::move(answer));
  });
}

Result<json::value> approve(Services& services, const Call& call) {
  return review(services, call, "links.approve", linking::approve);
}
Result<json::value> reject(Services& services, const Call& call) {
  return review(services, call, "links.reject", linking::reject);
}
Result<json::value> retarget(Services& services, const Call& call) {
  const ShardId target(call.parameters.string_or("target", string_or(call.body, "target")));
  if (target.empty()) return permanent("invalid_parameter", "target: say to which shard");
  return review(services, call, "links.retarget",
                [&](storage::Transaction& tx, const linking::Reviewer& reviewer, const std::string& id) {
                  return linking::retarget(tx, reviewer, id, target);
                });
}

json::value or_null(const std::optional<Timestamp>& at) {
  return at ? json::value(to_string(*at)) : json::value(nullptr);
}
json::value or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

Result<json::value> people(Services& services, const Call& call) {
  CASTIEL_ASSIGN(const auto day, as_of(call));
  const auto now = day ? start_of(*day + 1) : services.clock.now();
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  const ShardId deal(call.parameters.string_or("id"));
  CASTIEL_ASSIGN(const auto shard, reader->shard(deal));
  if (!shard || shard->key.type != model::type::kOpportunity)
    return permanent("not_found", fmt::format("there is no deal {}", deal.str()));
  std::vector<std::string> domains;
  if (services.mail_domains) domains = services.mail_domains(*reader);
  CASTIEL_ASSIGN(const auto own, tenancy::OwnPeople::load(*reader, domains));
  CASTIEL_ASSIGN(const auto found, linking::people_of_deal(*reader, deal, now, {}, &own));
  json::array items;
  for (const auto& p : found) {
    const auto& s = p.strength;
    items.push_back({{"contactId", or_null(p.contact.str())},
                     {"name", or_null(p.name)},
                     {"email", or_null(p.email)},
                     {"side", p.own ? "own" : "customer"},
                     {"title", or_null(p.title)},
                     {"role", or_null(p.role)},
                     {"accountId", or_null(p.account)},
                     {"content", p.mentions},
                     {"strength", std::round(s.score * 10) / 10},
                     {"oneWay", s.one_way},
                     {"count", s.inbound + s.outbound + s.meetings},
                     {"inbound", s.inbound},
                     {"outbound", s.outbound},
                     {"meetings", s.meetings},
                     {"first", or_null(s.first)},
                     {"last", or_null(s.last)},
                     {"lastInbound", or_null(s.last_inbound)},
                     {"lastOutbound", or_null(s.last_outbound)}});
  }
  return page(std::move(items));
}

Result<json::value> search(Services& services, const Call& call) {
  search::Request request;
  request.text = call.parameters.string_or("q");
  request.mode = call.parameters.string_or("mode", "hybrid");
  request.type = call.parameters.string_or("type");
  CASTIEL_ASSIGN(const auto limit,
                 call.parameters.integer_or("limit", search::kDefaultLimit, 1, search::kMaxLimit));
  request.limit = static_cast<std::size_t>(limit);
  CASTIEL_ASSIGN(const auto reader, reader_of(services, call));
  CASTIEL_ASSIGN(auto answer, search::search(*reader, request));
  return json::value(std::move(answer));
}

}  // namespace

std::vector<Operation> link_operations() {
  auto query = text_parameter("q", "Words, \"phrases\" and begin*nings");
  query.required = true;
  auto limit = limit_parameter();
  limit.maximum = static_cast<std::int64_t>(search::kMaxLimit);
  return {
      {"links",
       "GET",
       "/api/v1/links",
       "What content is linked to, oldest first",
       "links",
       {tenant_parameter(),
        text_parameter("status", "Only these", {"attached", "suggested", "rejected", "ignored"}),
        text_parameter("source", "Only of this content"), text_parameter("target", "Only to this shard"),
        text_parameter("targetType", "Only to shards of this type", {"account", "contact", "opportunity"}),
        limit_parameter(), cursor_parameter()},
       links,
       "List"},
      {"links.approve",
       "POST",
       "/api/v1/links/{id}/approve",
       "The link is right",
       "links",
       {tenant_parameter()},
       approve,
       "Link"},
      {"links.reject",
       "POST",
       "/api/v1/links/{id}/reject",
       "The link is wrong",
       "links",
       {tenant_parameter()},
       reject,
       "Link"},
      {"links.retarget",
       "POST",
       "/api/v1/links/{id}/retarget",
       "The content belongs to another shard",
       "links",
       {tenant_parameter(), text_parameter("target", "Id of an account, contact or opportunity")},
       retarget,
       "Link"},
      {"people",
       "GET",
       "/api/v1/deals/{id}/people",
       "Who has to do with a deal, the customer's people and our own, strongest tie first",
       "deals",
       {tenant_parameter(), as_of_parameter()},
       people,
       "List"},
      {"search",
       "GET",
       "/api/v1/search",
       "Search in all texts, with the places found",
       "search",
       {tenant_parameter(), query, text_parameter("mode", "How to search", {"hybrid", "keyword", "vector"}),
        text_parameter("type", "Only in shards of this type"), limit},
       search,
       "SearchAnswer"},
  };
}

}  // namespace castiel::api::impl
