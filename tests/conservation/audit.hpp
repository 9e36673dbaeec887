#pragma once
// Compares what is stored with what is owed: nothing lost, nothing invented, nothing twice, payloads equal.

#include <chrono>
#include <string>
#include <vector>

#include "book.hpp"
#include "support.hpp"

namespace castiel::conservation {

struct Audit {
  std::vector<std::string> problems;
  std::int64_t owed = 0, doubtful = 0, stored = 0, letters = 0,
               others = 0;  // others: letters of good records
  std::int64_t imports = 0, unfinished = 0;
};

// Asks the API on the socket; one look.
Audit audit(const functional::Path& socket, Book& book, const std::vector<std::string>& tenants);
// Looks again until nothing is wrong or the limit is over; the last look.
Audit settle(const functional::Path& socket, Book& book, const std::vector<std::string>& tenants,
             functional::Millis limit);

}  // namespace castiel::conservation
