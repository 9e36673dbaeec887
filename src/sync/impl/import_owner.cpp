// Whose an import run is: its lease, and what is done when it changes hands.

#include "sync/impl/import_state.hpp"

namespace castiel::sync {

namespace {
constexpr Duration kAskAgain = std::chrono::seconds(1);  // for a lease another process has
}

std::optional<ImportOptions> options_of(const storage::ImportRun& run) {
  const auto detail = parse_json(run.detail);
  if (!detail || !detail->is_object()) return std::nullopt;
  const auto& o = detail->get_object();
  ImportOptions options;
  if (const auto* paths = get_array(o, "paths")) {
    for (const auto& path : *paths) {
      if (path.is_string()) options.paths.emplace_back(path.get_string());
    }
  }
  options.source_map = string_or(o, "sourceMap");
  options.source_map_name = string_or(o, "sourceMapName");
  options.again = bool_or(o, "again", false);
  options.time_zone = string_or(o, "timeZone", "UTC");
  options.default_currency = string_or(o, "defaultCurrency");
  options.page_records =
      static_cast<std::size_t>(int_or(o, "pageRecords", static_cast<std::int64_t>(connectors::kPageRecords)));
  options.page_bytes =
      static_cast<std::size_t>(int_or(o, "pageBytes", static_cast<std::int64_t>(connectors::kPageBytes)));
  if (const auto integration = string_or(o, "integration"); !integration.empty())
    options.integration = IntegrationId(integration);
  return options;
}

Result<std::unique_ptr<storage::Transaction>> ImportJob::State::begin() {
  if (!lease) return conditional("lease_lost", "another process goes on with this import");
  CASTIEL_ASSIGN(auto tx, parts.store->begin(tenant, deadline()));
  CASTIEL_TRY(tx->hold_lease(*lease));
  return tx;
}

Result<bool> ImportJob::State::take(storage::Transaction& tx) {
  CASTIEL_ASSIGN(auto taken,
                 tx.take_lease(storage::import_lease(run.correlation), parts.owner, parts.lease_term));
  const Duration now = parts.clock->monotonic();
  if (!taken) {
    let_go();
    ask_at = now + kAskAgain;
    return false;
  }
  if (!lease || lease->fence != taken->fence) {
    // Somebody else may have read on, or ended it.
    CASTIEL_ASSIGN(const auto stored, tx.import_run(run.correlation));
    over = !stored || stored->status != "running";
    if (over) {
      let_go();
      return false;
    }
    go_on_from(*stored);
  }
  lease = std::move(taken);
  ask_at = now + parts.lease_term / 3;
  return true;
}

Result<bool> ImportJob::State::own() {
  if (over) return false;
  if (parts.clock->monotonic() < ask_at) return lease.has_value();
  CASTIEL_ASSIGN(auto tx, parts.store->begin(tenant, deadline()));
  CASTIEL_ASSIGN(const bool ours, take(*tx));
  if (!ours) return false;
  if (auto committed = tx->commit(); !committed) {
    // It may be ours or not: asked again at once, and then all is read anew.
    let_go();
    return std::unexpected(std::move(committed.error()));
  }
  return true;
}

void ImportJob::State::let_go() {
  lease.reset();
  reader.reset();
  content.reset();
  ask_at = Duration(0);
}

void ImportJob::State::go_on_from(const storage::ImportRun& stored) {
  if (const auto known = parse_json(stored.detail); known && known->is_object()) {
    detail = known->get_object();
    announced = bool_or(detail, "announced", false);
  }
  run = stored;
  reader.reset();
  content.reset();
  next_file = 0;
  // Pages of an earlier holder may wait in any of them.
  queues = {model::queue::kDataRaw, model::queue::kCommunications, model::queue::kDocuments,
            model::queue::kMeetings, model::queue::kEvents};
}

bool ImportJob::held() const {
  return state_->lease.has_value();
}

Result<> ImportJob::give_back() {
  auto& s = *state_;
  if (!s.lease) return {};
  CASTIEL_ASSIGN(auto tx, s.parts.store->begin(s.tenant, s.deadline()));
  CASTIEL_TRY(tx->give_back_lease(*s.lease));
  s.let_go();
  return tx->commit();
}

Result<std::unique_ptr<ImportJob>> ImportJob::take_up(ImportParts parts, const storage::TenantImport& found) {
  auto options = options_of(found.run);
  if (!options) return permanent("not_found", "what the import was started with cannot be read");
  return open(std::move(parts), found.tenant, std::move(*options), found.run.correlation);
}

}  // namespace castiel::sync
