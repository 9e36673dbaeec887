// The demo workspace as somebody sees it who opens its deals: each story several sources tell together stands
// on its deal, with the place it was read from.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "support.hpp"

namespace castiel::functional {
namespace {

// The day its data ends.
constexpr const char* kDay = "2026-11-20";

class Workspace : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;
    const std::string data = Workspace::data();
    const auto imported = castiel(
        {"import", CASTIEL_SOURCE_DIR "/examples/workspace", "--tenant", "demo", "--data", data, "--json"},
        {}, 300s);
    ASSERT_EQ(imported.status, 0) << imported.err;
    flow_ = text(imported.last(), "correlationId");
    const auto listed = castiel({"deals", "--tenant", "demo", "--data", data, "--as-of", kDay, "--json"});
    ASSERT_EQ(listed.status, 0) << listed.err;
    for (const auto& deal : listed.lines()) deals_[text(deal, "name")] = deal;
    for (const auto& line : castiel({"shards", "list", "--tenant", "demo", "--data", data, "--json"}).lines())
      shards_[text(line, "id")] = line;
    const auto trace = castiel({"trace", flow_, "--data", data, "--json"}).last();
    if (const auto* items = find(trace, "items")) {
      for (const auto& item : items->get_array()) story_.push_back(item.get_object());
    }
  }
  static void TearDownTestSuite() { delete folder_; }
  static std::string data() { return (folder_->path() / "data").string(); }

  static const json::object& deal(std::string_view begins) {
    static const json::object none;
    for (const auto& [name, deal] : deals_) {
      if (name.starts_with(begins)) return deal;
    }
    ADD_FAILURE() << "no deal " << begins;
    return none;
  }
  static const json::object* factor(std::string_view begins, std::string_view id) {
    const auto* list = find(deal(begins), "risk.factors");
    if (list == nullptr) return nullptr;
    for (const auto& item : list->get_array()) {
      if (text(item.get_object(), "id") == id) return &item.get_object();
    }
    return nullptr;
  }
  // A factor, and a piece of its evidence in a shard of that type whose text or place holds the words.
  static void expect(std::string_view begins, std::string_view id, std::string_view type,
                     std::string_view words) {
    const auto* found = factor(begins, id);
    ASSERT_NE(found, nullptr) << begins << ": " << id;
    for (const auto& item : found->at("evidence").get_array()) {
      const auto& evidence = item.get_object();
      const auto* shard = evidence.if_contains("shardId");
      if (shard == nullptr || text(evidence, "type") != type) continue;
      if (text(evidence, "text").find(words) == std::string::npos) continue;
      const auto stored = shards_.find(std::string(shard->get_string()));
      ASSERT_NE(stored, shards_.end()) << "the place it names is there";
      EXPECT_EQ(text(stored->second, "type"), type);
      return;
    }
    ADD_FAILURE() << begins << ": " << id << " shows no " << type << " with " << words << "\n"
                  << json::serialize(*found);
  }
  static bool advises(std::string_view begins, std::string_view id, std::string_view words = {}) {
    for (const auto& item : deal(begins).at("recommendations").get_array()) {
      const auto& r = item.get_object();
      if (text(r, "id") == id && text(r, "title").find(words) != std::string::npos &&
          !r.at("evidence").get_array().empty())
        return true;
    }
    return false;
  }

  static inline TempFolder* folder_ = nullptr;
  static inline std::string flow_;
  static inline std::map<std::string, json::object> deals_, shards_;
  static inline std::vector<json::object> story_;
};

TEST_F(Workspace, the_champion_has_left) {
  expect("Nordkai", "champion_left", "email", "verlasse ich Nordkai");
  expect("Nordkai", "champion_left", "email", "came back on 2026-11-05");
  EXPECT_TRUE(advises("Nordkai", "replace_champion", "Hauke Petersen"));
}

TEST_F(Workspace, a_promised_document_was_never_sent) {
  expect("Hollis", "overdue_promise", "meeting", "completed security questionnaire by Friday");
  expect("Hollis", "overdue_promise", "email", "security questionnaire by Friday, 30 October");
  expect("Hollis", "unanswered_request", "email", "Where is the questionnaire?");
  EXPECT_TRUE(advises("Hollis", "send_promised", "2026-10-30"));
  EXPECT_TRUE(advises("Hollis", "answer_question", "Luis Ocampo"));
  for (const auto& item : factor("Hollis", "overdue_promise")->at("evidence").get_array()) {
    if (const auto* place = find(item.get_object(), "locator.segment"); place != nullptr) {
      EXPECT_EQ(place->as_int64(), 15);
      EXPECT_EQ(number(item.get_object(), "locator.minute"), 2);
    }
  }
}

TEST_F(Workspace, silent_while_the_stage_moved_on) {
  expect("Energetika Moravia", "no_inbound", "email", "2026-10-08");
  expect("Energetika Moravia", "no_inbound", "email", "signature next week");
  EXPECT_NE(text(*factor("Energetika Moravia", "no_inbound"), "detail").find("stage moved on 2026-10-13"),
            std::string::npos);
  expect("Energetika Moravia", "overdue_promise", "email", "by 23 October");
  EXPECT_NE(factor("Energetika Moravia", "close_date_past"), nullptr);
}

TEST_F(Workspace, silent_since_august_and_the_offer_never_sent) {
  expect("Brennhof – Pulse rollout K", "no_inbound", "email", "2026-08-28");
  expect("Brennhof – Pulse rollout K", "overdue_promise", "email", "bis Freitag, 4. September");
  EXPECT_TRUE(advises("Brennhof – Pulse rollout K", "send_promised", "2026-09-04"));
}

