#include "hopfield/store/fvecs.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

std::string vector_bytes(std::int32_t depth, const std::vector<float>& numbers) {
  std::string bytes(4 + 4 * numbers.size(), '\0');
  std::memcpy(bytes.data(), &depth, 4);
  if (!numbers.empty()) std::memcpy(bytes.data() + 4, numbers.data(), 4 * numbers.size());
  return bytes;
}

class Fvecs : public ::testing::Test {
 protected:
  std::string write(const std::string& bytes) { return folder_.write("x.fvecs", bytes); }
  test::TempFolder folder_;
};

TEST_F(Fvecs, RowsComeBackInAnyPiece) {
  const FvecsFile file(
      write(vector_bytes(2, {1, 2}) + vector_bytes(2, {3, -4}) + vector_bytes(2, {5, 0.5f})));
  EXPECT_EQ(file.num_vectors(), 3);
  EXPECT_EQ(file.depth(), 2);
  EXPECT_EQ(file.read_rows(1, 2), (std::vector<double>{3, -4, 5, 0.5}));
  EXPECT_TRUE(file.read_rows(3, 0).empty());
}

TEST_F(Fvecs, AnEmptyFileHasNoVectors) {
  EXPECT_EQ(FvecsFile(write("")).num_vectors(), 0);
}

TEST_F(Fvecs, EveryCutIsFound) {
  const std::string whole = vector_bytes(2, {1, 2}) + vector_bytes(2, {3, 4});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    if (size == whole.size() / 2) continue;  // a whole vector
    EXPECT_THROW(FvecsFile(write(whole.substr(0, size))), Error) << size;
  }
}

TEST_F(Fvecs, LyingDepthsAreFound) {
  for (const std::int32_t depth : {0, -1, INT32_MAX, INT32_MIN}) {
    EXPECT_THROW(FvecsFile(write(vector_bytes(depth, {1, 2}))), Error) << depth;
  }
  const FvecsFile file(write(vector_bytes(2, {1, 2}) + vector_bytes(1, {3, 4})));
  EXPECT_THROW(file.read_rows(0, 2), Error);
  EXPECT_EQ(file.read_rows(0, 1), (std::vector<double>{1, 2}));
}

}  // namespace
}  // namespace hopfield::store
