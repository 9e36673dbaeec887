#include "content/mail/threads.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <unordered_map>

#include "content/mail/impl/mail_words.hpp"
#include "content/mail/reply.hpp"
#include "content/values.hpp"

namespace castiel::content::mail {
namespace {

constexpr std::size_t kMinSubjectKeyBytes = 4;
constexpr std::size_t kMaxSameSubject = 50;    // earlier mails of a subject that one is compared with
constexpr std::size_t kMaxComparedLines = 12;  // of a mail, looked for in another's quotes
constexpr std::size_t kComparedBytes = 60;     // of a line: quotes break long ones
constexpr std::int64_t kMicrosPerDay = 86'400'000'000;

std::string subject_key(std::string_view subject) {
  std::string out;
  bool space = false;
  for (const char c : impl::fold(base_subject(subject))) {
    if (c == ' ' || c == '\t') {
      space = !out.empty();
      continue;
    }
    if (space) out.push_back(' ');
    space = false;
    out.push_back(c);
  }
  // Too plain to bind: "hi", "test", "question" name no conversation.
  static constexpr std::string_view kPlain[] = {"hello",        "test",  "question", "hi there", "update",
                                                "meeting",      "info",  "invoice",  "thanks",   "no subject",
                                                "(no subject)", "hallo", "frage",    "help",     "status"};
  if (out.size() < kMinSubjectKeyBytes || std::ranges::find(kPlain, out) != std::end(kPlain)) return {};
  return out;
}

// Parents, oldest first.
std::vector<std::string> parents_of(const ThreadMessage& message) {
  std::vector<std::string> out = message.references;
  if (out.size() > kMaxThreadReferences) out.erase(out.begin() + 1, out.end() - (kMaxThreadReferences - 1));
  if (!message.in_reply_to.empty() && std::ranges::find(out, message.in_reply_to) == out.end())
    out.push_back(message.in_reply_to);
  std::erase(out, message.message_id);
  return out;
}

class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t add() {
    parent_.push_back(parent_.size());
    return parent_.size() - 1;
  }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    parent_[std::max(find(a), find(b))] = std::min(find(a), find(b));
  }

 private:
  std::vector<std::size_t> parent_;
};

// Whether the later mail is from somebody the earlier one went to, or goes to its sender: an address that
// both went to may be a mailing list's and says nothing.
bool answers(const ThreadMessage& later, const ThreadMessage& earlier) {
  if (later.participants.empty() || earlier.participants.empty()) return false;
  const auto& from = later.participants.front();
  const auto& to = earlier.participants.front();
  return std::ranges::find(earlier.participants, from) != earlier.participants.end() ||
         std::ranges::find(later.participants, to) != later.participants.end();
}

// The line at `i`, which moves past it.
std::string_view next_line(std::string_view text, std::size_t& i) {
  const auto end = std::min(text.find('\n', i), text.size());
  auto line = trim(text.substr(i, end - i));
  i = end + 1;
  while (line.starts_with('>') || line.starts_with('|')) line = trim(line.substr(1));
  return line;
}

// Rules and links of footers are everybody's.
bool says_something(std::string_view line) {
  return line.size() >= 20 && std::ranges::count(line, ' ') >= 3;
}

// A line of the earlier mail's own words that the later one quotes.
bool quotes(const ThreadMessage& later, const ThreadMessage& earlier) {
  if (later.quoted.empty() || earlier.own.empty()) return false;
  std::size_t looked = 0;
  for (std::size_t i = 0; i < earlier.own.size() && looked < kMaxComparedLines;) {
    const auto line = next_line(earlier.own, i);
    if (!says_something(line)) continue;
    ++looked;
    if (later.quoted.find(line.substr(0, kComparedBytes)) != std::string::npos) return true;
  }
  return false;
}

std::string lowered(std::string_view text) {
  return impl::fold(text);
}

// Whether the answers here name their parents, so that one without a parent answers none of these mails.
bool names_parents(std::span<const ThreadMessage> messages) {
  std::size_t answers = 0, with_parent = 0;
  for (const auto& message : messages) {
    const bool parent = !parents_of(message).empty();
    answers += parent || is_reply_subject(message.subject) ? 1 : 0;
    with_parent += parent ? 1 : 0;
  }
  return with_parent * 2 > answers;
}

