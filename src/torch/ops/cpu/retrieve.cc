// CPU tensors: hopfield::core does the work.
#include "hopfield/memory/retrieve.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include <limits>
#include <span>
#include <type_traits>

#include "hopfield/base/error.h"
#include "hopfield/base/os.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/torch/ops/executor.h"
#include "torch/ops/arguments.h"
#include "torch/ops/cpu/core_inputs.h"
#include "torch/ops/signature.h"

namespace hopfield::ops {
namespace {

using at::Tensor;

static_assert(std::is_same_v<std::underlying_type_t<StopReason>, std::uint8_t>);

/// Errors of the core leave as errors of torch with the same text.
template <class F>
auto with_torch_errors(F run) {
  try {
    return run();
  } catch (const Error& error) {
    TORCH_CHECK_VALUE(error.code() != ErrorCode::kInvalidArgument, error.what());
    TORCH_CHECK_NOT_IMPLEMENTED(error.code() != ErrorCode::kUnsupported, error.what());
    TORCH_CHECK(false, error.what());
    throw;
  }
}

AssociateOptions core_options() {
  AssociateOptions options;
  options.executor = &aten_executor();
  return options;
}

template <class T>
constexpr at::ScalarType kType = std::is_same_v<T, double> ? at::kDouble : at::kFloat;

template <class T>
std::span<T> span_of(const Tensor& x) {
  return {x.mutable_data_ptr<T>(), static_cast<std::size_t>(x.numel())};
}
template <class T>
std::span<const T> const_span_of(const Tensor& x) {
  return {x.const_data_ptr<T>(), static_cast<std::size_t>(x.numel())};
}
std::span<StopReason> reasons_of(const Tensor& x) {
  return {reinterpret_cast<StopReason*>(x.mutable_data_ptr<std::uint8_t>()),
          static_cast<std::size_t>(x.numel())};
}

/// A dense tensor [.., heads, depth] of type T as a view to write; null where it is empty.
template <class T>
MutablePatternView<T> writable(const Tensor& x) {
  if (!x.defined() || x.numel() == 0) return {};
  return mutable_view(x.mutable_data_ptr<T>(), x.numel() / (x.size(-1) * x.size(-2)), x.size(-2),
                      x.size(-1));
}

/// Tensors of the outputs that are wanted, and the core's spans over them.
template <class T>
RetrieveResult allocate(const CoreInputs& inputs, const RetrieveOptions& o,
                        const at::TensorOptions& like, AssociateOutputs<T>& out) {
  const RetrieveShape& shape = inputs.shape();
  const auto make = [&](std::vector<c10::SymInt> more, at::ScalarType type) {
    return at::empty_symint(shape.result(more), like.dtype(type));
  };
  const auto each = [&](at::ScalarType type) { return make({shape.heads}, type); };
  RetrieveResult r;
  r.state = make({shape.heads, shape.projection_depth}, kType<T>);
  out.state = writable<T>(r.state);
  r.lse = each(kType<T>);
  out.lse = span_of<T>(r.lse);
  if (o.want_energy) out.energy = span_of<T>(r.energy = each(kType<T>));
  if (o.want_entropy) out.entropy = span_of<T>(r.entropy = each(kType<T>));
  if (o.want_largest) {
    out.largest = span_of<T>(r.largest = each(kType<T>));
    out.largest_index = span_of<std::int64_t>(r.largest_index = each(at::kLong));
  }
  if (o.num_top > 0) {
    out.num_top = o.num_top;
    out.top = span_of<T>(r.top = make({shape.heads, o.num_top}, kType<T>));
    out.top_index = span_of<std::int64_t>(r.top_index = make({shape.heads, o.num_top}, at::kLong));
  }
  if (o.want_metastable) {
    out.metastable_size = span_of<std::int64_t>(r.metastable_size = each(at::kLong));
    out.metastable_mass = o.metastable_mass;
  }
  r.steps = each(at::kLong);
  r.reason = each(at::kByte);
  return r;
}

/// Bags of the core, one after the other: how many associations, H * T_bag * S_bag each.
std::vector<std::int64_t> association_sizes(const CoreInputs& inputs) {
  const Associations& in = inputs.associations();
  const RetrieveShape& shape = inputs.shape();
  if (!shape.ragged_states && !shape.ragged_stored) {
    return {shape.bags.expect_int(), shape.heads.expect_int(), shape.num_states.expect_int(),
            shape.num_stored.expect_int()};
  }
  const AssociationShape core = validate(in, "retrieve");
  std::int64_t sum = 0;
  for (std::int64_t b = 0; b < core.num_bags; ++b) {
    const auto i = static_cast<std::size_t>(b);
    const std::int64_t num_stored =
        core.stored_shared ? core.num_stored : in.stored_offsets[i + 1] - in.stored_offsets[i];
    const std::int64_t num_states =
        core.states_shared ? core.num_states : in.state_offsets[i + 1] - in.state_offsets[i];
    sum += core.heads * num_states * num_stored;
  }
  return {sum};
}

template <class T>
RetrieveResult run_forward(const Tensor& states, const Tensor& stored, const RetrieveOptions& o) {
  const CoreInputs inputs(states, stored, o);
  const RetrieveShape& shape = inputs.shape();
  const at::TensorOptions like = states.options();
  AssociateOutputs<T> out;
  RetrieveResult r = allocate(inputs, o, like, out);
  if (o.want_association) {
    r.association = at::empty(association_sizes(inputs), like.dtype(kType<T>));
    out.association = span_of<T>(r.association);
  }
  if (wants_updates(o)) {
    RetrieveReport<T> report;
    r.final_state =
        at::empty_symint(shape.result({shape.heads, shape.depth}), like.dtype(kType<T>));
    report.final_state = writable<T>(r.final_state);
    report.steps = span_of<std::int64_t>(r.steps);
    report.reason = reasons_of(r.reason);
    hopfield::retrieve(inputs.associations(), inputs.update_options(), out, report, core_options());
  } else {
    associate(inputs.associations(), out, core_options());
    for (std::int64_t& n : span_of<std::int64_t>(r.steps)) n = 0;
    const std::span<const T> lse = const_span_of<T>(r.lse);
    const std::span<StopReason> reason = reasons_of(r.reason);
    for (std::size_t row = 0; row < lse.size(); ++row) {
      const bool empty = lse[row] == -std::numeric_limits<T>::infinity();
      reason[row] = empty ? StopReason::kEmpty : StopReason::kStepLimit;
    }
  }
  r.state = r.state.to(states.scalar_type());
  if (r.final_state.defined()) r.final_state = r.final_state.to(states.scalar_type());
  for (Tensor* x : {&r.lse, &r.energy, &r.entropy, &r.largest, &r.top, &r.association}) {
    if (x->defined()) *x = x->to(shape.statistics);
  }
  return r;
}

bool computes_in_f64(const Tensor& states, const Tensor& stored, const RetrieveOptions& o) {
  return states.scalar_type() == at::kDouble || stored.scalar_type() == at::kDouble ||
         (o.projections && o.projections->scalar_type() == at::kDouble);
}

RetrieveOutputs retrieve_cpu(const Tensor& states, const Tensor& stored, const RetrieveOptions& o) {
  return with_torch_errors([&] {
    return to_outputs(computes_in_f64(states, stored, o) ? run_forward<double>(states, stored, o)
                                                         : run_forward<float>(states, stored, o),
                      o);
  });
}

/// What arrived at the outputs, and what they were, as the core reads it.
template <class T>
struct Arrived {
  explicit Arrived(const BackwardArguments& a) {
    const auto dense = [](const OptionalTensor& x) {
      return x ? x->detach().to(kType<T>).contiguous() : Tensor();
    };
    state = dense(a.grad_state);
    lse = dense(a.grad_lse);
    energy = dense(a.grad_energy);
    entropy = dense(a.grad_entropy);
    saved_state = dense(a.state);
    saved_lse = dense(a.lse);
    saved_entropy = dense(a.entropy);
    if (state.defined()) cotangents.state = pattern_view_of(as_rows(state));
    if (lse.defined()) cotangents.lse = const_span_of<T>(lse);
    if (energy.defined()) cotangents.energy = const_span_of<T>(energy);
    if (entropy.defined()) cotangents.entropy = const_span_of<T>(entropy);
    saved.state = pattern_view_of(as_rows(saved_state));
    saved.lse = const_span_of<T>(saved_lse);
    if (saved_entropy.defined()) saved.entropy = const_span_of<T>(saved_entropy);
  }

