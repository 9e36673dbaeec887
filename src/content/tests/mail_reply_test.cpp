// COMM-1: what a sender wrote, what is quoted, signatures, forwarded mails; mailboxes; conversations.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "content/mail/mbox.hpp"
#include "content/mail/outlook_msg.hpp"
#include "content/mail/reply.hpp"
#include "content/mail/threads.hpp"

namespace castiel::content::mail {
namespace {

TEST(Reply, ends_where_a_quote_begins) {
  const auto split = split_text(
      "We take 40 seats.\n\nOn Wed, Mar 4, 2026 at 10:00 AM, Jane Doe\n<jane@acme.example> wrote:\n> How "
      "many?\n");
  EXPECT_EQ(split.reply, "We take 40 seats.");
  EXPECT_EQ(split.quoted,
            "On Wed, Mar 4, 2026 at 10:00 AM, Jane Doe\n<jane@acme.example> wrote:\n> How many?");
}

TEST(Reply, knows_quote_lines_of_other_languages) {
  for (const auto* line :
       {"Am 04.03.2026 um 10:00 schrieb Jane Doe <jane@acme.example>:",
        "Le 4 mars 2026 à 10:00, Jane Doe <jane@acme.example> a écrit :",
        "El 4/3/2026 10:00, Jane Doe <jane@acme.example> escribió:",
        "04.03.2026, 10:00, \"Jane Doe\" <jane@acme.example>:", "-----Ursprüngliche Nachricht-----",
        "Von: Jane Doe\nGesendet: Mittwoch, 4. März 2026 10:00\nAn: Bob\nBetreff: Angebot"})
    EXPECT_EQ(split_text(std::string("Ja.\n\n") + line + "\n\nWie viele?\n").reply, "Ja.") << line;
}

TEST(Reply, keeps_what_is_written_between_quotes) {
  const auto split = split_text("> How many?\n40.\n> When?\nMay.\n");
  EXPECT_EQ(split.reply, "40.\n\nMay.");
}

TEST(Reply, takes_a_sentence_with_a_colon_for_words) {
  EXPECT_EQ(split_text("On your side you can run:\n\n  make all\n\nThis works.\n").reply,
            "On your side you can run:\n\n  make all\n\nThis works.");
}

TEST(Reply, separates_a_signature_with_contact_details) {
  const auto split = split_text(
      "Please send it.\n\nBest regards,\nJane Doe\nHead of Sales\nAcme Inc.\n+1 555 010 "
      "9999\nwww.acme.example\n");
  EXPECT_EQ(split.reply, "Please send it.");
  EXPECT_EQ(split.signature,
            "Best regards,\nJane Doe\nHead of Sales\nAcme Inc.\n+1 555 010 9999\nwww.acme.example");
}

TEST(Reply, cuts_a_closing_only_where_the_name_is_the_senders) {
  EXPECT_EQ(split_text("Fine.\n\nThanks,\nJane", {"Jane Doe", "", ""}).reply, "Fine.");
  EXPECT_EQ(split_text("Fine.\n\nThanks,\nJane").reply, "Fine.\n\nThanks,\nJane");
  EXPECT_EQ(split_text("Thanks!").reply, "Thanks!");
  EXPECT_EQ(split_text("Yes\n\nSent from my phone").reply, "Yes");
  EXPECT_EQ(split_text("Yes\n\nSent from my desk, is much easier").reply,
            "Yes\n\nSent from my desk, is much easier");
}

TEST(Reply, reads_a_forwarded_mail) {
  const auto split = split_text(
      "See below.\n\n---------- Forwarded message ---------\nFrom: Doe, Jane <jane@acme.example>\nDate: Wed, "
      "4 Mar 2026 10:00:00 +0000\n"
      "Subject: Offer\nTo: <bob@b.example>, Rita Roe <rita@b.example>\n\nHere it is.\n");
  EXPECT_EQ(split.reply, "See below.");
  EXPECT_EQ(
      json::serialize(to_json(split.forwarded)),
      R"({"from":{"name":"Doe, Jane","email":"jane@acme.example"},"to":[{"name":"","email":"bob@b.example"},)"
      R"({"name":"Rita Roe","email":"rita@b.example"}],"cc":[],"subject":"Offer","sentAt":"2026-03-04T10:00:00Z","text":"Here it is."})");
}

TEST(Reply, tells_an_answer_from_a_forward_by_the_subject) {
  const std::string text =
      "Words.\n\nFrom: Jane Doe <jane@acme.example>\nSent: 4 March 2026 10:00\nTo: Bob\nSubject: "
      "Offer\n\nOld.\n";
  EXPECT_FALSE(split_text(text, {"", "", "Re: Offer"}).forwarded.has_value());
  EXPECT_TRUE(split_text(text, {"", "", "WG: Offer"}).forwarded.has_value());
  EXPECT_EQ(base_subject("AW: [sales] Re: Offer"), "Offer");
}

TEST(Mbox, splits_the_same_in_any_chunks_and_from_any_message) {
  const std::string box =
      "From a@x.example Wed Mar  4 10:00:00 2026\nSubject: 1\n\n>From here\nFrom me to you\n\nFrom "
      "b@x.example Wed Mar  4 11:00:00 2026\r\nSubject: 2\r\n\r\nx\r\n";
  const auto read = [](std::string_view bytes, std::size_t chunk, std::uint64_t offset) {
    MboxSplitter splitter(offset);
    std::vector<MboxMessage> out;
    MboxMessage message;
    for (std::size_t i = 0; i < bytes.size(); i += chunk) splitter.push(bytes.substr(i, chunk));
    splitter.finish();
    while (splitter.next(message)) out.push_back(message);
    return out;
  };
  const auto whole = read(box, box.size(), 0);
  ASSERT_EQ(whole.size(), 2U);
  EXPECT_EQ(whole[0].bytes, "Subject: 1\n\nFrom here\nFrom me to you\n");
  EXPECT_EQ(whole[1].bytes, "Subject: 2\r\n\r\nx\r\n");
  EXPECT_EQ(whole[1].end_offset, box.size());
  for (const std::size_t chunk : {1U, 3U, 7U}) {
    const auto pieces = read(box, chunk, 0);
    ASSERT_EQ(pieces.size(), 2U);
    EXPECT_EQ(pieces[0].bytes, whole[0].bytes);
    EXPECT_EQ(pieces[1].offset, whole[1].offset);
  }
  const auto rest = read(std::string_view(box).substr(whole[0].end_offset), 64, whole[0].end_offset);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].offset, whole[1].offset);
}

