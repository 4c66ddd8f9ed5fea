// CUDA tensors, and any device without a kernel of ours: torch's own operations. With gradients
// autograd/retrieve.cc takes the composition.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <algorithm>

#include "torch/ops/arguments.h"
#include "torch/ops/composition.h"
#include "torch/ops/cuda/fused.h"
#include "torch/ops/signature.h"

namespace hopfield::ops {

bool fused_attention_fits(const at::Tensor& states, const at::Tensor& stored,
                          const RetrieveOptions& o) {
  return o.similarity == Similarity::kDot && o.separation == Separation::kSoftmax &&
         !wants_updates(o) && !o.hidden_stored && !o.mask && !o.stored_offsets &&
         !o.state_offsets && !o.want_energy && !o.want_entropy && !o.want_largest &&
         !o.want_metastable && o.num_top == 0 && !o.want_association && o.dropout == 0 &&
         o.beta.numel() == 1 && states.scalar_type() == stored.scalar_type() &&
         (!o.projections || o.projections->scalar_type() == stored.scalar_type()) &&
         stored.size(1) > 0 && states.numel() > 0;
}

RetrieveResult retrieve_fused(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& o, std::int64_t block_size) {
  const RetrieveShape shape = check_arguments(states, stored, o);
  const double beta = o.beta.item<double>();
  const std::int64_t bags = shape.bags.expect_int(), heads = shape.heads.expect_int();
  const auto by_head = [&](const at::Tensor& x) {  // [B, H, rows, depth]
    return x.expand({bags, x.size(1), heads, x.size(3)}).transpose(1, 2);
  };
  const at::Tensor q = by_head(states), k = by_head(stored);
  const at::Tensor v = by_head(o.projections ? *o.projections : stored);
  RetrieveResult r;
  r.state = at::scaled_dot_product_attention(q, k, v, /*attn_mask=*/{}, /*dropout_p=*/0.0,
                                             /*is_causal=*/false, /*scale=*/beta)
                .transpose(1, 2);
  at::Tensor lse;
  const at::Tensor scaled = beta * q.to(shape.compute);
  for (std::int64_t begin = 0; begin < k.size(2); begin += block_size) {
    const at::Tensor block = k.narrow(2, begin, std::min(block_size, k.size(2) - begin));
    const at::Tensor part =
        at::matmul(scaled, block.to(shape.compute).transpose(-1, -2)).logsumexp(-1);
    lse = lse.defined() ? at::logaddexp(lse, part) : part;
  }
  r.lse = lse.transpose(1, 2).to(shape.statistics);
  r.steps = at::zeros(r.lse.sizes(), r.lse.options().dtype(at::kLong));
  r.reason = at::zeros(r.lse.sizes(), r.lse.options().dtype(at::kByte));
  static_assert(static_cast<int>(StopReason::kStepLimit) == 0);
  return r;
}

namespace {

RetrieveOutputs retrieve_composed(const at::Tensor& states, const at::Tensor& stored,
                                  const RetrieveOptions& options) {
  return to_outputs(compose(states, stored, options), options);
}

RetrieveOutputs retrieve_cuda(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& options) {
  check_arguments(states, stored, options);
  if (fused_attention_fits(states, stored, options)) {
    return to_outputs(retrieve_fused(states, stored, options), options);
  }
  return retrieve_composed(states, stored, options);
}

}  // namespace

TORCH_LIBRARY_IMPL(hopfield, CUDA, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_cuda>));
}
TORCH_LIBRARY_IMPL(hopfield, CompositeExplicitAutograd, m) {
  m.impl("retrieve", TORCH_FN(flat_retrieve<retrieve_composed>));
}

}  // namespace hopfield::ops
