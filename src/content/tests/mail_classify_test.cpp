// COMM-4: machines' mail is recognised, human mail stays.

#include <gtest/gtest.h>

#include <string>

#include "content/mail/classify.hpp"
#include "content/mail/message.hpp"

namespace castiel::content::mail {
namespace {

std::string class_of(const std::string& headers,
                     const std::string& text = "Hello Bob, shall we talk about the offer on Friday?\n") {
  const auto mail = parse_message(headers + "\n" + text);
  return mail ? std::string(classify(mail->structure).name) : "none";
}

TEST(Classify, names_each_kind_of_machine_mail) {
  EXPECT_EQ(
      class_of(
          "From: MAILER-DAEMON@x.example\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender\n"),
      "bounce");
  EXPECT_EQ(class_of("From: a@x.example\nAuto-Submitted: auto-replied\nSubject: Re: x\n"), "auto_reply");
  EXPECT_EQ(class_of("From: a@x.example\nSubject: Abwesenheitsnotiz: Angebot\n"), "auto_reply");
  EXPECT_EQ(class_of("From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n",
                     "--b\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\n--b--\n"),
            "calendar");
  EXPECT_EQ(class_of("From: no-reply@x.example\nSubject: Your receipt\n"), "notification");
  EXPECT_EQ(class_of("From: a@x.example\nList-Id: <dev.x.example>\nSubject: patch\n"), "list");
  EXPECT_EQ(class_of("From: a@x.example\nList-Unsubscribe: <https://x.example>\nPrecedence: bulk\nSubject: "
                     "Spring sale\n"),
            "marketing");
  EXPECT_EQ(class_of("From: a@x.example\nX-Spam-Flag: YES\nSubject: x\n"), "spam");
}

TEST(Classify, keeps_people) {
  EXPECT_EQ(class_of("From: Jane Doe <jane@x.example>\nSubject: Offer\n"), "person");
  EXPECT_EQ(class_of("From: Jane Doe <jane@x.example>\nIn-Reply-To: <1@x>\nList-Unsubscribe: "
                     "<x>\nPrecedence: bulk\nSubject: Re: Offer\n"),
            "person");
  EXPECT_EQ(class_of("From: Jane Doe <jane@x.example>\nContent-Type: multipart/mixed; boundary=b\n",
                     "--b\n\nsee\n--b\nContent-Type: text/calendar; name=a.ics\n\nBEGIN:VCALENDAR\n--b--\n"),
            "person");
}

TEST(Classify, needs_several_signs_of_spam) {
  EXPECT_EQ(
      class_of("From: x8831@y.example\nSubject: MAKE MONEY FAST!!\n",
               "Work at home, be your own boss! This is not spam. Click here to remove yourself. Act now.\n"),
      "spam");
  EXPECT_EQ(class_of("From: a@x.example\nTo: b@y.example\nSubject: x\n",
                     "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n"),
            "spam");
  // The words of business alone are none.
  EXPECT_EQ(
      class_of("From: Ruth Amsel <ruth@x.example>\nTo: b@y.example\nSubject: Refinancing of the pumps\n",
               "Dear customer, our special offer with 5 % discount is valid for a limited time. "
               "The merchant account and the free trial are included, no obligation.\n"),
      "person");
  EXPECT_EQ(class_of("From: Ruth Amsel <ruth@x.example>\nIn-Reply-To: <1@y>\nSubject: Re: MONEY!!\n",
                     "Make money, this is not spam, viagra, act now.\n"),
            "person");
}

TEST(Classify, names_what_a_mail_is_about) {
  EXPECT_EQ(mail_type("Re: Offer", "Can you give us a discount of 10 %?", true), "negotiation");
  EXPECT_EQ(mail_type("Proposal for Acme", "Attached is our proposal.", false), "proposal");
  EXPECT_EQ(mail_type("Call", "Does Tuesday work? I can set up a meeting.", true), "scheduling");
  EXPECT_EQ(mail_type("Hello", "Lovely weather.", false), "other");
}

}  // namespace
}  // namespace castiel::content::mail
