#pragma once
// A folder of every kind of source, invented from a seed: mails, calls, calendars, chat, documents and an
// archive beside the CRM exports of crm_files.hpp, about the same deals.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support.hpp"

namespace castiel::functional {

// Bytes of a zip archive, members stored as they are.
std::string zip_of(const std::vector<std::pair<std::string, std::string>>& members);
// A one-page PDF file with a line of text.
std::string pdf_of(const std::string& line);

struct MixedShape {
  int mails = 60;   // in a mailbox; every tenth has an attachment
  int letters = 4;  // mail files
  int calls = 4;
  int entries = 6;    // of a calendar
  int messages = 12;  // of a chat export
  int documents = 6;  // text, HTML, PDF, in turn
};
struct MixedCounts {
  std::int64_t emails = 0, meetings = 0, events = 0, messages = 0;
  std::int64_t documents = 0;    // files
  std::int64_t attachments = 0;  // documents, too, but no records that were read
  std::int64_t records() const { return emails + meetings + events + messages + documents; }
};

// Writes into `folder`/mixed.
MixedCounts write_mixed(const TempFolder& folder, std::uint64_t seed, MixedShape shape = {});

}  // namespace castiel::functional
