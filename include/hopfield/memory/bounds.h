#ifndef HOPFIELD_MEMORY_BOUNDS_H_
#define HOPFIELD_MEMORY_BOUNDS_H_

#include <cstdint>

namespace hopfield {

/// Two sufficient conditions for "pattern x_i is stored: f maps a ball around it into itself and
/// contracts there". N patterns of norm at most M; Delta_i its separation. docs/math/advice.md.
enum class StorageCriterion : std::uint8_t {
  kMaster,  ///< Delta >= 2/(beta N) + ln(2 (N-1) N beta M^2)/beta; ball radius 1/(beta N M)
  kSharp,   ///< Delta >  (1 + ln(4 (N-1) beta M^2))/beta;          ball radius 1/(2 beta M)
};

/// Right side of the criterion. -inf for fewer than two patterns (nothing competes).
/// Errors: kInvalidArgument unless beta > 0, norm_max > 0, both finite, num_patterns >= 1.
/// num_patterns is a double so that capacities beyond 2^63 stay expressible.
double separation_needed(StorageCriterion criterion, double beta, double num_patterns,
                         double norm_max);

/// Smallest beta from which on the criterion holds for a pattern of separation `separation` and the
/// balls of the criterion are disjoint. +inf if separation <= 0 (no beta helps), 0 for one pattern.
/// The criterion also holds for tiny beta, where the balls overlap and nothing is told apart; that
/// branch is not meant.
double beta_needed(StorageCriterion criterion, double separation, double num_patterns,
                   double norm_max);

/// Radius of the criterion's ball.
double certified_radius(StorageCriterion criterion, double beta, double num_patterns,
                        double norm_max);

/// |f(xi) - x_i| <= 2 (N-1) M exp(-beta (Delta_i - 2 r M)) for a state within `radius` of x_i,
/// after ONE update. May exceed 2 M, then it says nothing. Source: arXiv:2008.02217, theorem 5.
double retrieval_error_bound(double beta, double separation, double radius, double num_patterns,
                             double norm_max);

/// Smallest beta >= 0 from which on retrieval_error_bound is at most `error` (> 0): log(2 (N-1) M /
/// error) / (Delta_i - 2 r M). +inf if Delta_i <= 2 r M and there is a rival.
double beta_for_error(double error, double separation, double radius, double num_patterns,
                      double norm_max);

/// How many random patterns on the sphere of radius K sqrt(d-1) are stored with probability 1 - p.
/// Source: arXiv:2008.02217, theorem 3.
struct GuaranteedCapacity {
  double a = 0, b = 0;
  double c = 0;             ///< b / W0(exp(a + ln b)); solves a c + c ln c = b
  double c_min = 0;         ///< (2/sqrt p)^(4/(d-1))
  bool applies = false;     ///< c >= c_min: the theorem's condition
  double num_patterns = 0;  ///< sqrt(p) c^((d-1)/4); 0 where the theorem does not apply
};
/// Errors: kInvalidArgument unless beta, K > 0, depth >= 2, 0 < failure_probability <= 1.
GuaranteedCapacity guaranteed_capacity(double beta, double k, std::int64_t depth,
                                       double failure_probability);

/// P(<u, v> > t) for two independent uniform unit vectors of R^depth, depth >= 2, t in [-1, 1].
double cosine_tail(std::int64_t depth, double t);

/// Largest N with N (N-1)/2 * P(cos > 1 - separation_needed(N)/M^2) <= p, M = K sqrt(d-1): as
/// guaranteed_capacity but with the exact tail of the angle instead of a bound on it. Whole number,
/// at least 1; capped at 1e300.
double exact_tail_capacity(StorageCriterion criterion, double beta, double k, std::int64_t depth,
                           double failure_probability);

/// 1 / m^2 with m the largest distance of a pattern from their mean: below this beta there is ONE
/// fixed point, near the mean, whatever the cue. +inf for m = 0.
double global_average_beta(double distance_to_mean_max);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_BOUNDS_H_
