#pragma once
// Brings a database's schema up to date, one numbered script after another, each in a transaction of its own
// and under a lock, so that processes that start together do it once.

#include <span>

#include "storage/postgres/impl/connection.hpp"

namespace castiel::storage::postgres {

struct Migration {
  const char* name;  // "0001_initial"
  const char* script;
};

std::span<const Migration> migrations();
// Errors: store_too_new when the database knows more migrations than this program, store_denied,
// store_unsafe.
Result<> migrate(Connection& connection, Duration longest);

}  // namespace castiel::storage::postgres
