// Gradients of the registered op. On the CPU the backward pass is an op of its own that recomputes
// the scores block by block from what is saved here (never [T, S]); elsewhere, and where the dense
// association takes part, the composition differentiates itself.
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <utility>

#include "torch/ops/arguments.h"
#include "torch/ops/composition.h"
#include "torch/ops/signature.h"

namespace hopfield::ops {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool has_gradient(const Tensor& x) {
  return x.defined() && x.requires_grad();
}
bool has_gradient(const OptionalTensor& x) {
  return x && has_gradient(*x);
}

Tensor or_undefined(const OptionalTensor& x) {
  return x ? *x : Tensor();
}
OptionalTensor or_absent(const Tensor& x) {
  return x.defined() ? OptionalTensor(x) : std::nullopt;
}

void save_settings(AutogradContext* ctx, const RetrieveOptions& o) {
  auto& data = ctx->saved_data;
  data["similarity"] = static_cast<std::int64_t>(o.similarity);
  data["separation"] = static_cast<std::int64_t>(o.separation);
  data["top_k"] = o.top_k;
  data["update_steps_max"] = o.update_steps_max;
  data["update_steps_eps"] = o.update_steps_eps;
  data["criterion"] = static_cast<std::int64_t>(o.criterion);
  data["update_steps_cap"] = o.update_steps_cap;
  data["gradient"] = static_cast<std::int64_t>(o.gradient);
}

void load_settings(AutogradContext* ctx, RetrieveOptions& o) {
  auto& data = ctx->saved_data;
  o.similarity = static_cast<Similarity>(data["similarity"].toInt());
  o.separation = static_cast<Separation>(data["separation"].toInt());
  o.top_k = data["top_k"].toInt();
  o.update_steps_max = data["update_steps_max"].toIntVector();
  o.update_steps_eps = data["update_steps_eps"].toDoubleVector();
  o.criterion = static_cast<StopCriterion>(data["criterion"].toInt());
  o.update_steps_cap = data["update_steps_cap"].toInt();
  o.gradient = static_cast<RetrieveGradient>(data["gradient"].toInt());
}

variable_list as_list(const RetrieveOutputs& outputs) {
  return std::apply([](const auto&... x) { return variable_list{x...}; }, outputs);
}

template <std::size_t... I>
RetrieveOutputs as_tuple(const variable_list& list, std::index_sequence<I...>) {
  return {list[I]...};
}

/// Positions in RetrieveOutputs.
enum Output : std::size_t { kState, kLse, kEnergy, kEntropy, kSteps = 10, kReason, kFinalState };

class RetrieveFunction : public torch::autograd::Function<RetrieveFunction> {
 public:
  // The first five arguments are what may have a gradient; `options` holds three of them again.
  static variable_list forward(AutogradContext* ctx, const Tensor& states, const Tensor& stored,
                               const OptionalTensor& projections, const Tensor& beta,
                               const OptionalTensor& mask, const RetrieveOptions& options) {
    const at::AutoDispatchBelowADInplaceOrView below;
    const variable_list out = as_list(call_retrieve(states, stored, options));
    const bool implicit = options.gradient == RetrieveGradient::kImplicit && wants_updates(options);
    ctx->save_for_backward({states, stored, or_undefined(projections), beta, or_undefined(mask),
                            or_undefined(options.stored_offsets),
                            or_undefined(options.state_offsets),
                            or_undefined(options.hidden_stored), out[kState], out[kLse],
                            options.want_entropy ? out[kEntropy] : Tensor(), out[kSteps],
                            out[kReason], implicit ? out[kFinalState] : Tensor()});
    save_settings(ctx, options);
    ctx->saved_data["need"] =
        std::vector<bool>{has_gradient(states), has_gradient(stored), has_gradient(projections),
                          has_gradient(beta), has_gradient(mask)};
    ctx->mark_non_differentiable(variable_list(out.begin() + kEntropy + 1, out.end()));
    ctx->set_materialize_grads(false);
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    BackwardArguments a;
    a.grad_state = or_absent(grads[kState]);
    a.grad_lse = or_absent(grads[kLse]);
    a.grad_energy = or_absent(grads[kEnergy]);
    a.grad_entropy = or_absent(grads[kEntropy]);
    variable_list result(6);  // one an argument of forward
    if (!a.grad_state && !a.grad_lse && !a.grad_energy && !a.grad_entropy) return result;
    load_settings(ctx, a.options);
    a.states = saved[0];
    a.stored = saved[1];
    a.options.projections = or_absent(saved[2]);
    a.options.beta = saved[3];
    a.options.mask = or_absent(saved[4]);
    a.options.stored_offsets = or_absent(saved[5]);
    a.options.state_offsets = or_absent(saved[6]);
    a.options.hidden_stored = or_absent(saved[7]);
    a.state = saved[8];
    a.lse = saved[9];
    a.entropy = or_absent(saved[10]);
    a.steps = saved[11];
    a.reason = saved[12];
    a.final_state = or_absent(saved[13]);
    const c10::List<bool> need = ctx->saved_data["need"].toBoolList();
    for (std::size_t i = 0; i < a.need.size(); ++i) a.need[i] = need.get(i);
    const RetrieveGradients g = call_retrieve_backward(a);
    const variable_list all = {std::get<0>(g), std::get<1>(g), std::get<2>(g), std::get<3>(g),
                               std::get<4>(g)};
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (a.need[i]) result[i] = all[i];
    }
    return result;
  }
};

