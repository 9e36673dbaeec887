#pragma once
// Excel 97 and 95 workbooks (MS-XLS, BIFF8 and BIFF5): the sheets' cells as shown. Pure; any thread.

#include <string_view>

#include "content/documents/document.hpp"

namespace castiel::content::documents::impl {

// `stream`: the compound file's "Workbook" or "Book". Errors: encrypted, corrupt.
Result<ParsedDocument> read_xls(std::string_view stream);

}  // namespace castiel::content::documents::impl
