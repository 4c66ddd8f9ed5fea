#ifndef HOPFIELD_APPS_MIL_RANDOM_H_
#define HOPFIELD_APPS_MIL_RANDOM_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace hopfield::mil {

/// One step of SplitMix64's output function.
inline std::uint64_t mix_bits(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// A seed for one part of a run: depends on the user's seed and on what the part is, not on which
/// other parts there are.
inline std::uint64_t mix_seed(std::uint64_t seed, std::uint64_t part) {
  return mix_bits(mix_bits(seed) ^ part);
}
inline std::uint64_t mix_seed(std::uint64_t seed, std::string_view part) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return mix_seed(seed, hash);
}

/// Random numbers that are the same on every machine: SplitMix64, and only +, *, sqrt and the
/// polar method on top (log of <cmath> is the one function whose last bit a platform may choose).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    const std::uint64_t out = mix_bits(state_);
    state_ += 0x9e3779b97f4a7c15u;
    return out;
  }
  /// In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// In [0, n), n >= 1; the bias of at most n / 2^64 does not matter here.
  std::size_t below(std::size_t n) {
    return static_cast<std::size_t>((static_cast<unsigned __int128>(bits()) * n) >> 64);
  }
  double normal() {
    for (;;) {
      const double x = 2 * uniform() - 1, y = 2 * uniform() - 1, r = x * x + y * y;
      if (r > 0 && r < 1) return x * std::sqrt(-2 * std::log(r) / r);
    }
  }
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_RANDOM_H_
