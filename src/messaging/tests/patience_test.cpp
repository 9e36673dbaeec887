#include "messaging/patience.hpp"

#include <gtest/gtest.h>

namespace castiel::messaging {
namespace {

using namespace std::chrono_literals;

const TenantId kAcme{"acme"}, kOther{"other"};

TEST(Patience, waits_while_others_are_busy_and_lets_one_through_now_and_then) {
  ManualClock clock(Timestamp{0});
  Patience patience(clock, 60s);
  EXPECT_FALSE(patience.wait(kAcme, "import-1", false));
  EXPECT_TRUE(patience.wait(kAcme, "import-1", true));
  clock.advance(59s);
  EXPECT_TRUE(patience.wait(kAcme, "import-1", true));
  clock.advance(1s);
  EXPECT_FALSE(patience.wait(kAcme, "import-1", true)) << "one goes through";
  EXPECT_TRUE(patience.wait(kAcme, "import-1", true)) << "and the wait begins anew";
}

TEST(Patience, counts_each_thing_and_tenant_alone_and_forgets_what_is_done) {
  ManualClock clock(Timestamp{0});
  Patience patience(clock, 60s);
  EXPECT_TRUE(patience.wait(kAcme, "import-1", true));
  clock.advance(60s);
  EXPECT_TRUE(patience.wait(kAcme, "import-2", true));
  EXPECT_TRUE(patience.wait(kOther, "import-1", true));
  EXPECT_FALSE(patience.wait(kAcme, "import-1", false));
  EXPECT_TRUE(patience.wait(kAcme, "import-1", true)) << "its time starts again";
}

TEST(Patience, is_bounded_in_what_it_remembers) {
  ManualClock clock(Timestamp{0});
  Patience patience(clock, 60s);
  for (std::size_t i = 0; i < Patience::kMaxWatched; ++i)
    EXPECT_TRUE(patience.wait(kAcme, std::to_string(i), true));
  EXPECT_FALSE(patience.wait(kAcme, "one too many", true));
}

}  // namespace
}  // namespace castiel::messaging
