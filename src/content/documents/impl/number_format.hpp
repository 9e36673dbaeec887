#pragma once
// Numbers as a spreadsheet shows them (ECMA-376 part 1, 18.8.31). Dates come out as ISO 8601, whatever order
// of day and month the format has: data, not decoration. Pure.

#include <string>
#include <string_view>

namespace castiel::content::documents::impl {

// `code` of a built-in format; empty for General and unknown ones.
std::string_view builtin_format(int id);
bool is_date_format(std::string_view code);
// `from_1904`: the workbook counts days from 1904-01-01.
std::string format_number(double value, std::string_view code, bool from_1904);
// At most 15 significant digits, as a spreadsheet shows General.
std::string plain_number(double value);

}  // namespace castiel::content::documents::impl
