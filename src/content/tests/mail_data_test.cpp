// COMM-1 on recorded mails of many programs (CASTIEL_TEST_DATA); the floors are below what was measured.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "content/mail/message.hpp"
#include "content/mail/outlook_msg.hpp"
#include "content/mail/reply.hpp"

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

}  // namespace
}  // namespace castiel::content::mail
