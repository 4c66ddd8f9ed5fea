#ifndef HOPFIELD_THEORY_RETRIEVAL_ERROR_H_
#define HOPFIELD_THEORY_RETRIEVAL_ERROR_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/theory/simulate.h"

namespace hopfield::theory {

struct RetrievalErrorOptions {
  std::int64_t num_patterns = 32, depth = 64;  ///< of random unit vectors
  double distance = 0.05;                      ///< r = |xi - x_i|, >= 0
  ReplicaOptions trials;  ///< a trial draws patterns, and one direction for every pattern
};

/// One pattern, one cue, one beta.
struct RetrievalErrorPoint {
  double beta = 0;
  std::int64_t trial = 0, pattern = 0;
  double separation = 0;  ///< Delta_i
  double exponent = 0;    ///< beta (Delta_i - 2 r M)
  double error = 0;       ///< |f(xi) - x_i| = |sum_{j != i} p_j (x_j - x_i)|, without cancellation
  double bound = 0;       ///< 2 (N-1) M exp(-exponent)
  /// error <= bound; the error is a sum of N terms with a few roundings each, which are allowed.
  bool holds = true;
};

/// Measures theorem 5 of arXiv:2008.02217 on random patterns, trial after trial, pattern after
/// pattern, beta after beta. Errors: kInvalidArgument (betas empty or not > 0, fewer than 2
/// patterns), kCancelled.
std::vector<RetrievalErrorPoint> measure_retrieval_errors(const RetrievalErrorOptions& options,
                                                          std::span<const double> betas);

/// The same for given patterns [N, depth]; every trial draws new directions.
std::vector<RetrievalErrorPoint> measure_retrieval_errors(const RetrievalErrorOptions& options,
                                                          std::span<const double> betas,
                                                          std::span<const double> patterns);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_RETRIEVAL_ERROR_H_
