#include "hopfield/base/error.h"

#include <string>

#include <gtest/gtest.h>

namespace hopfield {
namespace {

TEST(Error, CarriesCodeAndOperation) {
  try {
    fail(ErrorCode::kIo, "store", "expected a file, got none");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_STREQ(error.what(), "[store] expected a file, got none");
    return;
  }
  FAIL() << "nothing was thrown";
}

TEST(Error, RequireThrowsOnlyWhenFalse) {
  EXPECT_NO_THROW(require(true, "op", "x"));
  EXPECT_THROW(require(false, "op", "x"), Error);
}

TEST(Error, EveryCodeHasAName) {
  EXPECT_EQ(error_code_name(ErrorCode::kInvalidArgument), "InvalidArgument");
  EXPECT_EQ(error_code_name(ErrorCode::kCorruptData), "CorruptData");
  EXPECT_EQ(error_code_name(ErrorCode::kIo), "Io");
  EXPECT_EQ(error_code_name(ErrorCode::kUnsupported), "Unsupported");
  EXPECT_EQ(error_code_name(ErrorCode::kOutOfMemory), "OutOfMemory");
  EXPECT_EQ(error_code_name(ErrorCode::kNotConverged), "NotConverged");
  EXPECT_EQ(error_code_name(ErrorCode::kCancelled), "Cancelled");
  EXPECT_EQ(error_code_name(ErrorCode::kInternal), "Internal");
}

TEST(Error, CheckNamesConditionFileAndLine) {
  HOPFIELD_CHECK(1 + 1 == 2);
  try {
    HOPFIELD_CHECK(1 + 1 == 3);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
    const std::string what = error.what();
    EXPECT_NE(what.find("expected 1 + 1 == 3 at "), std::string::npos) << what;
    EXPECT_NE(what.find("error_test.cc:"), std::string::npos) << what;
    return;
  }
  FAIL() << "nothing was thrown";
}

}  // namespace
}  // namespace hopfield
