// Which beta recalls damaged patterns, and how much damage it stands: the command advise. Needs no
// LibTorch.
//
//   usage: memory_advise
//
// Prints
//   beta 0.242 (measured): 100 % of 256 cues recovered
//   theorem: beta 0.291
//   separation 24 to 44, 0 shadowed
//   25 % hidden: 1.00 recovered, 1.00 identified
//   50 % hidden: 1.00 recovered, 1.00 identified
//   60 % hidden: 0.00 recovered, 1.00 identified
//   70 % hidden: 0.00 recovered, 0.09 identified
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "hopfield/memory/advice.h"
#include "hopfield/memory/bounds.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 1000, kDepth = 64;

}  // namespace

int main() {
  try {
    const std::vector<float> patterns = random_patterns(kPatterns, kDepth, 1);
    const auto stored = hopfield::pattern_view(patterns.data(), kPatterns, kDepth);

    hopfield::AdviceOptions expected;  // the damage that recall has to stand
    expected.cue = hopfield::CueKind::kHidden;
    expected.hidden_fraction = 0.5;
    const hopfield::BetaAdvice advice = hopfield::advise_beta(stored, expected);
    std::printf("beta %.3f (%s): %.0f %% of %lld cues recovered\n", advice.beta,
                std::string(beta_source_name(advice.source)).c_str(), 100 * advice.recovered,
                static_cast<long long>(advice.num_cues));

    // What the theorem asks for to come within `error` of every pattern, from the pattern itself.
    const double error = expected.tolerance * advice.statistics.spread;
    std::printf("theorem: beta %.3f\n",
                hopfield::beta_for_error(error, advice.separation_quantile, 0, kPatterns,
                                         advice.statistics.norm_max));
    std::printf("separation %g to %g, %lld shadowed\n", advice.statistics.separation_quantile(0),
                advice.statistics.separation_quantile(1),
                static_cast<long long>(advice.statistics.num_shadowed));

    const std::vector<double> hidden = {0.25, 0.5, 0.6, 0.7};
    const std::vector<hopfield::BetaTrial> trials =
        hopfield::damage_trials(stored, advice.beta, hidden, advice.statistics, expected);
    for (std::size_t i = 0; i < hidden.size(); ++i) {
      std::printf("%2.0f %% hidden: %.2f recovered, %.2f identified\n", 100 * hidden[i],
                  trials[i].recovered, trials[i].identified);
    }
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
