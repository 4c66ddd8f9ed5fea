#ifndef HOPFIELD_THEORY_ATTENTION_COMPARISON_H_
#define HOPFIELD_THEORY_ATTENTION_COMPARISON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/theory/attention.h"

namespace hopfield::theory {

/// Brings every column to mean 0 and standard deviation 1 over `train`, and `test` by the same
/// numbers; a column that is constant in `train` becomes 0 in both.
/// Errors: kInvalidArgument (shapes, labels, depths that differ).
void standardise(LabelledPatterns& train, LabelledPatterns& test);

struct AttentionOptions {
  std::vector<double> betas = {1, 10, 100, 1000, 10000};  ///< of the nearest neighbour, > 0
  std::int64_t k = 5;
  double vote_beta = 1;  ///< of the weighted k nearest neighbours, > 0
  double gamma = 0;      ///< of the kernel machine; 0: 1/depth
  double cost = 1;
  PrototypeOptions prototypes;
  Executor* executor = nullptr;
};

/// A layer beside the plain form of the same classifier, on the same states.
struct LayerComparison {
  std::string classifier;
  std::int64_t num_states = 0;
  std::int64_t num_undecided = 0;  ///< states whose plain decision rests on a gap within rounding
  std::int64_t num_differ = 0;     ///< other states that layer and plain form decide differently
  std::int64_t num_correct = 0;    ///< states whose class the layer names; of equals the first
  double error_max = 0;      ///< |layer - plain form| of the values that decide, of decided states
  double error_allowed = 0;  ///< by rounding, for the state of error_max
  bool holds = true;         ///< none differs, and every error is within its own allowance
  std::vector<double> values;  ///< [num_states, num_classes] the layer's; the largest decides
  SolverReport report;         ///< of the training, where there is one
};

/// The nearest neighbour's layer at a finite beta.
struct SharpnessPoint {
  double beta = 0;
  std::int64_t num_states = 0;
  std::int64_t num_equal = 0;       ///< states given the class of their nearest pattern
  double mass_median = 0;           ///< association outside the class of the nearest pattern
  double bound_ratio = 0;           ///< largest mass / ((S - 1) exp(-beta gap))
  std::int64_t num_violations = 0;  ///< states beyond the bound by more than rounding
};

struct AttentionComparison {
  std::vector<LayerComparison> layers;  ///< 1-NN, k-NN, weighted k-NN, machines, LVQ
  std::vector<SharpnessPoint> sharpness;
  TrainedPrototypes prototypes;
  bool holds = true;  ///< all of them, and no violation, and gradients equal within 1e-12
};

/// Sets up every layer from `train` and compares it with its plain form on `test`. The kernel
/// machine is one class against the rest for every class (once for two classes).
/// Errors: kInvalidArgument (see attention.h).
AttentionComparison compare_attention(const LabelledPatterns& train, const LabelledPatterns& test,
                                      const AttentionOptions& options);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_ATTENTION_COMPARISON_H_
