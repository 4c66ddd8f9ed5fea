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

TEST(Text, Utf8IsToldFromOtherBytes) {
  for (const char* good : {"", "plain", "F\xC3\xA4rbung", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"F\xE4rbung", "\xC3", "\x80", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80",
                          "\xF4\x90\x80\x80", "\xFF", "a\xE2\x82"}) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace hopfield
