// COMM-1, COMM-3, COMM-4: a parsed mail as it is shown, and mails as conversations.

#include <gtest/gtest.h>

#include "content/mail/analyse.hpp"
#include "content/mail/message.hpp"
#include "content/mail/threads.hpp"

namespace castiel::content::mail {
namespace {

const text::Context kContext{*parse_timestamp("2030-01-01T00:00:00Z"), "UTC"};

json::object analysed(const std::string& bytes) {
  const auto mail = parse_message(bytes);
  EXPECT_TRUE(mail.has_value());
  return mail ? analyse_message(mail->structure, kContext) : json::object();
}

constexpr char kAnswer[] =
    "From: Ruth Amsel <ruth@amsel.example>\nTo: Pavel Dorn <pavel@dorn.example>\nSubject: Re: Roof\n"
    "Date: Thu, 11 Jun 2026 09:00:00 +0200\nMessage-ID: <2@amsel.example>\nIn-Reply-To: <1@dorn.example>\n"
    "Content-Type: text/plain; charset=utf-8\n\n"
    "Hello Pavel,\n\nthank you, this looks great. I'll send the signed order by Friday.\n\n"
    "Best regards\nRuth Amsel\nAmsel Roofs Ltd\n+44 20 7946 0000\n\n"
    "On Wed, 10 Jun 2026 Pavel Dorn wrote:\n> Could you send the order?\n";

TEST(AnalyseMail, splits_the_text_and_reads_only_its_own_words) {
  const auto mail = analysed(kAnswer);
  EXPECT_EQ(string_or(mail, "class"), "person");
  EXPECT_NE(string_or(mail, "replyText").find("signed order"), std::string::npos);
  EXPECT_NE(string_or(mail, "quotedText").find("Could you send"), std::string::npos);
  EXPECT_NE(string_or(mail, "signature").find("Amsel Roofs"), std::string::npos);
  EXPECT_TRUE(mail.at("forwarded").is_null());
  EXPECT_EQ(string_or(mail, "language"), "en");
  EXPECT_GT(mail.at("sentiment").as_double(), 0.2);
  const auto& items = *get_array(mail, "actionItems");
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(string_or(items[0].as_object(), "kind"), "commitment");
  EXPECT_EQ(string_or(items[0].as_object(), "owner"), "Ruth Amsel");
  // Days count from when the mail was sent, not from now.
  EXPECT_EQ(string_or(items[0].as_object(), "due"), "2026-06-12");
  const auto& dates = *get_array(mail, "dates");
  ASSERT_EQ(dates.size(), 1u);
  EXPECT_EQ(string_or(dates[0].at("resolution").as_array()[0].as_object(), "end"), "2026-06-12");
  EXPECT_EQ(string_or(dates[0].as_object(), "sentence"), "I'll send the signed order by Friday.");
}

TEST(AnalyseMail, shows_no_workings) {
  const auto mail = analysed(
      "From: a@x.example\nSubject: Plan\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHere it is.\n"
      "--b\nContent-Type: text/plain; name=plan.txt\nContent-Disposition: attachment; "
      "filename=plan.txt\n\nx\n--b--\n");
  for (const auto* name : {"headers", "calendarPart", "calendarMethod"})
    EXPECT_FALSE(mail.contains(name)) << name;
  const auto& attachments = *get_array(mail, "attachments");
  ASSERT_EQ(attachments.size(), 1u);
  EXPECT_FALSE(attachments[0].as_object().contains("part"));
}

TEST(AnalyseMail, asks_nothing_of_machines) {
  const auto mail = analysed(
      "From: no-reply@shop.example\nSubject: Your order\nAuto-Submitted: auto-generated\n\n"
      "Please send us the form by Friday. This is wonderful!\n");
  EXPECT_EQ(string_or(mail, "class"), "notification");
  EXPECT_TRUE(get_array(mail, "actionItems")->empty());
  EXPECT_EQ(mail.at("sentiment").to_number<double>(), 0.0);
}

TEST(AnalyseMail, survives_a_structure_without_members) {
  const auto mail = analyse_message({}, kContext);
  EXPECT_EQ(string_or(mail, "replyText"), "");
  EXPECT_TRUE(get_array(mail, "actionItems")->empty());
}

TEST(AnalyseMail, gathers_a_mailbox_into_threads) {
  const auto first = parse_message(
      "From: Pavel Dorn <pavel@dorn.example>\nTo: ruth@amsel.example\nSubject: Roof\n"
      "Date: Wed, 10 Jun 2026 09:00:00 +0200\nMessage-ID: <1@dorn.example>\n\nCould you send the order?\n");
  const auto second = parse_message(kAnswer);
  ASSERT_TRUE(first && second);
  const auto box = analyse_mailbox(
      {{"kind", "mailbox"}, {"messages", json::array{second->structure, first->structure}}}, kContext);
  ASSERT_EQ(get_array(box, "messages")->size(), 2u);
  const auto& threads = *get_array(box, "threads");
  ASSERT_EQ(threads.size(), 1u);
  EXPECT_EQ(string_or(threads[0].as_object(), "id"), "1@dorn.example");
  EXPECT_EQ(json::serialize(threads[0].as_object().at("messageIds")),
            R"(["1@dorn.example","2@amsel.example"])");
}

ThreadMessage message(std::string id, std::string subject, std::vector<std::string> people, int day) {
  ThreadMessage out;
  out.message_id = std::move(id);
  out.subject = std::move(subject);
  out.participants = std::move(people);
  out.sent_at = Timestamp{std::int64_t{day} * 86'400'000'000 + 1};
  return out;
}

TEST(Threads, need_a_quote_or_the_people_where_no_parent_is_named) {
  const auto asked = message("1", "Roof of hall 3", {"pavel@d.example", "ruth@a.example"}, 1);
  EXPECT_TRUE(continues(message("2", "Re: Roof of hall 3", {"ruth@a.example", "pavel@d.example"}, 2), asked));
  EXPECT_FALSE(continues(message("3", "Re: Roof of hall 3", {"x@b.example", "y@c.example"}, 2), asked));
  EXPECT_FALSE(continues(message("4", "Roof of hall 3", {"ruth@a.example", "pavel@d.example"}, 2), asked));
  EXPECT_FALSE(
      continues(message("5", "Re: Roof of hall 3", {"ruth@a.example", "pavel@d.example"}, 90), asked));
  EXPECT_FALSE(
      continues(message("6", "Re: Roof of hall 3", {"ruth@a.example", "pavel@d.example"}, 0), asked));
  auto quoted = asked;
  quoted.own = "the third hall needs a new roof before winter";
  auto answer = message("7", "Re: Roof of hall 3", {"x@b.example"}, 2);
  answer.quoted = "> the third hall needs a new roof before winter";
  EXPECT_TRUE(continues(answer, quoted));
  answer.in_reply_to = "0";
  EXPECT_FALSE(continues(answer, quoted));
}

TEST(Threads, trust_the_headers_of_a_mailbox_that_has_them) {
  std::vector<ThreadMessage> box = {message("1", "Roof of hall 3", {"a@x.example", "b@x.example"}, 1),
                                    message("2", "Re: Roof of hall 3", {"b@x.example", "a@x.example"}, 2),
                                    message("3", "Re: Roof of hall 3", {"b@x.example", "a@x.example"}, 3)};
  EXPECT_EQ(group_threads(box).size(), 1u);
  box[1].in_reply_to = "1";
  box.push_back(message("4", "Re: Roof of hall 3", {"a@x.example", "b@x.example"}, 4));
  box[3].in_reply_to = "2";
  EXPECT_EQ(group_threads(box).size(), 2u);
}

}  // namespace
}  // namespace castiel::content::mail
