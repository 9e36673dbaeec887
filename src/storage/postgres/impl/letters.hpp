#pragma once
// Dead letters and the quarantine, of one tenant or of all. Under row-level security a session sees what its
// role may see; the tenant is asked for all the same.

#include <string>
#include <vector>

#include "storage/postgres/impl/session.hpp"
#include "storage/records.hpp"

namespace castiel::storage::postgres {

// `tenant` empty: of all.
Result<std::vector<DeadLetter>> find_letters(Session& session, const std::string& tenant,
                                             const LetterQuery& query);
Result<std::vector<LetterGroup>> group_letters(Session& session, const std::string& tenant,
                                               const LetterQuery& query, LetterGrouping by);
// In either place.
Result<std::optional<DeadLetter>> find_letter(Session& session, const std::string& tenant,
                                              std::string_view id);

}  // namespace castiel::storage::postgres
