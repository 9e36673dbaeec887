#pragma once
// What the operations on dead letters and on the quarantine share: which letters a call means, how one is
// told, and its replay, dry and real.

#include <functional>
#include <string>
#include <vector>

#include "api/impl/calls.hpp"
#include "messaging/letters.hpp"

namespace castiel::api::impl {

inline constexpr std::size_t kMaxReplayed = 10'000;  // letters of one call
inline constexpr std::size_t kMaxNamed = 500;        // ids of one call

// "dlq" or "quarantine": the words of the command line, of the audit and of the addresses.
std::string_view area_of(storage::LetterPlace place);

bool for_one_tenant(const Call& call);
json::object letter_json(const storage::DeadLetter& letter);
// The query a list's parameters make: queue, cause, state, cursor. Error invalid_cursor.
Result<storage::LetterQuery> letter_query(const Call& call, storage::LetterPlace place);
// Of the tenant named, or of all.
Result<std::vector<storage::DeadLetter>> find_letters(Services& services, const Call& call,
                                                      const storage::LetterQuery& query);
std::unexpected<Error> no_letter(storage::LetterPlace place, std::string_view id);
// The letter in this place, with its tenant: the one named, which must be the letter's own, or the letter's.
// Error not_found.
Result<storage::DeadLetter> one_letter(Services& services, const Call& call, storage::LetterPlace place,
                                       const std::string& id);
Result<> audit_alone(Services& services, const TenantId& tenant, const Call& call, std::string_view action,
                     std::string_view target, json::object detail = {});

// What a call chooses: `ids` (parameter, comma separated, or body), or `all`, `cause` or `queue`. Error
// invalid_parameter when it chooses nothing.
struct Choice {
  std::vector<std::string> ids;  // empty: what the query finds
  storage::LetterQuery query;
};
Result<Choice> choice_of(const Call& call, storage::LetterPlace place);
// Visits what is chosen in id order, page by page, until `most` or the first error. Gives the id to go on
// after when there are more, else nothing. Errors: not_found of a named letter, the visitor's.
Result<std::string> each_page(Services& services, const Call& call, const Choice& choice, std::size_t most,
                              const std::function<Result<>(std::vector<storage::DeadLetter>)>& visit);

// Dry unless the call confirms it.
Result<json::value> replay_chosen(Services& services, const Call& call, storage::LetterPlace place);

std::vector<http::Parameter> choice_parameters();
http::Parameter flag_parameter(std::string name, std::string description);

}  // namespace castiel::api::impl
