#ifndef HOPFIELD_THEORY_BASINS_H_
#define HOPFIELD_THEORY_BASINS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/theory/continuous_network.h"

namespace hopfield::theory {

struct BasinOptions {
  double radius_max = 2;       ///< in units of M: how far from the pattern to look, > 0
  std::int64_t num_scan = 32;  ///< distances tried in even steps before the bisection, >= 1
  double tolerance = 1e-6;     ///< of the bisection, in units of M, > 0
  double eps = 1e-10;          ///< a state that moves by less has arrived; in units of M
  double merge = 1e-6;         ///< nearer than this times M: the same fixed point
  std::int64_t steps_max = 100000;
  Executor* executor = nullptr;
};

/// Where a state ends, and how far around it others end there too.
struct MeasuredBasin {
  std::vector<double> fixed_point;  ///< reached from the origin
  /// [directions] along each direction the first distance at which the end is another one;
  /// infinity if there is none up to radius_max M.
  std::vector<double> radii;
};

/// Measures the basin around `origin` [depth] along `directions` [D, depth] (any length but 0):
/// starts at num_scan even distances, then bisection where the end first changes. A basin that
/// narrows and widens within one scan step may be missed. A state still moving after steps_max
/// counts as outside. Errors: kInvalidArgument (origin, directions, options, all patterns 0).
MeasuredBasin measure_basin(const ContinuousNetwork& network, std::span<const double> origin,
                            std::span<const double> directions, const BasinOptions& options = {});

/// How far from pattern i a state may start and still end where the pattern itself ends.
struct Basin {
  std::vector<double> fixed_point;  ///< x_i*, reached from x_i
  double separation = 0;            ///< Delta_i; infinity for one pattern
  /// Radius of the ball that a criterion of bounds.h proves to lie in the basin; 0 where its
  /// inequality fails.
  double certified_master = 0, certified_sharp = 0;
  /// [directions] along each direction the first distance at which the end is another one;
  /// infinity if there is none up to radius_max M.
  std::vector<double> radii;
  /// No radius is smaller than the certified ones (the sharp one is proven for softmax only, and so
  /// is this).
  bool holds = true;
};

/// The basin around pattern `i`, beside what is certified of it. Errors: also kInvalidArgument (i)
/// and kUnsupported (a separation but softmax).
Basin measure_basin(const ContinuousNetwork& network, std::int64_t i,
                    std::span<const double> directions, const BasinOptions& options = {});

/// Lemmas A8 to A12: a group of similar patterns has a fixed point of its own near their mean.
struct MetastableCertificate {
  std::vector<double> mean;  ///< m_x of the group
  double spread = 0;         ///< m_max, largest distance of one of the group from it
  double contraction = 0;    ///< beta m_max^2, must be < 1
  double separation = 0;  ///< Delta_m = <m_x, m_x> - max over the others <m_x, x_j>; none: infinity
  /// 2M/(beta m_max) - ln[(1 - beta m_max^2) / (2 beta (N-l) M max(m_max, 2M))] / beta; NaN where
  /// the contraction fails, -infinity without others, infinity for m_max = 0.
  double needed = 0;
  double radius = 0;  ///< 1/(beta m_max), of the ball around m_x
  /// contraction < 1 and separation >= needed: f maps the ball into itself, contracts there, and
  /// has one fixed point in it.
  bool holds = false;
  /// Reached from m_x, whether certified or not, and its distance from m_x.
  std::vector<double> fixed_point;
  double distance = 0;
  bool converged = false;
};

/// `group`: different pattern numbers, at least one; `options.eps` and `steps_max` are used.
/// Errors: kInvalidArgument, kUnsupported (a separation but softmax).
MetastableCertificate certify_metastable(const ContinuousNetwork& network,
                                         std::span<const std::int64_t> group,
                                         const BasinOptions& options = {});

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_BASINS_H_