  Tensor state, lse, energy, entropy, saved_state, saved_lse, saved_entropy;
  AssociateCotangents<T> cotangents;
  AssociateSaved<T> saved;
};

template <class T>
RetrieveGradients run_backward(const BackwardArguments& a) {
  const RetrieveOptions& o = a.options;
  const CoreInputs inputs(a.states, a.stored, o);
  const Arrived<T> arrived(a);
  const at::TensorOptions type = a.states.options().dtype(kType<T>);
  const auto like = [&](bool needed, const Tensor& x) {
    if (!needed) return Tensor();
    const Tensor gradient = at::empty(x.sizes(), type);    // the core writes every element
    constexpr std::size_t kFresh = std::size_t{32} << 20;  // glibc maps those anew each time
    if (gradient.nbytes() >= kFresh) {
      prefer_large_pages(gradient.mutable_data_ptr(), gradient.nbytes());
    }
    return gradient;
  };
  const Tensor states = like(a.need[0], inputs.states());
  const Tensor stored = like(a.need[1], inputs.stored());
  const Tensor projections = like(a.need[2] && o.projections, inputs.projections());
  const Tensor beta = like(a.need[3], o.beta);
  const Tensor mask = like(a.need[4] && o.mask, o.mask ? *o.mask : o.beta);
  if (mask.defined()) mask.zero_();  // and adds to this one

  AssociateGradients<T> gradients;
  gradients.states = writable<T>(states);
  gradients.stored = writable<T>(stored);
  gradients.projections = writable<T>(projections);
  if (beta.defined()) gradients.beta = span_of<T>(beta);
  if (mask.defined() && mask.numel() > 0) {
    const RetrieveShape& s = inputs.shape();
    const Tensor full =
        mask_of_rank_4(mask).expand({s.bags.expect_int(), s.heads.expect_int(),
                                     s.num_states.expect_int(), s.num_stored.expect_int()});
    gradients.bias = mask.mutable_data_ptr<T>();
    gradients.bias_bag_stride = full.stride(0);
    gradients.bias_head_stride = full.stride(1);
    gradients.bias_state_stride = full.stride(2);
    gradients.bias_stored_stride = full.stride(3);
  }
  if (wants_updates(o)) {
    const Tensor steps = a.steps.contiguous(), reason = a.reason.contiguous();
    Tensor final_state;
    ImplicitOptions implicit;
    if (a.final_state) {
      final_state = as_rows(a.final_state->to(kType<T>));
      implicit.final_state = pattern_view_of(final_state);
    }
    hopfield::retrieve_backward(inputs.associations(), inputs.update_options(),
                                const_span_of<std::int64_t>(steps),
                                std::span<const StopReason>(reasons_of(reason)), arrived.cotangents,
                                gradients, o.gradient, core_options(), implicit);
  } else {
    associate_backward(inputs.associations(), arrived.saved, arrived.cotangents, gradients,
                       core_options());
  }
  // Back to the shape (a batch of 1 that was expanded collects its bags) and type of the input.
  const auto finish = [&](const Tensor& gradient, const Tensor& input) {
    if (!gradient.defined()) return at::empty({0}, a.states.options());
    return gradient.sum_to_size(input.sizes()).to(input.scalar_type());
  };
  return {finish(states, a.states), finish(stored, a.stored),
          finish(projections, o.projections ? *o.projections : a.stored), finish(beta, o.beta),
          finish(mask, o.mask ? *o.mask : o.beta)};
}

RetrieveGradients retrieve_backward_cpu(const BackwardArguments& a) {
  return with_torch_errors([&] {
    return computes_in_f64(a.states, a.stored, a.options) ? run_backward<double>(a)
                                                          : run_backward<float>(a);
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(hopfield, CPU, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_cpu>));
  m.impl("retrieve_backward", TORCH_FN(flat_backward<retrieve_backward_cpu>));
}

}  // namespace hopfield::ops
