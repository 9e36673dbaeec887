#pragma once
// Which mails belong to one conversation: by References and In-Reply-To, and where these are missing by
// subject, participants, quotes and time. Pure; a Threads object has one owner.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace castiel::content::mail {

inline constexpr std::size_t kMaxThreadReferences = 100;  // of one mail; the first and the last ones count
inline constexpr int kSubjectThreadDays = 30;             // a subject without references binds this far

struct ThreadMessage {
  std::string message_id;
  std::string in_reply_to;
  std::vector<std::string> references;
  std::string subject;
  std::vector<std::string> participants;  // addresses, sender first
  std::string quoted;                     // may be empty
  std::string own;                        // the reply text, may be empty: what later mails quote
  Timestamp sent_at;
};

// For a store that threads one mail at a time: keys under which a mail is found again. Two mails belong
// together when they share an id; a mail without references joins by subject key when the store knows a mail
// with the key, at most kSubjectThreadDays apart, that has a participant in common.
struct ThreadKeys {
  std::vector<std::string> ids;  // own id, parents; a new thread is named by the first of `ids`' root
  std::string root;              // oldest reference, else in-reply-to, else own id
  std::string subject;           // key of the base subject; empty when it is too plain to bind
  std::vector<std::string> subject_participants;  // "subject key|address", for an exact lookup
};
ThreadKeys thread_keys(const ThreadMessage& message);

// Whether an answer that names no parent goes on with an earlier mail: by subject, time, and either a quote
// or the people. The caller finds the candidates, by ThreadKeys::subject; where both name parents, these
// decide alone.
bool continues(const ThreadMessage& later, const ThreadMessage& earlier);

struct Thread {
  std::string id;                    // message id of its first mail
  std::vector<std::size_t> members;  // indexes, by time
};
// By the parents they name; in a mailbox whose answers mostly name none also by continues().
std::vector<Thread> group_threads(std::span<const ThreadMessage> messages);

// Of parsed mails: [{"id","messageIds"}].
ThreadMessage thread_message(const json::object& email);
json::array threads_json(const json::array& emails);

}  // namespace castiel::content::mail
