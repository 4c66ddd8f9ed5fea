#include "hopfield/base/text.h"

#include <gtest/gtest.h>

#include <vector>

namespace hopfield {
namespace {

TEST(Text, EditDistanceCountsChangesAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", "abc"), 0);
  EXPECT_EQ(edit_distance("recal", "recall"), 1);
  EXPECT_EQ(edit_distance("craete", "create"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("BETA", "beta"), 0);
  EXPECT_EQ(edit_distance("ca", "abc"), 3);
}

TEST(Text, ClosestNameGuessesOnlyWhatIsNear) {
  const std::vector<std::string> names = {"create", "recall", "stat", "verify"};
  EXPECT_EQ(closest_name("recal", names), "recall");
  EXPECT_EQ(closest_name("creat", names), "create");
  EXPECT_EQ(closest_name("stta", names), "stat");
  EXPECT_EQ(closest_name("plot", names), "");
  EXPECT_EQ(closest_name("", names), "");
  EXPECT_EQ(closest_name(std::string(1000, 'r'), names), "");
}

}  // namespace
}  // namespace hopfield
