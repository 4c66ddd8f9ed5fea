#include "hopfield/report/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <span>
#include <system_error>

#include "hopfield/base/error.h"
#include "report/utf8.h"

namespace hopfield::report {
namespace internal {

CodePoint decode(std::string_view text) {
  const CodePoint broken{kReplacement, 1, false};
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1, true};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return broken;
  char32_t value = first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80) return broken;
    value = (value << 6) | (byte(i) & 0x3Fu);
  }
  const char32_t smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (value < smallest || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return broken;
  return {value, length, true};
}

namespace {
struct Range {
  char32_t first, last;
};
bool within(std::span<const Range> sorted, char32_t value) {
  const auto after = std::upper_bound(sorted.begin(), sorted.end(), value,
                                      [](char32_t v, const Range& r) { return v < r.first; });
  return after != sorted.begin() && value <= std::prev(after)->last;
}

std::size_t width_of(char32_t value) {
  static constexpr std::array<Range, 10> kZero = {{{0x00, 0x1F},
                                                   {0x7F, 0x9F},
                                                   {0x300, 0x36F},
                                                   {0x1AB0, 0x1AFF},
                                                   {0x1DC0, 0x1DFF},
                                                   {0x200B, 0x200F},
                                                   {0x20D0, 0x20FF},
                                                   {0xFE00, 0xFE0F},
                                                   {0xFE20, 0xFE2F},
                                                   {0xFEFF, 0xFEFF}}};
  static constexpr std::array<Range, 11> kWide = {{{0x1100, 0x115F},
                                                   {0x2E80, 0x303E},
                                                   {0x3041, 0x4DBF},
                                                   {0x4E00, 0xA4CF},
                                                   {0xAC00, 0xD7A3},
                                                   {0xF900, 0xFAFF},
                                                   {0xFE30, 0xFE6F},
                                                   {0xFF00, 0xFF60},
                                                   {0xFFE0, 0xFFE6},
                                                   {0x1F300, 0x1FAFF},
                                                   {0x20000, 0x3FFFD}}};
  if (within(kZero, value)) return 0;
  return within(kWide, value) ? 2 : 1;
}
}  // namespace

std::string_view prefix_of_width(std::string_view text, std::size_t columns) {
  std::size_t used = 0, bytes = 0;
  while (bytes < text.size()) {
    const CodePoint c = decode(text.substr(bytes));
    if (used + width_of(c.value) > columns) break;
    used += width_of(c.value);
    bytes += c.length;
  }
  return text.substr(0, bytes);
}

}  // namespace internal

namespace {

/// Text of a number that is not finite, or nullptr.
const char* special_name(double value) {
  if (std::isnan(value)) return "n/a";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return nullptr;
}

std::string print(double value, std::chars_format format, int precision) {
  std::array<char, 400> buffer;  // the largest double has 309 digits before the point
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, precision);
  HOPFIELD_CHECK(end.ec == std::errc{});
  std::string text(buffer.data(), end.ptr);
  if (text.starts_with('-') && text.find_first_of("123456789") == std::string::npos)
    text.erase(0, 1);
  return text;
}

}  // namespace

std::string fixed(double value, int decimals) {
  require(decimals >= 0 && decimals <= 17, "fixed",
          "expected 0 to 17 decimals, got " + std::to_string(decimals));
  if (const char* name = special_name(value)) return name;
  return print(value, std::chars_format::fixed, decimals);
}

std::string signed_fixed(double value, int decimals) {
  const std::string text = fixed(value, decimals);
  return std::isfinite(value) && !text.starts_with('-') ? "+" + text : text;
}

std::string general(double value, int digits) {
  require(digits >= 1 && digits <= 17, "general",
          "expected 1 to 17 digits, got " + std::to_string(digits));
  if (const char* name = special_name(value)) return name;
  return print(value, std::chars_format::general, digits);
}

std::string plus_minus(double value, double spread, int decimals) {
  std::string text = fixed(value, decimals);
  if (!std::isnan(value) && !std::isnan(spread)) text += " ± " + fixed(spread, decimals);
  return text;
}

std::string grouped(long long value) {
  std::string digits = std::to_string(value);
  const std::size_t first = digits[0] == '-' ? 1 : 0;
  for (std::size_t end = digits.size(); end > first + 3; end -= 3) {
    digits.insert(end - 3, "\u202F");
  }
  return digits;
}

std::string seconds(double value) {
  if (special_name(value) != nullptr || value < 0) return fixed(value, 2) + " s";
  if (value < 9.995) return fixed(value, 2) + " s";
  if (value < 119.5) return fixed(value, 0) + " s";
  const double minutes = std::floor(std::round(value) / 60);
  const double rest = std::round(value) - 60 * minutes;
  return fixed(minutes, 0) + " min " + (rest < 10 ? "0" : "") + fixed(rest, 0) + " s";
}

std::size_t display_width(std::string_view utf8) {
  std::size_t width = 0;
  while (!utf8.empty()) {
    const internal::CodePoint c = internal::decode(utf8);
    width += internal::width_of(c.value);
    utf8.remove_prefix(c.length);
  }
  return width;
}

std::string escape(std::string_view text) {
  static constexpr std::string_view kReplacementBytes = "\uFFFD";
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  while (!text.empty()) {
    const internal::CodePoint c = internal::decode(text);
    const bool forbidden =
        !c.valid || c.value == 0xFFFE || c.value == 0xFFFF ||
        (c.value < 0x20 && c.value != '\t' && c.value != '\n' && c.value != '\r') ||
        c.value == 0x7F;
    if (forbidden) {
      out += kReplacementBytes;
    } else if (c.value == '&') {
      out += "&amp;";
    } else if (c.value == '<') {
      out += "&lt;";
    } else if (c.value == '>') {
      out += "&gt;";
    } else if (c.value == '"') {
      out += "&quot;";
    } else if (c.value == '\'') {
      out += "&#39;";
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

}  // namespace hopfield::report
