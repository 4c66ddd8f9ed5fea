#ifndef HOPFIELD_TORCH_NN_HOPFIELD_H_
#define HOPFIELD_TORCH_NN_HOPFIELD_H_

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/common.h>
#include <torch/nn/modules/container/any_value.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <vector>

#include "hopfield/torch/nn/core.h"
#include "hopfield/torch/nn/options.h"

namespace hopfield::nn {

/// What a layer associates. Dense patterns are (batch, length, depth), (length, batch, depth) with
/// batch_first = false, or (length, depth) for one sample; a batch of 1 is broadcast against the
/// others. Ragged patterns are values [N, depth] cut by int64 offsets [B+1] (ascending, first 0,
/// last N).
struct HopfieldInput {
  at::Tensor stored_pattern;      ///< Y
  at::Tensor state_pattern;       ///< R; undefined: Y (pooling: the pooling weights)
  at::Tensor pattern_projection;  ///< P; undefined: Y
  at::Tensor stored_offsets;      ///< defined: Y and P are ragged
  at::Tensor state_offsets;       ///< defined: R is ragged

  HopfieldInput() = default;
  /// One tensor in all three parts.
  HopfieldInput(at::Tensor patterns);  // NOLINT: converts on purpose
  /// The reference's triple, in its order.
  HopfieldInput(at::Tensor stored, at::Tensor state, at::Tensor projection);
  /// Bags without padding, in all three parts.
  static HopfieldInput ragged(at::Tensor values, at::Tensor offsets);
};

/// What to hide and what to report besides the output.
struct HopfieldRequest {
  /// True (non-zero) = hidden: bool or uint8 (B, S), (1, S) or (S); floating: added to the scores.
  /// For ragged stored patterns: bool or uint8 [N].
  at::Tensor stored_pattern_padding_mask;
  /// bool or uint8 (true = blocked) or floating (added): (L, S), (B, L, S), (B*H, L, S) with index
  /// b*H + h, or (B, H, L, S). Dense patterns only.
  at::Tensor association_mask;
  bool dropout = true;       ///< false: none even in training, as the getters do
  bool association = false;  ///< the matrix A
  bool projected = false;    ///< the projected values V
  bool energy = false;
  bool entropy = false;
  bool largest = false;
  bool metastable = false;
  double metastable_mass = 0.9;
  std::int64_t num_top = 0;  ///< how many of the largest associations

  static HopfieldRequest masked(at::Tensor stored_pattern_padding_mask,
                                at::Tensor association_mask);
};

/// Everything one forward can tell. `rows` is (B, L) dense, (T) for ragged states, (B, L) for
/// pooling over ragged bags; always batch first, and without B for one unbatched sample.
struct HopfieldOutput {
  at::Tensor output;  ///< what forward returns
  at::Tensor
      retrieved;  ///< [rows..., H, p] the association's result per head, before the out projection
  at::Tensor
      final_state;    ///< [rows..., H, d] the state after the updates, in the association space
  at::Tensor lse;     ///< [rows..., H] log-sum-exp of the scores
  at::Tensor energy;  ///< [rows..., H]; undefined unless requested, as all below but steps, reason
  at::Tensor entropy;
  at::Tensor largest, largest_index;
  at::Tensor top, top_index;  ///< [rows..., H, num_top]
  at::Tensor metastable_size;
  at::Tensor association;  ///< dense (B, H, L, S'); ragged flat, bag after bag [H, L_b, S'_b]
  at::Tensor
      projected;      ///< dense (B or 1, H, S', p); ragged [N', H, p]. S' = S + learned bias + zero
  at::Tensor steps;   ///< [rows..., H] int64: updates made
  at::Tensor reason;  ///< [rows..., H] uint8: hopfield::StopReason
};

/// How many (row, head) pairs ended for which reason, and the most updates any of them made.
struct ConvergenceReport {
  std::int64_t num_step_limit = 0, num_converged = 0, num_cycle = 0, num_capped = 0, num_empty = 0;
  std::int64_t steps_max = 0;
  at::Tensor steps;   ///< [rows..., H] int64
  at::Tensor reason;  ///< [rows..., H] uint8, StopReason
  /// Whether nothing was cut off by the cap or caught in a rounding cycle.
  bool all_settled() const { return num_cycle == 0 && num_capped == 0; }
};

/// Counts the ends in a forward's report.
ConvergenceReport summarize_convergence(const HopfieldOutput& output);

/// What a layer tells besides its output: one `associate` of Derived each, with one wish more than
/// `request` has.
template <class Derived, class Input>
class HopfieldQueries {
 public:
  /// Association matrix (B, H, L, S[+1][+1]), without dropout and gradient.
  at::Tensor get_association_matrix(const Input& input,
                                    const at::Tensor& stored_pattern_padding_mask = {},
                                    const at::Tensor& association_mask = {}) {
    const at::NoGradGuard no_grad;
    auto request = HopfieldRequest::masked(stored_pattern_padding_mask, association_mask);
    request.association = true;
    request.dropout = false;
    return derived().associate(input, request).association;
  }
  /// Projected values (B, H, S[+1][+1], p), without dropout and gradient.
  at::Tensor get_projected_pattern_matrix(const Input& input,
                                          const at::Tensor& stored_pattern_padding_mask = {},
                                          const at::Tensor& association_mask = {}) {
    const at::NoGradGuard no_grad;
    auto request = HopfieldRequest::masked(stored_pattern_padding_mask, association_mask);
    request.projected = true;
    request.dropout = false;
    return derived().associate(input, request).projected;
  }
  /// Energy of every state after the updates, [rows..., H]; differentiable. See hopfield::energy.
  at::Tensor energy(const Input& input, HopfieldRequest request = {}) {
    request.energy = true;
    return derived().associate(input, request).energy;
  }
  /// Per-head retrieved patterns [rows..., H, p], before heads are mixed by the out projection.
  at::Tensor retrieve(const Input& input, const HopfieldRequest& request = {}) {
    return derived().associate(input, request).retrieved;
  }
  /// How the updates ended.
  ConvergenceReport convergence(const Input& input, const HopfieldRequest& request = {}) {
    const at::NoGradGuard no_grad;
    return summarize_convergence(derived().associate(input, request));
  }

