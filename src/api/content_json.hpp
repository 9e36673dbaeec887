#pragma once
// How stored content shows beside what it is linked to: a mail in one line of a timeline, the links and the
// thread of a shard, the two ends of a link. Pure, but for what takes a Reader, which blocks on disk.

#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "model/shard.hpp"
#include "storage/store.hpp"

namespace castiel::api {

inline constexpr std::size_t kMaxLinksShown = 200;   // of one content
inline constexpr std::size_t kMaxThreadShown = 200;  // messages
inline constexpr std::size_t kSnippetBytes = 400;

// A record in a line.
struct Shown {
  std::string title;
  Timestamp at;
  std::string text;                 // its own words, whole
  std::vector<std::string> people;  // who wrote, was written to, took part
};
// `data` is the shard's, parsed. Works for records of the CRM too, which have a name and no text.
Shown show(const model::Shard& shard, const json::object& data);
// The shard's data; empty when it is no object.
json::object data_of(const model::Shard& shard);

// At most kSnippetBytes of `text` in one line.
std::string snippet(std::string_view text);
// Where in the content the first evidence stands that has a place: {"page"}, {"slide"}, {"sheet"} or
// {"segment","minute"}; null when it is nowhere in particular.
json::value place_of(const json::object& data, const json::array& evidence);
// {"segment","minute"} of a transcript's segment.
json::object segment_place(const json::object& data, std::int64_t segment);

// {"id","strategy","confidence","status","reason","evidence"}
json::object link_brief(const storage::Link& link);
// {"id","type","title","at","text","people"}: the content, with as much text as shows its evidence.
Result<json::value> link_source(const storage::Reader& reader, const storage::Link& link);
// {"id","type","name"}
Result<json::value> link_target(const storage::Reader& reader, const storage::Link& link);

// Puts the ids of what the content is attached to into `data`: linkedOpportunities, linkedAccounts,
// linkedContacts; the contactId of each person (null where there is none); how many mails answer a mail; and
// makes attachments' documentId the id of the shard (null where there is none).
Result<> add_linked_ids(const storage::Reader& reader, const model::Shard& shard, json::object& data);
// [{…link_brief, "to": {"id","type","name"}}], attached ones first.
Result<json::array> links_of(const storage::Reader& reader, const ShardId& shard);
// [{"id","at","from","title","text"}], oldest first, itself included; empty when the content has no thread.
Result<json::array> thread_of(const storage::Reader& reader, const model::Shard& shard,
                              const json::object& data);

}  // namespace castiel::api
