// Damaged documents through the fuzzers' function, the same ones in every run (DOC-4).

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "content/fuzz/entry_points.hpp"
#include "content/tests/documents_fixtures.hpp"

namespace castiel::content {
namespace {

TEST(Smoke, documents_survive_damage) {
  using documents::testing::docx;
  const std::vector<std::string> seeds{
      docx("<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"),
      "{\\rtf1\\ansicpg1252{\\fonttbl{\\f0\\fcharset204 A;}}\\u8364?\\'e9{\\footnote x}\\trowd a\\cell\\row}",
      "<html><meta charset=utf-8><table><tr><td rowspan=3 colspan=9>a</table><p>b<pre>c",
      "| a | b |\n|---|---|\n| c | d |\n",
      "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" + std::string(22, '\0') + "\x09" + std::string(2000, '\0')};
  SeededRandom random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = seeds[random.below(seeds.size())];
    for (auto edits = random.below(10); edits > 0 && !bytes.empty(); --edits) {
      const auto at = random.below(bytes.size());
      switch (random.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(random.next());
          break;
        case 1:
          bytes.erase(at, 1 + random.below(8));
          break;
        case 2:
          bytes.insert(at, bytes.substr(at, random.below(40)));
          break;
        default:
          bytes.resize(at);
          break;
      }
    }
    fuzz::fuzz_document(bytes);
  }
}

}  // namespace
}  // namespace castiel::content
