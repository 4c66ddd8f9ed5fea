#ifndef HOPFIELD_FUZZ_TARGET_H_
#define HOPFIELD_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <span>

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

}  // namespace hopfield::fuzz

#endif  // HOPFIELD_FUZZ_TARGET_H_
