#ifndef HOPFIELD_SRC_CLI_THEORY_STUDIES_H_
#define HOPFIELD_SRC_CLI_THEORY_STUDIES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/theory_output.h"
#include "cli/theory_patterns.h"
#include "hopfield/theory/attention_comparison.h"
#include "hopfield/theory/basins.h"
#include "hopfield/theory/retrieval_error.h"

// What commands of `theory` compute, apart from how it is given: `reproduce theory` makes the same
// studies. Each is in the file of its command, theory_NAME.cc. `paths` of the arguments plays no
// part here.
namespace hopfield::cli {

struct EnergyArguments {
  NetworkChoice choice{"continuous", "hebbian", "all"};
  std::string patterns, separation = "softmax";
  std::int64_t num_patterns = 5, depth = 2, side = 101, starts = 12, steps = 20;
  double beta = 4;
  std::int64_t num_spins = 200, power = 3;
  double flipped = 0.3;
  std::int64_t seed = 0;
  ResultPaths paths;
};
Findings study_energy(const EnergyArguments& a, const Context& context);

struct FixedPointsArguments {
  PatternChoice patterns;
  std::string separation = "softmax";
  std::int64_t num_betas = 16, starts = 100;
  double eps = 1e-12;
  std::vector<double> betas;
  std::int64_t seed = 0;
  ResultPaths paths;
};
Findings study_fixed_points(const FixedPointsArguments& a, const Context& context);

struct BasinsArguments {
  PatternChoice patterns = {.file = {}, .draw = "orthonormal", .num_patterns = 8, .depth = 8};
  std::vector<double> betas = {5, 7, 9, 12, 20};
  std::int64_t pattern = 0, num_random = 16, seed = 0;
  std::vector<std::int64_t> group;
  theory::BasinOptions options;
  ResultPaths paths;
};
Findings study_basins(const BasinsArguments& a, const Context& context);

struct CapacityArguments {
  NetworkChoice choice;
  std::vector<double> sizes = {50, 100, 200};
  std::int64_t power = 3, patterns_max = 1'000'000;
  std::string stored_if = "stable";
  double flipped = 0, overlap = 0.95, confidence = 0.95;
  double beta = 1, k = 1, failure = 0.001;
  std::int64_t seed = 0, trials = 21;
  ResultPaths paths;
};
Findings study_capacity(const CapacityArguments& a, const Context& context);

struct RetrievalErrorArguments {
  std::string patterns;
  theory::RetrievalErrorOptions options;
  std::vector<double> betas = {1, 2, 4, 8, 16, 32, 64};
  std::int64_t seed = 0, trials = 4;
  ResultPaths paths;
};
Findings study_retrieval_error(const RetrievalErrorArguments& a, const Context& context);
/// The same for the patterns of a table that is called `name`; none: random ones.
Findings study_retrieval_error(const RetrievalErrorArguments& a, const PatternTable& patterns,
                               const std::string& name, const Context& context);

struct DenseDiagramArguments {
  std::int64_t p = 4, points = 41;
  ResultPaths paths;
};
Findings study_dense_diagram(const DenseDiagramArguments& a, const Context& context);

struct MultitaskDiagramArguments {
  std::int64_t k = 3, points = 41;
  double rho = 0;
  std::string start = "hierarchical";
};
Findings study_multitask_diagram(const MultitaskDiagramArguments& a, const Context& context);

struct AttentionArguments {
  std::vector<std::string> data, sets = {"iris", "wine", "ionosphere", "vertebral-column-3clases"};
  std::string beside;  ///< file of read_other_values
  std::int64_t split = 0;
  theory::AttentionOptions options;
  ResultPaths paths;
};
/// Errors: kIo where a set is in none of the folders.
Findings study_attention(const AttentionArguments& a, const Context& context);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_STUDIES_H_
