#pragma once
// The load: a client that keeps importing files of records of its own, as fast as they are handled. Asks
// again with the same idempotency key while it gets no answer, or, now and then, gives up. Runs on a thread
// of its own.

#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "book.hpp"
#include "support.hpp"

namespace castiel::conservation {

struct LoadOptions {
  std::uint64_t seed = 0;
  functional::Path socket, folder;   // of the process with the roles api and sync; for the files
  std::vector<std::string> tenants;  // of letters and digits, at most six
  int most_open = 6;                 // imports at once
};

class Load {
 public:
  Load(LoadOptions options, Book& book);
  // Until it is asked to stop and its last request is answered or given up.
  void run(const std::stop_token& stop);

 private:
  struct File {
    std::string path, text;
    bool mails = false;
    std::vector<std::pair<Key, Sending>> records;
    std::string bad_line;  // may be empty
  };
  int below(int n);
  std::string token();
  File deals(const std::string& tenant);
  File updates(const std::string& tenant);
  File mails(const std::string& tenant);
  std::string deal_line(const std::string& tenant, int number, std::size_t version, Sending& sending);
  void write(File& file, const std::string& tenant);
  void ask(const std::string& tenant, File& file, const std::stop_token& stop);
  void watch();

  LoadOptions options_;
  Book* book_;
  std::mt19937_64 random_;
  int files_ = 0, numbers_ = 0, keys_ = 0;
};

// What the API answers on the socket, as an object; empty when there is no answer, or another status.
boost::json::object asked(const functional::Path& socket, const std::string& target,
                          const functional::Ask& ask = {}, int status = 200);

}  // namespace castiel::conservation
