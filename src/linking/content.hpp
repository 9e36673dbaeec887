#pragma once
// A stored mail, message, document, meeting or calendar entry as linking sees it: when, who, which words.
// Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "model/shard.hpp"
#include "storage/records.hpp"
#include "tenancy/own_people.hpp"

namespace castiel::linking {

struct Person {
  std::string email;  // lower case, may be empty
  std::string name;
  std::string role;  // from, to, cc, bcc, organizer, attendee, participant
};

struct TextField {
  std::string name;  // as in the shard's data: "subject", "bodyPlainText", "transcript.segments[3].text"
  std::string text;
  bool title = false;
};

struct Content {
  static constexpr std::size_t kMaxPeople = 50;  // of more, nothing follows from who takes part

  ShardId id;
  model::ShardKey key;
  Timestamp at;
  std::string subject;
  std::vector<TextField> fields;
  std::vector<Person> people;
  std::vector<std::string> addresses;     // of plus-addresses: "deals+006XX@…" as they stand
  std::string thread;                     // empty: none
  std::string channel;                    // name of a chat channel; empty for direct messages
  std::optional<model::ShardKey> parent;  // the mail a document or entry came with, or a machine answers
  bool automatic = false;                 // written by a machine
  bool unwanted = false;  // marketing, spam, bounces: linked by explicit references and by `parent`
  bool cancelled = false;

  bool is_meeting() const;
  // inbound, outbound, internal, or empty where nothing tells.
  std::string direction(const tenancy::OwnPeople& own) const;
};

bool is_content_type(std::string_view type);
// Nothing for a shard of another type or with unreadable data.
std::optional<Content> read_content(const model::Shard& shard);

// Under what it is found again; `directory_version` is the one it was linked with.
std::vector<storage::Footprint> footprints_of(const Content& content, std::int64_t directory_version);
// One for each outside person that our side wrote to, heard from or met.
std::vector<storage::Interaction> interactions_of(const Content& content, const tenancy::OwnPeople& own);

namespace footprint {
inline constexpr std::string_view kLinkedWith = "directory";  // the version of the directory
inline constexpr std::string_view kPerson = "person";
inline constexpr std::string_view kPersonName = "name";
inline constexpr std::string_view kDomain = "domain";
inline constexpr std::string_view kThread = "thread";
inline constexpr std::string_view kChannel = "channel";
inline constexpr std::string_view kParent = "parent";
}  // namespace footprint

// How a parent is written in a footprint.
std::string parent_key(const model::ShardKey& key);

}  // namespace castiel::linking