TEST(Threads, follow_references_and_else_the_subject) {
  const Timestamp day = *parse_timestamp("2026-03-04T10:00:00Z");
  std::vector<ThreadMessage> mails(5);
  mails[0] = {"1", "", {}, "Offer for Acme", {"a@x", "b@x"}, "", "", day};
  mails[1] = {"2", "1", {"1"}, "Re: Offer for Acme", {"b@x", "a@x"}, "", "", day + std::chrono::hours(1)};
  mails[2] = {"3", "", {}, "AW: Offer for Acme", {"a@x", "b@x"}, "", "", day + std::chrono::hours(48)};
  mails[3] = {"4", "", {}, "Re: Offer for Acme", {"a@x", "b@x"}, "", "", day + std::chrono::hours(24 * 90)};
  mails[4] = {"5", "", {}, "Offer for Acme", {"z@x"}, "", "", day + std::chrono::hours(2)};
  const auto threads = group_threads(mails);
  ASSERT_EQ(threads.size(), 3U);
  EXPECT_EQ(threads[0].id, "1");
  EXPECT_EQ(threads[0].members, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(thread_keys(mails[1]).root, "1");
}

TEST(OutlookMsg, refuses_what_is_none) {
  EXPECT_FALSE(is_outlook_msg("From: a"));
  EXPECT_EQ(parse_outlook_msg("\xD0\xCF\x11\xE0").error().code, "corrupt");
}

}  // namespace
}  // namespace castiel::content::mail
