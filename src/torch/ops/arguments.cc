#include "torch/ops/arguments.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <sstream>

namespace hopfield::ops {
namespace {

using c10::SymInt;

bool is_real(const at::Tensor& x) {
  const at::ScalarType type = x.scalar_type();
  return type == at::kFloat || type == at::kDouble || type == at::kBFloat16 || type == at::kHalf;
}

void check_pattern(const at::Tensor& x, const char* name, bool ragged) {
  TORCH_CHECK_VALUE(x.defined(), "[retrieve] expected ", name, ", got an undefined tensor");
  TORCH_CHECK_VALUE(is_real(x), "[retrieve] expected ", name,
                    " of type f32, f64, bf16 or f16, got ", x.scalar_type());
  if (ragged) {
    TORCH_CHECK_VALUE(x.dim() == 3, "[retrieve] expected ", name,
                      " [N, heads, depth], as there are offsets for it, got ", sizes_text(x));
  } else {
    TORCH_CHECK_VALUE(x.dim() == 4, "[retrieve] expected ", name,
                      " [B or 1, rows, H or 1, depth], got ", sizes_text(x),
                      "; ragged bags need offsets");
  }
}

void check_offsets(const std::optional<at::Tensor>& offsets, const char* name) {
  if (!offsets) return;
  TORCH_CHECK_VALUE(
      offsets->dim() == 1 && offsets->scalar_type() == at::kLong && offsets->sym_size(0) >= 1,
      "[retrieve] expected ", name, " int64 [B + 1], got ", offsets->scalar_type(), " ",
      sizes_text(*offsets));
}

/// `size` joins `into` by the rule of broadcasting.
void join(SymInt& into, const SymInt& size, const char* name, const char* what) {
  if (size == 1) return;
  if (into == 1) {
    into = size;
    return;
  }
  TORCH_CHECK_VALUE(into == size, "[retrieve] expected ", name, " with ", into, " or 1 ", what,
                    ", got ", size);
}

void check_settings(const RetrieveOptions& o, const SymInt& heads) {
  const auto one_or_heads = [&](std::size_t n) {
    return n == 1 || SymInt(static_cast<std::int64_t>(n)) == heads;
  };
  TORCH_CHECK_VALUE(one_or_heads(o.update_steps_max.size()),
                    "[retrieve] expected update_steps_max with 1 or ", heads, " entries, got ",
                    o.update_steps_max.size());
  TORCH_CHECK_VALUE(one_or_heads(o.update_steps_eps.size()),
                    "[retrieve] expected update_steps_eps with 1 or ", heads, " entries, got ",
                    o.update_steps_eps.size());
  for (const double eps : o.update_steps_eps) {
    TORCH_CHECK_VALUE(eps > 0, "[retrieve] expected update_steps_eps > 0, got ", eps);
  }
  TORCH_CHECK_VALUE(o.update_steps_cap >= 1, "[retrieve] expected update_steps_cap >= 1, got ",
                    o.update_steps_cap);
  TORCH_CHECK_VALUE(o.separation != Separation::kTopKSoftmax || o.top_k >= 1,
                    "[retrieve] expected top_k >= 1 for the top-k softmax, got ", o.top_k);
  TORCH_CHECK_VALUE(o.num_top >= 0, "[retrieve] expected num_top >= 0, got ", o.num_top);
  TORCH_CHECK_VALUE(o.metastable_mass > 0 && o.metastable_mass <= 1,
                    "[retrieve] expected metastable_mass in (0, 1], got ", o.metastable_mass);
  TORCH_CHECK_VALUE(o.dropout >= 0 && o.dropout <= 1, "[retrieve] expected dropout in [0, 1], got ",
                    o.dropout);
  TORCH_CHECK_NOT_IMPLEMENTED(
      !o.want_energy || o.similarity != Similarity::kCosine,
      "[retrieve] expected dot or negative_squared_distance when the energy is "
      "wanted, got cosine; its update descends no known energy");
  TORCH_CHECK_NOT_IMPLEMENTED(
      o.gradient != RetrieveGradient::kImplicit || o.similarity != Similarity::kCosine,
      "[retrieve] expected dot or negative_squared_distance for the implicit gradient, got cosine; "
      "use the unrolled one");
}

void check_masks(const RetrieveOptions& o, const RetrieveShape& s) {
  if (o.hidden_stored) {
    const at::Tensor& h = *o.hidden_stored;
    TORCH_CHECK_VALUE(h.scalar_type() == at::kBool,
                      "[retrieve] expected hidden_stored of type bool, got ", h.scalar_type());
    if (s.ragged_stored) {
      TORCH_CHECK_VALUE(h.dim() == 1 && h.sym_size(0) == s.num_stored,
                        "[retrieve] expected hidden_stored [", s.num_stored, "], got ",
                        sizes_text(h));
    } else {
      TORCH_CHECK_VALUE(h.dim() == 2 && h.sym_size(1) == s.num_stored &&
                            (h.sym_size(0) == 1 || h.sym_size(0) == s.bags),
                        "[retrieve] expected hidden_stored [", s.bags, " or 1, ", s.num_stored,
                        "], got ", sizes_text(h));
    }
  }
  if (!o.mask) return;
  const at::Tensor& m = *o.mask;
  TORCH_CHECK_VALUE(m.scalar_type() == at::kBool || is_real(m),
                    "[retrieve] expected a mask of type bool or floating, got ", m.scalar_type());
  TORCH_CHECK_VALUE(!s.ragged_states && !s.shared_states && !s.ragged_stored,
                    "[retrieve] expected no mask with ragged bags, got one ", sizes_text(m),
                    "; leave the hidden patterns out, or use hidden_stored");
  bool fits = m.dim() <= 4;
  const SymInt full[4] = {s.bags, s.heads, s.num_states, s.num_stored};
  for (std::int64_t i = 1; fits && i <= m.dim(); ++i) {
    fits = m.sym_size(m.dim() - i) == 1 || m.sym_size(m.dim() - i) == full[4 - i];
  }
  TORCH_CHECK_VALUE(fits, "[retrieve] expected a mask broadcastable to [", s.bags, ", ", s.heads,
                    ", ", s.num_states, ", ", s.num_stored, "] (bag, head, state, stored), got ",
                    sizes_text(m));
}

}  // namespace

std::string sizes_text(const at::Tensor& tensor) {
  std::ostringstream text;
  text << '[';
  for (std::int64_t i = 0; i < tensor.dim(); ++i) text << (i ? ", " : "") << tensor.sym_size(i);
  text << ']';
  return text.str();
}

std::vector<SymInt> RetrieveShape::result(const std::vector<SymInt>& more) const {
  std::vector<SymInt> sizes = leading;
  sizes.insert(sizes.end(), more.begin(), more.end());
  return sizes;
}

bool wants_updates(const RetrieveOptions& options) {
  for (const std::int64_t n : options.update_steps_max) {
    if (n != 0) return true;
  }
  return false;
}

bool runs_until_converged(const RetrieveOptions& options) {
  for (const std::int64_t n : options.update_steps_max) {
    if (n < 0) return true;
  }
  return false;
}

at::Tensor mask_of_rank_4(const at::Tensor& mask) {
  at::Tensor m = mask;
  while (m.dim() < 4) m = m.unsqueeze(0);
  return m;
}

RetrieveShape check_arguments(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& o) {
  RetrieveShape s;
  s.ragged_states = o.state_offsets.has_value();
  s.ragged_stored = o.stored_offsets.has_value();
  check_offsets(o.stored_offsets, "stored_offsets");
  check_offsets(o.state_offsets, "state_offsets");
  s.shared_states = s.ragged_stored && !s.ragged_states && states.defined() && states.dim() == 3;
  check_pattern(states, "states", s.ragged_states || s.shared_states);
  check_pattern(stored, "stored", s.ragged_stored);
  const at::Tensor& projections = o.projections ? *o.projections : stored;
  check_pattern(projections, "projections", s.ragged_stored);

  // The last two dimensions are heads and depth; the one before counts rows.
  s.depth = states.sym_size(-1);
  TORCH_CHECK_VALUE(stored.sym_size(-1) == s.depth, "[retrieve] expected stored patterns of depth ",
                    s.depth, ", as the states have, got ", stored.sym_size(-1));
  s.projection_depth = projections.sym_size(-1);
  s.heads = states.sym_size(-2);
  join(s.heads, stored.sym_size(-2), "stored", "heads");
  join(s.heads, projections.sym_size(-2), "projections", "heads");
  s.num_states = states.sym_size(-3);
  s.num_stored = stored.sym_size(-3);
  TORCH_CHECK_VALUE(projections.sym_size(-3) == s.num_stored, "[retrieve] expected projections of ",
                    s.num_stored, " stored patterns, got ", projections.sym_size(-3));

  if (s.ragged_stored) s.bags = o.stored_offsets->sym_size(0) - 1;
  if (s.ragged_states) {
    const SymInt bags = o.state_offsets->sym_size(0) - 1;
    TORCH_CHECK_VALUE(!s.ragged_stored || bags == s.bags, "[retrieve] expected state_offsets of ",
                      s.bags, " bags, as stored_offsets has, got ", bags);
    s.bags = bags;
  }
  const bool fixed = s.ragged_stored || s.ragged_states;
  const auto join_batch = [&](const at::Tensor& x, const char* name) {
    if (x.dim() != 4) return;
    if (!fixed) return join(s.bags, x.sym_size(0), name, "bags");
    TORCH_CHECK_VALUE(x.sym_size(0) == 1 || x.sym_size(0) == s.bags, "[retrieve] expected ", name,
                      " with ", s.bags, " or 1 bags, got ", x.sym_size(0));
  };
  join_batch(states, "states");
  join_batch(stored, "stored");
  join_batch(projections, "projections");
  if (s.ragged_states) {
    s.leading = {s.num_states};
  } else {
    s.leading = {s.bags, s.num_states};
  }

  TORCH_CHECK_VALUE(o.beta.defined() && is_real(o.beta) && o.beta.dim() <= 1 &&
                        (o.beta.sym_numel() == 1 || o.beta.sym_numel() == s.heads),
                    "[retrieve] expected beta floating, one or one for each of ", s.heads,
                    " heads, got ",
                    o.beta.defined() ? sizes_text(o.beta) : std::string("an undefined tensor"));
  TORCH_CHECK_VALUE(s.heads >= 1, "[retrieve] expected at least one head, got 0");
  check_settings(o, s.heads);
  check_masks(o, s);

  const bool f64 = states.scalar_type() == at::kDouble || stored.scalar_type() == at::kDouble ||
                   projections.scalar_type() == at::kDouble;
  s.compute = f64 ? at::kDouble : at::kFloat;
  s.statistics = states.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return s;
}

}  // namespace hopfield::ops
