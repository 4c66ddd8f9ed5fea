#ifndef HOPFIELD_FUZZ_TARGET_H_
#define HOPFIELD_FUZZ_TARGET_H_

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "hopfield/base/error.h"

/// What libFuzzer calls, and replay.cc in its place. Errors of the library are what bad input
/// deserves; everything else (another exception, our own fault, a sanitizer's finding) ends the
/// program.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace hopfield::fuzz {

template <class Call>
void tolerate_errors(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) throw;
  }
}

inline std::span<const std::byte> bytes_of(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

/// Calls read(path) with the input in a file of this process, for readers that read files only.
template <class Read>
void with_file(const std::uint8_t* data, std::size_t size, const Read& read) {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("hopfield-fuzz-" + std::to_string(::getpid())))
          .string();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  tolerate_errors([&] { read(path); });
  std::filesystem::remove(path);
}

}  // namespace hopfield::fuzz

#endif  // HOPFIELD_FUZZ_TARGET_H_
