// The retrieve op in plain torch operations: what every faster path must equal. Shapes in the
// comments: a "block" is a batch of bags of one size, states [B, H, L, d] against stored patterns
// [B, H, S, d], where B and H of either may be 1.
#include "torch/ops/composition.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <limits>
#include <utility>

#include "torch/ops/autocast/inputs.h"
#include "torch/ops/separation.h"

namespace hopfield::ops {
namespace {

using at::Tensor;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Block {
  Tensor states;       // [B or 1, H or 1, L, d]
  Tensor stored;       // [B or 1, H or 1, S, d]
  Tensor projections;  // [B or 1, H or 1, S, dv]
  Tensor beta;         // [1, H or 1, 1, 1]
  Tensor blocked;      // bool, broadcastable to [B, H, L, S], or undefined
  Tensor bias;         // broadcastable to [B, H, L, S], or undefined
};

// Unit patterns, and 0 with gradient 0 for a pattern of norm 0.
Tensor direction(const Tensor& x) {
  const Tensor square = x.square().sum(-1, /*keepdim=*/true);
  const Tensor zero = square == 0;
  return x * square.masked_fill(zero, 1).rsqrt().masked_fill(zero, 0);
}

Tensor similarity(const Tensor& states, const Tensor& stored, Similarity kind) {
  switch (kind) {
    case Similarity::kDot:
      return at::matmul(states, stored.transpose(-1, -2));
    case Similarity::kCosine:
      return at::matmul(direction(states), direction(stored).transpose(-1, -2));
    case Similarity::kNegativeSquaredDistance:
      return 2 * at::matmul(states, stored.transpose(-1, -2)) -
             states.square().sum(-1).unsqueeze(-1) - stored.square().sum(-1).unsqueeze(-2);
  }
  return {};
}

// [B, H, L, S]; -inf where blocked.
Tensor scores_of(const Block& block, const Tensor& states, const RetrieveOptions& o) {
  Tensor scores = block.beta * similarity(states, block.stored, o.similarity);
  if (block.bias.defined()) scores = scores + block.bias;
  if (block.blocked.defined()) scores = scores.masked_fill(block.blocked, -kInfinity);
  return scores;
}

Separated associate_block(const Block& block, const Tensor& states, const RetrieveOptions& o) {
  return separate(scores_of(block, states, o), o.separation, o.top_k);
}

// One number a head as [1, H or 1, 1].
template <class T>
Tensor per_head(const std::vector<T>& values, const at::TensorOptions& like, at::ScalarType type) {
  return at::tensor(at::ArrayRef<T>(values), at::TensorOptions().dtype(type))
      .to(like.device())
      .view({1, -1, 1});
}

struct Updated {
  Tensor states;  // [B, H, L, d]
  Tensor steps;   // [B, H, L] int64
  Tensor reason;  // [B, H, L] uint8
};

std::uint8_t code(StopReason reason) {
  return static_cast<std::uint8_t>(reason);
}

// [B, H, L]: do the rows agree in every entry?
Tensor same(const Tensor& a, const Tensor& b) {
  return (a.detach() == b.detach()).all(-1);
}

// [B, H, L]: what must fall to eps.
Tensor change_of(StopCriterion criterion, const Separated& before, const Separated& now,
                 const Tensor& states_before, const Tensor& states_now) {
  return criterion == StopCriterion::kAssociation
             ? (now.association.detach() - before.association.detach()).abs().amax(-1)
             : (states_now.detach() - states_before.detach()).square().sum(-1).sqrt();
}

Updated update_block(const Block& block, const RetrieveOptions& o) {
  Separated now = associate_block(block, block.states, o);
  Updated u;
  std::vector<std::int64_t> full = now.association.sizes().vec();
  full.back() = block.states.size(-1);
  u.states = block.states.expand(full);
  const auto longs = u.states.options().dtype(at::kLong);
  u.steps = at::zeros(now.lse.sizes(), longs);
  u.reason = at::full(now.lse.sizes(), code(StopReason::kStepLimit), longs.dtype(at::kByte))
                 .masked_fill(now.empty, code(StopReason::kEmpty));
  if (!wants_updates(o)) return u;

  const Tensor limit = per_head(o.update_steps_max, u.states.options(), at::kLong);
  const Tensor eps = per_head(o.update_steps_eps, u.states.options(), at::kDouble);
  const bool until_converged = runs_until_converged(o);
  std::int64_t most = until_converged ? o.update_steps_cap : 0;
  for (const std::int64_t n : o.update_steps_max) most = std::max(most, n);

  Tensor active = now.empty.logical_not().logical_and(limit != 0);
  const Tensor endless = limit < 0;
  Tensor landmark = u.states.detach();  // Brent's search for cycles: the state some steps ago
  for (std::int64_t step = 1; step <= most; ++step) {
    // Early stops are looked for only where they can save much: asking costs a wait on a GPU.
    if ((until_converged || most > 8) && !active.any().item<bool>()) break;
    const Tensor next =
        at::where(active.unsqueeze(-1), at::matmul(now.association, block.stored), u.states);
    const Tensor before = std::exchange(u.states, next);
    u.steps = u.steps + active.to(at::kLong);
    active = active.logical_and(endless.logical_or(u.steps < limit));  // kStepLimit: no test
    if (!until_converged && step == most) break;

    Separated then = associate_block(block, next, o);
    const Tensor change = change_of(o.criterion, now, then, before, next);
    const Tensor converged = active.logical_and(change.to(at::kDouble) <= eps);
    active = active.logical_and(converged.logical_not());
    u.reason = u.reason.masked_fill(converged, code(StopReason::kConverged));
    if (until_converged) {
      const Tensor recurs = same(next, landmark).logical_and(same(next, before).logical_not());
      const Tensor cycle =
          active.logical_and(endless).logical_and(recurs.logical_or(next.detach().isnan().any(-1)));
      active = active.logical_and(cycle.logical_not());
      const Tensor capped = active.logical_and(endless).logical_and(u.steps >= o.update_steps_cap);
      active = active.logical_and(capped.logical_not());
      u.reason = u.reason.masked_fill(cycle, code(StopReason::kCycle))
                     .masked_fill(capped, code(StopReason::kCapped));
      if ((step & (step - 1)) == 0) landmark = next.detach();
    }
    now = std::move(then);
  }
  return u;
}

// What a row does not see, broadcastable to [B, H, L, S], or undefined.
Tensor blocked_of(const Block& block) {
  Tensor blocked = block.blocked;
  if (block.bias.defined()) {
    const Tensor infinite = block.bias.detach() == -kInfinity;
    blocked = blocked.defined() ? blocked.logical_or(infinite) : infinite;
  }
  return blocked;
}

Tensor energy_of(const Block& block, const Tensor& states, const Separated& s,
                 const RetrieveOptions& o) {
  const Tensor blocked = blocked_of(block);
  const Tensor beta = block.beta.squeeze(-1);  // [1, H or 1, 1]
  Tensor visible;
  if (blocked.defined()) {
    visible = blocked.logical_not()
                  .expand(s.association.sizes())
                  .sum(-1)
                  .clamp_min(1)
                  .to(beta.scalar_type());
  } else {
    visible = at::full({1, 1, 1}, static_cast<double>(s.association.size(-1)), beta.options());
  }
  Tensor energy = (visible.log() - s.lse.masked_fill(s.empty, 0)) / beta;
  if (o.similarity == Similarity::kDot) {
    // M: of the patterns the row sees the largest norm, with the gradient to the first that has it.
    Tensor norms = block.stored.square().sum(-1).unsqueeze(-2);  // [B, H, 1, S]
    Tensor seen = norms.detach();
    if (blocked.defined()) seen = seen.expand(s.association.sizes()).masked_fill(blocked, -1);
    const Tensor first = seen.argmax(-1, /*keepdim=*/true);  // [B, H, L or 1, 1]
    std::vector<std::int64_t> sizes = first.sizes().vec();
    sizes.back() = norms.size(-1);
    const Tensor largest = norms.expand(sizes).gather(-1, first).squeeze(-1);
    energy = energy + states.square().sum(-1) / 2 + largest / 2;
  }
  return energy.expand(s.lse.sizes()).masked_fill(s.empty, kInfinity);
}

Tensor entropy_of(const Tensor& association) {
  const Tensor zero = association == 0;
  return -(association * association.masked_fill(zero, 1).log()).sum(-1);
}

// Rows that see nothing, or a NaN.
Tensor nothing_to_rank(const Separated& s) {
  return s.empty.logical_or(s.lse.detach().isnan());
}

Tensor metastable_size_of(const Separated& s, double mass) {
  const Tensor sorted =
      std::get<0>(s.association.detach().to(at::kDouble).sort(-1, /*descending=*/true));
  const Tensor sum = sorted.cumsum(-1);
  const Tensor reached = sum >= mass * sum.select(-1, -1).unsqueeze(-1);
  const Tensor size = reached.logical_not().sum(-1) + 1;
  return size.masked_fill(nothing_to_rank(s), 0);
}

// The `count` largest associations by their scores, of equals the first; 0 and -1 where a row sees
// fewer patterns.
std::pair<Tensor, Tensor> top_of(const Separated& s, const Tensor& scores, std::int64_t count) {
  const Tensor order =
      std::get<1>(at::sort(scores, /*stable=*/true, /*dim=*/-1, /*descending=*/true));
  const std::int64_t there = std::min(count, scores.size(-1));
  Tensor index = order.narrow(-1, 0, there);
  const Tensor absent = scores.gather(-1, index) == -kInfinity;
  Tensor weight = s.association.detach().gather(-1, index).masked_fill(absent, 0);
  index = index.masked_fill(absent.logical_or(s.lse.detach().isnan().unsqueeze(-1)), -1);
  if (there < count) {
    weight = at::constant_pad_nd(weight, {0, count - there}, 0);
    index = at::constant_pad_nd(index, {0, count - there}, -1);
  }
  return {weight, index};
}

// Result with dimensions [B, H, L, ...] in the compute type; `association` [B, H, L, S].
RetrieveResult compose_block(const Block& block, const RetrieveOptions& o) {
  const Updated u = update_block(block, o);
  const Tensor scores = scores_of(block, u.states, o);
  const Separated s = separate(scores, o.separation, o.top_k);
  RetrieveResult r;
  r.steps = u.steps;
  r.reason = u.reason;
  r.final_state = u.states.detach();
  r.lse = s.lse;
  const Tensor applied =
      o.dropout > 0 ? at::dropout(s.association, o.dropout, true) : s.association;
  r.state = at::matmul(applied, block.projections);
  if (o.want_energy) r.energy = energy_of(block, u.states, s, o);
  if (o.want_entropy) r.entropy = entropy_of(s.association);
  if (o.want_largest) {
    const Tensor index = scores.detach().argmax(-1, /*keepdim=*/true);
    r.largest = s.association.detach().gather(-1, index).squeeze(-1);
    r.largest_index = index.squeeze(-1).masked_fill(nothing_to_rank(s), -1);
  }
  if (o.num_top > 0) std::tie(r.top, r.top_index) = top_of(s, scores.detach(), o.num_top);
  if (o.want_metastable) r.metastable_size = metastable_size_of(s, o.metastable_mass);
  if (o.want_association) r.association = s.association;
  return r;
}

// No pattern at all: one pattern that is blocked has the same results and keeps every shape legal.
void pad_if_without_patterns(Block& block) {
  if (block.stored.size(2) > 0) return;
  const auto padded = [](const Tensor& x) {
    return at::cat({x, at::zeros({x.size(0), x.size(1), 1, x.size(3)}, x.options())}, 2);
  };
  block.stored = padded(block.stored);
  block.projections = padded(block.projections);
  block.blocked = at::ones({1, 1, 1, 1}, block.stored.options().dtype(at::kBool));
  block.bias = Tensor();
}

// Applies `f` to each output that a result has, with its kind of row dimensions.
template <class F>
void for_each_row_output(RetrieveResult& r, F f) {
  for (Tensor* x : {&r.state, &r.lse, &r.energy, &r.entropy, &r.largest, &r.largest_index, &r.top,
                    &r.top_index, &r.metastable_size, &r.steps, &r.reason, &r.final_state}) {
    if (x->defined()) f(*x);
  }
}

// Patterns in the compute type; what hidden_stored hides is set to 0, so that not even a NaN there
// shows.
Tensor readable(const Tensor& patterns, const RetrieveShape& shape, const Tensor& hidden) {
  Tensor x = patterns.to(shape.compute);
  if (!hidden.defined()) return x;
  return x.masked_fill(hidden.unsqueeze(-1).unsqueeze(-1), 0);
}

Tensor beta_of(const RetrieveShape& shape, const RetrieveOptions& o, const Tensor& states) {
  return o.beta.to(states.device(), shape.compute).reshape({1, -1, 1, 1});
}

RetrieveResult compose_dense(const Tensor& states, const Tensor& stored, const RetrieveShape& shape,
                             const RetrieveOptions& o) {
  Block block;
  const Tensor hidden = o.hidden_stored ? *o.hidden_stored : Tensor();
  block.states = states.to(shape.compute).transpose(1, 2);
  block.stored = readable(stored, shape, hidden).transpose(1, 2);
  block.projections =
      o.projections ? readable(*o.projections, shape, hidden).transpose(1, 2) : block.stored;
  block.beta = beta_of(shape, o, states);
  if (hidden.defined()) block.blocked = hidden.unsqueeze(1).unsqueeze(1);
  if (o.mask) {
    const Tensor mask = mask_of_rank_4(*o.mask);
    if (mask.scalar_type() == at::kBool) {
      block.blocked = block.blocked.defined() ? block.blocked.logical_or(mask) : mask;
    } else {
      block.bias = mask.to(shape.compute);
    }
  }
  const std::int64_t num_stored = block.stored.size(2);
  pad_if_without_patterns(block);
  RetrieveResult r = compose_block(block, o);
  // A result counts every bag and head, also where the states were given once.
  const std::int64_t bags = shape.bags.expect_int(), heads = shape.heads.expect_int();
  for_each_row_output(r, [&](Tensor& x) {
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes[0] = bags;
    sizes[1] = heads;
    x = x.expand(sizes).transpose(1, 2);
  });
  if (o.want_association) r.association = r.association.narrow(-1, 0, num_stored);
  return r;
}

// What bag `b` holds of a ragged tensor [N, H, d] or a dense one [B or 1, N, H, d], as [1, N_b, H,
// d].
Tensor bag_of(const Tensor& x, const std::vector<std::int64_t>& offsets, std::int64_t b) {
  if (x.dim() == 4) return x.narrow(0, x.size(0) == 1 ? 0 : b, 1);
  if (offsets.empty()) return x.unsqueeze(0);
  const auto i = static_cast<std::size_t>(b);
  return x.narrow(0, offsets[i], offsets[i + 1] - offsets[i]).unsqueeze(0);
}

RetrieveOptions options_of_bag(const RetrieveOptions& o, const RetrieveShape& shape,
                               const std::vector<std::int64_t>& stored_offsets, std::int64_t b) {
  RetrieveOptions bag = o;
  bag.stored_offsets.reset();
  bag.state_offsets.reset();
  if (o.projections) bag.projections = bag_of(*o.projections, stored_offsets, b);
  if (!o.hidden_stored) return bag;
  if (shape.ragged_stored) {
    const auto i = static_cast<std::size_t>(b);
    bag.hidden_stored =
        o.hidden_stored->narrow(0, stored_offsets[i], stored_offsets[i + 1] - stored_offsets[i])
            .unsqueeze(0);
  } else {
    bag.hidden_stored = o.hidden_stored->narrow(0, o.hidden_stored->size(0) == 1 ? 0 : b, 1);
  }
  return bag;
}

// A ragged set with no bag: results without rows that still hang on the inputs.
RetrieveResult compose_no_bag(const Tensor& states, const Tensor& stored,
                              const RetrieveShape& shape, const RetrieveOptions& o) {
  RetrieveOptions one = o;
  one.stored_offsets.reset();
  one.state_offsets.reset();
  const auto without_rows = [](const Tensor& x) {
    return (x.dim() == 4 ? x.flatten(0, 1) : x).narrow(0, 0, 0).unsqueeze(0);
  };
  if (o.projections) one.projections = without_rows(*o.projections);
  if (o.hidden_stored) one.hidden_stored = o.hidden_stored->flatten().narrow(0, 0, 0).unsqueeze(0);
  const Tensor some_states = without_rows(states), some_stored = without_rows(stored);
  RetrieveResult r =
      compose_dense(some_states, some_stored, check_arguments(some_states, some_stored, one), one);
  for_each_row_output(r, [&](Tensor& x) {
    std::vector<std::int64_t> sizes = x.sizes().vec();  // [1, 0, H, ...]
    sizes.erase(sizes.begin());
    if (!shape.ragged_states) sizes.insert(sizes.begin() + 1, shape.num_states.expect_int());
    x = x.reshape(sizes);
  });
  if (o.want_association) r.association = r.association.flatten();
  return r;
}

RetrieveResult compose_ragged(const Tensor& states, const Tensor& stored,
                              const RetrieveShape& shape, const RetrieveOptions& o) {
  std::vector<std::int64_t> stored_offsets, state_offsets;
  if (o.stored_offsets)
    stored_offsets = read_offsets(*o.stored_offsets, stored.size(0), "stored_offsets");
  if (o.state_offsets)
    state_offsets = read_offsets(*o.state_offsets, states.size(0), "state_offsets");
  const std::int64_t bags = shape.bags.expect_int();
  if (bags == 0) return compose_no_bag(states, stored, shape, o);

  std::vector<RetrieveResult> parts;
  for (std::int64_t b = 0; b < bags; ++b) {
    const Tensor bag_states = bag_of(states, state_offsets, b);
    const Tensor bag_stored = bag_of(stored, stored_offsets, b);
    const RetrieveOptions bag = options_of_bag(o, shape, stored_offsets, b);
    parts.push_back(
        compose_dense(bag_states, bag_stored, check_arguments(bag_states, bag_stored, bag), bag));
  }
  RetrieveResult r;
  const auto join = [&](Tensor RetrieveResult::*member) {
    if (!(parts.front().*member).defined()) return;
    std::vector<Tensor> pieces;  // [1, L, H, ...] each
    for (RetrieveResult& part : parts) {
      pieces.push_back(shape.ragged_states ? (part.*member).squeeze(0) : part.*member);
    }
    r.*member = at::cat(pieces, 0);
  };
  using R = RetrieveResult;
  for (Tensor R::*member :
       {&R::state, &R::lse, &R::energy, &R::entropy, &R::largest, &R::largest_index, &R::top,
        &R::top_index, &R::metastable_size, &R::steps, &R::reason, &R::final_state}) {
    join(member);
  }
  if (o.want_association) {
    std::vector<Tensor> pieces;
    for (const RetrieveResult& part : parts) pieces.push_back(part.association.flatten());
    r.association = at::cat(pieces, 0);
  }
  return r;
}

void check_energy_beta(const RetrieveOptions& o) {
  if (!o.want_energy || o.beta.unsafeGetTensorImpl()->is_python_dispatch() || o.beta.is_meta())
    return;
  TORCH_CHECK_VALUE((o.beta.detach() > 0).all().item<bool>(),
                    "[retrieve] expected beta > 0 for the energy, got ", o.beta.detach());
}

}  // namespace

std::vector<std::int64_t> read_offsets(const Tensor& offsets, std::int64_t rows, const char* name) {
  const Tensor host = offsets.to(at::kCPU).contiguous();
  const std::int64_t* data = host.const_data_ptr<std::int64_t>();
  std::vector<std::int64_t> values(data, data + host.numel());
  TORCH_CHECK_VALUE(values.front() == 0, "[retrieve] expected ", name, " starting at 0, got ",
                    values.front());
  for (std::size_t b = 1; b < values.size(); ++b) {
    TORCH_CHECK_VALUE(values[b] >= values[b - 1], "[retrieve] expected ", name, " ascending, got ",
                      values[b], " after ", values[b - 1], " at position ", b);
  }
  TORCH_CHECK_VALUE(values.back() == rows, "[retrieve] expected ", name, " ending at the ", rows,
                    " rows it cuts, got ", values.back());
  return values;
}

RetrieveResult compose(const Tensor& states, const Tensor& stored, const RetrieveOptions& o) {
  const RetrieveShape shape = check_arguments(states, stored, o);
  check_energy_beta(o);
  const bool ragged = shape.ragged_states || shape.ragged_stored;
  RetrieveResult r =
      ragged ? compose_ragged(states, stored, shape, o) : compose_dense(states, stored, shape, o);
  r.state = r.state.to(states.scalar_type());
  r.final_state = r.final_state.to(states.scalar_type());
  for (Tensor* x : {&r.lse, &r.energy, &r.entropy, &r.largest, &r.top, &r.association}) {
    if (x->defined()) *x = x->to(shape.statistics);
  }
  return r;
}

RetrieveResult retrieve_composition(const Tensor& states, const Tensor& stored,
                                    const RetrieveOptions& options) {
  const AutocastInputs in(states, stored, options);
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  return compose(in.states, in.stored, in.options);
}

}  // namespace hopfield::ops