 private:
  Derived& derived() { return static_cast<Derived&>(*this); }
};

/// Associates state patterns with stored patterns through learned projections, as many updates as
/// asked: Z = softmax(beta Q K') V per head, then the out projection and the activation.
///
/// Input    see HopfieldInput. Output (B, L, O) in the input's layout; ragged states: [T, O].
/// Stops    each state on its own (compat: the whole batch together, B14).
/// Empty    no visible stored pattern: the association is 0 and the output the out projection's
/// bias. Errors   c10::Error naming the tensor, the expected and the found shape. Threads  forward
/// is const over the parameters; concurrent forwards in eval mode are fine. Source
/// arXiv:2008.02217; interface of hflayers.Hopfield.
class HopfieldImpl : public torch::nn::Cloneable<HopfieldImpl>,
                     public HopfieldQueries<HopfieldImpl, HopfieldInput> {
 public:
  HopfieldImpl() : HopfieldImpl(HopfieldOptions()) {}
  explicit HopfieldImpl(std::int64_t input_size) : HopfieldImpl(HopfieldOptions(input_size)) {}
  explicit HopfieldImpl(const HopfieldOptions& options_);

  void reset() override;
  /// Draws all weights anew, once, in the reference's order; beta and frozen settings stay.
  void reset_parameters();
  void pretty_print(std::ostream& stream) const override;

  /// One tensor as stored pattern, state pattern and pattern projection.
  at::Tensor forward(const at::Tensor& input, const at::Tensor& stored_pattern_padding_mask = {},
                     const at::Tensor& association_mask = {});
  /// The triple.
  at::Tensor forward_patterns(const at::Tensor& stored_pattern, const at::Tensor& state_pattern,
                              const at::Tensor& pattern_projection,
                              const at::Tensor& stored_pattern_padding_mask = {},
                              const at::Tensor& association_mask = {});
  /// Ragged bags, self-association within each: values [N, D], offsets [B+1] -> [N, O].
  at::Tensor forward_ragged(const at::Tensor& values, const at::Tensor& offsets);
  /// Output and whatever else is requested, in one pass.
  HopfieldOutput associate(const HopfieldInput& input, const HopfieldRequest& request = {});

  bool batch_first() const { return options.batch_first(); }
  /// beta: the parameter or buffer [H] if there is one, else a 0-d tensor.
  at::Tensor scaling() const;
  std::optional<std::int64_t> stored_pattern_dim() const;      ///< Dk; absent in static-only mode
  std::optional<std::int64_t> state_pattern_dim() const;       ///< D
  std::optional<std::int64_t> pattern_projection_dim() const;  ///< Dv
  std::optional<std::int64_t> input_size() const { return state_pattern_dim(); }
  std::optional<std::int64_t> hidden_size() const;   ///< d, per head
  std::optional<std::int64_t> output_size() const;   ///< O as the reference reports it
  std::optional<std::int64_t> pattern_size() const;  ///< p, per head
  /// True depth of the output: H * p without an out projection, else O; absent in static-only mode.
  std::optional<std::int64_t> output_depth() const;
  const std::vector<std::int64_t>& update_steps_max() const;
  const std::vector<double>& update_steps_eps() const;
  bool stored_pattern_as_static() const { return options.stored_pattern_as_static(); }
  bool state_pattern_as_static() const { return options.state_pattern_as_static(); }
  bool pattern_projection_as_static() const { return options.pattern_projection_as_static(); }
  bool normalize_stored_pattern() const { return options.normalize_stored_pattern(); }
  bool normalize_stored_pattern_affine() const;
  bool normalize_state_pattern() const { return options.normalize_state_pattern(); }
  bool normalize_state_pattern_affine() const;
  bool normalize_pattern_projection() const { return options.normalize_pattern_projection(); }
  bool normalize_pattern_projection_affine() const;
  bool normalize_hopfield_space() const { return options.normalize_hopfield_space(); }
  bool normalize_hopfield_space_affine() const;

  HopfieldOptions options;
  HopfieldCore association_core{nullptr};
  torch::nn::LayerNorm norm_stored_pattern{nullptr};
  torch::nn::LayerNorm norm_state_pattern{nullptr};
  torch::nn::LayerNorm norm_pattern_projection{nullptr};

 private:
  friend class HopfieldPoolingImpl;
  friend class HopfieldLayerImpl;
  void check_options() const;
  at::Tensor scaling_;  // parameter or buffer [H]; undefined for none and plain numbers

 protected:
  FORWARD_HAS_DEFAULT_ARGS({1, torch::nn::AnyValue(at::Tensor())},
                           {2, torch::nn::AnyValue(at::Tensor())})
};

TORCH_MODULE(Hopfield);

/// The reference's properties, for layers around an inner `hopfield`.
template <class Derived>
class HopfieldProperties {
 public:
  at::Tensor scaling() const { return inner().scaling(); }
  std::optional<std::int64_t> stored_pattern_dim() const { return inner().stored_pattern_dim(); }
  std::optional<std::int64_t> state_pattern_dim() const { return inner().state_pattern_dim(); }
  std::optional<std::int64_t> pattern_projection_dim() const {
    return inner().pattern_projection_dim();
  }
  std::optional<std::int64_t> input_size() const { return inner().input_size(); }
  std::optional<std::int64_t> hidden_size() const { return inner().hidden_size(); }
  /// O as the reference reports it; output_depth() is the true depth of the output.
  std::optional<std::int64_t> output_size() const { return inner().output_size(); }
  std::optional<std::int64_t> pattern_size() const { return inner().pattern_size(); }
  const std::vector<std::int64_t>& update_steps_max() const { return inner().update_steps_max(); }
  const std::vector<double>& update_steps_eps() const { return inner().update_steps_eps(); }
  bool batch_first() const { return inner().batch_first(); }
  bool stored_pattern_as_static() const { return inner().stored_pattern_as_static(); }
  bool state_pattern_as_static() const { return inner().state_pattern_as_static(); }
  bool pattern_projection_as_static() const { return inner().pattern_projection_as_static(); }
  bool normalize_stored_pattern() const { return inner().normalize_stored_pattern(); }
  bool normalize_stored_pattern_affine() const { return inner().normalize_stored_pattern_affine(); }
  bool normalize_state_pattern() const { return inner().normalize_state_pattern(); }
  bool normalize_state_pattern_affine() const { return inner().normalize_state_pattern_affine(); }
  bool normalize_pattern_projection() const { return inner().normalize_pattern_projection(); }
  bool normalize_pattern_projection_affine() const {
    return inner().normalize_pattern_projection_affine();
  }
  bool normalize_hopfield_space() const { return inner().normalize_hopfield_space(); }
  bool normalize_hopfield_space_affine() const { return inner().normalize_hopfield_space_affine(); }

 private:
  const HopfieldImpl& inner() const { return *static_cast<const Derived&>(*this).hopfield; }
};

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_HOPFIELD_H_
