#ifndef HOPFIELD_THEORY_FIXED_POINTS_H_
#define HOPFIELD_THEORY_FIXED_POINTS_H_

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/theory/continuous_network.h"

namespace hopfield::theory {

enum class FixedPointKind : std::uint8_t {
  kGlobal,      ///< more than half of the patterns hold 0.9 of the association
  kMetastable,  ///< several patterns, at most half
  kSingle,      ///< one pattern holds 0.9
};
std::string_view fixed_point_name(FixedPointKind kind);  ///< "global average", ...

struct FixedPoint {
  std::vector<double> state;
  double energy = 0;
  double largest = 0;                  ///< largest association
  std::vector<std::int64_t> patterns;  ///< fewest that hold 0.9 of the association, largest first
  FixedPointKind kind = FixedPointKind::kGlobal;
  /// |J| at the state, J = beta X (diag p - p p^T) X^T; below 1 it is a minimum, above a saddle.
  /// NaN unless the separation is softmax.
  double jacobian_norm = std::numeric_limits<double>::quiet_NaN();
  double residual = 0;          ///< |f(xi) - xi|
  std::int64_t num_starts = 0;  ///< that ended here
};

struct FixedPointOptions {
  std::int64_t num_random = 100;  ///< random starts, >= 0
  std::uint64_t seed = 0;         ///< of them
  double eps = 1e-12;             ///< a state that moves by less has arrived; relative to M
  double merge = 1e-6;            ///< nearer than this times M: the same fixed point
  std::int64_t steps_max = 100000;
  Executor* executor = nullptr;
};

struct FixedPoints {
  std::vector<FixedPoint> points;  ///< by energy, lowest first
  std::int64_t num_starts = 0, num_unfinished = 0;
};

/// Fixed points reached from every pattern, their mean, the midpoint of every pair (of at most 64
/// patterns) and random points around the mean, as far as the patterns reach. Errors:
/// kInvalidArgument.
FixedPoints find_fixed_points(const ContinuousNetwork& network,
                              const FixedPointOptions& options = {});
/// The same from given starts [T, depth].
FixedPoints find_fixed_points(const ContinuousNetwork& network, std::span<const double> starts,
                              const FixedPointOptions& options);

/// |J(xi)| by power iteration, softmax only: J is symmetric and positive semidefinite, a product
/// with it costs 2 S d, it is never formed. Errors: kUnsupported (another separation).
double jacobian_norm(const ContinuousNetwork& network, std::span<const double> state);

/// What the patterns' geometry says about J; all independent of the state.
struct PatternGeometry {
  double norm_max = 0;              ///< M
  double spectral_norm = 0;         ///< |X|_2
  double distance_to_mean_max = 0;  ///< m_max
  double diameter = 0;              ///< D, largest distance of two patterns
  std::vector<double> reach;        ///< [S] D_i, largest distance from pattern i
};
/// Costs S^2 d. Spectral norm by power iteration.
PatternGeometry pattern_geometry(const ContinuousNetwork& network);

/// An upper bound on |J(xi)| that holds for every state.
struct JacobianBound {
  std::string name;  ///< its formula
  double value = 0;
};
/// In the order of docs/math/landscape.md: lemma A2, lemma A24, lemma A3, beta M^2, beta D^2/4,
/// beta (1 - p_i) D_i^2 for the largest association i, lemma A2 for it (infinity if p_i < 1/2),
/// lemma A8 for the fewest patterns that hold 0.9.
std::vector<JacobianBound> jacobian_bounds(const ContinuousNetwork& network,
                                           const PatternGeometry& geometry,
                                           std::span<const double> state);

/// Random patterns [S, depth] with standard normal entries times `scale`.
std::vector<double> gaussian_patterns(std::int64_t num_patterns, std::int64_t depth, double scale,
                                      RandomStream& random);

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_FIXED_POINTS_H_
