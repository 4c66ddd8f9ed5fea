#ifndef HOPFIELD_SRC_TORCH_OPS_SIGNATURE_H_
#define HOPFIELD_SRC_TORCH_OPS_SIGNATURE_H_

// The flat argument lists of hopfield::retrieve and hopfield::retrieve_backward (see schemas.cc)
// and their structured form, in which every kernel is written. A kernel of the structured form is
// registered as TORCH_FN((flat_retrieve<kernel>)).

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>

#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::ops {

/// In the order of RetrieveResult. What is not wanted is a tensor [0]; so is final_state when no
/// update is asked for, as it is the initial state then.
using RetrieveOutputs =
    std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor,
               at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

/// Gradients of states, stored, projections, beta, mask; [0] where not needed.
using RetrieveGradients = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

/// Structured arguments of hopfield::retrieve_backward.
struct BackwardArguments {
  std::optional<at::Tensor> grad_state, grad_lse, grad_energy, grad_entropy;
  at::Tensor states, stored;
  RetrieveOptions options;  ///< the wants are not read
  at::Tensor state, lse;    ///< what the forward pass gave, in its compute type
  std::optional<at::Tensor> entropy;
  at::Tensor steps, reason;
  std::optional<at::Tensor> final_state;  ///< for the implicit gradient
  std::array<bool, 5> need = {};          ///< states, stored, projections, beta, mask
};

using OptionalTensor = std::optional<at::Tensor>;

/// Names as the schemas spell them. Errors: c10::ValueError.
std::string_view name_of(Similarity x);
std::string_view name_of(Separation x);
std::string_view name_of(StopCriterion x);
std::string_view name_of(RetrieveGradient x);
void parse(std::string_view name, Similarity& x);
void parse(std::string_view name, Separation& x);
void parse(std::string_view name, StopCriterion& x);
void parse(std::string_view name, RetrieveGradient& x);

/// The options that both ops share, from their flat form.
RetrieveOptions make_options(const OptionalTensor& projections, const at::Tensor& beta,
                             const OptionalTensor& stored_offsets,
                             const OptionalTensor& state_offsets,
                             const OptionalTensor& hidden_stored, const OptionalTensor& mask,
                             std::string_view similarity, std::string_view separation,
                             std::int64_t top_k, at::IntArrayRef update_steps_max,
                             at::ArrayRef<double> update_steps_eps, std::string_view criterion,
                             std::int64_t update_steps_cap, std::string_view gradient);

using RetrieveKernel = RetrieveOutputs (*)(const at::Tensor& states, const at::Tensor& stored,
                                           const RetrieveOptions& options);
using BackwardKernel = RetrieveGradients (*)(const BackwardArguments& arguments);

template <RetrieveKernel kernel>
RetrieveOutputs flat_retrieve(
    const at::Tensor& states, const at::Tensor& stored, const OptionalTensor& projections,
    const at::Tensor& beta, const OptionalTensor& stored_offsets,
    const OptionalTensor& state_offsets, const OptionalTensor& hidden_stored,
    const OptionalTensor& mask, std::string_view similarity, std::string_view separation,
    std::int64_t top_k, at::IntArrayRef update_steps_max, at::ArrayRef<double> update_steps_eps,
    std::string_view criterion, std::int64_t update_steps_cap, std::string_view gradient,
    bool want_energy, bool want_entropy, bool want_largest, bool want_metastable,
    double metastable_mass, std::int64_t num_top, bool want_association) {
  RetrieveOptions options = make_options(
      projections, beta, stored_offsets, state_offsets, hidden_stored, mask, similarity, separation,
      top_k, update_steps_max, update_steps_eps, criterion, update_steps_cap, gradient);
  options.want_energy = want_energy;
  options.want_entropy = want_entropy;
  options.want_largest = want_largest;
  options.want_metastable = want_metastable;
  options.metastable_mass = metastable_mass;
  options.num_top = num_top;
  options.want_association = want_association;
  return kernel(states, stored, options);
}

template <BackwardKernel kernel>
RetrieveGradients flat_backward(
    const OptionalTensor& grad_state, const OptionalTensor& grad_lse,
    const OptionalTensor& grad_energy, const OptionalTensor& grad_entropy, const at::Tensor& states,
    const at::Tensor& stored, const OptionalTensor& projections, const at::Tensor& beta,
    const OptionalTensor& stored_offsets, const OptionalTensor& state_offsets,
    const OptionalTensor& hidden_stored, const OptionalTensor& mask, std::string_view similarity,
    std::string_view separation, std::int64_t top_k, at::IntArrayRef update_steps_max,
    at::ArrayRef<double> update_steps_eps, std::string_view criterion,
    std::int64_t update_steps_cap, std::string_view gradient, const at::Tensor& state,
    const at::Tensor& lse, const OptionalTensor& entropy, const at::Tensor& steps,
    const at::Tensor& reason, const OptionalTensor& final_state, std::array<bool, 5> need) {
  return kernel({grad_state, grad_lse, grad_energy, grad_entropy, states, stored,
                 make_options(projections, beta, stored_offsets, state_offsets, hidden_stored, mask,
                              similarity, separation, top_k, update_steps_max, update_steps_eps,
                              criterion, update_steps_cap, gradient),
                 state, lse, entropy, steps, reason, final_state, need});
}

/// Through the dispatcher: whatever key comes next runs. `options.dropout` must be 0.
RetrieveOutputs call_retrieve(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& options);
RetrieveGradients call_retrieve_backward(const BackwardArguments& arguments);

/// A result in the form of the op's outputs, which alias no input.
RetrieveOutputs to_outputs(const RetrieveResult& result, const RetrieveOptions& options);

}  // namespace hopfield::ops

#endif  // HOPFIELD_SRC_TORCH_OPS_SIGNATURE_H_
