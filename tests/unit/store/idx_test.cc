#include "hopfield/store/idx.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

/// Two pictures of 2 x 3.
const std::string kWhole("\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3\0\1\2\3\4\5\6\7\x80\xff\0\1", 28);

class Idx : public ::testing::Test {
 protected:
  ErrorCode error_of(const std::string& bytes) {
    try {
      read_idx(folder_.write("x.idx", bytes));
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;  // no error
  }
  test::TempFolder folder_;
};

TEST_F(Idx, ShapeAndBytesComeBack) {
  const IdxBytes idx = read_idx(folder_.write("x.idx", kWhole));
  EXPECT_EQ(idx.shape, (std::vector<std::int64_t>{2, 2, 3}));
  EXPECT_EQ(idx.values, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 128, 255, 0, 1}));
}

TEST_F(Idx, GzipIsRead) {
  const std::string path = folder_.write("x.gz", "");
  const gzFile packed = ::gzopen(path.c_str(), "wb");
  ASSERT_NE(packed, nullptr);
  ASSERT_GT(::gzwrite(packed, kWhole.data(), static_cast<unsigned>(kWhole.size())), 0);
  ASSERT_EQ(::gzclose(packed), Z_OK);
  EXPECT_EQ(read_idx(path).values, read_idx(folder_.write("x.idx", kWhole)).values);
}

TEST_F(Idx, EveryCutAndAnExtraByteAreFound) {
  for (std::size_t size = 0; size < kWhole.size(); ++size) {
    EXPECT_EQ(error_of(kWhole.substr(0, size)), ErrorCode::kCorruptData) << size;
  }
  EXPECT_EQ(error_of(kWhole + "x"), ErrorCode::kCorruptData);
}

TEST_F(Idx, OtherTypesAndBeginningsAreRefused) {
  std::string floats = kWhole, text = kWhole, scalar = kWhole;
  floats[2] = '\x0d';
  text[0] = 'P';
  scalar[3] = 0;
  EXPECT_EQ(error_of(floats), ErrorCode::kUnsupported);
  EXPECT_EQ(error_of(text), ErrorCode::kCorruptData);
  EXPECT_EQ(error_of(scalar), ErrorCode::kCorruptData);
}

TEST_F(Idx, LyingDimensionsCostNoMemory) {
  std::string huge = kWhole;
  for (std::size_t i = 4; i < 8; ++i) huge[i] = '\xff';  // some 2.6e10 bytes
  EXPECT_EQ(error_of(huge), ErrorCode::kCorruptData);
  for (std::size_t i = 4; i < 16; ++i) huge[i] = '\xff';  // beyond 63 bits
  EXPECT_EQ(error_of(huge), ErrorCode::kCorruptData);
}

}  // namespace
}  // namespace hopfield::store
