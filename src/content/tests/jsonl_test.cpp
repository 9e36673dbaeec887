#include "content/jsonl.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace castiel::content {
namespace {

std::vector<std::pair<std::string, std::string>> read_all(std::string_view text,
                                                          std::size_t chunk = 1 << 20) {
  const auto start = sniff_json(text, true);
  if (!start) return {};
  JsonReader reader(start->layout, start->offset);
  std::vector<std::pair<std::string, std::string>> out;
  const auto drain = [&] {
    while (const auto* record = reader.next()) {
      EXPECT_EQ(record->error.empty() ? text.substr(record->offset, record->source.size()) : record->source,
                record->source);
      out.emplace_back(record->source, record->error);
    }
  };
  for (std::size_t i = start->offset; i < text.size(); i += chunk) {
    reader.push(text.substr(i, chunk));
    drain();
  }
  reader.finish();
  drain();
  return out;
}

TEST(JsonRecord, flattens_and_keeps_numbers_verbatim) {
  const auto fields = parse_json_record(
      R"({"id":12345678901234567890.10,"a":{"b":{"c":{"d":{"e":1}}}},"t":true,"n":null,"l":[1, 2],"s":"\u00e9\ud83d\ude00\n"})");
  ASSERT_TRUE(fields);
  const std::vector<JsonField> expected{{"id", JsonKind::number, "12345678901234567890.10"},
                                        {"a.b.c.d", JsonKind::object, R"({"e":1})"},
                                        {"t", JsonKind::boolean, "true"},
                                        {"n", JsonKind::null, ""},
                                        {"l", JsonKind::array, "[1, 2]"},
                                        {"s", JsonKind::string, "é😀\n"}};
  EXPECT_EQ(*fields, expected);
}

TEST(JsonRecord, takes_the_last_of_two_members_with_one_name) {
  EXPECT_EQ(parse_json_record(R"({"a":1,"b":2,"a":3})").value()[0].text, "3");
}

TEST(JsonRecord, refuses_what_is_no_json) {
  for (const char* text : {"", "{", "{\"a\":}", "{\"a\":01}", "{\"a\":1,}", "{\"a\":1}x", "{'a':1}",
                           "{\"a\":\"\\x\"}", "{\"a\":1e}", "{\"a\" 1}"}) {
    EXPECT_EQ(parse_json_record(text).error().code, "invalid_json") << text;
  }
  EXPECT_EQ(parse_json_record("[1]").error().code, "unsupported");
  EXPECT_FALSE(parse_json_record("{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}"));
}

TEST(JsonRecord, sees_through_the_bags_of_apis) {
  EXPECT_EQ(without_bag("properties.amount"), "amount");
  EXPECT_EQ(without_bag("attributes.name"), "name");
  EXPECT_EQ(without_bag("properties"), "properties");
  EXPECT_EQ(first_of_array(R"([{"value":"a","primary":false},{"value":"b","primary":true}])", "value"), "b");
  EXPECT_EQ(first_of_array(R"([{"id":"7"},{"id":"8"}])", "id"), "7");
  EXPECT_EQ(first_of_array(R"(["x","y"])", ""), "x");
  EXPECT_EQ(first_of_array("[]", ""), "");
}

TEST(JsonReader, reads_lines_and_loses_only_a_bad_one) {
  const auto records = read_all("{\"a\":1}\n{\"a\":\n\n{\"a\":3}");
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].first, "{\"a\":");
  EXPECT_EQ(records[2].first, "{\"a\":3}");
}

TEST(JsonReader, reads_arrays_single_objects_and_answers_of_apis) {
  EXPECT_EQ(read_all("[{\"a\":1},\n {\"a\":\"}]\"}]\n").size(), 2u);
  EXPECT_EQ(read_all("{\n  \"a\": 1\n}\n").size(), 1u);
  EXPECT_EQ(read_all("{\n \"a\": 1\n}\n{\n \"a\": 2\n}").size(), 2u);
  EXPECT_EQ(
      read_all(R"({"totalSize":2,"done":true,"records":[{"Id":"1"},{"Id":"2"}],"x":{"y":[{}]}})").size(), 2u);
  EXPECT_EQ(read_all("{\n\"results\": [\n{\"id\":\"1\",\"properties\":{\"amount\":\"5\"}}\n]\n}").size(), 1u);
  EXPECT_TRUE(read_all("[]").empty());
  EXPECT_FALSE(sniff_json("[1,2]", true));
  EXPECT_FALSE(sniff_json("hello", true));
}

TEST(JsonReader, skips_a_record_that_is_too_long) {
  const std::string text = "{\"a\":1}\n{\"a\":\"" + std::string(3 << 20, 'x') + "\"}\n{\"a\":3}\n";
  for (const std::size_t chunk : {std::size_t(1) << 24, std::size_t(65536)}) {
    const auto records = read_all(text, chunk);
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(records[1].second, "line_too_long");
    EXPECT_EQ(records[2].first, "{\"a\":3}");
  }
  const auto records = read_all(
      "[\n" + text.substr(0, 7) + "," + text.substr(8, text.size() - 17) + "," + "{\"a\":3}]", 65536);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].second, "line_too_long");
}

RC_GTEST_PROP(JsonProperty, cuts_the_same_records_from_any_chunks, ()) {
  const auto text = *rc::gen::container<std::string>(
      rc::gen::element('{', '}', '[', ']', '"', '\\', ',', ':', '1', '\n', ' ', 'a'));
  const std::string whole = "{\"a\":1}\n" + text;
  RC_ASSERT(read_all(whole) == read_all(whole, 1));
  const std::string array = "[{\"a\":1}," + text;
  RC_ASSERT(read_all(array) == read_all(array, 1));
}

}  // namespace
}  // namespace castiel::content
