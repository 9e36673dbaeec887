#pragma once
// Mails: thread, own words without quotes and signature, class, action items (COMM-1, COMM-3, COMM-4). One
// for each batch.

#include <map>
#include <string>

#include "content/mail/threads.hpp"
#include "processing/content/understanding.hpp"

namespace castiel::processing {

class EmailReader final : public RecordReader {
 public:
  Result<Understood> read(const json::object& record, const RecordContext& context) override;

 private:
  struct Membership {
    std::string thread;
    content::mail::ThreadMessage message;
  };
  Result<std::string> thread_of(const json::object& record, const std::vector<std::string>& references,
                                const RecordContext& context, const content::mail::ThreadMessage& message,
                                const std::string& subject_key);
  Result<std::string> stored_thread(const RecordContext& context, std::string_view kind,
                                    std::string_view key);
  Result<std::string> thread_by_subject(const RecordContext& context, const std::string& subject_key,
                                        const content::mail::ThreadMessage& later);

  // Of the mails earlier in the batch, which the store does not have yet.
  std::map<std::string, std::string, std::less<>> thread_of_id_;         // their own Message-IDs
  std::map<std::string, std::string, std::less<>> thread_of_reference_;  // what they refer to
  std::multimap<std::string, Membership, std::less<>> thread_of_subject_;
};

}  // namespace castiel::processing
