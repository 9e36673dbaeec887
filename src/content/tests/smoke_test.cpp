// Thousands of damaged inputs through the fuzzers' functions, the same ones in every run.

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "base/random.hpp"
#include "content/fuzz/entry_points.hpp"

namespace castiel::content {
namespace {

std::string mutated(SeededRandom& random, std::string_view seed) {
  std::string text(seed);
  using namespace std::string_view_literals;
  constexpr auto kInteresting = "\",;\t\n\r\\{}[]:'()-+.0123456789eE$%@ \0\xFF\xC3\xA9\xEF\xBB\xBF"sv;
  for (auto edits = random.below(12); edits > 0; --edits) {
    const std::size_t at = text.empty() ? 0 : random.below(text.size());
    switch (random.below(5)) {
      case 0:
        text.insert(at, 1, kInteresting[random.below(kInteresting.size())]);
        break;
      case 1:
        if (!text.empty()) text.erase(at, 1 + random.below(4));
        break;
      case 2:
        if (!text.empty()) text[at] = static_cast<char>(random.next());
        break;
      case 3:
        text.insert(at, text.substr(at, random.below(20)));
        break;
      default:
        text.insert(at, random.below(30), kInteresting[random.below(kInteresting.size())]);
        break;
    }
  }
  return text;
}

template <std::size_t N>
void smoke(void (*target)(std::string_view), const std::array<std::string_view, N>& seeds,
           std::uint64_t seed) {
  SeededRandom random(seed);
  for (int i = 0; i < 4000; ++i) target(mutated(random, seeds[random.below(N)]));
}

TEST(Smoke, csv_survives_damage) {
  smoke<4>(fuzz::fuzz_csv,
           {"id,name,amount\n1,\"A, B\",2\n2,\"C \"\"D\"\"\nE\",3\n", "sep=;\r\na;b;c\r\n1;2;3\r\n",
            "Title\n\na\tb\tc\n1\t2\t3\n\nTotal\t\t3\n", ""},
           1);
}
TEST(Smoke, jsonl_survives_damage) {
  smoke<4>(fuzz::fuzz_jsonl,
           {"{\"id\":1,\"a\":{\"b\":[1,\"\\u00e9\"]}}\n{\"id\":2}\n", "[{\"a\":1},\n{\"b\":null}]",
            "{\"records\":[{\"a\":1},{\"a\":2}],\"done\":true}", "[{\"value\":\"x\",\"primary\":true}]"},
           2);
}
TEST(Smoke, values_survive_damage) {
  smoke<8>(fuzz::fuzz_values,
           {"1,234.56 EUR", "(1.234,56)", "2017-03-01T10:00:00+0100", "Wed, 1 March 2017 5:30 PM",
            "/Date(1506384247000)/", "Jane <jane@acme.example>", "https://www.acme.example:80/x", "12.5 %"},
           3);
}
TEST(Smoke, encodings_survive_damage) {
  smoke<3>(fuzz::fuzz_encoding,
           {"\xEF\xBB\xBFGr\xC3\xBC\xC3\x9F"
            "e",
            "Gr\xFC\xDF"
            "e \x80\x81\x9F",
            "\xFF\xFEi\x01"
            "d\x02,\x03"},
           4);
}

TEST(Smoke, mail_survives_damage) {
  smoke<4>(fuzz::fuzz_mail,
           {"From: =?utf-8?Q?J=C3=BC?= <a@x.example>\nContent-Type: multipart/mixed; "
            "boundary=b\n\n--b\n\nHi\n> q\n--b\n"
            "Content-Type: message/rfc822\n\nSubject: x\n\ny\n--b--\n",
            "From a@x.example Wed Mar  4 10:00:00 2026\nSubject: 1\n\n>From x\n\nFrom b@x.example Wed Mar  4 "
            "11:00:00 2026\n\ny\n",
            "Yes.\n\n-- Forwarded message --\nFrom: A <a@x>\nTo: b\nSubject: c\n\nOn 4 March 2026 10:00, A "
            "<a@x> wrote:\n> t\n-- \nJane\n",
            "Content-Type: text/html\n\n<table><tr><td>a<blockquote><b><i>c</b></i><a href='http://x'>d</a>"},
           5);
}

}  // namespace
}  // namespace castiel::content
