// Under autocast the patterns are read in its 16-bit type; sums stay in f32, beta and masks as they
// are.
#include <torch/library.h>

#include "torch/ops/autocast/inputs.h"
#include "torch/ops/signature.h"

namespace hopfield::ops {
namespace {

RetrieveOutputs retrieve_autocast(const at::Tensor& states, const at::Tensor& stored,
                                  const RetrieveOptions& options) {
  const AutocastInputs in(states, stored, options);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return call_retrieve(in.states, in.stored, in.options);
}

}  // namespace

TORCH_LIBRARY_IMPL(hopfield, AutocastCPU, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_autocast>));
}
TORCH_LIBRARY_IMPL(hopfield, AutocastCUDA, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_autocast>));
}

}  // namespace hopfield::ops
