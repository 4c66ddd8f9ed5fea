// Scores how far states lie outside of what is stored, and how well the scores tell: the commands
// ood fit and ood score. Needs no LibTorch.
//
//   usage: memory_ood
//
// Prints
//   beta 1.01
//   energy    AUROC 1.00 (0.99 to 1.00)  FPR95 0.01 (0.00 to 0.01)
//   weighted  AUROC 1.00 (0.99 to 1.00)  FPR95 0.01 (0.00 to 0.01)
//   nearest   AUROC 1.00 (0.99 to 1.00)  FPR95 0.01 (0.00 to 0.01)
//   energy beyond 15.9: 16 of the inside states, 199 of the outside ones
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <vector>

#include "hopfield/memory/ood.h"
#include "hopfield/report/roc.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 500, kDepth = 32, kStates = 200;

/// Copies of the first rows of `patterns`, each coordinate moved by up to `distance`.
std::vector<float> near(const std::vector<float>& patterns, float distance, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> states(patterns.begin(), patterns.begin() + kStates * kDepth);
  for (float& x : states) {
    const float between = static_cast<float>(random()) / static_cast<float>(random.max());
    x += distance * (2 * between - 1);
  }
  return states;
}

void judge(const char* name, const std::vector<double>& inside,
           const std::vector<double>& outside) {
  std::vector<double> scores = inside;
  scores.insert(scores.end(), outside.begin(), outside.end());
  std::vector<int> labels(inside.size(), 0);
  labels.resize(scores.size(), 1);
  const double auc = hopfield::report::roc_auc(scores, labels);
  const hopfield::report::Interval interval =
      hopfield::report::auc_interval(auc, hopfield::report::auc_influence(scores, labels));
  const hopfield::Rate rate = hopfield::false_rate_at_95(inside, outside);
  std::printf("%-8s  AUROC %.2f (%.2f to %.2f)  FPR95 %.2f (%.2f to %.2f)\n", name, auc,
              interval.low, interval.high, rate.value, rate.low, rate.high);
}

/// How many scores lie beyond the threshold.
int beyond(const std::vector<double>& scores, double threshold) {
  int count = 0;
  for (const double score : scores) count += score > threshold;
  return count;
}

}  // namespace

int main() {
  try {
    const std::vector<float> patterns = random_patterns(kPatterns, kDepth, 1);
    const auto stored = hopfield::pattern_view(patterns.data(), kPatterns, kDepth);
    const std::vector<float> known = near(patterns, 1.2f, 2);
    const std::vector<float> foreign = near(random_patterns(kStates, kDepth, 3), 0.5f, 4);

    // The beta for densities; the one for recall is larger.
    const double beta = hopfield::likely_beta(stored);
    std::printf("beta %.2f\n", beta);
    const auto inside = hopfield::distance_scores(
        stored, hopfield::pattern_view(known.data(), kStates, kDepth), beta, 1);
    const auto outside = hopfield::distance_scores(
        stored, hopfield::pattern_view(foreign.data(), kStates, kDepth), beta, 1);
    judge("energy", inside.energy, outside.energy);
    judge("weighted", inside.weighted, outside.weighted);
    judge("nearest", inside.nearest, outside.nearest);

    // Without examples of what is outside, other inside states say where it begins.
    // held_out_scores(stored, beta, 1) stands in for them where there are none.
    const std::vector<float> more = near(patterns, 1.2f, 5);
    const auto usual = hopfield::score_quantiles(
        hopfield::distance_scores(stored, hopfield::pattern_view(more.data(), kStates, kDepth),
                                  beta, 1)
            .energy);
    const double threshold = usual.threshold();
    std::printf("energy beyond %.1f: %d of the inside states, %d of the outside ones\n", threshold,
                beyond(inside.energy, threshold), beyond(outside.energy, threshold));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
