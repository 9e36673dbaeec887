#include "base/secret.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace castiel {
namespace {

TEST(Secret, prints_as_stars) {
  std::ostringstream out;
  out << Secret("hunter2");
  EXPECT_EQ(out.str(), "***");
}

TEST(Secret, is_empty_after_it_moved) {
  Secret first("hunter2 hunter2 hunter2");
  const Secret second(std::move(first));
  EXPECT_EQ(second.reveal(), "hunter2 hunter2 hunter2");
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(Secret, compares_by_value) {
  EXPECT_EQ(Secret("a"), Secret("a"));
  EXPECT_NE(Secret("a"), Secret("b"));
  EXPECT_NE(Secret("a"), Secret("ab"));
}

}  // namespace
}  // namespace castiel
