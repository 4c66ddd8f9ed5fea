#include "torch/ops/autocast/inputs.h"

#include <ATen/autocast_mode.h>

namespace hopfield::ops {

AutocastInputs::AutocastInputs(const at::Tensor& states_in, const at::Tensor& stored_in,
                               const RetrieveOptions& options_in)
    : states(states_in), stored(stored_in), options(options_in) {
  if (!states.defined() || !stored.defined()) return;
  const at::DeviceType device = states.device().type();
  if (!at::autocast::is_autocast_available(device) || !at::autocast::is_autocast_enabled(device)) {
    return;
  }
  const at::ScalarType type = at::autocast::get_autocast_dtype(device);
  states = at::autocast::cached_cast(type, states, device);
  stored = at::autocast::cached_cast(type, stored, device);
  if (options.projections) {
    options.projections = at::autocast::cached_cast(type, *options.projections, device);
  }
}

}  // namespace hopfield::ops
