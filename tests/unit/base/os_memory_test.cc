#include <gtest/gtest.h>

#include <vector>

#include "hopfield/base/os.h"

namespace hopfield {
namespace {

TEST(LargePages, LeaveWhatTheMemoryHolds) {
  std::vector<int> numbers(1 << 21, 7);  // 8 MiB: at least one large page lies within
  prefer_large_pages(numbers.data() + 1, (numbers.size() - 2) * sizeof(int));
  prefer_large_pages(numbers.data() + 1, 3);  // no whole page
  prefer_large_pages(nullptr, 0);
  EXPECT_EQ(numbers, std::vector<int>(1 << 21, 7));
}

}  // namespace
}  // namespace hopfield
