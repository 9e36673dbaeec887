#pragma once
// A shard and its history as JSON, the shape of `castiel shards`. Any thread; blocks on disk.

#include "base/json.hpp"
#include "model/shard.hpp"
#include "storage/store.hpp"

namespace castiel::api {

// {"tenant","type","id","externalId","integration","version","data","source","correlationId","createdAt","updatedAt",
// "deletedAt"}. `data` also has the relations: `<role>Id` is the shard a relation resolves to and
// `<role>Name` its name; what the source wrote is `<role>ExternalId`, or `<role>Name` where it wrote a name.
// Content has linkedOpportunities, linkedAccounts and linkedContacts: the ids of what it is attached to.
// `source` is {"text", …origin}.
Result<json::object> shard_json(const storage::Reader& reader, const model::Shard& shard);
// {"field","from","to","effectiveAt","recordedAt","origin","actor","correlationId"}
json::object change_json(const model::FieldChange& change);

}  // namespace castiel::api
