#ifndef HOPFIELD_REPORT_UTF8_H_
#define HOPFIELD_REPORT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hopfield::report::internal {

/// What a broken sequence decodes to.
inline constexpr char32_t kReplacement = 0xFFFD;

struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;  ///< bytes used, >= 1
  bool valid = false;
};

/// The code point at the start of `text` (not empty). A byte that starts none, an overlong form, a
/// surrogate or a cut sequence: kReplacement, one byte, not valid.
CodePoint decode(std::string_view text);

/// The longest start of `text` that takes at most `columns` terminal columns.
std::string_view prefix_of_width(std::string_view text, std::size_t columns);

}  // namespace hopfield::report::internal

#endif  // HOPFIELD_REPORT_UTF8_H_
