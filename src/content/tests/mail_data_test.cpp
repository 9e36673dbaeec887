// COMM-1 on recorded mails of many programs (CASTIEL_TEST_DATA); the floors are below what was measured.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "content/mail/analyse.hpp"
#include "content/mail/message.hpp"
#include "content/mail/outlook_msg.hpp"
#include "content/mail/reply.hpp"
#include "content/mail/threads.hpp"

namespace castiel::content::mail {
namespace {

namespace fs = std::filesystem;

std::string data_folder() {
  const char* folder = std::getenv("CASTIEL_TEST_DATA");
  if (folder == nullptr)
    std::printf("NOTICE: CASTIEL_TEST_DATA is not set, recorded mails are not checked\n");
  return folder == nullptr ? std::string() : std::string(folder) + "/email";
}
std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}
std::string squeezed(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  return text;
}
json::object expected(const fs::path& path) {
  auto value = parse_json(slurp(path));
  return value && value->is_object() ? value->as_object() : json::object();
}

TEST(MailData, forwarded_mails_of_many_programs_are_read) {
  const std::string root = data_folder();
  if (root.empty()) return;
  const fs::path folder = root + "/email_forward";
  int fields = 0;
  int right = 0;
  const auto check = [&](bool ok) {
    ++fields;
    right += ok ? 1 : 0;
  };
  for (const auto& [name, cases] : expected(folder / "_expected.dev.json")) {
    for (const auto& entry : cases.as_array()) {
      const auto& wanted = entry.as_object();
      const auto subject_file = string_or(wanted, "subject_file");
      const std::string subject = subject_file.empty() ? "" : slurp(folder / "subjects_dev" / subject_file);
      const auto split = split_text(slurp(folder / std::string(name)), {"", "", subject});
      check(split.forwarded.has_value() == bool_or(wanted, "forwarded", false));
      if (!split.forwarded || !bool_or(wanted, "forwarded", false)) continue;
      check(split.forwarded->subject == string_or(wanted, "subject"));
      if (wanted.contains("body"))
        check(squeezed(split.forwarded->text) == squeezed(string_or(wanted, "body")));
      if (const auto* from = get_object(wanted, "from"))
        check(split.forwarded->from && split.forwarded->from->email == string_or(*from, "address") &&
              split.forwarded->from->name == string_or(*from, "name"));
      if (const auto* cc = get_array(wanted, "cc")) check(cc->size() == split.forwarded->cc.size());
      if (get_string(wanted, "message"))
        check(squeezed(split.reply) == squeezed(string_or(wanted, "message")));
    }
  }
  ASSERT_GT(fields, 0);
  std::printf("forwards: %d of %d fields\n", right, fields);
  EXPECT_GE(right, fields * 0.95);
}

TEST(MailData, replies_are_told_from_quotes) {
  const std::string root = data_folder();
  if (root.empty()) return;
  int all = 0;
  int right = 0;
  const fs::path parser = root + "/email_reply_parser";
  for (const auto& [name, wanted] : expected(parser / "_expected.dev.json")) {
    const auto reply = get_string(wanted.as_object(), "reply");
    if (!reply) continue;
    ++all;
    right += split_text(slurp(parser / std::string(name))).reply == *reply ? 1 : 0;
  }
  const fs::path talon = root + "/talon";
  for (const auto& [name, wanted] : expected(talon / "_expected_replies.dev.json")) {
    std::string bytes = slurp(talon / std::string(name));
    if (name.ends_with(".html"))
      bytes = "From: a@x.example\nContent-Type: text/html; charset=utf-8\n\n" + bytes;
    const auto mail = parse_message(bytes);
    ASSERT_TRUE(mail.has_value()) << name;
    const std::string words = wanted.is_string() ? std::string(wanted.as_string())
                                                 : string_or(wanted.as_object(), "text_ignoring_whitespace");
    ++all;
    right += squeezed(split_text(string_or(mail->structure, "text")).reply) == squeezed(words) ? 1 : 0;
  }
  ASSERT_GT(all, 0);
  std::printf("replies: %d of %d\n", right, all);
  EXPECT_GE(right, all * 0.9);
}

TEST(MailData, every_recorded_mail_is_read) {
  const std::string root = data_folder();
  if (root.empty()) return;
  int all = 0;
  int right = 0;
  for (const auto* set :
       {"stalwart", "python_email", "unstructured_eml", "mime4j", "npm_fixtures", "spamassassin_samples"}) {
    for (const auto& file : fs::recursive_directory_iterator(root + "/" + set)) {
      const auto kind = file.path().extension();
      const bool mail =
          kind == ".eml" || kind == ".msg" || (kind == ".txt" && std::string_view(set) == "python_email");
      if (!file.is_regular_file() || !mail) continue;
      const std::string bytes = slurp(file.path());
      ++all;
      right += (is_outlook_msg(bytes) ? parse_outlook_msg(bytes) : parse_message(bytes)).has_value() ? 1 : 0;
    }
  }
  std::printf("mails read: %d of %d\n", right, all);
  EXPECT_GE(right, all * 0.97);
}

using Pairs = std::set<std::pair<std::size_t, std::size_t>>;

Pairs pairs_of(std::span<const ThreadMessage> messages) {
  Pairs out;
  for (const auto& thread : group_threads(messages)) {
    for (const auto a : thread.members)
      for (const auto b : thread.members)
        if (a < b) out.emplace(a, b);
  }
  return out;
}

// What the parents that mails name say, without any judgement: colours spread until nothing changes.
Pairs pairs_by_headers(std::span<const ThreadMessage> messages) {
  std::map<std::string, std::size_t> colour;
  std::vector<std::size_t> of(messages.size());
  for (std::size_t i = 0; i < of.size(); ++i) of[i] = i;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      auto ids = messages[i].references;
      ids.push_back(messages[i].message_id);
      ids.push_back(messages[i].in_reply_to);
      for (const auto& id : ids) {
        if (id.empty()) continue;
        auto& seen = colour.try_emplace(id, of[i]).first->second;
        const auto least = std::min(seen, of[i]);
        changed = changed || seen != of[i];
        seen = of[i] = least;
      }
    }
  }
  Pairs out;
  for (std::size_t a = 0; a < of.size(); ++a)
    for (std::size_t b = a + 1; b < of.size(); ++b)
      if (of[a] == of[b]) out.emplace(a, b);
  return out;
}

