#ifndef HOPFIELD_MEMORY_COMPLETE_H_
#define HOPFIELD_MEMORY_COMPLETE_H_

#include <cstdint>

#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/memory/retrieve.h"

namespace hopfield {

struct CompleteOptions {
  /// Updates before the final association, as in UpdateOptions; negative: until converged.
  std::int64_t update_steps_max = -1;
  /// Converged: |xi_t - xi_{t-1}| <= eps * |xi_t|; > 0.
  double update_steps_eps = 1e-4;
  std::int64_t update_steps_cap = 10000;  ///< hard cap of "until converged", >= 1
  Executor* executor = nullptr;           ///< null: default_executor()
};

/// Fills in the missing coordinates of cues; the known ones never change.
///
///   p_s(xi) = softmax_s(-beta/2 |x_s - xi|^2), the distance over the known coordinates K only in
///             the first association and over all of them afterwards;
///   xi_new  = the cue on K, sum_s p_s x_s elsewhere.
///
/// The first update is the mean of the missing part given the known one, were patterns drawn from
/// Gaussians of variance 1/beta around the stored ones; the next ones descend
/// E(xi) = -1/beta log(1/S sum_s exp(-beta/2 |x_s - xi|^2)) over the missing coordinates
/// (docs/math/complete.md). For patterns of one norm E and beta are those of `retrieve` with kDot.
///
/// Shapes   stored [S, d], S >= 1; cues [T, d], NaN = missing; one head. T = double if both views
///          are f64, else float. `out` and `report` as for `retrieve`; out.state holds the cue on
///          K. Energies and lse speak of E(xi); those of the cue itself, report.energies[0], and
///          all of a single association, of the same sum over K only.
/// Memory   as `retrieve`, and S numbers for each different set K of a call, one after another.
/// Errors   kInvalidArgument (sizes, beta <= 0, an infinite cue); as `retrieve` otherwise.
/// Threads, bits as `retrieve`.
template <class T>
void complete(const PatternView& stored, const PatternView& cues, double beta,
              const CompleteOptions& options, const AssociateOutputs<T>& out,
              const RetrieveReport<T>& report = {});

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_COMPLETE_H_
