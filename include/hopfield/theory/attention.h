#ifndef HOPFIELD_THEORY_ATTENTION_H_
#define HOPFIELD_THEORY_ATTENTION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/theory/solver.h"

// Classifiers that are one association with fixed stored patterns, and the plain form of each.
// docs/math/attention.md has the constructions. Source: arXiv:2008.02217, section 3, names them.
namespace hopfield::theory {

/// Patterns whose classes are known.
struct LabelledPatterns {
  std::vector<double> values;        ///< [count, depth], finite
  std::vector<std::int64_t> labels;  ///< [count], 0 .. num_classes - 1
  std::int64_t depth = 0, num_classes = 0;

  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

/// A HopfieldLayer with all projections the identity: out = softmax(beta Q K^T) V with fixed rows K
/// and contents V. A column more than the pattern's own makes its score a distance:
/// <(q, 1), (z, -|z|^2/2)> = -|q - z|^2/2 + |q|^2/2, and |q|^2/2 cancels in the softmax.
struct FixedLayer {
  std::vector<double> rows;      ///< [num_rows, depth + 1], or + 2 with `norm_column`
  std::vector<double> contents;  ///< [num_rows, width]
  std::int64_t num_rows = 0, depth = 0, width = 0;
  bool norm_column = false;  ///< states are (q, 1, |q|^2), so that the score is the distance itself
  double beta = 1;
  Separation separation = Separation::kSoftmax;
  std::int64_t top_k = 0;  ///< for kTopKSoftmax

  /// Contents recalled by the states [T, depth]: [T, width]. Through `associate`, in double.
  /// Errors: kInvalidArgument if the number of values is no multiple of `depth`.
  std::vector<double> recall(std::span<const double> states, Executor* executor = nullptr) const;
};

/// Nearest neighbour: contents are the classes as one-hot rows. beta = infinity takes the nearest
/// pattern alone (of equals the first); at a finite beta the mass off the nearest one is at most
/// (S - 1) exp(-beta gap). With prototypes as patterns it is the decision of LVQ.
/// Errors: kInvalidArgument (no patterns, a label out of range, beta not > 0).
FixedLayer nearest_layer(const LabelledPatterns& patterns, double beta);

/// k nearest neighbours. beta = 0: k equal votes; else votes in proportion to exp(-beta |q-z|^2/2).
/// Errors: as above; k not in 1 .. S, beta not finite or < 0.
FixedLayer k_nearest_layer(const LabelledPatterns& patterns, std::int64_t k, double beta);

/// The plain forms: loops over |q - z|^2, no association. Of one state.
struct Neighbour {
  std::int64_t index = -1;  ///< of the nearest pattern, of equals the first
  double gap = 0;           ///< (d2^2 - d1^2)/2 of the two smallest distances; infinity for S = 1
};
Neighbour nearest_pattern(const LabelledPatterns& patterns, std::span<const double> state);
struct Votes {
  std::vector<double> votes;  ///< [num_classes], sum 1
  double gap = 0;             ///< (d_{k+1}^2 - d_k^2)/2; infinity for k = S
};
Votes k_nearest_votes(const LabelledPatterns& patterns, std::int64_t k, double beta,
                      std::span<const double> state);

/// A gap between two scores of this size or smaller may turn round by rounding alone: two scores
/// of depth + 1 products each, of size up to (|q| + M)^2, M the largest norm of a pattern.
double score_rounding(const LabelledPatterns& patterns, std::span<const double> state);

/// Support vector machine with the kernel exp(-gamma |q - z|^2): the value of a state is
/// sum_i weights_i kernel(q, z_i) + bias, its class the sign.
struct KernelMachine {
  std::vector<double> vectors;  ///< [num_vectors, depth] those with a weight
  std::vector<double> weights;  ///< y_i alpha_i
  std::int64_t depth = 0;
  double gamma = 0, bias = 0;
  SolverReport report;  ///< residual: how far the worst pair of patterns violates optimality

  double value(std::span<const double> state) const;  ///< the plain sum
};

struct KernelMachineOptions {
  double gamma = 1;         ///< > 0
  double cost = 1;          ///< C > 0: upper bound of every alpha
  double tolerance = 1e-9;  ///< of the violation, in units of the margin
  std::int64_t iterations_max = 10'000'000;
};

/// Class `positive` against the rest: maximises sum alpha - alpha^T Q alpha/2 under
/// 0 <= alpha <= C, y^T alpha = 0, two multipliers a step, those that violate optimality most.
/// Holds a matrix of S^2 numbers. Errors: kInvalidArgument (options; either side has no pattern).
KernelMachine train_kernel_machine(const LabelledPatterns& patterns, std::int64_t positive,
                                   const KernelMachineOptions& options);

/// The machine as a layer of width 2 with beta = 2 gamma: a zero row more carries the bias and a
/// content of 1, so that the value is out[0]/out[1]; out[1] >= 1/(num_vectors + 1).
FixedLayer kernel_machine_layer(const KernelMachine& machine);

struct PrototypeOptions {
  std::int64_t per_class = 2;  ///< prototypes; a class with fewer patterns gets these
  double beta = 1;             ///< > 0: p(k|q) in proportion to exp(-beta |q - w_k|^2/2)
  double rate = 1;             ///< > 0; of beta^-1 times the gradient of the mean of ln p_y
  std::int64_t steps = 100;    ///< >= 0
};
struct TrainedPrototypes {
  LabelledPatterns prototypes;
  double start_log_likelihood = 0, log_likelihood = 0;  ///< mean of ln p_y(q)
  /// Largest difference of an entry of the layer's gradient (associate_backward) from the plain
  /// formula of robust soft LVQ, over all steps, relative to the largest entry possible, beta
  /// max |q - w|.
  double gradient_error = 0;
};

/// Robust soft learning vector quantisation: the rows of nearest_layer, moved up the gradient of
/// the mean of ln p_y, which the layer's backward pass gives. Starts from patterns of each class at
/// even distances in their order. Errors: kInvalidArgument (options; a class without a pattern).
TrainedPrototypes train_prototypes(const LabelledPatterns& patterns,
                                   const PrototypeOptions& options, Executor* executor = nullptr);

/// The gradient's plain form, [K, depth]: mean over patterns q of class y of
/// beta (P_y(k|q) - P(k|q)) (q - w_k), P_y restricted to the prototypes of y (0 for others).
std::vector<double> prototype_gradient(const LabelledPatterns& prototypes,
                                       const LabelledPatterns& patterns, double beta);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_ATTENTION_H_
