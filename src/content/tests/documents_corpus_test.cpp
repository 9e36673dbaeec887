// Real documents of several kinds, where CASTIEL_TEST_DATA names them: how much of what is known to be in
// them is found. The floors lie below what was measured.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "content/documents/document.hpp"

namespace castiel::content::documents {
namespace {

std::filesystem::path data() {
  const char* folder = std::getenv("CASTIEL_TEST_DATA");
  return folder ? folder : "../shared/data";
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool absent(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return false;
  std::cerr << "NOTICE: " << path.filename().string()
            << " is absent: set CASTIEL_TEST_DATA to measure documents\n";
  return true;
}

std::string squeezed(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) > ' ') result += c;
  }
  return result;
}

// Everything a reader can find: text, title, author, and the text of the files inside.
std::string found_in(const std::filesystem::path& path, int depth = 0) {
  const auto document = parse_document(bytes_of(path), path.filename().string());
  if (!document) return {};
  std::string text = string_or(document->structure, "text") + string_or(document->structure, "title") +
                     string_or(document->structure, "author");
  for (const auto& part : document->parts) {
    if (depth > 0) break;
    if (const auto inner = parse_document(part.bytes, part.name)) text += string_or(inner->structure, "text");
  }
  return squeezed(text);
}

double share_of_strings(const std::filesystem::path& folder) {
  const auto expected = parse_json(bytes_of(folder / "_expected_strings.dev.json"));
  int wanted = 0, found = 0;
  for (const auto& [name, cases] : expected->as_object()) {
    const std::string file = name;
    // Of other readers: mail, PDF, pictures, and formats that are refused.
    const auto extension = file.substr(file.find_last_of('.') + 1);
    static const std::string kOthers = " eml msg mbox pdf jpg png xlsb vsdx ";
    if (kOthers.find(' ' + extension + ' ') != std::string::npos) continue;
    const std::string text = found_in(folder / file);
    for (const auto& one : cases.as_array()) {
      for (const auto& words : one.at("contains").as_array()) {
        // Markup belongs to the reader the cases were written for.
        const std::string_view given = words.as_string();
        if (given.find('<') != std::string_view::npos || given.find('>') != std::string_view::npos ||
            given.find("class=") != std::string_view::npos)
          continue;
        ++wanted;
        found += text.find(squeezed(given)) != std::string::npos;
      }
    }
  }
  std::cerr << folder.filename().string() << ": " << found << " of " << wanted << " strings found\n";
  return wanted == 0 ? 0 : static_cast<double>(found) / wanted;
}

TEST(DocumentsCorpus, expected_strings_are_found) {
  const auto root = data() / "documents";
  if (absent(root / "tika" / "_expected_strings.dev.json")) GTEST_SKIP();
  EXPECT_GE(share_of_strings(root / "tika"), 0.60);
  EXPECT_GE(share_of_strings(root / "poi"), 0.35);
}

TEST(DocumentsCorpus, hostile_files_end_in_a_document_or_a_known_error) {
  const auto root = data() / "hostile";
  if (absent(root)) GTEST_SKIP();
  for (const std::string_view set : {"office_poi", "tika", "unstructured"}) {
    for (const auto& file : std::filesystem::directory_iterator(root / set)) {
      const auto result = parse_document(bytes_of(file.path()), file.path().filename().string());
      if (result) continue;
      const auto& code = result.error().code;
      EXPECT_TRUE(code == "encrypted" || code == "corrupt" || code == "too_large" || code == "bomb" ||
                  code == "unsupported")
          << file.path() << ": " << code;
    }
  }
}

}  // namespace
}  // namespace castiel::content::documents
