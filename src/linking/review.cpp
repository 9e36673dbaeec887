#include "linking/review.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "linking/impl/effects.hpp"
#include "linking/strategies.hpp"
#include "model/entity.hpp"

namespace castiel::linking {
namespace {

using storage::Link;

constexpr std::string_view kStage = "review";

Result<Link> find(const storage::Reader& reader, std::string_view id) {
  CASTIEL_ASSIGN(auto link, reader.link(id));
  if (!link) return permanent("not_found", fmt::format("there is no link {}", id));
  return std::move(*link);
}

Result<Content> content_of(const storage::Reader& reader, const ShardId& id) {
  CASTIEL_ASSIGN(const auto shard, reader.shard(id));
  auto content = shard ? read_content(*shard) : std::nullopt;
  if (!content) return permanent("not_found", fmt::format("there is no content {}", id.str()));
  return std::move(*content);
}

Result<> count_feedback(storage::Transaction& tx, const Link& before, bool approved) {
  if (before.strategy == strategy::kUser) return {};
  if (!before.decided_by.empty()) {
    const bool was = before.status == "attached";
    if (was == approved) return {};
    CASTIEL_TRY(tx.add_link_feedback({before.strategy, was ? -1 : 0, was ? 0 : -1}));
  }
  return tx.add_link_feedback({before.strategy, approved ? 1 : 0, approved ? 0 : 1});
}

Result<> audit(storage::Transaction& tx, const Reviewer& reviewer, std::string_view action, const Link& link,
               const std::string& before) {
  return tx.add_audit({reviewer.clock->now(), reviewer.actor, std::string(action), link.id,
                       json::serialize(json::object{{"from", link.from.str()},
                                                    {"to", link.to.str()},
                                                    {"strategy", link.strategy},
                                                    {"confidence", link.confidence},
                                                    {"before", before},
                                                    {"after", link.status}})});
}

Result<> write(storage::Transaction& tx, const Reviewer& reviewer, std::vector<LinkChange> changes) {
  const auto now = reviewer.clock->now();
  const auto correlation = messaging::make_correlation("review", now, *reviewer.ids);
  for (auto& change : changes) {
    change.link.correlation = correlation;
    CASTIEL_TRY(tx.put_links({&change.link, 1}));
  }
  return write_effects(
      tx, changes, *reviewer.ids, now, correlation, [&](messaging::Publication p) -> Result<> {
        const auto id = reviewer.publisher->publish(tx, kStage, {correlation, ""}, std::move(p));
        if (!id) return std::unexpected(id.error());
        return {};
      });
}

Result<Link> decide_one(storage::Transaction& tx, const Reviewer& reviewer, std::string_view id,
                        bool approved) {
  CASTIEL_ASSIGN(auto link, find(tx, id));
  CASTIEL_ASSIGN(const auto content, content_of(tx, link.from));
  CASTIEL_TRY(count_feedback(tx, link, approved));
  const std::string before = link.status;
  link.status = approved ? "attached" : "rejected";
  link.decided_by = reviewer.actor;
  link.last_verified_at = reviewer.clock->now();
  CASTIEL_TRY(audit(tx, reviewer, approved ? "link.approve" : "link.reject", link, before));
  CASTIEL_TRY(write(tx, reviewer, {{link, before, &content, content.direction(reviewer.own)}}));
  return link;
}

}  // namespace

Result<Link> approve(storage::Transaction& tx, const Reviewer& reviewer, std::string_view link) {
  return decide_one(tx, reviewer, link, true);
}

Result<Link> reject(storage::Transaction& tx, const Reviewer& reviewer, std::string_view link) {
  return decide_one(tx, reviewer, link, false);
}

Result<Link> retarget(storage::Transaction& tx, const Reviewer& reviewer, std::string_view id,
                      const ShardId& target) {
  CASTIEL_ASSIGN(auto wrong, find(tx, id));
  CASTIEL_ASSIGN(const auto content, content_of(tx, wrong.from));
  CASTIEL_ASSIGN(const auto to, tx.shard(target));
  if (!to || to->deleted_at) return permanent("not_found", fmt::format("there is no shard {}", target.str()));
  namespace type = model::type;
  if (to->key.type != type::kAccount && to->key.type != type::kContact &&
      to->key.type != type::kOpportunity) {
    return permanent(
        "invalid_parameter",
        fmt::format("target: content is linked to accounts, contacts and opportunities, not to a {}",
                    to->key.type));
  }
  if (target == wrong.to) return decide_one(tx, reviewer, id, true);
  CASTIEL_TRY(count_feedback(tx, wrong, false));
  const auto now = reviewer.clock->now();
  const std::string before = wrong.status;
  wrong.status = "rejected";
  wrong.decided_by = reviewer.actor;
  wrong.last_verified_at = now;
  storage::LinkQuery query;
  query.from = wrong.from;
  query.to = target;
  CASTIEL_ASSIGN(auto known, tx.links(query));
  query.status = "ignored";
  if (known.empty()) {
    CASTIEL_ASSIGN(known, tx.links(query));
  }
  Link right;
  if (!known.empty()) right = known.front();
  const std::string right_before = known.empty() ? "" : right.status;
  if (known.empty()) {
    right.id = reviewer.ids->next();
    right.from = wrong.from;
    right.from_type = wrong.from_type;
    right.to = target;
    right.to_type = to->key.type;
    right.created_at = now;
  }
  right.strategy = strategy::kUser;
  right.confidence = 100;
  right.status = "attached";
  right.reason = fmt::format("{} said so", reviewer.actor);
  right.evidence = json::serialize(json::array{json::object{{"field", "review"}, {"linkId", wrong.id}}});
  right.created_by = reviewer.actor;
  right.decided_by = reviewer.actor;
  right.last_verified_at = now;
  CASTIEL_TRY(audit(tx, reviewer, "link.retarget", wrong, before));
  const auto direction = content.direction(reviewer.own);
  CASTIEL_TRY(write(tx, reviewer,
                    {{wrong, before, &content, direction}, {right, right_before, &content, direction}}));
  return right;
}

}  // namespace castiel::linking
