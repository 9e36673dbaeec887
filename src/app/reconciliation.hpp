#pragma once
// What reconciliation knows of the stages: which queues take what, what follows from a shard, whom to ask for
// what is not stored any more.

#include "operations/reconcile.hpp"
#include "sync/import_service.hpp"

namespace castiel::app {

// Evaluations of deals, texts in the index, links of content.
std::vector<operations::Consequence> consequences();

// The integration whose files an import read; several are joined by '+'.
Result<std::string> integration_of_flow(const storage::Reader& reader, const CorrelationId& flow);

// Runs the import that brought a flow once more; of an empty flow the newest one. Nothing when there is none,
// or its files cannot be read any more. Only the newest one may let its values win: an older one must not
// bring back what was replaced.
Result<std::optional<CorrelationId>> refetch_import(storage::Store& store, sync::ImportService& imports,
                                                    const TenantId& tenant, const CorrelationId& flow);

}  // namespace castiel::app
