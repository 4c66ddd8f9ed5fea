#ifndef HOPFIELD_SRC_CLI_REPRODUCE_MEMORY_H_
#define HOPFIELD_SRC_CLI_REPRODUCE_MEMORY_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/digits.h"
#include "cli/reproduce_sections.h"
#include "hopfield/memory/recall_trial.h"

// What the sections of `reproduce memory` share.
namespace hopfield::cli {

/// A set of pictures, or why it is not there.
struct PictureSet {
  std::string name;   ///< begins the names of its studies: "mnist", "digits"
  std::string title;  ///< "MNIST"
  Digits digits;
  std::string missing;  ///< empty: it is there

  PatternView view(const std::vector<float>& numbers) const {
    return pattern_view(numbers.data(), static_cast<std::int64_t>(numbers.size() / digits.pixels()),
                        static_cast<std::int64_t>(digits.pixels()));
  }
  PatternView ink() const { return view(digits.ink); }
  /// A pixel within it rounds to the right grey.
  double half_grey() const { return 0.5 / (digits.num_greys - 1); }
};

/// MNIST (with --quick its first 5,000 pictures) and scikit-learn's digits, from the folders of
/// find_data_file. Errors: of a file that is there and damaged.
std::vector<PictureSet> picture_sets(const ReproduceSettings& settings);

/// A study that only says why it was not made.
Study skipped_study(const PictureSet& set);

/// How a cue was damaged, in words.
struct DamageKind {
  const char* name;
  const char* axis;  ///< what the amount is
  Damage damage;
};
inline constexpr std::array kDamages = {
    DamageKind{"half hidden", "share of the picture hidden (0)", Damage::kCovered},
    DamageKind{"salt and pepper", "share of the pixels", Damage::kSaltAndPepper},
    DamageKind{"Gaussian noise", "standard deviation, in full ink", Damage::kGaussian}};

/// The method that is drawn as a reference.
constexpr const char* kNearest = "nearest neighbour";

/// One method on some cues.
struct RecallRow {
  std::string method, damage;
  double x = 0;     ///< what is varied: beta, amount of damage, number stored
  double beta = 0;  ///< NaN: the method has none
  std::int64_t num_cues = 0, num_identified = 0, num_exact = 0;
};

/// For each damage, in the order they first appear, a plot of the exact rate (x as `x_name` and
/// `axes` say) with standard errors sqrt(p (1 - p) / n) and its numbers; CSV and JSON with 95 %
/// Clopper-Pearson intervals.
Findings recall_findings(const std::vector<RecallRow>& rows, const std::string& x_name,
                         const std::vector<report::Axis>& axes, const std::string& caption);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_REPRODUCE_MEMORY_H_