bool has_kernel_of_ours(const Tensor& states) {
  return states.device().is_cpu() || states.device().is_meta();
}

RetrieveOutputs retrieve_autograd(const Tensor& states, const Tensor& stored,
                                  const RetrieveOptions& o) {
  const bool differentiate =
      at::GradMode::is_enabled() &&
      (has_gradient(states) || has_gradient(stored) || has_gradient(o.projections) ||
       has_gradient(o.beta) || has_gradient(o.mask));
  if (!differentiate) {
    const at::AutoDispatchBelowADInplaceOrView below;
    return call_retrieve(states, stored, o);
  }
  if (o.want_association || !has_kernel_of_ours(states)) {
    return to_outputs(compose(states, stored, o), o);
  }
  // The backward pass reads the state again and wants it unrounded.
  const at::ScalarType type = states.scalar_type();
  const bool narrow = type == at::kBFloat16 || type == at::kHalf;
  const variable_list out = RetrieveFunction::apply(narrow ? states.to(at::kFloat) : states, stored,
                                                    o.projections, o.beta, o.mask, o);
  RetrieveOutputs outputs = as_tuple(out, std::make_index_sequence<13>());
  if (narrow) {
    std::get<kState>(outputs) = out[kState].to(type);
    std::get<kFinalState>(outputs) = out[kFinalState].to(type);
  }
  return outputs;
}

// A view of x that a second graph can hang on: stored may be a function of states, and each must
// get its own part of the gradient.
Tensor alias_of(const Tensor& x) {
  return x.view_as(x);
}

/// The gradients as differentiable functions of inputs and cotangents: the composition once more.
RetrieveGradients differentiable_gradients(const BackwardArguments& a) {
  RetrieveOptions o = a.options;
  o.want_energy = a.grad_energy.has_value();
  o.want_entropy = a.grad_entropy.has_value();
  const Tensor states = alias_of(a.states), stored = alias_of(a.stored);
  if (o.projections) o.projections = alias_of(*o.projections);
  o.beta = alias_of(o.beta);
  if (o.mask) o.mask = alias_of(*o.mask);
  const RetrieveResult r = compose(states, stored, o);

  variable_list outputs, cotangents, inputs;
  const auto add = [&](const Tensor& output, const OptionalTensor& cotangent) {
    if (!cotangent || !output.requires_grad()) return;
    outputs.push_back(output);
    cotangents.push_back(cotangent->to(output.scalar_type()));
  };
  add(r.state, a.grad_state);
  add(r.lse, a.grad_lse);
  add(r.energy, a.grad_energy);
  add(r.entropy, a.grad_entropy);
  const Tensor candidates[5] = {states, stored, or_undefined(o.projections), o.beta,
                                or_undefined(o.mask)};
  for (std::size_t i = 0; i < 5; ++i) {
    if (a.need[i]) inputs.push_back(candidates[i]);
  }
  variable_list found;
  if (!outputs.empty() && !inputs.empty()) {
    found = torch::autograd::grad(outputs, inputs, cotangents, /*retain_graph=*/true,
                                  /*create_graph=*/true, /*allow_unused=*/true);
  }
  variable_list result;
  std::size_t next = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    if (!a.need[i]) {
      result.push_back(at::empty({0}, a.states.options()));
      continue;
    }
    Tensor gradient = next < found.size() ? found[next++] : Tensor();
    result.push_back(gradient.defined() ? gradient : at::zeros_like(candidates[i]));
  }
  return {result[0], result[1], result[2], result[3], result[4]};
}

RetrieveGradients backward_autograd(const BackwardArguments& a) {
  const bool differentiate =
      at::GradMode::is_enabled() &&
      (has_gradient(a.states) || has_gradient(a.stored) || has_gradient(a.options.projections) ||
       has_gradient(a.options.beta) || has_gradient(a.options.mask) || has_gradient(a.grad_state) ||
       has_gradient(a.grad_lse) || has_gradient(a.grad_energy) || has_gradient(a.grad_entropy));
  if (differentiate) return differentiable_gradients(a);
  const at::AutoDispatchBelowADInplaceOrView below;
  return call_retrieve_backward(a);
}

}  // namespace

TORCH_LIBRARY_IMPL(hopfield, Autograd, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_autograd>));
  m.impl("retrieve_backward", TORCH_FN(flat_backward<backward_autograd>));
}

}  // namespace hopfield::ops
