#pragma once
// What the operations' functions share: the tenant's reader and transaction, pages, idempotency.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/operations.hpp"

namespace castiel::api::impl {

inline constexpr std::size_t kDefaultLimit = 50;
inline constexpr std::size_t kMaxLimit = 500;
inline constexpr auto kWriteWait = std::chrono::seconds(10);

// Errors: invalid_tenant, invalid_parameter (absent).
Result<TenantId> tenant_of(const Call& call);
// Errors: the same and unknown_tenant.
Result<std::unique_ptr<storage::Reader>> reader_of(Services& services, const Call& call);
Result<std::unique_ptr<storage::Transaction>> begin(Services& services, const TenantId& tenant);
Result<std::size_t> limit_of(const Call& call);
// The cursor of lists counted by position. Error invalid_cursor.
Result<std::size_t> offset_of(const Call& call);
std::unexpected<Error> invalid_cursor();
json::object page(json::array items, json::value next = nullptr);
Result<std::optional<Date>> as_of(const Call& call);

// Runs a write once for each key of a tenant: a second call with the same key gets the first one's answer.
// Answers are kept with the tenant in kSlots places chosen by the key, so that they are bounded; one that was
// overwritten, or is older than a day, is forgotten. The same key with another request is an error
// (unprocessable).
inline constexpr std::uint64_t kSlots = 4096;
Result<json::value> once(Services& services, const TenantId& tenant, std::string_view operation,
                         const Call& call, const std::function<Result<json::value>()>& run);

Result<> audit(storage::Transaction& tx, Services& services, const Call& call, std::string_view action,
               std::string_view target, json::object detail = {});

// The queues' list, for GET /queues and the live feed.
Result<json::object> queues_json(Services& services);

// GET /deals/{id}/timeline
Result<json::value> timeline(Services& services, const Call& call);

// The operations by subject; operations.cpp joins them into the table.
std::vector<Operation> tenant_operations();
std::vector<Operation> deal_operations();
std::vector<Operation> shard_operations();
std::vector<Operation> import_operations();
std::vector<Operation> flow_operations();
std::vector<Operation> letter_operations();
std::vector<Operation> reconcile_operations();
std::vector<Operation> link_operations();

// Parameters many operations have.
http::Parameter tenant_parameter(bool required = true);
http::Parameter limit_parameter();
http::Parameter cursor_parameter();
http::Parameter as_of_parameter();
http::Parameter text_parameter(std::string name, std::string description,
                               std::vector<std::string> values = {});

}  // namespace castiel::api::impl
