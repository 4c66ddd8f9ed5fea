#ifndef HOPFIELD_APPS_MIL_TEXT_H_
#define HOPFIELD_APPS_MIL_TEXT_H_

#include <array>
#include <charconv>
#include <string>

namespace hopfield::mil {

/// Shortest text that reads back as the same number.
inline std::string exact(double value) {
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return error == std::errc() ? std::string(buffer.data(), end) : "nan";
}

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_TEXT_H_
