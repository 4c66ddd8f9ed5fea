// Fills in what is missing of cues while what is known stays as it is: the command complete. Needs
// no LibTorch.
//
//   usage: memory_complete
//
// Prints
//   20 of 64 coordinates known, beta 0.31 (measured)
//   cue 0: 5 updates, largest error 0.000
//   cue 1: 5 updates, largest error 0.000
//   cue 2: 5 updates, largest error 0.000
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <vector>

#include "hopfield/memory/advice.h"
#include "hopfield/memory/complete.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 1000, kDepth = 64, kCues = 3, kKnown = 20;

/// Prints how far each row is from the pattern it came from, at most over its coordinates.
void compare(const std::vector<float>& patterns, const std::vector<float>& completed,
             const std::vector<std::int64_t>& steps) {
  for (std::size_t i = 0; i < kCues; ++i) {
    float worst = 0;
    for (std::size_t k = i * kDepth; k < (i + 1) * kDepth; ++k) {
      worst = std::max(worst, std::abs(completed[k] - patterns[k]));
    }
    std::printf("cue %zu: %lld updates, largest error %.3f\n", i, static_cast<long long>(steps[i]),
                static_cast<double>(worst));
  }
}

}  // namespace

int main() {
  try {
    const std::vector<float> patterns = random_patterns(kPatterns, kDepth, 1);
    const auto stored = hopfield::pattern_view(patterns.data(), kPatterns, kDepth);

    // NaN marks what is not known: here all but the first coordinates.
    std::vector<float> cues(patterns.begin(), patterns.begin() + kCues * kDepth);
    std::vector<std::uint8_t> missing(kDepth, 0);
    for (std::size_t i = 0; i < cues.size(); ++i) {
      if (i % kDepth < kKnown) continue;
      cues[i] = std::numeric_limits<float>::quiet_NaN();
      missing[i % kDepth] = 1;
    }

    // The beta at which stored patterns come back when the same coordinates are missing.
    hopfield::AdviceOptions expected;
    expected.cue = hopfield::CueKind::kMissing;
    expected.missing = missing;
    const hopfield::BetaAdvice advice = hopfield::advise_beta(stored, expected);
    std::printf("%lld of %lld coordinates known, beta %.2f (%s)\n", static_cast<long long>(kKnown),
                static_cast<long long>(kDepth), advice.beta,
                std::string(beta_source_name(advice.source)).c_str());

    std::vector<float> completed(cues.size());
    std::vector<std::int64_t> steps(kCues);
    hopfield::AssociateOutputs<float> out;
    out.state = hopfield::mutable_view(completed.data(), kCues, kDepth);
    hopfield::RetrieveReport<float> report;
    report.steps = steps;
    hopfield::complete(stored, hopfield::pattern_view(cues.data(), kCues, kDepth), advice.beta, {},
                       out, report);
    compare(patterns, completed, steps);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
