// Recalls patterns from damaged cues and says which cues resemble nothing stored: the commands
// recall and calibrate. Needs no LibTorch.
//
//   usage: memory_recall
//
// Prints
//   beta 0.24; a foreign cue matches with chance 0.0499 at most
//   cue 0: 3 updates, single-pattern, largest association 1.00 with pattern 0, match
//   cue 1: 3 updates, single-pattern, largest association 1.00 with pattern 1, match
//   cue 2: 3 updates, single-pattern, largest association 1.00 with pattern 2, match
//   cue 3: 5 updates, global-average, largest association 0.00 with pattern 693, no match
//   cue 4: 5 updates, global-average, largest association 0.00 with pattern 422, no match
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "hopfield/memory/advice.h"
#include "hopfield/memory/match.h"
#include "hopfield/memory/ood.h"
#include "hopfield/memory/retrieve.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 1000, kDepth = 64;

/// Rows of numbers with each sign changed at a chance of one in eight.
std::vector<float> damaged(std::vector<float> rows, std::uint32_t seed) {
  std::mt19937 random(seed);
  for (float& x : rows) {
    if (random() % 8 == 0) x = -x;
  }
  return rows;
}

hopfield::PatternView view_of(const std::vector<float>& rows) {
  return hopfield::pattern_view(rows.data(), static_cast<std::int64_t>(rows.size()) / kDepth,
                                kDepth);
}

/// Updates each cue until it stands still; one line a cue. Those whose energy reaches the threshold
/// are no match, whatever they end in.
void recall(const hopfield::PatternView& stored, const std::vector<float>& cues, double beta,
            const hopfield::MatchThreshold& threshold) {
  const std::size_t count = cues.size() / kDepth;
  std::vector<float> states(cues.size()), largest(count);
  std::vector<std::int64_t> nearest(count), metastable_size(count), steps(count);

  hopfield::Associations in;
  in.stored = stored;
  in.states = view_of(cues);
  in.beta = {&beta, 1};
  const std::int64_t until_converged = -1;
  hopfield::UpdateOptions update;
  update.update_steps_max = {&until_converged, 1};
  hopfield::AssociateOutputs<float> out;
  out.state = hopfield::mutable_view(states.data(), in.states.rows, kDepth);
  out.largest = largest;
  out.largest_index = nearest;
  out.metastable_size = metastable_size;
  hopfield::RetrieveReport<float> report;
  report.steps = steps;
  hopfield::retrieve(in, update, out, report);

  const std::vector<double> energy = hopfield::distance_scores(stored, in.states, beta, 1).energy;
  for (std::size_t i = 0; i < count; ++i) {
    const auto regime = hopfield::regime(metastable_size[i], kPatterns);
    std::printf("cue %zu: %lld updates, %s, largest association %.2f with pattern %lld, %s\n", i,
                static_cast<long long>(steps[i]), std::string(regime_name(regime)).c_str(),
                static_cast<double>(largest[i]), static_cast<long long>(nearest[i]),
                threshold.matches(energy[i]) ? "match" : "no match");
  }
}

}  // namespace

int main() {
  try {
    // These stand in memory; MemoryFile::patterns() gives the same kind of view of a file.
    const std::vector<float> patterns = random_patterns(kPatterns, kDepth, 1);
    const hopfield::PatternView stored = view_of(patterns);
    hopfield::AdviceOptions expected;  // the damage that the recall has to stand
    expected.cue = hopfield::CueKind::kHidden;
    const double beta = hopfield::choose_beta(stored, expected);

    // Cues of patterns that are not stored, damaged like the real ones, say where "no match"
    // begins.
    const std::vector<float> held_back = damaged(random_patterns(500, kDepth, 2), 3);
    const std::vector<double> energies =
        hopfield::distance_scores(stored, view_of(held_back), beta, 1).energy;
    const hopfield::MatchThreshold threshold = hopfield::calibrate_match(energies, 0.05);
    std::printf("beta %.2f; a foreign cue matches with chance %.4f at most\n", beta,
                threshold.false_recall_bound);

    std::vector<float> cues(patterns.begin(), patterns.begin() + 3 * kDepth);
    const std::vector<float> foreign = random_patterns(2, kDepth, 4);
    cues.insert(cues.end(), foreign.begin(), foreign.end());
    recall(stored, damaged(cues, 5), beta, threshold);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
