#ifndef HOPFIELD_TESTS_UNIT_STORE_TEMP_FOLDER_H_
#define HOPFIELD_TESTS_UNIT_STORE_TEMP_FOLDER_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield::test {

/// A folder of its own for a test, gone afterwards.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "hopfield-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "cannot make " << name;
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

  std::size_t num_entries() const {
    const auto it = std::filesystem::directory_iterator(path_);
    return static_cast<std::size_t>(std::distance(begin(it), end(it)));
  }

  std::string write(std::string_view name, std::string_view bytes) const {
    const std::string path = *this / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  /// Changes one byte in place: much cheaper than writing the file again.
  static void patch(const std::string& path, std::size_t offset, char byte) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string path_;
};

/// Runs `call` and returns the error it throws; a test failure if it throws none.
inline Error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an Error";
  return {ErrorCode::kInternal, "none"};
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace hopfield::test

/// The call must throw an Error of this code whose message contains the text.
#define EXPECT_ERROR(call, expected_code, part)                                      \
  do {                                                                               \
    const ::hopfield::Error error_ = ::hopfield::test::error_of([&] { call; });      \
    EXPECT_EQ(error_.code(), ::hopfield::ErrorCode::expected_code) << error_.what(); \
    EXPECT_TRUE(::hopfield::test::contains(error_.what(), part)) << error_.what();   \
  } while (false)

#endif  // HOPFIELD_TESTS_UNIT_STORE_TEMP_FOLDER_H_