// Answers that name no parent join the latest mails of their subject that they go with.
void join_by_subject(std::span<const ThreadMessage> messages, Sets& sets) {
  std::map<std::string, std::vector<std::size_t>> by_subject;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    auto key = subject_key(messages[i].subject);
    if (!key.empty()) by_subject[std::move(key)].push_back(i);
  }
  for (auto& [key, list] : by_subject) {
    std::ranges::stable_sort(list, {}, [&](std::size_t i) { return messages[i].sent_at; });
    for (std::size_t k = 1; k < list.size(); ++k) {
      for (std::size_t back = 1; back <= std::min(k, kMaxSameSubject); ++back) {
        const ThreadMessage& earlier = messages[list[k - back]];
        if (!continues(messages[list[k]], earlier)) continue;
        sets.join(list[k], list[k - back]);
        break;
      }
    }
  }
}

}  // namespace

bool continues(const ThreadMessage& later, const ThreadMessage& earlier) {
  if (!parents_of(later).empty() || later.sent_at < earlier.sent_at) return false;
  if (!is_reply_subject(later.subject) && !is_forward_subject(later.subject)) return false;
  const auto key = subject_key(later.subject);
  if (key.empty() || key != subject_key(earlier.subject)) return false;
  const std::int64_t days = (later.sent_at.micros - earlier.sent_at.micros) / kMicrosPerDay;
  if (days > kSubjectThreadDays) return false;
  return quotes(later, earlier) || answers(later, earlier);
}

ThreadKeys thread_keys(const ThreadMessage& message) {
  ThreadKeys out;
  const auto parents = parents_of(message);
  if (!message.message_id.empty()) out.ids.push_back(message.message_id);
  out.ids.insert(out.ids.end(), parents.begin(), parents.end());
  out.root = parents.empty() ? message.message_id : parents.front();
  out.subject = subject_key(message.subject);
  if (!out.subject.empty())
    for (const auto& who : message.participants)
      out.subject_participants.push_back(out.subject + '|' + lowered(who));
  return out;
}

std::vector<Thread> group_threads(std::span<const ThreadMessage> messages) {
  Sets sets(messages.size());
  std::unordered_map<std::string, std::size_t> by_id;
  const auto node_of = [&](const std::string& id) {
    const auto [at, added] = by_id.try_emplace(id, 0);
    if (added) at->second = sets.add();
    return at->second;
  };
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].message_id.empty()) sets.join(i, node_of(messages[i].message_id));
    for (const auto& id : parents_of(messages[i])) sets.join(i, node_of(id));
  }
  if (!names_parents(messages)) join_by_subject(messages, sets);
  std::map<std::size_t, Thread> threads;
  for (std::size_t i = 0; i < messages.size(); ++i) threads[sets.find(i)].members.push_back(i);
  std::vector<Thread> out;
  for (auto& [root, thread] : threads) {
    // A mail without a time comes after those that have one.
    std::ranges::stable_sort(thread.members, {}, [&](std::size_t i) {
      return std::pair(messages[i].sent_at.micros == 0, messages[i].sent_at.micros);
    });
    for (const auto i : thread.members) {
      if (thread.id.empty()) thread.id = messages[i].message_id;
    }
    out.push_back(std::move(thread));
  }
  std::ranges::stable_sort(out, {}, [](const Thread& thread) { return thread.members.front(); });
  return out;
}

ThreadMessage thread_message(const json::object& email) {
  ThreadMessage out;
  out.message_id = string_or(email, "messageId");
  out.in_reply_to = string_or(email, "inReplyTo");
  if (const auto* list = get_array(email, "references"))
    for (const auto& id : *list)
      if (id.is_string()) out.references.emplace_back(id.get_string());
  out.subject = string_or(email, "subject");
  const auto add = [&](const json::value& box) {
    if (!box.is_object()) return;
    auto address = lowered(string_or(box.get_object(), "email"));
    if (!address.empty() && std::ranges::find(out.participants, address) == out.participants.end())
      out.participants.push_back(std::move(address));
  };
  if (const auto* from = email.if_contains("from")) add(*from);
  for (const auto* field : {"to", "cc"})
    if (const auto* list = get_array(email, field))
      for (const auto& box : *list) add(box);
  out.quoted = string_or(email, "quotedText");
  out.own = string_or(email, "replyText");
  for (const auto* field : {"sentAt", "receivedAt"}) {
    if (out.sent_at.micros != 0) break;
    if (const auto time = parse_timestamp(string_or(email, field))) out.sent_at = *time;
  }
  return out;
}

json::array threads_json(const json::array& emails) {
  std::vector<ThreadMessage> messages;
  for (const auto& email : emails)
    messages.push_back(email.is_object() ? thread_message(email.get_object()) : ThreadMessage{});
  json::array out;
  for (const auto& thread : group_threads(messages)) {
    json::array ids;
    for (const auto i : thread.members) ids.emplace_back(messages[i].message_id);
    out.push_back(json::object{{"id", thread.id}, {"messageIds", std::move(ids)}});
  }
  return out;
}

}  // namespace castiel::content::mail
