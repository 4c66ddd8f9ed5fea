#include "hopfield/theory/random.h"

#include <boost/math/special_functions/erf.hpp>
#include <cmath>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::theory {
namespace {

constexpr std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
constexpr std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

PhiloxBlock philox4x32(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = kMultiplier0 * counter[0], b = kMultiplier1 * counter[2];
    counter = {high(b) ^ counter[1] ^ key[0], low(b), high(a) ^ counter[3] ^ key[1], low(a)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::uint32_t RandomStream::bits32() {
  if (used_ == block_.size()) {
    block_ = philox4x32({low(next_block_), high(next_block_), low(stream_), high(stream_)},
                        {low(seed_), high(seed_)});
    ++next_block_;
    used_ = 0;
  }
  return block_[used_++];
}

std::uint64_t RandomStream::bits64() {
  const std::uint64_t lower = bits32();
  return lower | static_cast<std::uint64_t>(bits32()) << 32;
}

double RandomStream::uniform() {
  return static_cast<double>(bits64() >> 11) * 0x1p-53;
}

std::uint32_t RandomStream::below(std::uint32_t bound) {
  HOPFIELD_DCHECK(bound >= 1);
  // The upper half of bits * bound, without the few products that would favour small results.
  const std::uint32_t rejected = (0u - bound) % bound;
  for (;;) {
    const std::uint64_t product = static_cast<std::uint64_t>(bits32()) * bound;
    if (low(product) >= rejected) return high(product);
  }
}

double RandomStream::normal() {
  const double inside = (static_cast<double>(bits64() >> 11) + 0.5) * 0x1p-53;
  return -std::sqrt(2.0) * boost::math::erfc_inv(2 * inside);
}

std::int8_t RandomStream::sign() {
  if (num_sign_bits_ == 0) {
    sign_bits_ = bits32();
    num_sign_bits_ = 32;
  }
  const bool up = (sign_bits_ & 1u) != 0;
  sign_bits_ >>= 1;
  --num_sign_bits_;
  return up ? std::int8_t{1} : std::int8_t{-1};
}

void RandomStream::shuffle(std::vector<std::int32_t>& v) {
  for (std::size_t left = v.size(); left > 1; --left) {
    std::swap(v[left - 1], v[below(static_cast<std::uint32_t>(left))]);
  }
}

std::vector<double> RandomStream::on_sphere(std::int64_t depth, double radius) {
  std::vector<double> x(static_cast<std::size_t>(depth));
  double square = 0;
  while (square == 0) {
    square = 0;
    for (double& value : x) {
      value = normal();
      square += value * value;
    }
  }
  for (double& value : x) value *= radius / std::sqrt(square);
  return x;
}

}  // namespace hopfield::theory
