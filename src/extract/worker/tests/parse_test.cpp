// PDF and pictures through the worker's one function; fixtures are made here. DOC-1, DOC-4.

#include "extract/worker/parse.hpp"

#include <gtest/gtest.h>

#include "content/tests/documents_fixtures.hpp"

namespace castiel::extract::worker {
namespace {

// A PDF with one page per text; its table of offsets is left for the reader to repair.
std::string pdf(const std::vector<std::string>& pages, std::string_view more = {}) {
  std::string kids, objects;
  int number = 3;
  for (const auto& words : pages) {
    const std::string content = "BT /F 24 Tf 72 700 Td (" + words + ") Tj ET";
    kids += std::to_string(number) + " 0 R ";
    objects += std::to_string(number) +
               " 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F "
               "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>/Contents " +
               std::to_string(number + 1) + " 0 R>>endobj\n" + std::to_string(number + 1) +
               " 0 obj<</Length " + std::to_string(content.size()) + ">>stream\n" + content +
               "\nendstream endobj\n";
    number += 2;
  }
  return "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[" + kids +
         "]/Count " + std::to_string(pages.size()) + ">>endobj\n" + objects + std::string(more) +
         "99 0 obj<</Title(Offer)/Author(Ann)>>endobj\ntrailer<</Root 1 0 R/Info 99 0 R>>\n%%EOF\n";
}

Result<Extracted> read(std::string_view bytes, std::string_view name = {}) {
  Request request;
  request.name = name;
  request.bytes = bytes;
  request.nested_text = true;
  return parse(request);
}
std::string code(std::string_view bytes, std::string_view name = {}) {
  const auto result = read(bytes, name);
  return result ? "read" : result.error().code;
}

TEST(Pdf, gives_text_by_page_and_metadata) {
  const auto result = read(pdf({"First page words", "Second page words"}));
  ASSERT_TRUE(result.has_value()) << result.error().describe();
  const auto& pages = result->structure.at("pages").as_array();
  ASSERT_EQ(pages.size(), 2u);
  EXPECT_NE(string_or(pages[1].as_object(), "text").find("Second page words"), std::string::npos);
  EXPECT_FALSE(pages[0].at("ocr").as_bool());
  EXPECT_EQ(string_or(result->structure, "title"), "Offer");
  EXPECT_EQ(string_or(result->structure, "author"), "Ann");
}

TEST(Pdf, damaged_ones_end_clearly) {
  EXPECT_EQ(code("%PDF-1.4\nnothing else"), "corrupt");
  const auto whole = pdf({"Some words here"});
  for (std::size_t cut = 20; cut < whole.size(); cut += 97) (void)read(whole.substr(0, cut), "a.pdf");
}

TEST(Worker, unpacks_archives_and_reads_what_is_inside_documents) {
  using content::documents::testing::docx;
  const auto inner = docx("<w:p><w:r><w:t>inner words</w:t></w:r></w:p>");
  const auto outer = docx("<w:p><w:r><w:t>outer</w:t></w:r></w:p>", {{"word/embeddings/offer.docx", inner}});
  const auto result = read(outer);
  ASSERT_TRUE(result.has_value());
  ASSERT_EQ(result->parts.size(), 1u);
  EXPECT_EQ(result->parts[0].bytes, inner);
  EXPECT_EQ(string_or(result->structure.at("embedded").as_array()[0].as_object(), "text"), "inner words");

  const auto archive = read(content::documents::testing::packed({{"a.txt", "one"}, {"b/c.docx", inner}}));
  ASSERT_TRUE(archive.has_value());
  EXPECT_EQ(string_or(archive->structure, "kind"), "archive");
  EXPECT_EQ(archive->parts.size(), 2u);
}

TEST(Pictures, damaged_ones_end_clearly) {
  EXPECT_EQ(code("\x89PNG\r\n\x1a\nnothing"), "corrupt");
  EXPECT_EQ(code("GIF89a"), "corrupt");
}

}  // namespace
}  // namespace castiel::extract::worker
