#ifndef HOPFIELD_TESTS_UNIT_THEORY_EXPECT_ERROR_H_
#define HOPFIELD_TESTS_UNIT_THEORY_EXPECT_ERROR_H_

#include <gtest/gtest.h>

#include <string>

#include "hopfield/base/error.h"

namespace hopfield::theory::testing {

/// The call throws kInvalidArgument with `part` in its message.
template <class Call>
void expect_refused(const Call& call, const std::string& part) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "accepted, expected an error with '" << part << "'";
}

}  // namespace hopfield::theory::testing

#endif  // HOPFIELD_TESTS_UNIT_THEORY_EXPECT_ERROR_H_
