#ifndef HOPFIELD_SRC_CLI_DEMO_DIGITS_H_
#define HOPFIELD_SRC_CLI_DEMO_DIGITS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/digits.h"
#include "hopfield/base/executor.h"

// The demo's second half: pictures are stored, a part of each is hidden, the memory restores it.
namespace hopfield::cli {

/// How the unknown part of a cue is treated.
enum class RestoreMethod : std::uint8_t {
  /// The first update compares cue and patterns where the cue is known (negative squared distance),
  /// all
  /// later ones compare whole pictures, until nothing moves.
  kKnownPart,
  /// Patterns minus their mean; unknown = 0 (the mean); dot product; all updates alike.
  kCentred,
  /// The same with every pattern brought to length 1.
  kUnit,
  /// No memory at all: the stored picture whose known part is nearest. The baseline.
  kNearest,
};
std::string_view restore_method_title(RestoreMethod method);

struct RestoreOptions {
  RestoreMethod method = RestoreMethod::kKnownPart;
  int hidden_rows = 0;  ///< the lowest rows of every picture are unknown; 0 <= hidden_rows < side
  double beta = 1;      ///< inverse temperature over ink; without meaning for kNearest
  bool iterate = true;  ///< false: one update only
  Executor* executor = nullptr;
  std::function<void()> check_cancelled = {};  ///< may throw
};

/// What became of every stored picture as a cue.
struct Restoration {
  std::vector<float> restored;  ///< [count, pixels] ink
  std::vector<std::uint8_t>
      exact;  ///< [count] all pixels, rounded to the set's greys, are the original's
  std::vector<float> largest_error;   ///< [count] over the pixels, in ink
  std::vector<std::int64_t> updates;  ///< [count] associations made
  std::int64_t num_exact = 0;
  std::int64_t num_moving = 0;  ///< states still moving after the cap of 50 updates
};

/// Uses every picture in turn as a cue with its lowest rows unknown.
/// Errors: kInvalidArgument for hidden_rows out of range or beta that is not positive and finite.
Restoration restore(const Digits& digits, const RestoreOptions& options);

/// Beta that choose_beta recommends from the stored pictures alone: the smallest one tried at
/// which, within half a grey, all known parts retrieve themselves (kKnownPart), or all of a sample
/// of covered pictures are recovered (else the best one).
double beta_from_patterns(const Digits& digits, RestoreMethod method, int hidden_rows,
                          std::uint64_t seed, Executor* executor);

/// Energy (negative squared distance, whole pictures) of the states that kKnownPart passes: first
/// the cue with the unknown part filled by the mean picture, then the state after each update;
/// `num_energies` a cue.
std::vector<double> energy_trace(const Digits& digits, const std::vector<std::size_t>& cues,
                                 int hidden_rows, double beta, std::size_t num_energies,
                                 Executor* executor);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_DEMO_DIGITS_H_
