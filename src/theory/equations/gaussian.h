#ifndef HOPFIELD_SRC_THEORY_EQUATIONS_GAUSSIAN_H_
#define HOPFIELD_SRC_THEORY_EQUATIONS_GAUSSIAN_H_

#include <vector>

namespace hopfield::theory {

struct GaussianNode {
  double z, weight;
};

/// Nodes of E f(z), z a standard normal, for an f that is smooth but for one bend of width `width`
/// around `kink` (as tanh((z - kink)/width) has). 15-point Gauss-Legendre panels, three times as
/// wide from one to the next on leaving the kink, at most 2 wide; so the error stays near 1e-15 of
/// max |f| for any width, and the number of nodes grows with log(1/width) only.
/// `tilt` >= 0: f may grow like exp(tilt |z|); the range is [-9 - tilt, 9 + tilt].
/// `nodes` is overwritten (kept by the caller so that it is not allocated anew).
void gaussian_nodes(double kink, double width, double tilt, std::vector<GaussianNode>& nodes);

/// ln(2 cosh x) - ln 2 without overflow.
double log_cosh(double x);
/// ln of the normal distribution function, without underflow.
double log_normal_cdf(double x);
double normal_density(double x);

/// Averages over z of functions of g = mean + deviation z.
struct TanhAverages {
  double tanh = 0;      ///< E t, t = tanh g
  double tanh2 = 0;     ///< E t^2
  double sech4 = 0;     ///< E (1 - t^2)^2
  double log_cosh = 0;  ///< E ln cosh g
  // Derivatives: by the mean, and by the variance (half the second derivative by Stein's lemma).
  double tanh_by_mean = 0, tanh_by_variance = 0;
  double tanh2_by_mean = 0, tanh2_by_variance = 0;
};
/// deviation >= 0.
TanhAverages tanh_averages(double mean, double deviation);

}  // namespace hopfield::theory

#endif  // HOPFIELD_SRC_THEORY_EQUATIONS_GAUSSIAN_H_
