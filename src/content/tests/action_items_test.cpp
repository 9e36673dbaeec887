// COMM-3, MEET-3: what people ask and promise in mails, talk and chat of several languages.

#include <gtest/gtest.h>

#include "content/text/text.hpp"

namespace castiel::content::text {
namespace {

// A Thursday.
const Context kThursday{*parse_timestamp("2026-06-11T09:00:00Z"), "Europe/Berlin"};

std::string shown(std::string_view text, Speech speech) {
  std::string out;
  for (const auto& item : find_action_items(text, speech, kThursday)) {
    out += item.kind + "|" + item.owner + "|" + (item.due ? to_string(*item.due) : "-") + ";";
  }
  return out;
}
std::string said(std::string_view text) {
  return shown(text, {"Ruth Amsel", {"Pavel Dorn"}, true, {}});
}
std::string written(std::string_view text) {
  return shown(text, {"Ruth Amsel", {"Pavel Dorn"}, false, {}});
}

TEST(SpokenItems, are_deeds_for_later) {
  EXPECT_EQ(said("I'll send you the cost estimate by Friday."), "commitment|Ruth Amsel|2026-06-12;");
  EXPECT_EQ(said("We will prepare the loading plan."), "commitment|Ruth Amsel|-;");
  EXPECT_EQ(said("Could you forward the test certificate?"), "request|Pavel Dorn|-;");
  EXPECT_EQ(said("Please review the draft before Monday."), "request|Pavel Dorn|2026-06-14;");
  EXPECT_EQ(said("Pavel sends the crane drawings next week."), "commitment|Pavel Dorn|2026-06-21;");
  EXPECT_EQ(said("You will have the minutes tomorrow."), "commitment|Ruth Amsel|2026-06-12;");
  EXPECT_EQ(said("Let me check with legal and get back to you."), "commitment|Ruth Amsel|-;");
}

TEST(SpokenItems, are_no_questions_mechanics_or_suppositions) {
  for (const auto* text :
       {"Who is in charge of the ramp?", "Can you hear me now?", "Go ahead, please.", "Please go ahead.",
        "Next Tuesday, the sixteenth?", "What does the second pump cost?", "Let me share my screen.",
        "Can I jump in?", "How long does it take to install?", "We could have sent it earlier.",
        "I won't send the invoice.", "I will be honest with you.", "Did you get the offer?", "Right, okay.",
        "Should I say something about the roof?", "If I were you I would call them.", "I sent it on Monday.",
        "They send us two trucks every Friday?", "Will you take notes?"})
    EXPECT_EQ(said(text), "") << text;
}

TEST(WrittenItems, leave_out_courtesy_and_plain_questions) {
  for (const auto* text :
       {"Please find our quotation for the warehouse below.", "All signed and good from our side.",
        "Who else is on the committee?", "Please note that the office is closed.",
        "The drawings are attached.", "Please see attached."})
    EXPECT_EQ(written(text), "") << text;
  EXPECT_EQ(written("Could you tell me by the end of June whether the roof holds?"),
            "request|Pavel Dorn|2026-06-30;");
  EXPECT_EQ(written("Please send a new list of the doors."), "request|Pavel Dorn|-;");
}

TEST(DueDays, belong_to_the_clause_and_are_deadlines) {
  EXPECT_EQ(written("Please send the price for doors 1 and 2; doors 3 and 4 we can build in 2028."),
            "request|Pavel Dorn|-;");
  EXPECT_EQ(written("Please sign the lease by June 30, not like last year in August."),
            "request|Pavel Dorn|2026-06-30;");
  EXPECT_EQ(said("I'll send the figures for 2027."), "commitment|Ruth Amsel|-;");
}

TEST(Sentences, of_two_deeds_give_two_items) {
  const std::string_view text = "Next: Pavel sends the drawings, and I'll send the invoice by Friday.";
  const auto items = find_action_items(text, {"Ruth Amsel", {"Pavel Dorn"}, true, {}}, kThursday);
  ASSERT_EQ(items.size(), 2u);
  EXPECT_EQ(items[0].owner, "Pavel Dorn");
  EXPECT_FALSE(items[0].due.has_value());
  EXPECT_EQ(items[1].owner, "Ruth Amsel");
  EXPECT_EQ(to_string(items[1].due.value_or(Date{})), "2026-06-12");
  for (const auto& item : items) EXPECT_EQ(slice(text, item.evidence), item.text);
}

TEST(GermanItems, have_owner_and_due_day) {
  EXPECT_EQ(said("Ich schicke Ihnen das Muster bis Freitag."), "commitment|Ruth Amsel|2026-06-12;");
  EXPECT_EQ(said("K\xC3\xB6nnten Sie mir die Zeichnung bis zum 30. Juni schicken?"),
            "request|Pavel Dorn|2026-06-30;");
  EXPECT_EQ(written("Bitte senden Sie uns den Vertrag bis 3. Juli."), "request|Pavel Dorn|2026-07-03;");
  EXPECT_EQ(said("Wir liefern Ihnen die Unterlagen n\xC3\xA4"
                 "chste Woche."),
            "commitment|Ruth Amsel|2026-06-21;");
  EXPECT_EQ(said("Dann bekommen Sie am Montag unseren Entwurf."), "commitment|Ruth Amsel|2026-06-15;");
  EXPECT_EQ(said("Das nehme ich auf."), "commitment|Ruth Amsel|-;");
  EXPECT_EQ(said("Ich melde mich bis Ende des Monats."), "commitment|Ruth Amsel|2026-06-30;");
  EXPECT_EQ(written("Bitte rufen Sie mich nach dem 2. Juli wieder an."), "request|Pavel Dorn|-;");
  for (const auto* text :
       {"H\xC3\xB6ren Sie mich?", "Wie lange gilt der Preis?", "Wer macht die Montage?",
        "Anbei finden Sie unser Angebot.", "Ich warte auf den Vertrag.", "Darf ich fragen, von wem?",
        "Schicken wir das?", "Ich habe Ihnen das Angebot geschickt."})
    EXPECT_EQ(said(text), "") << text;
}

TEST(OtherLanguages, ask_and_promise_too) {
  EXPECT_EQ(written("Bonjour, pouvez-vous m'envoyer le devis avant le 24 juin ?"),
            "request|Pavel Dorn|2026-06-24;");
  EXPECT_EQ(written("Nous vous enverrons le contrat demain, c'est promis."),
            "commitment|Ruth Amsel|2026-06-12;");
}

}  // namespace
}  // namespace castiel::content::text
