#ifndef HOPFIELD_MEMORY_MATCH_H_
#define HOPFIELD_MEMORY_MATCH_H_

#include <cstdint>
#include <span>
#include <string_view>

namespace hopfield {

/// What the associations of a state with S patterns amount to.
enum class Regime : std::uint8_t {
  kSingle,      ///< one pattern holds the mass: metastable size 1 (or none visible: 0)
  kMetastable,  ///< several patterns share it
  kGlobal,      ///< more than half of all patterns share it
};
/// From the fewest associations that hold 0.9 of the mass (AssociateOutputs::metastable_size).
/// Source of the bound S / 2: arXiv:2008.02217, its first class of heads.
Regime regime(std::int64_t metastable_size, std::int64_t num_patterns);
std::string_view regime_name(Regime regime);  ///< "single-pattern", "metastable", "global-average"

/// A cue matches if its energy (DistanceScores::energy serves, see docs/math/ood.md) lies BELOW
/// `energy`.
struct MatchThreshold {
  double energy = 0;
  /// Chance that a cue which is foreign to the memory matches nevertheless: at most this, if it is
  /// drawn like the held-back ones, averaged over their draws.
  double false_recall_bound = 0;
  std::int64_t num_held_back = 0;

  bool matches(double cue_energy) const { return cue_energy < energy; }
};

/// The k-th smallest of the energies of n cues whose patterns are NOT stored, k = floor(rate * (n +
/// 1)): the energy of one more such cue is equally likely to take each of n + 1 ranks, so that it
/// lies below the threshold with chance k / (n + 1) <= rate at most; equal energies only make it
/// smaller. Nothing is assumed about how energies are distributed.
/// Errors: kInvalidArgument (rate outside (0, 1), NaN, or so few cues that k = 0).
MatchThreshold calibrate_match(std::span<const double> held_back_energies,
                               double false_recall_rate);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_MATCH_H_
