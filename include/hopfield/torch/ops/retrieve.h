#ifndef HOPFIELD_TORCH_OPS_RETRIEVE_H_
#define HOPFIELD_TORCH_OPS_RETRIEVE_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/retrieve.h"

namespace hopfield::ops {

/// How to associate; the tensor twin of hopfield::Associations + UpdateOptions.
struct RetrieveOptions {
  std::optional<at::Tensor> projections;  ///< values; absent: the stored patterns
  /// Inverse temperature, floating, [H] or [1] or 0-d; may require grad.
  at::Tensor beta;
  /// Ragged bags: int64 [B+1], ascending from 0. Present -> that tensor is [N, heads, depth].
  std::optional<at::Tensor> stored_offsets, state_offsets;
  /// bool, true = hidden. Dense: [B, S]; ragged stored patterns: [N].
  std::optional<at::Tensor> hidden_stored;
  /// Dense bags only: bool (true = blocked) or floating (added to the scores, may require grad),
  /// broadcastable to [B, H, L, S].
  std::optional<at::Tensor> mask;
  Similarity similarity = Similarity::kDot;
  Separation separation = Separation::kSoftmax;
  std::int64_t top_k = 0;

  std::vector<std::int64_t> update_steps_max = {0};  ///< one, or one a head; negative: converge
  std::vector<double> update_steps_eps = {1e-4};     ///< one, or one a head
  StopCriterion criterion = StopCriterion::kAssociation;
  std::int64_t update_steps_cap = 1000;
  RetrieveGradient gradient = RetrieveGradient::kUnrolled;

  bool want_energy = false;  ///< lse comes always
  bool want_entropy = false;
  bool want_largest = false;
  bool want_metastable = false;
  double metastable_mass = 0.9;
  std::int64_t num_top = 0;
  bool want_association = false;  ///< dense; takes the composition path when grad is needed
  /// On the association, once, after the last update (composition path). It acts on `state` only:
  /// lse, energy, entropy and `association` are those of the undisturbed association.
  double dropout = 0;
};

/// Rows: dense states [B, L, H, d] -> leading dims B, L. Ragged states [T, H, d] -> T. Shared
/// states [L, H, d] with ragged stored patterns (`stored_offsets` only) -> B, L.
struct RetrieveResult {
  at::Tensor state;    ///< [rows..., H, dv]; differentiable
  at::Tensor lse;      ///< [rows..., H]; differentiable
  at::Tensor energy;   ///< [rows..., H]; differentiable; undefined unless wanted, as all below
  at::Tensor entropy;  ///< [rows..., H]; differentiable
  at::Tensor largest, largest_index;  ///< [rows..., H]
  at::Tensor top, top_index;          ///< [rows..., H, num_top]
  at::Tensor metastable_size;         ///< [rows..., H] int64
  at::Tensor association;  ///< dense: [B, H, L, S]; ragged: flat, bag after bag [H, L_b, S_b]
  at::Tensor steps;        ///< [rows..., H] int64
  at::Tensor reason;       ///< [rows..., H] uint8, StopReason
  at::Tensor final_state;  ///< [rows..., H, d] xi_n, what met the projections; not differentiable
};

/// Updates and associates by the registered op torch.ops.hopfield.retrieve (CPU: hopfield::core;
/// CUDA and other devices: the composition).
///
/// Dense   states [B, L, H, d], stored [B or 1, S, H or 1, d], projections [B or 1, S, H or 1, dv].
///         B or H of `states` may be 1 and is then broadcast, too. Any strides.
/// Types   f32, f64, bf16, f16; 16-bit inputs accumulate in f32; outputs have the states' type
///         (statistics: f32 for 16-bit inputs). beta and floating masks are converted.
///         Under autocast f32 patterns are read in its 16-bit type.
/// Memory  beyond inputs and results O(rows): no [T, S] in either pass, unless `mask` is one, the
///         association is asked for, or the composition path is taken. Second derivatives take it.
/// Bits    of a row depend on its own inputs only; gradients also on the rows they sum over;
/// neither
///         on the number of threads.
/// Errors  c10::ValueError, or c10::NotImplementedError for a legal wish that cannot be granted:
///         "[op] expected ..., got ...".
RetrieveResult retrieve(const at::Tensor& states, const at::Tensor& stored,
                        const RetrieveOptions& options);

/// The same from plain torch operations, materialising the association: fallback, oracle,
/// explanation. Differentiable through everything, double backward included.
RetrieveResult retrieve_composition(const at::Tensor& states, const at::Tensor& stored,
                                    const RetrieveOptions& options);

}  // namespace hopfield::ops

#endif  // HOPFIELD_TORCH_OPS_RETRIEVE_H_
