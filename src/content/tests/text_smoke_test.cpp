// Damaged texts through the fuzzer's function, and large ones in bounded time.

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include "base/random.hpp"
#include "content/fuzz/entry_points.hpp"
#include "content/text/text.hpp"

namespace castiel::content {
namespace {

TEST(TextSmoke, damaged_text_breaks_nothing) {
  constexpr std::array<std::string_view, 8> kSeeds{
      "Could you send the contract by Friday at 3pm? I'll pay $1,200.50 on 3/4/2026.",
      "from March 1st to the 5th of April, every Monday 8-9, in 2 weeks, half past two, 2017-03-01T10:00",
      "Best regards,\nJane Doe\nAcme Ltd. +49 (0)30 1234-567, jane@acme.example, www.acme.example/a?b=c",
      "IBAN DE89370400440532013000, 4111 1111 1111 1111, 219-09-9999, 10.0.0.1, fe80::1",
      "- item one\n- item two\n> quoted\n\nGrüße 😀 “quoted” it’s – no",
      "next 3 months, twenty-two hundred, the last Friday of this month, Q3 2018, end of year, 24/7, 1/2",
      "I love it!!! but NOT the awful delay :( ...",
      ""};
  SeededRandom random(11);
  for (int i = 0; i < 1500; ++i) {
    std::string text(kSeeds[random.below(kSeeds.size())]);
    for (auto edits = random.below(8); edits > 0; --edits) {
      const std::size_t at = text.empty() ? 0 : random.below(text.size());
      if (random.below(2) == 0)
        text.insert(at, 1, static_cast<char>(random.next()));
      else if (random.below(2) == 0 && !text.empty())
        text.erase(at, 1 + random.below(5));
      else
        text.insert(at, text.substr(at, random.below(16)));
    }
    fuzz::fuzz_text(text);
  }
}

TEST(TextSmoke, long_runs_of_one_kind_take_linear_time) {
  constexpr std::size_t kBytes = 2 * 1024;
  for (const std::string_view unit : {"1 ", "a.", "the next ", "twenty ", "@a.b ", "1.1.", "((((", "3/4 ",
                                      "A ", "> \n", "from 3 to ", "\xE2\x80", "every ", "12-", "Mr A B C "}) {
    std::string text;
    while (text.size() < kBytes) text += unit;
    const auto start = std::chrono::steady_clock::now();
    (void)text::analyse(text, {Timestamp{0}, "UTC"});
    const auto taken = std::chrono::steady_clock::now() - start;
    EXPECT_LT(std::chrono::duration_cast<std::chrono::seconds>(taken).count(), 5) << unit;
  }
}

}  // namespace
}  // namespace castiel::content
