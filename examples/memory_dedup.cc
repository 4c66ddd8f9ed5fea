// Finds patterns that nearly repeat an earlier one: the command dedup. Needs no LibTorch.
//
//   usage: memory_dedup
//
// Prints
//   pattern 100 nearly repeats 3: distance 2
//   pattern 101 nearly repeats 5: distance 0
//   100 of 102 patterns stay
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "hopfield/memory/duplicates.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 102, kDepth = 64;

}  // namespace

int main() {
  try {
    std::vector<float> patterns = random_patterns(kPatterns, kDepth, 1);
    const auto row = [&](std::int64_t pattern) { return patterns.begin() + pattern * kDepth; };
    std::copy_n(row(3), kDepth, row(100));
    patterns[100 * kDepth] *= -1;  // one sign of 64: a distance of 2
    std::copy_n(row(5), kDepth, row(101));

    constexpr double kNear = 3;  // Euclidean; random patterns are some 11 apart
    hopfield::DuplicateOptions options;
    options.similarity = hopfield::Similarity::kNegativeSquaredDistance;
    options.least_similarity = -kNear * kNear;
    const hopfield::NearDuplicates found = hopfield::near_duplicates(
        hopfield::pattern_view(patterns.data(), kPatterns, kDepth), options);
    for (std::size_t i = 0; i < found.duplicate.size(); ++i) {
      std::printf("pattern %lld nearly repeats %lld: distance %g\n",
                  static_cast<long long>(found.duplicate[i]), static_cast<long long>(found.kept[i]),
                  std::sqrt(-found.similarity[i]));
    }
    std::printf("%lld of %lld patterns stay\n",
                static_cast<long long>(kPatterns) - static_cast<long long>(found.duplicate.size()),
                static_cast<long long>(kPatterns));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
