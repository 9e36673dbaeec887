#pragma once
// What the load has asked of Castiel, and what was acknowledged: the obligations. A record is owed from the
// moment that the program answered 202 to the import of its file; one whose answer was lost may have arrived
// or not. Any thread may call.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace castiel::conservation {

// One sending of a record: newer ones have a newer modification time.
struct Sending {
  std::string source;        // its bytes in the file, or for a mail all of it
  std::string field, value;  // a field of the stored data, and what it has to be
  bool acknowledged = false;
};

struct Record {
  std::string type;
  std::vector<Sending> sendings;  // oldest first
};

// A line that is no record: one dead letter with these bytes.
struct BadLine {
  int requests = 0;  // a request without an answer may have been heard
  bool acknowledged = false;
};

struct Import {
  std::string tenant, path, correlation;
  std::int64_t records = 0, bad_lines = 0;
  int requests = 0;
  bool mails = false;
  bool done = false, file_removed = false;
  std::int64_t read = 0;  // as last told
};

struct Key {
  std::string tenant, id;
  auto operator<=>(const Key&) const = default;
};

class Book {
 public:
  template <typename F>
  auto with(F&& use) {
    std::lock_guard lock(mutex_);
    return use(*this);
  }
  // Inside with() only.
  std::map<Key, Record> records;
  std::map<Key, BadLine> bad_lines;  // by their bytes
  std::vector<Import> imports;       // those with an answer
  std::vector<std::string> broken;   // promises broken while it ran
  std::int64_t unanswered = 0;       // requests given up without one

 private:
  std::mutex mutex_;
};

}  // namespace castiel::conservation
