#include "hopfield/torch/ops/retrieve.h"

#include <ATen/ATen.h>

#include "torch/ops/arguments.h"
#include "torch/ops/signature.h"

namespace hopfield::ops {
namespace {

// Without updates the states are what met the stored patterns: one for every row and head.
at::Tensor initial_states(const at::Tensor& states, const RetrieveShape& shape) {
  std::vector<c10::SymInt> sizes = shape.result({shape.heads, shape.depth});
  return states.detach().expand_symint(sizes);
}

}  // namespace

RetrieveResult retrieve(const at::Tensor& states, const at::Tensor& stored,
                        const RetrieveOptions& options) {
  if (options.dropout > 0) return retrieve_composition(states, stored, options);
  const RetrieveShape shape = check_arguments(states, stored, options);
  const RetrieveOutputs out = call_retrieve(states, stored, options);
  RetrieveResult r;
  r.state = std::get<0>(out);
  r.lse = std::get<1>(out);
  if (options.want_energy) r.energy = std::get<2>(out);
  if (options.want_entropy) r.entropy = std::get<3>(out);
  if (options.want_largest) {
    r.largest = std::get<4>(out);
    r.largest_index = std::get<5>(out);
  }
  if (options.num_top > 0) {
    r.top = std::get<6>(out);
    r.top_index = std::get<7>(out);
  }
  if (options.want_metastable) r.metastable_size = std::get<8>(out);
  if (options.want_association) r.association = std::get<9>(out);
  r.steps = std::get<10>(out);
  r.reason = std::get<11>(out);
  r.final_state = wants_updates(options) ? std::get<12>(out)
                                         : initial_states(states, shape).to(r.state.scalar_type());
  return r;
}

}  // namespace hopfield::ops
