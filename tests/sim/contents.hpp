#pragma once
// The other kinds of source in a simulated world: mails, calendars, calls, chat and documents, some inside
// an archive, and the records that each file is. From the seed alone; plain values.

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"

namespace castiel::sim {

// A record as its file gives it. With the same rank and other content the first one is kept.
struct ContentRecord {
  std::string type, key;
  std::string content;
  std::int64_t rank = 0;                   // of dated ones: seconds since 1970
  std::string field, value;                // of the shard, to be found there
  std::vector<ContentRecord> attachments;  // documents, each when the record is stored
};

struct ContentFile {
  std::string path;  // with "!/" when it lies in an archive
  std::string kind;  // the same bytes are read once for each way of reading
  std::string bytes;
  std::vector<ContentRecord> records;
};

// What a wave has besides its tables. Archives are no files of their own: those inside are.
struct Contents {
  std::vector<ContentFile> files;
  std::vector<std::pair<std::string, std::string>> archives;  // path and bytes
};

// A tenant's correspondence, wave by wave: later ones repeat and go on.
class ContentMaker {
 public:
  ContentMaker(SeededRandom& random, Timestamp from, std::string tenant, std::string mark, int deals);
  Contents make(const std::string& folder);

 private:
  struct Mail {
    ContentRecord record;
    std::string text;  // as a message of the Internet
  };
  bool chance(int in) { return random_.below(static_cast<std::uint64_t>(in)) == 0; }
  std::string about();
  Mail mail();
  ContentFile mailbox(const std::string& folder);
  ContentFile letter(const std::string& path, const Mail& mail);
  ContentFile calendar(const std::string& folder);
  ContentFile call(const std::string& folder);
  ContentFile chat(const std::string& folder);
  ContentFile document(const std::string& path, int kind);

  SeededRandom& random_;
  std::int64_t now_;
  std::string tenant_, mark_;
  int deals_;
  int numbers_ = 0;  // so that no two texts are the same by chance
  std::vector<Mail> mails_;
  std::vector<ContentRecord> events_, messages_;
};

}  // namespace castiel::sim
