#ifndef HOPFIELD_TESTS_PARITY_SHA256_H_
#define HOPFIELD_TESTS_PARITY_SHA256_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace hopfield::testing {

/// SHA-256 (FIPS 180-4) of bytes, as 64 lower-case hexadecimal digits. For comparing digests of
/// test data; no part of the library needs one.
inline std::string sha256(std::span<const std::byte> bytes) {
  // Fractional parts of the cube roots of the first 64 primes, found by integer search.
  static const std::array<std::uint32_t, 64> kRound = [] {
    std::array<std::uint32_t, 64> table{};
    int found = 0;
    for (std::uint64_t n = 2; found < 64; ++n) {
      bool prime = true;
      for (std::uint64_t f = 2; f * f <= n; ++f) prime = prime && n % f != 0;
      if (!prime) continue;
      // Largest r with r^3 <= n * 2^96, r below 2^35; the low 32 bits are the fraction.
      unsigned __int128 low = 0, high = static_cast<unsigned __int128>(1) << 36;
      while (high - low > 1) {
        const unsigned __int128 mid = (low + high) / 2;
        (mid * mid * mid <= static_cast<unsigned __int128>(n) << 96 ? low : high) = mid;
      }
      table[static_cast<std::size_t>(found++)] = static_cast<std::uint32_t>(low);
    }
    return table;
  }();
  std::array<std::uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::vector<std::uint8_t> message(bytes.size());
  if (!bytes.empty()) std::memcpy(message.data(), bytes.data(), bytes.size());
  message.push_back(0x80);
  while (message.size() % 64 != 56) message.push_back(0);
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  for (int shift = 56; shift >= 0; shift -= 8)
    message.push_back(static_cast<std::uint8_t>(bits >> shift));

  for (std::size_t block = 0; block < message.size(); block += 64) {
    std::array<std::uint32_t, 64> w{};
    for (std::size_t i = 0; i < 16; ++i) {
      for (std::size_t j = 0; j < 4; ++j) w[i] = (w[i] << 8) | message[block + 4 * i + j];
    }
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t a = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
      const std::uint32_t b = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
      w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    std::array<std::uint32_t, 8> v = state;
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t sum1 = std::rotr(v[4], 6) ^ std::rotr(v[4], 11) ^ std::rotr(v[4], 25);
      const std::uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
      const std::uint32_t one = v[7] + sum1 + choose + kRound[i] + w[i];
      const std::uint32_t sum0 = std::rotr(v[0], 2) ^ std::rotr(v[0], 13) ^ std::rotr(v[0], 22);
      const std::uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
      for (std::size_t j = 7; j > 0; --j) v[j] = v[j - 1];
      v[4] += one;
      v[0] = one + sum0 + majority;
    }
    for (std::size_t i = 0; i < 8; ++i) state[i] += v[i];
  }
  std::string text;
  for (const std::uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[(word >> shift) & 15];
  }
  return text;
}

}  // namespace hopfield::testing

#endif  // HOPFIELD_TESTS_PARITY_SHA256_H_
