#include <gtest/gtest.h>

#include "content/documents/archive.hpp"
#include "content/documents/dateline.hpp"
#include "content/documents/document.hpp"
#include "content/tests/documents_fixtures.hpp"

namespace castiel::content::documents {
namespace {

using testing::docx;
using testing::Members;
using testing::packed;
using testing::relations;

json::object parsed(std::string_view bytes, std::string_view name = {}) {
  auto result = parse_document(bytes, name);
  if (result) return std::move(result->structure);
  ADD_FAILURE() << result.error().describe();
  return {};
}
std::string text(const json::object& document) {
  return string_or(document, "text");
}
std::string rows(const json::object& document, std::size_t table = 0) {
  const auto* tables = get_array(document, "tables");
  if (!tables || table >= tables->size()) return "no such table";
  return json::serialize(tables->at(table).at("rows"));
}
std::string code(std::string_view bytes, std::string_view name = {}) {
  const auto result = parse_document(bytes, name);
  return result ? "read" : result.error().code;
}
std::string p(std::string_view words) {
  return "<w:p><w:r><w:t>" + std::string(words) + "</w:t></w:r></w:p>";
}

TEST(Docx, keeps_the_order_of_paragraphs_and_tables) {  // DOC-1
  const auto document = parsed(docx(p("before") + "<w:tbl><w:tr><w:tc>" + p("a") + p("b") + "</w:tc><w:tc>" +
                                    p("c") + "</w:tc></w:tr></w:tbl>" + p("after")));
  EXPECT_EQ(text(document), "before\na\nb\tc\nafter");
  EXPECT_EQ(rows(document), R"([["a\nb","c"]])");
  EXPECT_EQ(string_or(document, "documentType"), "docx");
}

TEST(Docx, repeats_merged_cells_in_the_table_only) {
  const auto document =
      parsed(docx("<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val=\"2\"/></w:tcPr>" + p("wide") +
                  "</w:tc><w:tc><w:tcPr><w:vMerge "
                  "w:val=\"restart\"/></w:tcPr>" +
                  p("tall") + "</w:tc></w:tr><w:tr><w:tc>" + p("x") + "</w:tc><w:tc>" + p("y") +
                  "</w:tc><w:tc><w:tcPr><w:vMerge/></w:tcPr>" + p("") + "</w:tc></w:tr></w:tbl>"));
  EXPECT_EQ(rows(document), R"([["wide","wide","tall"],["x","y","tall"]])");
  EXPECT_EQ(text(document), "wide\ttall\nx\ty\t");
}

TEST(Docx, reads_the_final_text_of_tracked_changes_and_fields) {
  const auto document = parsed(
      docx("<w:p><w:r><w:t>We </w:t></w:r><w:del><w:r><w:delText>must "
           "</w:delText></w:r></w:del><w:ins><w:r><w:t>can</w:t></w:r>"
           "</w:ins><w:r><w:fldChar w:fldCharType=\"begin\"/><w:instrText> PAGE </w:instrText><w:fldChar "
           "w:fldCharType=\"separate\"/><w:t> 7</w:t><w:fldChar w:fldCharType=\"end\"/></w:r></w:p>"));
  EXPECT_EQ(text(document), "We can 7");
}

TEST(Docx, numbers_lists_as_word_does) {
  const std::string item =
      "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"L\"/><w:numId "
      "w:val=\"1\"/></w:numPr></w:pPr><w:r><w:t>T</w:t></w:r></w:p>";
  const auto at = [&](char level, std::string_view words) {
    std::string result = item;
    result.replace(result.find('L', result.find("ilvl")), 1, 1, level);
    result.replace(result.find(">T<") + 1, 1, words);
    return result;
  };
  const auto document =
      parsed(docx(at('0', "one") + at('1', "first") + at('1', "second") + at('0', "two") + at('1', "again"),
                  {{"word/numbering.xml",
                    "<w:numbering><w:abstractNum w:abstractNumId=\"0\"><w:lvl w:ilvl=\"0\"><w:start "
                    "w:val=\"1\"/><w:numFmt "
                    "w:val=\"decimal\"/><w:lvlText w:val=\"%1)\"/></w:lvl><w:lvl w:ilvl=\"1\"><w:start "
                    "w:val=\"1\"/><w:numFmt "
                    "w:val=\"lowerLetter\"/><w:lvlText w:val=\"%1.%2\"/></w:lvl></w:abstractNum><w:num "
                    "w:numId=\"1\"><w:abstractNumId "
                    "w:val=\"0\"/></w:num></w:numbering>"}}));
  EXPECT_EQ(text(document), "1) one\n1.a first\n1.b second\n2) two\n2.a again");
}

TEST(Docx, reads_headers_notes_comments_and_text_boxes) {
  const auto document = parsed(docx(
      "<w:p><w:r><w:t>body</w:t><mc:AlternateContent><mc:Choice><wps:txbx><w:txbxContent>" + p("boxed") +
          "</w:txbxContent></wps:txbx></mc:Choice><mc:Fallback><w:txbxContent>" + p("boxed") +
          "</w:txbxContent></mc:Fallback></mc:AlternateContent></w:r></w:p>",
      {{"word/_rels/document.xml.rels",
        relations({{"header", "header1.xml"}, {"footnotes", "footnotes.xml"}, {"comments", "comments.xml"}})},
       {"word/header1.xml", "<w:hdr>" + p("head") + "</w:hdr>"},
       {"word/footnotes.xml", "<w:footnotes><w:footnote w:type=\"separator\">" + p("---") +
                                  "</w:footnote><w:footnote>" + p("note") + "</w:footnote></w:footnotes>"},
       {"word/comments.xml", "<w:comments><w:comment>" + p("remark") + "</w:comment></w:comments>"}}));
  EXPECT_EQ(text(document), "head\nbody\nboxed\nnote\nremark");
}

TEST(Xlsx, shows_cells_as_the_sheet_does_and_dates_as_data) {
  const auto document = parsed(packed(
      {{"[Content_Types].xml", "<Types/>"},
       {"xl/workbook.xml",
        "<workbook><sheets><sheet name=\"Deals\" r:id=\"r1\"/><sheet name=\"Old\" state=\"hidden\" "
        "r:id=\"r2\"/></sheets></workbook>"},
       {"xl/_rels/workbook.xml.rels", relations({{"worksheet", "worksheets/sheet1.xml"},
                                                 {"worksheet", "worksheets/sheet2.xml"},
                                                 {"sharedStrings", "sharedStrings.xml"},
                                                 {"styles", "styles.xml"}})},
       {"xl/sharedStrings.xml", "<sst><si><t>Ac</t><r><t>me &amp; Co</t></r><rPh><t>x</t></rPh></si></sst>"},
       {"xl/styles.xml",
        "<styleSheet><numFmts><numFmt numFmtId=\"164\" formatCode=\"&quot;$&quot;#,##0.00\"/></numFmts>"
        "<cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/><xf numFmtId=\"14\"/><xf numFmtId=\"9\"/>"
        "</cellXfs></styleSheet>"},
       {"xl/worksheets/sheet1.xml",
        "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"C1\" "
        "s=\"1\"><v>1234.5</v></c><c r=\"D1\" "
        "s=\"2\"><v>42736</v></c><c r=\"E1\" s=\"3\"><f>1/4</f><v>0.25</v></c></row><row r=\"3\"><c r=\"A3\" "
        "t=\"inlineStr\"><is><t>in</t></is></c><c r=\"B3\" "
        "t=\"b\"><v>1</v></c></row></sheetData><mergeCells><mergeCell "
        "ref=\"A3:A4\"/></mergeCells></worksheet>"},
       {"xl/worksheets/sheet2.xml",
        "<worksheet><sheetData><row><c><v>1</v></c><c><v>2</v></c></row></sheetData></worksheet>"}}));
  const auto& sheets = document.at("sheets").as_array();
  ASSERT_EQ(sheets.size(), 2u);
  EXPECT_EQ(json::serialize(sheets[0].at("rows")),
            R"([["Acme & Co","","$1,234.50","2017-01-01","25%"],[],["in","TRUE"]])");
  EXPECT_EQ(json::serialize(sheets[1]), R"({"name":"Old","rows":[["1","2"]],"hidden":true})");
}

TEST(Pptx, follows_the_presentation_not_the_file_names) {
  const auto slide = [](std::string_view words, std::string_view attributes = {}) {
    return "<p:sld " + std::string(attributes) +
           "><p:cSld><p:spTree><p:grpSp><p:sp><p:txBody><a:p><a:r><a:t>" + std::string(words) +
           "</a:t></a:r></a:p></p:txBody></p:sp></p:grpSp></p:spTree></p:cSld></p:sld>";
  };
  const auto document = parsed(
      packed({{"[Content_Types].xml", "<Types/>"},
              {"ppt/presentation.xml",
               "<p:presentation><p:sldIdLst><p:sldId id=\"9\" r:id=\"r2\"/><p:sldId id=\"8\" r:id=\"r1\"/>"
               "</p:sldIdLst></p:presentation>"},
              {"ppt/_rels/presentation.xml.rels",
               relations({{"slide", "slides/slide1.xml"}, {"slide", "slides/slide2.xml"}})},
              {"ppt/slides/slide1.xml", slide("last", "show=\"0\"")},
              {"ppt/slides/slide2.xml", slide("first")},
              {"ppt/slides/_rels/slide1.xml.rels", relations({{"notesSlide", "../notesSlides/n.xml"}})},
              {"ppt/notesSlides/n.xml", slide("say this")}}));
  EXPECT_EQ(
      json::serialize(document.at("slides")),
      R"([{"number":1,"text":"first","notes":"","hidden":false},{"number":2,"text":"last","notes":"say this","hidden":true}])");
}

TEST(OpenDocument, reads_sheets_with_repeated_cells) {
  const auto document = parsed(packed(
      {{"mimetype", "application/vnd.oasis.opendocument.spreadsheet"},
       {"META-INF/manifest.xml", "<m/>"},
       {"content.xml",
        "<o:document-content><office:body><office:spreadsheet><table:table table:name=\"S\"><table:table-row>"
        "<table:table-cell "
        "table:number-columns-repeated=\"2\"><text:p>a<text:s/>b</text:p></table:table-cell>"
        "<table:table-cell table:number-columns-repeated=\"16000\"/></table:table-row><table:table-row "
        "table:number-rows-repeated=\"1000000\"><table:table-cell/></table:table-row></table:table></"
        "office:spreadsheet>"
        "</office:body></o:document-content>"}}));
  EXPECT_EQ(json::serialize(document.at("sheets")), R"([{"name":"S","rows":[["a b","a b"]]}])");
}

TEST(Html, gives_blocks_tables_and_no_scripts) {
  const auto document = parsed(
      "<!DOCTYPE html><title>T</title><style>x{}</style><h1>Head</h1><p>One <b>two</b>\n "
      "three<script>bad()</script></p>"
      "<table><tr><th>a</th><td colspan=2>b</td></tr></table><ul><li>i<li>j</ul>");
  EXPECT_EQ(text(document), "Head\nOne two three\na\tb\ni\nj");
  EXPECT_EQ(rows(document), R"([["a","b","b"]])");
  EXPECT_EQ(string_or(document, "title"), "T");
}

TEST(Html, says_when_it_was_written) {  // DOC-3
  const auto page = parsed(
      "<html><head><meta property=\"article:published_time\" content=\"2026-09-14T08:00:00+02:00\">"
      "<meta name=\"DCTERMS.modified\" content=\"2026-09-20\"></head><body>x</body></html>");
  EXPECT_EQ(string_or(page, "createdAt"), "2026-09-14T06:00:00Z");
  EXPECT_EQ(string_or(page, "modifiedAt"), "2026-09-20T00:00:00Z");
}

std::string day(std::string_view text) {
  const auto date = dateline_of(text);
  return date ? castiel::to_string(*date) : "none";
}

TEST(Dateline, is_the_day_at_the_head_of_a_text) {
  EXPECT_EQ(
      day("Laiterie du Haut-Jura, caves. Notes de Tomasz, 18 novembre 2026\n\nAppel le 24 novembre 2027"),
      "2026-11-18");
  EXPECT_EQ(day("Hollis & Tarr, call of 27 October 2026 (Luis, Kelly)"), "2026-10-27");
  EXPECT_EQ(day("Messegespräch Leipzig, 6. Oktober 2026, Jonas"), "2026-10-06");
  EXPECT_EQ(day("# Handover\n\n*14 September 2026*, Katharina"), "2026-09-14");
  EXPECT_EQ(day("Brno, 7 October 2026, 14:00 to 15:20"), "2026-10-07");
  EXPECT_EQ(day("Datum: 03.11.2026"), "2026-11-03");
  EXPECT_EQ(day("March 3rd, 2026\nDear Ann"), "2026-03-03");
  EXPECT_EQ(day("Madrid, 27 de noviembre de 2026"), "2026-11-27");
  EXPECT_EQ(day("Minutes 2026-10-07"), "2026-10-07");
}

TEST(Dateline, is_not_any_day) {
  EXPECT_EQ(day("Offer valid until 29 January 2027"), "none");
  EXPECT_EQ(day("Frist: 29. Januar 2027"), "none");
  EXPECT_EQ(day("10/04/2026"), "none") << "April or October";
  EXPECT_EQ(day("September 2026, 12 sensors"), "none");
  EXPECT_EQ(day("1\n2\n3\n4\n5\n6 May 2026"), "none") << "too far down";
  EXPECT_EQ(day(std::string(300, 'x') + " 6 May 2026"), "none") << "prose";
  EXPECT_EQ(day("31 February 2026"), "none");
  EXPECT_EQ(day(""), "none");
}

TEST(Rtf, reads_code_pages_unicode_and_tables) {
  const auto document = parsed(
      "{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}}{\\info{\\title "
      "Plan}}\\f0 Gr\\'fc\\'dfe "
      "\\u8364?5\\par {\\f1\\'cf\\'f0}\\par{\\*\\secret no}\\trowd\\intbl a\\cell b\\cell\\row\\pard end}");
  EXPECT_EQ(text(document),
            "Gr\xC3\xBC\xC3\x9F"
            "e \xE2\x82\xAC"
            "5\n\xD0\x9F\xD1\x80\na\tb\nend");
  EXPECT_EQ(rows(document), R"([["a","b"]])");
  EXPECT_EQ(string_or(document, "title"), "Plan");
}

TEST(PlainText, is_read_in_any_encoding) {
  EXPECT_EQ(text(parsed(std::string("\xFF\xFEh\0i\0", 6))), "hi");
  EXPECT_EQ(text(parsed(std::string("\xFF\xFE\0\0h\0\0\0i\0\0\0", 12))), "hi");
  EXPECT_EQ(text(parsed("caf\xE9 au lait")), "caf\xC3\xA9 au lait");
}

// DOC-4

TEST(HostileDocuments, no_entity_is_expanded_and_no_file_is_read) {
  const std::string bomb =
      "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\"><!ENTITY f SYSTEM "
      "\"file:///etc/hostname\">]>"
      "<w:document><w:body>" +
      p("x&b;y&f;z") + "</w:body></w:document>";
  const auto document = parsed(packed({{"word/document.xml", bomb}}));
  EXPECT_EQ(text(document), "x&b;y&f;z");
}

TEST(HostileDocuments, bombs_end_as_bombs) {
  EXPECT_EQ(code(docx(p(std::string(40u << 20, 'a')))), "bomb");
}

TEST(HostileDocuments, truncated_and_empty_ones_are_corrupt) {
  const auto whole = docx(p("a"));
  EXPECT_EQ(code(whole.substr(0, 40), "a.docx"), "unsupported");
  EXPECT_EQ(code(packed({{"word/other.xml", "<a/>"}})), "corrupt");
  EXPECT_EQ(code(packed({{"word/document.xml", "no xml"}})), "corrupt");
}

TEST(HostileDocuments, what_breaks_off_is_corrupt_and_not_half_a_document) {
  const auto whole = docx(p("a") + p(std::string(3000, 'b')), {{"docProps/app.xml", "<Properties/>"}});
  EXPECT_EQ(code(whole, "a.docx"), "read");
  for (const std::size_t missing : {1u, 30u, 100u, 200u})
    EXPECT_EQ(code(whole.substr(0, whole.size() - missing), "a.docx"), "corrupt") << missing;
}

TEST(HostileDocuments, deep_nesting_ends) {
  std::string deep, close;
  for (int i = 0; i < 50'000; ++i) deep += "<w:sdt><w:sdtContent>", close += "</w:sdtContent></w:sdt>";
  EXPECT_EQ(text(parsed(docx(p("a") + deep + p("b") + close))), "a");
  std::string divs;
  for (int i = 0; i < 15'000; ++i) divs += "<div>";
  EXPECT_EQ(code("<html>" + divs + "x"), "read");
  EXPECT_EQ(code("<html>" + divs + divs + "x"), "too_large");
}

TEST(HostileDocuments, unknown_binaries_are_unsupported) {
  EXPECT_EQ(code("%PDF-1.4"), "unsupported");
  EXPECT_EQ(code(std::string("\x01\x02\x03\0\0\0\x04\x05\x06\0\0\x01", 12)), "unsupported");
}

TEST(Archives, unpack_within_limits) {
  const Members members{{"a/b.txt", "one"}, {"../c.txt", "two"}};
  for (const bool tar : {false, true}) {
    const auto unpacked = unpack_archive(packed(members, tar));
    ASSERT_TRUE(unpacked.has_value());
    ASSERT_EQ(unpacked->members.size(), 2u);
    EXPECT_EQ(unpacked->members[0].name, "a/b.txt");
    EXPECT_EQ(unpacked->members[1].name, "c.txt");
    EXPECT_EQ(unpacked->members[1].bytes, "two");
  }
  ArchiveLimits limits;
  limits.max_members = 1;
  EXPECT_EQ(unpack_archive(packed(members), {}, limits).error().code, "too_large");
  limits = {};
  limits.max_total_bytes = 4;
  EXPECT_EQ(unpack_archive(packed(members), {}, limits).error().code, "bomb");
  EXPECT_EQ(list_archive(packed(members))->size(), 2u);
  EXPECT_EQ(unpack_archive("PK\x03\x04garbage").error().code, "corrupt");
}

}  // namespace
}  // namespace castiel::content::documents
