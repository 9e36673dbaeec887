#pragma once
// Brings a database file's schema up to date, one numbered script after another, each in its own transaction.

#include <span>

#include "storage/sqlite/impl/connection.hpp"

namespace castiel::storage::sqlite {

struct Migration {
  const char* name;  // "0001_initial"
  const char* script;
};

std::span<const Migration> migrations();
// Errors: store_too_new when the file knows more migrations than this program.
Result<> migrate(Connection& connection);

}  // namespace castiel::storage::sqlite
