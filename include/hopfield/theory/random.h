#ifndef HOPFIELD_THEORY_RANDOM_H_
#define HOPFIELD_THEORY_RANDOM_H_

#include <array>
#include <cstdint>
#include <vector>

namespace hopfield::theory {

using PhiloxBlock = std::array<std::uint32_t, 4>;

/// Philox4x32-10: a bijection of 128-bit counters, one for every 64-bit key. Source: Salmon,
/// Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
PhiloxBlock philox4x32(PhiloxBlock counter, std::array<std::uint32_t, 2> key);

/// The random numbers of one replica: philox4x32 with the seed as key, the stream's number as the
/// upper and the block's number as the lower half of the counter. Streams of one seed never
/// overlap, and a replica's numbers do not depend on who draws them or when.
/// Threads: one stream belongs to one thread.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  std::uint32_t bits32();
  std::uint64_t bits64();
  double uniform();                            ///< in [0, 1), 53 bits
  std::uint32_t below(std::uint32_t bound);    ///< uniform in {0, ..., bound - 1}, bound >= 1
  double normal();                             ///< standard normal, by inversion
  std::int8_t sign();                          ///< -1 or +1
  void shuffle(std::vector<std::int32_t>& v);  ///< uniform among the orders
  /// Uniform on the sphere of that radius in R^depth, depth >= 1.
  std::vector<double> on_sphere(std::int64_t depth, double radius);

 private:
  std::uint64_t seed_, stream_, next_block_ = 0;
  PhiloxBlock block_{};
  std::size_t used_ = 4;
  std::uint32_t sign_bits_ = 0;
  int num_sign_bits_ = 0;
};

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_RANDOM_H_
