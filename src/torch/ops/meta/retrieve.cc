// Shapes and types without values: meta tensors, torch.compile, FakeTensor.
#include <ATen/ATen.h>
#include <torch/library.h>

#include "torch/ops/arguments.h"
#include "torch/ops/signature.h"

namespace hopfield::ops {
namespace {

using c10::SymInt;

RetrieveOutputs retrieve_meta(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& o) {
  const RetrieveShape s = check_arguments(states, stored, o);
  const auto make = [&](bool wanted, const std::vector<SymInt>& more, at::ScalarType type) {
    const at::TensorOptions options = states.options().dtype(type);
    if (!wanted) return at::empty({0}, options);
    return at::empty_symint(s.result(more), options);
  };
  const std::vector<SymInt> each = {s.heads};
  const std::vector<SymInt> tops = {s.heads, o.num_top};
  const at::ScalarType type = states.scalar_type();

  at::Tensor association = make(false, {}, s.statistics);
  if (o.want_association) {
    TORCH_CHECK_NOT_IMPLEMENTED(
        !s.ragged_states && !s.ragged_stored,
        "[retrieve] expected dense bags for the association of tensors without values, got ragged "
        "ones; its size depends on the offsets");
    association = at::empty_symint(std::vector<SymInt>{s.bags, s.heads, s.num_states, s.num_stored},
                                   states.options().dtype(s.statistics));
  }
  return {make(true, {s.heads, s.projection_depth}, type),
          make(true, each, s.statistics),
          make(o.want_energy, each, s.statistics),
          make(o.want_entropy, each, s.statistics),
          make(o.want_largest, each, s.statistics),
          make(o.want_largest, each, at::kLong),
          make(o.num_top > 0, tops, s.statistics),
          make(o.num_top > 0, tops, at::kLong),
          make(o.want_metastable, each, at::kLong),
          association,
          make(true, each, at::kLong),
          make(true, each, at::kByte),
          make(wants_updates(o), {s.heads, s.depth}, type)};
}

RetrieveGradients retrieve_backward_meta(const BackwardArguments& a) {
  check_arguments(a.states, a.stored, a.options);
  const auto make = [&](bool wanted, const at::Tensor& like) {
    return wanted ? at::empty_symint(like.sym_sizes(), like.options())
                  : at::empty({0}, a.states.options());
  };
  const RetrieveOptions& o = a.options;
  return {make(a.need[0], a.states), make(a.need[1], a.stored),
          make(a.need[2] && o.projections, o.projections ? *o.projections : a.stored),
          make(a.need[3], o.beta), make(a.need[4] && o.mask, o.mask ? *o.mask : a.stored)};
}

}  // namespace

TORCH_LIBRARY_IMPL(hopfield, Meta, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_meta>));
  m.impl("retrieve_backward", TORCH_FN(flat_backward<retrieve_backward_meta>));
}

}  // namespace hopfield::ops
