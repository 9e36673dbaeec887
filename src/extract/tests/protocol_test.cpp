#include "extract/impl/protocol.hpp"

#include <gtest/gtest.h>

namespace castiel::extract::impl {
namespace {

ReplyHead head_for(std::string_view text, std::uint64_t parts = 0) {
  ReplyHead head;
  head.json_bytes = text.size();
  head.parts_bytes = parts;
  return head;
}

TEST(Protocol, a_request_comes_back_as_it_was_sent) {
  Request request;
  request.as = "email";
  request.name = "an \"odd\" name\n.eml";
  request.media_type = "message/rfc822";
  request.nested_text = true;
  request.from = make_date(2024, 1, 31);
  const auto back = decode_request(encode_request(request));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->as, request.as);
  EXPECT_EQ(back->name, request.name);
  EXPECT_EQ(back->media_type, request.media_type);
  EXPECT_TRUE(back->nested_text);
  EXPECT_EQ(back->from, request.from);
  EXPECT_FALSE(back->to.has_value());
}

TEST(Protocol, a_long_or_damaged_file_name_still_fits_a_request) {
  Request request;
  request.name = "\xff" + std::string(100'000, '"');
  const auto text = encode_request(request);
  EXPECT_LE(text.size(), kMaxRequestJsonBytes);
  EXPECT_TRUE(decode_request(text).has_value());
}

TEST(Protocol, a_reply_comes_back_with_the_sizes_of_its_parts) {
  Extracted extracted;
  extracted.structure = {{"kind", "email"}, {"text", "a,b:[{\\\"}"}};
  extracted.parts.push_back({"a.pdf", "application/pdf", "", "12345"});
  extracted.parts.push_back({"b", "", "", ""});
  const auto text = encode_reply(extracted);
  const auto reply = decode_reply(head_for(text, 5), text, {});
  ASSERT_TRUE(reply.has_value()) << reply.error().describe();
  ASSERT_TRUE(reply->outcome.has_value());
  EXPECT_EQ(reply->outcome->structure, extracted.structure);
  EXPECT_EQ(reply->part_bytes, (std::vector<std::uint64_t>{5, 0}));
  EXPECT_EQ(reply->outcome->parts[0].name, "a.pdf");
}

TEST(Protocol, what_no_worker_sends_is_no_reply) {
  const auto refused = [](std::string_view text, std::uint64_t parts = 0) {
    return !decode_reply(head_for(text, parts), text, {}).has_value();
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("[]"));
  EXPECT_TRUE(refused("{}"));
  EXPECT_TRUE(refused(R"({"structure":[]})"));
  EXPECT_TRUE(refused(std::string(100'000, '[')));
  EXPECT_TRUE(refused(R"({"structure":{},"parts":[{"size":-1}]})"));
  EXPECT_TRUE(refused(R"({"structure":{},"parts":[{"size":6}]})", 5));
  EXPECT_TRUE(refused(R"({"structure":{},"parts":[{"size":4}]})", 5));
  EXPECT_TRUE(refused(R"({"structure":{},"parts":[1]})"));
  EXPECT_TRUE(
      refused(R"({"structure":{},"parts":[{"size":9223372036854775807},{"size":9223372036854775807}]})", 5));
  EXPECT_TRUE(refused(R"({"error":{"code":"corrupt"}})", 5));
  EXPECT_FALSE(refused(R"({"structure":{},"parts":[]})"));
}

TEST(Protocol, codes_of_errors_are_those_of_files) {
  const auto code = [](std::string_view text) {
    return decode_reply(head_for(text), text, {})->outcome.error().code;
  };
  EXPECT_EQ(code(R"({"error":{"code":"encrypted","message":"m"}})"), "encrypted");
  EXPECT_EQ(code(R"({"error":{"code":"rm -rf","message":"m"}})"), "corrupt");
}

TEST(Protocol, values_are_counted_without_parsing_and_limited) {
  EXPECT_GE(count_json_values(R"({"a":[1,2,3]})"), 5u);
  EXPECT_EQ(count_json_values(R"("a,b:[{\",")"), 1u);
  WorkerPoolOptions options;
  options.max_structure_values = 100;
  std::string text = R"({"structure":{"a":[0)";
  for (int i = 0; i < 100; ++i) text += ",0";
  text += "]}}";
  const auto reply = decode_reply(head_for(text), text, options);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->outcome.error().code, "too_large");
}

}  // namespace
}  // namespace castiel::extract::impl
