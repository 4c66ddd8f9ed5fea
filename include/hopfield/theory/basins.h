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

/// Measures the basin of pattern `i` along `directions` [D, depth] (any length but 0): starts at
/// num_scan even distances, then bisection where the end first changes. A basin that narrows and
/// widens within one scan step may be missed. A state still moving after steps_max counts as
/// outside. Errors: kInvalidArgument (i, directions, options), kUnsupported (a separation but
/// softmax).
Basin measure_basin(const ContinuousNetwork& network, std::int64_t i,
                    std::span<const double> directions, const BasinOptions& options = {});

}  // namespace hopfield::theory

#endif  // HOPFIELD_THEORY_BASINS_H_
