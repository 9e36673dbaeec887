#include "content/csv.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>

namespace castiel::content {
namespace {

struct Read {
  std::uint64_t line;
  std::vector<std::string> fields;
  std::string source, error;
  bool operator==(const Read&) const = default;
};

std::vector<Read> read_all(std::string_view text, CsvDialect dialect = {}, std::size_t fields = 0,
                           std::size_t chunk = 1 << 20) {
  CsvReader reader(dialect, fields);
  std::vector<Read> out;
  const auto drain = [&] {
    while (const auto* record = reader.next()) {
      out.push_back({record->line,
                     {record->fields.begin(), record->fields.end()},
                     std::string(record->source),
                     std::string(record->error)});
      if (!record->error.empty()) out.back().fields.clear();
    }
  };
  for (std::size_t i = 0; i < text.size(); i += chunk) {
    reader.push(text.substr(i, chunk));
    drain();
  }
  reader.finish();
  drain();
  return out;
}

using Fields = std::vector<std::string>;

TEST(CsvReader, keeps_a_quoted_newline) {
  const auto rows = read_all("1,\"a\nb\",2\n3,c,4\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields, (Fields{"1", "a\nb", "2"}));
  EXPECT_EQ(rows[0].source, "1,\"a\nb\",2");
  EXPECT_EQ(rows[1].line, 3u);
}

TEST(CsvReader, reads_doubled_quotes_and_crlf_and_a_last_line_without_end) {
  const auto rows = read_all("\"say \"\"hi\"\"\",x\r\n\r\n\"\",y");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].fields, (Fields{"say \"hi\"", "x"}));
  EXPECT_EQ(rows[1].fields, (Fields{"", "y"}));
  EXPECT_EQ(rows[1].line, 3u);
}

TEST(CsvReader, reads_backslash_escapes_where_the_dialect_has_them) {
  CsvDialect dialect;
  dialect.backslash_escapes = true;
  EXPECT_EQ(parse_csv_record(R"("a \"b\" \\ c:\d",2)", dialect), (Fields{R"(a "b" \ c:\d)", "2"}));
}

TEST(CsvReader, leaves_a_quote_inside_a_plain_field_alone) {
  EXPECT_EQ(parse_csv_record(R"(5" pipe,"a"b,c)", {}), (Fields{"5\" pipe", "ab", "c"}));
  EXPECT_EQ(parse_csv_record(R"(a, "b, c" ,d)", {}), (Fields{"a", "b, c", "d"}));
}

TEST(CsvReader, reports_wrong_numbers_of_fields_and_goes_on) {
  const auto rows = read_all("1,2\n1,2,3\n1,2,3,\n1,2,3,4\n5,6,7\n", {}, 3);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0].error, "wrong_field_count");
  EXPECT_EQ(rows[0].source, "1,2");
  EXPECT_EQ(rows[2].fields, (Fields{"1", "2", "3"}));
  EXPECT_EQ(rows[3].error, "wrong_field_count");
  EXPECT_EQ(rows[4].fields, (Fields{"5", "6", "7"}));
}

TEST(CsvReader, fills_up_short_records_of_a_writer_that_drops_empty_ends) {
  CsvDialect dialect;
  dialect.drops_trailing_empty = true;
  EXPECT_EQ(read_all("1,2\n", dialect, 3)[0].fields, (Fields{"1", "2", ""}));
}

TEST(CsvReader, reports_an_unterminated_quote_and_reads_the_lines_after_it) {
  const auto rows = read_all("1,a\n2,\"b\n3,c\n4,d\n", {}, 2);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[1].error, "unterminated_quote");
  EXPECT_EQ(rows[1].source, "2,\"b");
  EXPECT_EQ(rows[2].fields, (Fields{"3", "c"}));
  EXPECT_EQ(rows[3].line, 4u);
}

