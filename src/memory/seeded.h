#ifndef HOPFIELD_SRC_MEMORY_SEEDED_H_
#define HOPFIELD_SRC_MEMORY_SEEDED_H_

#include <cstdint>
#include <random>
#include <vector>

namespace hopfield::internal {

/// Random numbers whose bits follow from the seed alone, on every standard library: the engine is
/// fixed by the standard, the distributions of the standard are not.
class Seeded {
 public:
  explicit Seeded(std::uint64_t seed) : engine_(seed) {}

  /// Uniform in {0, ..., bound - 1}, bound >= 1.
  std::uint64_t below(std::uint64_t bound);
  /// Standard normal, by inverting its distribution function.
  double normal();
  /// `count` different numbers of {0, ..., size - 1}, ascending; all of them if count >= size.
  std::vector<std::int64_t> sample(std::int64_t size, std::int64_t count);

 private:
  std::mt19937_64 engine_;
};

}  // namespace hopfield::internal

#endif  // HOPFIELD_SRC_MEMORY_SEEDED_H_