TEST_F(Workspace, pushed_because_the_budget_is_frozen) {
  expect("Steinach", "budget_frozen", "email", "eingefroren");
  EXPECT_NE(factor("Steinach", "close_date_pushed"), nullptr);
  EXPECT_TRUE(advises("Steinach", "clarify_budget"));
}

TEST_F(Workspace, hangs_on_one_person) {
  expect("Pennine", "single_threaded", "email", "Graham Ackroyd");
  EXPECT_EQ(factor("Pennine", "single_contact"), nullptr) << "one factor says it";
  EXPECT_TRUE(advises("Pennine", "multi_thread"));
}

TEST_F(Workspace, a_competitor_named_late_in_a_call) {
  expect("Hirschau", "competitor", "meeting", "Vibranode");
  EXPECT_NE(text(*factor("Hirschau", "competitor"), "detail").find("Vibranode"), std::string::npos);
  EXPECT_TRUE(advises("Hirschau", "answer_competitor", "Vibranode"));
}

TEST_F(Workspace, a_healthy_deal_with_four_people_and_its_signature_planned) {
  expect("Ahrenfeld", "engaged_people", "email", "Silke Ohm");
  expect("Ahrenfeld", "meeting_planned", "event", "2026-11-26");
  expect("Ahrenfeld", "recent_inbound", "email", "Rechtsprüfung ist durch");
  EXPECT_LT(number(deal("Ahrenfeld"), "risk.score"), 25);
  for (const auto& item : find(deal("Ahrenfeld"), "risk.factors")->get_array())
    EXPECT_LE(number(item.get_object(), "points"), 0) << json::serialize(item);
}

TEST_F(Workspace, an_objection_to_the_price_before_the_amount_was_cut) {
  expect("Vestergaard – bottling", "price_objection", "meeting", "too expensive");
  EXPECT_NE(factor("Vestergaard – bottling", "amount_cut"), nullptr);
}

TEST_F(Workspace, a_smaller_promise_is_still_open) {
  expect("Vestergaard - Meter", "overdue_promise", "email", "sizing for the steam and CO2 meters");
}

// LINK-2: the sender has a part in both deals, and nothing else tells which is meant.
TEST_F(Workspace, a_message_that_could_belong_to_either_deal_is_not_guessed) {
  std::set<std::string> deals;
  for (const auto& link :
       castiel({"links", "list", "--tenant", "demo", "--data", data(), "--json"}).lines()) {
    if (text(link, "sourceName") != "Your offer" || text(link, "targetType") != "opportunity") continue;
    EXPECT_EQ(text(link, "status"), "suggested") << json::serialize(link);
    deals.insert(text(link, "targetId"));
  }
  EXPECT_EQ(deals, (std::set<std::string>{text(deal("Vestergaard – bottling"), "id"),
                                          text(deal("Vestergaard - Meter"), "id")}));
}

TEST_F(Workspace, somebody_new_at_the_customer_is_among_the_deals_people) {
  const auto people =
      castiel({"people", text(deal("Haut-Jura"), "id"), "--tenant", "demo", "--data", data(), "--json"})
          .last();
  for (const auto& item : people.at("items").get_array()) {
    const auto& person = item.get_object();
    if (text(person, "name") != "Mathilde Jacquet") continue;
    EXPECT_EQ(text(person, "side"), "customer");
    EXPECT_TRUE(person.at("contactId").is_null()) << "the CRM does not know her";
    return;
  }
  ADD_FAILURE() << json::serialize(people);
}

// COMM-6
TEST_F(Workspace, people_of_a_mail_are_the_contacts_they_are) {
  std::size_t seen = 0;
  for (const auto& [id, shard] : shards_) {
    if (text(shard, "externalId") != "202609081530.ves1@tarnbeck.example") continue;
    ++seen;
    const auto& mail = shard.at("data").get_object();
    EXPECT_TRUE(mail.at("from").get_object().at("contactId").is_null());
    for (const auto& to : mail.at("to").get_array()) {
      const auto contact = shards_.find(text(to.get_object(), "contactId"));
      ASSERT_NE(contact, shards_.end()) << json::serialize(to);
      EXPECT_EQ(text(contact->second, "data.email"), text(to.get_object(), "email"));
    }
    EXPECT_GE(number(mail, "metadata.replyCount"), 0);
  }
  EXPECT_EQ(seen, 1u);
}

// COMM-6, DOC-3, MEET-5
TEST_F(Workspace, dates_in_mails_messages_documents_and_calls_are_kept_with_the_sentence_they_stand_in) {
  std::map<std::string, int> seen;
  for (const auto& [id, shard] : shards_) {
    const auto* dates = find(shard, "data.dates");
    if (dates == nullptr) dates = find(shard, "data.analysis.dates");
    if (dates == nullptr || !dates->is_array()) continue;
    for (const auto& date : dates->get_array()) {
      const auto* sentence = find(date.get_object(), "sentence");
      if (sentence != nullptr &&
          std::string_view(sentence->get_string()).find(text(date.get_object(), "text")) !=
              std::string_view::npos)
        ++seen[text(shard, "type")];
    }
  }
  for (const char* type : {"email", "message", "document", "meeting"}) EXPECT_GT(seen[type], 0) << type;
}

TEST_F(Workspace, scores_each_deal_once_at_the_end_of_an_import) {
  std::int64_t evaluated = 0;
  std::size_t open = 0;
  for (const auto& line : story_) {
    if (text(line, "kind") == "event" && text(line, "type") == "risk.evaluated")
      evaluated += number(line, "count");
  }
  open = deals_.size();
  EXPECT_GE(open, 30u);
  EXPECT_EQ(evaluated, static_cast<std::int64_t>(open));
}

}  // namespace
}  // namespace castiel::functional