TEST(CsvReader, gives_back_the_lines_that_a_stray_quote_swallowed) {
  const auto rows = read_all("1,\"Acme,100\n2,Beta,200\n3,\"Gamma\",300\n4,D,400\n", {}, 3);
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].error, "unterminated_quote");
  EXPECT_EQ(rows[1].fields, (Fields{"2", "Beta", "200"}));
  EXPECT_EQ(rows[2].fields, (Fields{"3", "Gamma", "300"}));
}

TEST(CsvReader, skips_a_line_of_100_mb_in_constant_memory) {
  CsvReader reader({}, 2);
  reader.push("1,a\n2,");
  ASSERT_NE(reader.next(), nullptr);
  const std::string block(1 << 20, 'x');
  for (int i = 0; i < 100; ++i) {
    reader.push(block);
    ASSERT_EQ(reader.next(), nullptr);
  }
  reader.push("\n3,b\n");
  reader.finish();
  const auto* record = reader.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->error, "line_too_long");
  EXPECT_EQ(record->line, 2u);
  EXPECT_EQ(record->source.size(), kMaxErrorSourceBytes);
  EXPECT_EQ(record->end_offset, 4u + 2 + 100 * block.size() + 1);
  record = reader.next();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->fields[1], "b");
  EXPECT_EQ(record->line, 3u);
}

TEST(CsvReader, takes_a_record_of_exactly_the_limit_and_no_longer_one) {
  const std::string most(kMaxRecordBytes, 'x');
  for (const std::size_t chunk : {std::size_t(1) << 21, std::size_t(77777)}) {
    EXPECT_EQ(read_all(most + "\r\ny\n", {}, 0, chunk)[0].error, "");
    EXPECT_EQ(read_all(most + "x\r\ny\n", {}, 0, chunk)[0].error, "line_too_long");
    EXPECT_EQ(read_all(most + "x\r\ny\n", {}, 0, chunk)[1].fields, (Fields{"y"}));
  }
}

RC_GTEST_PROP(CsvProperty, reads_what_was_written_in_any_chunks_and_splits_records_alike, ()) {
  const auto cell =
      rc::gen::container<std::string>(rc::gen::element('a', 'b', ',', '"', '\n', '\r', ' ', ';', '\'', '\\'));
  const auto rows = *rc::gen::container<std::vector<Fields>>(rc::gen::container<Fields>(3, cell));
  std::string text;
  std::vector<Fields> expected;
  for (const auto& row : rows) {
    if (std::ranges::all_of(row, [](const std::string& f) { return f.find_first_not_of(' ') == f.npos; }))
      continue;
    expected.push_back(row);
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += i > 0 ? ",\"" : "\"";
      for (const char c : row[i]) text += c == '"' ? std::string("\"\"") : std::string(1, c);
      text += '"';
    }
    text += *rc::gen::element<std::string>("\n", "\r\n");
  }
  const auto whole = read_all(text, {}, 3);
  RC_ASSERT(whole == read_all(text, {}, 3, *rc::gen::inRange<std::size_t>(1, 9)));
  RC_ASSERT(whole.size() == expected.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    RC_ASSERT(whole[i].fields == expected[i]);
    RC_ASSERT(parse_csv_record(whole[i].source, {}) == expected[i]);
  }
}

RC_GTEST_PROP(CsvProperty, agrees_with_parse_csv_record_on_any_text, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::element('a', ',', '"', '\n', '\r', ' ', '\\'));
  CsvDialect dialect;
  dialect.backslash_escapes = *rc::gen::arbitrary<bool>();
  const auto whole = read_all(text, dialect);
  RC_ASSERT(whole == read_all(text, dialect, 0, 1));
  for (const auto& row : whole) {
    if (row.error.empty()) RC_ASSERT(parse_csv_record(row.source, dialect) == row.fields);
  }
}

