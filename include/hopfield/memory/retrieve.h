#ifndef HOPFIELD_MEMORY_RETRIEVE_H_
#define HOPFIELD_MEMORY_RETRIEVE_H_

#include <cstdint>
#include <span>

#include "hopfield/kernels/associate.h"

namespace hopfield {

/// What must become small for a state to count as converged.
enum class StopCriterion : std::uint8_t {
  kAssociation,  ///< max_s |p_s(xi_t) - p_s(xi_{t-1})| <= eps
  kState,        ///< |xi_t - xi_{t-1}| (Euclidean) <= eps
};

/// Why a state stopped moving.
enum class StopReason : std::uint8_t {
  kStepLimit,  ///< update_steps_max updates were made (the normal end when a number was asked)
  kConverged,  ///< the criterion fell to eps
  kCycle,      ///< the state recurred bit for bit without meeting eps: a rounding cycle;
               ///< also a state that became NaN
  kCapped,     ///< asked to run until converged and still moving after `update_steps_cap`
  kEmpty,      ///< no visible pattern
};

/// How long to update. Spans hold one entry for all heads or one a head.
struct UpdateOptions {
  /// Updates before the final association: n >= 0 at most n; negative: until converged.
  std::span<const std::int64_t> update_steps_max;  ///< empty: 0
  std::span<const double> update_steps_eps;        ///< empty: 1e-4; > 0
  StopCriterion criterion = StopCriterion::kAssociation;
  std::int64_t update_steps_cap = 10000;  ///< hard cap of "until converged", >= 1
};

/// What the iteration did; what is not wanted stays empty / null.
template <class T>
struct RetrieveReport {
  MutablePatternView<T> final_state;  ///< [R, H, d] xi_n, the state that met the projections
  std::span<std::int64_t> steps;      ///< [R, H] updates made
  std::span<StopReason> reason;       ///< [R, H]
  std::span<T> energies;              ///< [R, H, num_energies] energy of xi_0, xi_1, ...; after the
  std::int64_t num_energies = 0;      ///< stop the last value is repeated
};

/// Updates every state on its own, xi_{t+1} = sum_s p_s(xi_t) x_s, until it stops, then associates
/// it once more with the projections into `out` (so n updates make n + 1 associations; 0 updates is
/// plain attention). Nobody's result depends on batch neighbours. A stopped state never restarts.
/// Convergence is first tested after the first update. Needs depth of states = depth of stored.
/// Errors, threads, bits: as `associate`. Source: arXiv:2008.02217, eq. 3.
template <class T>
void retrieve(const Associations& in, const UpdateOptions& update, const AssociateOutputs<T>& out,
              const RetrieveReport<T>& report = {}, const AssociateOptions& options = {});

enum class RetrieveGradient : std::uint8_t {
  kUnrolled,  ///< through every update made; memory O(steps * R * d), never steps * T * S
  kImplicit,  ///< at the fixed point, memory independent of the steps; (I - J) u = v by conjugate
              ///< gradients. Rows that did not converge, or sit at no strict minimum, are unrolled.
};

struct ImplicitOptions {
  /// |residual| <= tolerance * |v|; raised to 8 rounding units of T where it is smaller.
  double tolerance = 1e-10;
  std::int64_t iterations_max = 500;
  /// RetrieveReport::final_state [R, H, d] of type T. Given: converged rows do not repeat their
  /// steps, so that the cost, too, is independent of how many there were.
  PatternView final_state;
};

/// Backward of `retrieve`: gradients as in associate_backward. `steps` and `reason` must be what
/// retrieve reported. kImplicit: kDot and kNegativeSquaredDistance only (kCosine: kUnsupported);
/// the gradient with respect to the initial states is 0 for converged rows. `num_fallback`
/// (optional) receives how many (row, head) pairs were unrolled instead.
template <class T>
void retrieve_backward(const Associations& in, const UpdateOptions& update,
                       std::span<const std::int64_t> steps, std::span<const StopReason> reason,
                       const AssociateCotangents<T>& cotangents,
                       const AssociateGradients<T>& gradients, RetrieveGradient mode,
                       const AssociateOptions& options = {}, const ImplicitOptions& implicit = {},
                       std::int64_t* num_fallback = nullptr);

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_RETRIEVE_H_
