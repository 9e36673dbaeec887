#pragma once
// The words of an HTML mail as text that keeps its lines: paragraphs, lists, rows of tables, quotes with ">
// ", links. Pure, thread-safe. HTML too deep or odd for a tree gives its words without its structure.

#include <string>
#include <string_view>

namespace castiel::content::mail::impl {

std::string html_to_text(std::string_view html);

}  // namespace castiel::content::mail::impl