TEST(MailData, threads_and_classes_of_recorded_mails) {
  const std::string root = data_folder();
  if (root.empty()) return;
  std::vector<ThreadMessage> messages;
  std::map<std::string, std::array<int, 2>> spam;  // by kind of set: mails, and those called spam
  for (const auto& file : fs::recursive_directory_iterator(root + "/spamassassin")) {
    if (!file.is_regular_file()) continue;
    const auto parsed = parse_message(slurp(file.path()));
    ASSERT_TRUE(parsed.has_value()) << file.path();
    const auto mail = analyse_message(parsed->structure, {});
    messages.push_back(thread_message(mail));
    auto& [all, hidden] = spam[file.path().string().find("/spam-") != std::string::npos ? "spam" : "ham"];
    ++all;
    hidden += string_or(mail, "class") == "spam" ? 1 : 0;
  }
  const auto gold = pairs_by_headers(messages);
  EXPECT_EQ(pairs_of(messages), gold);
  for (auto& message : messages) {
    message.in_reply_to.clear();
    message.references.clear();
  }
  const auto rebuilt = pairs_of(messages);
  const auto right = std::ranges::count_if(rebuilt, [&](const auto& pair) { return gold.contains(pair); });
  const double precision = static_cast<double>(right) / static_cast<double>(rebuilt.size()),
               recall = static_cast<double>(right) / static_cast<double>(gold.size());
  std::printf("threads without headers: precision %.3f, recall %.3f\n", precision, recall);
  std::printf("spam: %d of %d found, %d of %d wanted mails hidden\n", spam["spam"][1], spam["spam"][0],
              spam["ham"][1], spam["ham"][0]);
  EXPECT_GE(precision, 0.5);
  EXPECT_GE(recall, 0.68);
  EXPECT_LE(spam["ham"][1], spam["ham"][0] * 0.004);
}

}  // namespace
}  // namespace castiel::content::mail