TEST(CsvSniffer, finds_delimiters_quotes_and_headers) {
  struct Case {
    std::string text;
    char delimiter, quote;
    std::size_t columns;
    std::uint32_t skip;
    bool header;
  };
  const std::vector<Case> cases{
      {"id,name,amount\n1,A,2\n2,B,3\n", ',', '"', 3, 0, true},
      {"id;name;amount\n1;A;2,5\n2;B;3,5\n", ';', '"', 3, 0, true},
      {"id\tname\n1\tA, B\n2\tC, D\n", '\t', '"', 2, 0, true},
      {"id|name|x\r\n1|A|2\r\n", '|', '"', 3, 0, true},
      {"sep=;\nid;name\n1;A\n", ';', '"', 2, 1, true},
      {"id,'name',x\n1,'A, B',2\n2,'C, D',3\n", ',', '\'', 3, 0, true},
      {"Deals of the quarter\n\nFiltered by: owner\nid,name,stage,amount\n1,A,Won,2\n2,B,Lost,3\n", ',', '"',
       4, 3, true},
      {"1,2017-03-01,Acme,55.5\n2,2017-03-02,Beta,66.5\n", ',', '"', 4, 0, false},
      {"id,note\n1,\"a\nb\"\n", ',', '"', 2, 0, true},
  };
  for (const auto& c : cases) {
    const auto table = sniff_csv(c.text, true);
    EXPECT_EQ(table.dialect.delimiter, c.delimiter) << c.text;
    EXPECT_EQ(table.dialect.quote, c.quote) << c.text;
    EXPECT_EQ(table.columns.size(), c.columns) << c.text;
    EXPECT_EQ(table.dialect.skip_lines, c.skip) << c.text;
    EXPECT_EQ(table.dialect.has_header, c.header) << c.text;
    EXPECT_EQ(table.regularity, 1) << c.text;
  }
}

TEST(CsvSniffer, finds_backslashes_and_old_line_ends) {
  EXPECT_TRUE(
      sniff_csv("id,note\n1,\"a \\\"b\\\", c\"\n2,\"d \\\"e\\\", f\"\n", true).dialect.backslash_escapes);
  const auto table = sniff_csv("id,name\r1,A\r2,B\r", true);
  EXPECT_EQ(table.dialect.line_end, '\r');
  EXPECT_EQ(table.columns.size(), 2u);
}

TEST(CsvSniffer, sees_a_writer_that_drops_empty_ends_but_not_a_damaged_line) {
  EXPECT_TRUE(sniff_csv("a,b,c\n1,2,3\n1,2\n1,2\n1\n1,2,3\n", true).dialect.drops_trailing_empty);
  EXPECT_FALSE(sniff_csv("a,b,c\n1,2,3\n1,2,\n1,2\n1,2,3\n1,2\n", true).dialect.drops_trailing_empty);
  EXPECT_FALSE(sniff_csv("a,b,c\n1,2,3\n1,2\n1,2,3\n1,2\n", true).dialect.drops_trailing_empty);
}

TEST(CsvFooter, begins_at_the_closing_lines_of_a_report) {
  const std::string rows = "1,A,2\n2,B,3\n";
  for (const std::string footer :
       {"\n\"Grand Totals (2 records)\"\n\n\"Copyright (c) 2026 someone\"\n\"Confidential Information\"\n",
        "Total,,5\n", "\n\"Generated By: A B\"\n"}) {
    EXPECT_EQ(csv_footer_offset(rows + footer, {}, 3), rows.size()) << footer;
  }
  for (const std::string data : {"3,C,4\n", "3,C\n", "\n3,C\n", "x\n", "3,\"a\nTotal\"\n"}) {
    EXPECT_EQ(csv_footer_offset(rows + data, {}, 3), rows.size() + data.size()) << data;
  }
}

TEST(CsvDialect, survives_json) {
  CsvDialect dialect{'\t', '\'', true, '\r', false, true, 4};
  EXPECT_EQ(csv_dialect_from_json(to_json(dialect)).value(), dialect);
  EXPECT_EQ(csv_dialect_from_json(to_json({})).value(), CsvDialect());
}

}  // namespace
}  // namespace castiel::content
