#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::ops {

RetrieveResult retrieve(const at::Tensor& states, const at::Tensor& stored,
                        const RetrieveOptions& options) {
  return retrieve_composition(states, stored, options);
}

}  // namespace hopfield::ops
