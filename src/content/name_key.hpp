#pragma once
// Keys under which two spellings of a name are the same, and how far two spellings are apart. Pure,
// thread-safe.

#include <cstddef>
#include <string>
#include <string_view>

namespace castiel::content {

// Only letters and digits, case folded (Unicode NFKC casefold), accents stripped: "GTX Pro", "gtx-pro" and
// "GTXPro" have one key. Scripts without case keep their letters. Empty when there is neither letter nor
// digit.
std::string name_key(std::string_view text);
// The same without the legal forms a company's name ends in ("Inc", "GmbH & Co. KG", "S.A."), unless nothing
// would be left, without a leading "The" and without "and" between words, which others write '&'.
std::string company_key(std::string_view text);

// Edits (insert, delete, replace, swap of neighbours: optimal string alignment) from `a` to `b`, by bytes of
// valid UTF-8 keys; k + 1 when more than `k`. O(k * length). Source: banded dynamic programming after Ukkonen
// (1985).
std::size_t edit_distance_at_most(std::string_view a, std::string_view b, std::size_t k);

}  // namespace castiel::content
