#ifndef HOPFIELD_APPS_MIL_RIDGE_H_
#define HOPFIELD_APPS_MIL_RIDGE_H_

#include <cstddef>
#include <span>
#include <vector>

namespace hopfield::mil {

/// Values of stored patterns, and what the others would have said about each.
struct RidgeFit {
  std::vector<double> values;    ///< [n, outputs] v = (K + ridge I)^-1 t
  std::vector<double> left_out;  ///< [n, outputs] score of pattern j by values fitted without it
};

/// Solves for the values exactly, by Cholesky. `gram` [n, n] symmetric, positive semidefinite;
/// `targets` [n, num_outputs]; ridge > 0. With G = (K + ridge I)^-1 the left-out score is t_j - v_j
/// / G_jj. Errors: kInvalidArgument if the sizes differ or K + ridge I is not positive definite.
RidgeFit fit_ridge(std::span<const double> gram, std::span<const double> targets, double ridge,
                   std::size_t num_outputs = 1);

/// P(label 1) = 1 / (1 + exp(-(slope score + intercept))).
struct Logistic {
  double slope = 0, intercept = 0;
};

/// Greatest likelihood by Newton steps. The targets are (n1 + 1) / (n1 + 2) and 1 / (n0 + 2)
/// instead of 1 and 0 (Platt 1999), so that scores that separate the classes stay finite. Scores
/// that tell nothing, or the wrong way round, get the slope 0.01, which keeps their order.
/// Errors: kInvalidArgument if the sizes differ, a score is not finite, or a class is missing.
Logistic fit_logistic(std::span<const double> scores, std::span<const int> labels);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_RIDGE_H_
