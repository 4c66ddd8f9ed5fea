// Finds the patterns most alike a cue, each with its share of the association: the command search.
// Needs no LibTorch.
//
//   usage: memory_search
//
// Prints
//   cue 0: pattern 0, similarity 64, weight 0.990
//   cue 0: pattern 430, similarity 26, weight 0.000
//   cue 0: pattern 549, similarity 26, weight 0.000
//   cue 1: pattern 1, similarity 32, weight 0.191
//   cue 1: pattern 2, similarity 32, weight 0.191
//   cue 1: pattern 63, similarity 16, weight 0.008
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "hopfield/memory/search.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 1000, kDepth = 64, kCues = 2;

}  // namespace

int main() {
  try {
    const std::vector<float> patterns = random_patterns(kPatterns, kDepth, 1);
    const auto stored = hopfield::pattern_view(patterns.data(), kPatterns, kDepth);
    // Cue 0 is pattern 0; cue 1 lies halfway between patterns 1 and 2.
    std::vector<float> cues(patterns.begin(), patterns.begin() + kCues * kDepth);
    for (std::size_t k = kDepth; k < 2 * kDepth; ++k) {
      cues[k] = (patterns[k] + patterns[k + kDepth]) / 2;
    }
    const double beta = 0.2;
    hopfield::SearchOptions options;
    options.num_top = 3;
    options.similarity = hopfield::Similarity::kDot;  // or the cosine, or minus a squared distance
    const hopfield::SearchResult found =
        hopfield::search(stored, hopfield::pattern_view(cues.data(), kCues, kDepth), beta, options);
    for (std::size_t i = 0; i < found.index.size(); ++i) {
      std::printf("cue %zu: pattern %lld, similarity %g, weight %.3f\n", i / 3,
                  static_cast<long long>(found.index[i]), found.similarity[i], found.weight[i]);
    }
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
