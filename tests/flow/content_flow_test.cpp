// Mails, chat, documents, meetings and calendars from files to shards: what a mixed folder comes to, and that
// a second import of it changes nothing (COMM-1, COMM-3, MEET-5, CAL-1, DOC-3).

#include <gtest/gtest.h>

#include "connectors/files/archive_files.hpp"
#include "flow.hpp"
#include "tenancy/blob_sweep.hpp"

namespace castiel {
namespace {

constexpr std::string_view kMailbox =
    "From ann@buyer.example Mon Sep 07 09:00:00 2026\r\n"
    "Message-ID: <m2@buyer.example>\r\nIn-Reply-To: <m1@seller.example>\r\nReferences: "
    "<m1@seller.example>\r\n"
    "From: Ann Buyer <ann@buyer.example>\r\nTo: Sam Seller <sam@seller.example>\r\n"
    "Subject: Re: Pumps for Lyon\r\nDate: Mon, 7 Sep 2026 09:00:00 +0000\r\n\r\n"
    "Hello Sam,\r\n\r\ncould you send us the price list by Friday?\r\n\r\nOn Sun, 6 Sep 2026 Sam Seller "
    "wrote:\r\n"
    "> here is our idea for the pumps.\r\n\r\n"
    "From sam@seller.example Sun Sep 06 08:00:00 2026\r\n"
    "Message-ID: <m1@seller.example>\r\nFrom: Sam Seller <sam@seller.example>\r\nTo: ann@buyer.example\r\n"
    "Subject: Pumps for Lyon\r\nDate: Sun, 6 Sep 2026 08:00:00 +0000\r\n\r\nhere is our idea for the "
    "pumps.\r\n\r\n"
    "From sam@seller.example Tue Sep 08 08:00:00 2026\r\n"
    "Message-ID: <m3@seller.example>\r\nFrom: Sam Seller <sam@seller.example>\r\nTo: ann@buyer.example\r\n"
    "Subject: RE: Pumps for Lyon\r\nDate: Tue, 8 Sep 2026 08:00:00 +0000\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\nContent-Type: "
    "text/plain\r\n\r\n"
    "I will call you tomorrow.\r\n--b1\r\nContent-Type: text/plain; name=prices.txt\r\n"
    "Content-Disposition: attachment; filename=prices.txt\r\n\r\nPump P100 costs EUR "
    "4,200.\r\n--b1--\r\n\r\n";

constexpr std::string_view kCall =
    "WEBVTT\n\n00:00:01.000 --> 00:00:05.000\n<v Ann Buyer>What does the P100 cost?</v>\n\n"
    "00:00:06.000 --> 00:00:10.000\n<v Sam Seller>I will send you the security questionnaire by "
    "Friday.</v>\n";

constexpr std::string_view kCalendar =
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:e1@seller.example\r\n"
    "DTSTAMP:20260901T080000Z\r\nDTSTART:20260914T100000Z\r\nDTEND:20260914T110000Z\r\nSUMMARY:Pumps for "
    "Lyon: review\r\n"
    "ORGANIZER:mailto:sam@seller.example\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ann@buyer.example\r\nEND:"
    "VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:e2@seller.example\r\nDTSTAMP:20260901T080000Z\r\nDTSTART;VALUE=DATE:20260920\r\n"
    "SUMMARY:Trade fair\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

struct ContentFlow : Flow {
  void put_mixed_folder() {
    files.put("in/mail/all.mbox", std::string(kMailbox));
    files.put("in/calls/2026-09-10 lyon.vtt", std::string(kCall));
    files.put("in/calendar/sam.ics", std::string(kCalendar));
    files.put("in/notes/visit.txt",
              "Visit at Buyer SA.\n\nThe pumps in Lyon are old. They want to replace them before winter, and "
              "the budget is "
              "approved.\n");
    files.put("in/crm/users.csv", "Id,Name,Email\nu1,Sam Seller,sam@seller.example\n");
  }
  std::vector<json::object> data_of(std::string_view type) {
    std::vector<json::object> found;
    EXPECT_TRUE(reader()->each_shard(type, [&](const model::Shard& shard) -> Result<> {
      found.push_back(parse_json(shard.data).value().get_object());
      return {};
    }));
    return found;
  }
  static std::int64_t created(const json::object& summary, std::string_view type) {
    const auto* of_type = get_object(summary.at("shards").get_object(), type);
    return of_type == nullptr ? 0 : int_or(*of_type, "created", 0);
  }
  static void expect_adds_up(const json::object& summary) {
    const auto& records = summary.at("records").get_object();
    EXPECT_EQ(int_or(records, "read", -1), int_or(records, "mapped", 0) + int_or(records, "deadLettered", 0) +
                                               int_or(records, "quarantined", 0))
        << json::serialize(summary);
  }
};

TEST_F(ContentFlow, a_mixed_folder_becomes_shards_of_every_kind_and_adds_up) {
  put_mixed_folder();
  const auto summary = import({"in"});
  expect_adds_up(summary);
  EXPECT_EQ(created(summary, "email"), 3) << json::serialize(summary);
  EXPECT_EQ(created(summary, "meeting"), 1);
  EXPECT_EQ(created(summary, "event"), 2);
  EXPECT_EQ(created(summary, "document"), 2) << "the note and the attachment";
  EXPECT_EQ(int_or(summary.at("records").get_object(), "read", 0), 3 + 1 + 2 + 1 + 1);
  EXPECT_TRUE(summary.at("problems").get_array().empty()) << json::serialize(summary);
}

TEST_F(ContentFlow, a_second_import_creates_and_updates_nothing) {
  put_mixed_folder();
  import({"in"});
  const auto before = state();
  const auto again = import({"in"});
  for (const auto& [type, counts] : again.at("shards").get_object()) {
    EXPECT_EQ(int_or(counts.get_object(), "created", 0), 0) << type;
    EXPECT_EQ(int_or(counts.get_object(), "updated", 0), 0) << type;
  }
  expect_adds_up(again);
  const auto forced = import({"in"}, true);
  expect_adds_up(forced);
  EXPECT_EQ(state(), before) << "read again with --again, the same bytes say the same";
}

TEST_F(ContentFlow, no_blob_a_shard_or_a_waiting_message_needs_is_taken_for_an_orphan) {
  put_mixed_folder();
  files.put("in/mail/broken.eml",
            "Message-ID: <m9@seller.example>\r\nFrom: sam@seller.example\r\nTo: ann@buyer.example\r\n"
            "Subject: A document that cannot be read\r\nDate: Tue, 8 Sep 2026 08:00:00 +0000\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n"
            "Content-Type: application/pdf; name=a.pdf\r\n"
            "Content-Disposition: attachment; filename=a.pdf\r\n\r\n%PDF-1.4 cut\r\n--b1--\r\n");
  import({"in"});
  const auto count = [&] {
    int blobs_there = 0;
    EXPECT_TRUE(blobs.each(tenant, [&](const storage::BlobInfo&) -> Result<> {
      ++blobs_there;
      return {};
    }));
    return blobs_there;
  };
  const int before = count();
  EXPECT_GE(before, 3) << "the note, the attachment, the broken document";
  ASSERT_TRUE(blobs.put(tenant, "left behind by a step that never committed"));
  // All are as old as can be: these blobs have no clock.
  const FixedSettings settings;
  tenancy::BlobSweep sweep(*store, *store, blobs, settings, clock, {}, nullptr, {});
  while (sweep.step().value()) {
  }
  EXPECT_EQ(sweep.removed(), 1);
  EXPECT_EQ(count(), before);
  for (const auto& document : data_of("document"))
    EXPECT_TRUE(blobs.get(tenant, string_or(document, "blobUrl"))) << json::serialize(document);
}

TEST_F(ContentFlow, answers_belong_to_the_thread_also_when_they_come_first) {
  put_mixed_folder();
  import({"in"});
  std::set<std::string> threads;
  for (const auto& mail : data_of("email")) threads.insert(string_or(mail, "threadId"));
  EXPECT_EQ(threads, std::set<std::string>{"m1@seller.example"});
}

TEST_F(ContentFlow, a_request_and_a_promise_become_tasks_with_owner_due_date_and_sentence) {
  put_mixed_folder();
  import({"in"});
  std::map<std::string, json::object> tasks;
  for (auto& task : data_of("task"))
    tasks[string_or(task, "kind") + " " + string_or(task, "dueDate")] = std::move(task);
  ASSERT_TRUE(tasks.contains("request 2026-09-11"));
  const auto& request = tasks.at("request 2026-09-11");
  EXPECT_EQ(string_or(request, "ownerEmail"), "sam@seller.example");
  EXPECT_EQ(string_or(request, "ownerSide"), "own");
  EXPECT_NE(string_or(request.at("evidence").get_object(), "text").find("price list by Friday"),
            std::string::npos);
  bool promised = false;
  for (const auto& [key, task] : tasks) {
    if (string_or(task.at("source").get_object(), "type") != "meeting" ||
        string_or(task, "kind") != "commitment")
      continue;
    promised = true;
    EXPECT_EQ(string_or(task, "dueDate"), "2026-09-11");
    EXPECT_EQ(string_or(task, "ownerSide"), "own");
    EXPECT_EQ(int_or(task.at("evidence").get_object(), "segment", -1), 1);
  }
  EXPECT_TRUE(promised);
}

TEST_F(ContentFlow, an_attachment_is_a_document_that_names_its_mail) {
  put_mixed_folder();
  import({"in"});
  bool found = false;
  for (const auto& document : data_of("document")) {
    const auto* parent = get_object(document, "parent");
    if (parent == nullptr) continue;
    found = true;
    EXPECT_EQ(string_or(*parent, "externalId"), "m3@seller.example");
    EXPECT_NE(string_or(document, "extractedText").find("EUR 4,200"), std::string::npos);
  }
  EXPECT_TRUE(found);
}

TEST_F(ContentFlow, a_document_is_of_the_day_it_says_or_its_mail_says) {
  put_mixed_folder();
  files.put("in/notes/2026-08-20 call.txt", "What was said.");
  files.put("in/notes/fair.txt", "Fair in Lyon, 3 September 2026\n\nThey want pumps by 1 May 2027.");
  files.put("in/notes/plan.txt", "Plan for 1 May 2031");
  files.put(
      "in/notes/page.html",
      "<html><head><title>Pumps</title><meta name=date content=2026-07-01></head><body>x</body></html>");
  import({"in"});
  std::map<std::string, std::string> days;
  for (const auto& document : data_of("document"))
    days[string_or(document, "title")] =
        string_or(document, "date").substr(0, 10) + " " + string_or(document, "dateFrom");
  EXPECT_EQ(days["prices.txt"], "2026-09-08 mail");
  EXPECT_EQ(days["2026-08-20 call.txt"], "2026-08-20 name");
  EXPECT_EQ(days["fair.txt"], "2026-09-03 text");
  EXPECT_EQ(days["Pumps"], "2026-07-01 document");
  EXPECT_EQ(days["visit.txt"], " ") << "nothing tells";
  EXPECT_EQ(days["plan.txt"], " ") << "not before it was read";
}

TEST_F(ContentFlow, a_bounce_belongs_to_the_thread_of_the_mail_it_gives_back) {
  put_mixed_folder();
  files.put("in/mail/bounce.eml",
            "Message-ID: <b1@buyer.example>\r\nFrom: MAILER-DAEMON@buyer.example\r\nTo: "
            "sam@seller.example\r\nSubject: Undelivered Mail Returned to Sender\r\nDate: Tue, 8 Sep 2026 "
            "08:01:00 +0000\r\nContent-Type: multipart/report; report-type=delivery-status; "
            "boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nno such user\r\n--b\r\n"
            "Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m3@seller.example>\r\nSubject: RE: "
            "Pumps for Lyon\r\n--b--\r\n");
  import({"in"});
  bool found = false;
  for (const auto& mail : data_of("email")) {
    if (string_or(mail, "messageId") != "b1@buyer.example") continue;
    found = true;
    EXPECT_EQ(string_or(mail, "class"), "bounce");
    EXPECT_EQ(string_or(mail, "parentMessageId"), "m3@seller.example");
    EXPECT_EQ(string_or(mail, "threadId"), "m1@seller.example");
  }
  EXPECT_TRUE(found);
}

TEST_F(ContentFlow, small_mailboxes_go_on_together_and_each_mail_of_them_once) {
  const auto mail = [](int i) {
    return fmt::format(
        "From a@x.example Mon Sep 07 09:00:00 2026\nMessage-ID: <s{0}@x.example>\nFrom: a@x.example\nTo: "
        "b@y.example\nSubject: Mail {0}\nDate: 7 Sep 2026 09:00:00 +0000\n\nWords {0}.\n\n",
        i);
  };
  for (int i = 0; i < 30; ++i) files.put(fmt::format("in/{:02}", i), mail(i));
  files.put("in/30", mail(30) + mail(31));
  files.put("in/31 copy", mail(30) + mail(31));
  const auto summary = import({"in"});
  expect_adds_up(summary);
  EXPECT_EQ(created(summary, "email"), 32) << json::serialize(summary);
  EXPECT_EQ(int_or(summary.at("files").get_object(), "read", 0), 31);
  EXPECT_EQ(int_or(summary.at("files").get_object(), "skipped", 0), 1);
  int pages = 0;
  const auto snapshot = reader();
  const auto flows = snapshot->flows_since(Timestamp{0}, 10).value();
  for (const auto& flow : flows) {
    const auto entries = snapshot->flow(flow, 1'000).value();
    pages += static_cast<int>(std::ranges::count_if(entries, [](const storage::FlowEntry& entry) {
      return entry.kind == "event" && entry.type == model::event::kEmailReceived;
    }));
  }
  EXPECT_EQ(pages, 1);
  const auto again = import({"in"});
  EXPECT_EQ(int_or(again.at("files").get_object(), "read", -1), 0);
  EXPECT_EQ(int_or(again.at("files").get_object(), "skipped", -1), 32);
}

TEST_F(ContentFlow, one_bad_file_is_a_problem_and_the_rest_goes_on) {
  put_mixed_folder();
  files.put("in/calendar/broken.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n\0\0\0");
  files.put("in/mail/secret.docx", std::string("PK\x03\x04 this is no zip", 20));
  const auto summary = import({"in"});
  expect_adds_up(summary);
  EXPECT_EQ(created(summary, "email"), 3);
  EXPECT_FALSE(summary.at("problems").get_array().empty());
  for (const auto& p : summary.at("problems").get_array())
    EXPECT_FALSE(string_or(p.get_object(), "file").empty());
}

// A document stage that cannot read one of the documents, whatever is done.
class Refuses final : public processing::RecordReader {
 public:
  Result<processing::Understood> read(const json::object&, const processing::RecordContext&) override {
    return permanent("refused", "this one is not read");
  }
};

TEST_F(ContentFlow, an_attachment_that_ends_as_dead_letter_is_none_of_the_records_that_were_read) {
  using namespace processing;
  for (auto& consumer : consumers) {
    if (consumer->queue() == model::queue::kDocuments) consumer.reset();
  }
  std::erase(consumers, nullptr);
  add_content(model::queue::kDocuments,
              {{model::event::kDocumentDetected, model::event::kDocumentProcessed, model::type::kDocument,
                [] { return std::make_unique<Refuses>(); }}});
  files.put("in/mail/all.mbox", std::string(kMailbox));
  const auto summary = import({"in"});
  expect_adds_up(summary);
  EXPECT_EQ(records(summary, "read"), 3);
  EXPECT_EQ(records(summary, "deadLettered"), 0);
  EXPECT_EQ(reader()->dead_letters("", "", 10).value().size(), 1u);
  EXPECT_EQ(codes(summary), std::vector<std::string>{"refused"}) << "it is told of all the same";
}

// An extractor that is not there at first.
class Absent final : public extract::Extractor {
 public:
  explicit Absent(extract::Extractor& inner) : inner_(&inner) {}
  Result<extract::Extracted> extract(const extract::Request& request, Deadline deadline) override {
    if (absent) return transient("extractor_unavailable", "no worker could be started");
    return inner_->extract(request, deadline);
  }
  bool absent = true;

 private:
  extract::Extractor* inner_;
};

TEST_F(ContentFlow, an_archive_that_cannot_be_unpacked_for_now_is_not_passed_over) {
  files.put("in/pack.zip", std::string("PK\x03\x04 no zip", 11));
  files.put("in/note.txt", "A note.");
  Absent absent(extractor);
  connectors::ArchiveFileSystem with_archives(files, absent, clock);
  sync::ImportOptions options;
  options.paths = {"in"};
  const auto start = [&] {
    return sync::ImportJob::start({store.get(), &publisher, &with_archives, &absent, &blobs, &clock, &ids},
                                  tenant, options);
  };
  const auto refused = start();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "extractor_unavailable");
  EXPECT_EQ(refused.error().cls, ErrorClass::transient);
  absent.absent = false;
  EXPECT_TRUE(start().has_value());
}

TEST_F(ContentFlow, mails_wait_for_the_tables_of_their_import) {
  put_mixed_folder();
  sync::ImportOptions options;
  options.paths = {"in"};
  auto job = sync::ImportJob::start({store.get(), &publisher, &files, &extractor, &blobs, &clock, &ids},
                                    tenant, options)
                 .value();
  while (job->step().value() != sync::ImportJob::Progress::all_read) {
  }
  const auto step = [&](bool tables) {
    for (int i = 0; i < 20; ++i) {
      clock.advance(1s);
      for (auto& consumer : consumers) {
        if ((consumer->queue() == model::queue::kDataRaw) != tables) continue;
        ASSERT_TRUE(consumer->step(Deadline::after(clock, 0s)));
      }
    }
  };
  step(false);
  EXPECT_TRUE(data_of("email").empty()) << "whose side somebody is on is not known yet";
  step(true);
  step(false);
  EXPECT_EQ(data_of("email").size(), 3u);
  bool own = false;
  for (const auto& task : data_of("task")) own = own || string_or(task, "ownerSide") == "own";
  EXPECT_TRUE(own);
}

}  // namespace
}  // namespace castiel
