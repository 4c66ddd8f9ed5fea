#include <ATen/Functions.h>
#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "hopfield/torch/ops/retrieve.h"
#include "torch/nn/core_math.h"

namespace hopfield::nn::internal {

namespace {

using functional::HopfieldCoreForwardFuncOptions;

/// Row i of bag b moves to i + b * extra; the rows in between are the appended ones, taken from the
/// end of cat(values, appended).
at::Tensor appended_order(const at::Tensor& offsets, std::int64_t num_rows, std::int64_t extra) {
  const std::int64_t bags = offsets.size(0) - 1;
  const auto options = at::TensorOptions(offsets.device()).dtype(at::kLong);
  const at::Tensor lengths = offsets.narrow(0, 1, bags) - offsets.narrow(0, 0, bags);
  const at::Tensor bag_of_row = at::repeat_interleave(at::arange(bags, options), lengths);
  const at::Tensor order = at::empty({num_rows + bags * extra}, options);
  const at::Tensor rows = at::arange(num_rows, options);
  order.index_copy_(0, rows + bag_of_row * extra, rows);
  const at::Tensor ends = offsets.narrow(0, 1, bags) + at::arange(bags, options) * extra;
  for (std::int64_t e = 0; e < extra; ++e) {
    order.index_copy_(0, ends + e, at::full({bags}, num_rows + e, options));
  }
  return order;
}

/// Appends rows [E, heads, depth] to every bag of [B, S, heads, depth] or of ragged [N, heads,
/// depth].
at::Tensor append_rows(const at::Tensor& patterns, const at::Tensor& rows,
                       const at::Tensor& order) {
  const std::int64_t heads = std::max(patterns.size(-2), rows.size(-2));
  const at::Tensor extra = rows.expand({rows.size(0), heads, rows.size(2)});
  if (order.defined()) {
    const at::Tensor all = patterns.expand({patterns.size(0), heads, patterns.size(2)});
    return at::cat({all, extra}, 0).index_select(0, order);
  }
  const std::int64_t batch = patterns.size(0);
  const at::Tensor all = patterns.expand({batch, patterns.size(1), heads, patterns.size(3)});
  return at::cat({all, extra.unsqueeze(0).expand({batch, -1, -1, -1})}, 1);
}

/// The appended rows: first the learned bias pattern [1, 1, H * depth], then zeros.
at::Tensor extra_rows(const at::Tensor& bias, bool zero, std::int64_t heads, const at::Tensor& like,
                      std::string_view name, const PartNames& names) {
  std::vector<at::Tensor> rows;
  if (bias.defined()) {
    TORCH_CHECK(bias.numel() == heads * like.size(-1), "[", names.op, "] expected ", name,
                " of shape [1, 1, ", heads * like.size(-1), "], got ", bias.sizes(),
                "; concat_bias_pattern needs projected stored patterns and pattern projections");
    rows.push_back(bias.view({1, heads, like.size(-1)}));
  }
  if (zero)
    rows.push_back(at::zeros({1, bias.defined() ? heads : 1, like.size(-1)}, like.options()));
  return at::cat(rows, 0);
}

/// Offsets of `count` bags of `length` rows each.
at::Tensor even_offsets(std::int64_t count, std::int64_t length, const at::Tensor& like) {
  return at::arange(count + 1, at::TensorOptions(like.device()).dtype(at::kLong)) * length;
}

void check_batches(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                   const PartNames& names) {
  const std::int64_t batch = std::max({query.size(0), key.size(0), value.size(0)});
  const auto fits = [&](const at::Tensor& t) {
    // 0 and 1 broadcast like anything else: a batch of 0 needs partners of 0 or 1.
    return t.size(0) == batch || t.size(0) == 1;
  };
  const bool has_zero = query.size(0) == 0 || key.size(0) == 0 || value.size(0) == 0;
  const auto fits_zero = [&](const at::Tensor& t) { return t.size(0) <= 1; };
  const bool ok = has_zero ? fits_zero(query) && fits_zero(key) && fits_zero(value)
                           : fits(query) && fits(key) && fits(value);
  TORCH_CHECK(ok, "[", names.op, "] expected equal batch sizes (or 1) of ", names.key, ", ",
              names.query, " and ", names.value, ", got ", key.size(0), ", ", query.size(0),
              " and ", value.size(0));
}

ops::RetrieveOptions retrieve_options(const HopfieldCoreForwardFuncOptions& o,
                                      const at::Tensor& beta, const HopfieldRequest& request) {
  ops::RetrieveOptions r;
  r.beta = beta;
  r.similarity = o.similarity();
  r.separation = o.separation();
  r.top_k = o.top_k();
  r.update_steps_max = o.update_steps_max().values();
  r.update_steps_eps = o.update_steps_eps().values();
  r.criterion = o.criterion();
  r.update_steps_cap = o.update_steps_cap();
  r.gradient = o.gradient();
  r.want_energy = request.energy;
  r.want_entropy = request.entropy;
  r.want_largest = request.largest;
  r.want_metastable = request.metastable;
  r.metastable_mass = request.metastable_mass;
  r.num_top = request.num_top;
  r.want_association = request.association;
  r.dropout = o.training() ? o.dropout_p() : 0.0;
  return r;
}

void fill_report(HopfieldOutput& report, const ops::RetrieveResult& result) {
  report.retrieved = result.state;
  report.final_state = result.final_state;
  report.lse = result.lse;
  report.energy = result.energy;
  report.entropy = result.entropy;
  report.largest = result.largest;
  report.largest_index = result.largest_index;
  report.top = result.top;
  report.top_index = result.top_index;
  report.metastable_size = result.metastable_size;
  report.association = result.association;
  report.steps = result.steps;
  report.reason = result.reason;
}

/// Rows [B * L, ...] back to [B, L, ...], in every tensor of the report that has rows.
void unflatten_rows(HopfieldOutput& report, std::int64_t batch, std::int64_t length) {
  for (at::Tensor* one : row_tensors(report)) {
    if (!one->defined()) continue;
    auto sizes = one->sizes().vec();
    sizes.erase(sizes.begin());
    sizes.insert(sizes.begin(), {batch, length});
    *one = one->reshape(sizes);
  }
}

/// The reference's own iteration, dense only.
HopfieldOutput compat_report(const Projected& p, const at::Tensor& beta, const Masks& masks,
                             const HopfieldCoreForwardFuncOptions& o,
                             const HopfieldRequest& request, at::Tensor& dropped) {
  TORCH_CHECK(
      !request.energy && !request.entropy && !request.largest && !request.metastable &&
          request.num_top == 0,
      "[compat hflayers-1.0.2] expected no request for energy or statistics, which the reference "
      "does not have; build the module without compat");
  const CompatResult result = compat_retrieve(p, beta, masks, o);
  HopfieldOutput report;
  report.retrieved = result.retrieved;
  report.final_state = result.final_state.detach();
  if (request.association) report.association = result.association;
  dropped = result.dropped;
  const auto rows = result.retrieved.sizes();
  const at::Tensor steps = at::tensor(result.steps, at::kLong).to(beta.device());
  std::vector<std::int64_t> reasons;
  for (const StopReason one : result.reason) reasons.push_back(static_cast<std::int64_t>(one));
  report.steps = steps.expand({rows[0], rows[1], rows[2]});
  report.reason = at::tensor(reasons, at::kLong)
                      .to(beta.device(), at::kByte)
                      .expand({rows[0], rows[1], rows[2]});
  return report;
}

/// [B, S, H or 1, p] -> (B, H, S, p); ragged [N, H or 1, p] -> [N, H, p].
at::Tensor projected_matrix(const at::Tensor& value, std::int64_t batch, std::int64_t heads) {
  if (value.dim() == 3) return value.expand({value.size(0), heads, value.size(2)});
  return value.expand({batch, value.size(1), heads, value.size(3)}).transpose(1, 2);
}

/// Appends the learned bias pattern (never in compat mode, defect B3) and the zero pattern.
struct Appended {
  std::int64_t extra = 0;
  at::Tensor order;    ///< ragged: where each row comes from; see appended_order
  at::Tensor offsets;  ///< of the longer bags
};
Appended append_extra(Projected& p, const Patterns& key, const HopfieldCoreForwardFuncOptions& o,
                      const PartNames& names) {
  const bool bias = o.compat() == Compat::kNone && o.bias_k().defined() && o.bias_v().defined();
  Appended out;
  out.extra = (bias ? 1 : 0) + (o.add_zero_attn() ? 1 : 0);
  out.offsets = key.offsets;
  if (out.extra == 0) return out;
  if (key.ragged()) {
    out.order = appended_order(key.offsets, p.key.size(0), out.extra);
    out.offsets = key.offsets + at::arange(key.offsets.size(0), key.offsets.options()) * out.extra;
  }
  const at::Tensor none;
  const std::int64_t heads = o.num_heads();
  const at::Tensor keys =
      extra_rows(bias ? o.bias_k() : none, o.add_zero_attn(), heads, p.key, "bias_k", names);
  const at::Tensor values =
      extra_rows(bias ? o.bias_v() : none, o.add_zero_attn(), heads, p.value, "bias_v", names);
  p.key = append_rows(p.key, keys, out.order);
  p.value = append_rows(p.value, values, out.order);
  return out;
}

/// Padding mask [N] of ragged stored patterns, for the rows with the appended ones.
at::Tensor ragged_hidden(const at::Tensor& mask, std::int64_t num_stored, const Appended& appended,
                         const PartNames& names) {
  TORCH_CHECK(mask.dim() == 1 && mask.size(0) == num_stored &&
                  (mask.scalar_type() == at::kBool || mask.scalar_type() == at::kByte),
              "[", names.op, "] expected ", names.key_mask, " as bool or uint8 of shape [",
              num_stored, "] with ragged patterns, got ", mask.scalar_type(), " ", mask.sizes());
  const at::Tensor hidden = mask.ne(0);
  if (appended.extra == 0) return hidden;
  return at::cat({hidden, at::zeros({appended.extra}, hidden.options())})
      .index_select(0, appended.order);
}

/// Ragged stored patterns, with states that are ragged, dense, or one dense set for all bags.
HopfieldOutput ragged_stored_report(const Patterns& query, const Patterns& key, const Projected& p,
                                    const Appended& appended, std::int64_t num_stored,
                                    ops::RetrieveOptions r, const HopfieldRequest& request,
                                    const PartNames& names) {
  const std::int64_t bags = key.offsets.size(0) - 1;
  at::Tensor states = p.query;
  std::int64_t batch = -1, length = -1;
  r.stored_offsets = appended.offsets;
  if (query.ragged()) {
    TORCH_CHECK(query.offsets.size(0) - 1 == bags, "[", names.op, "] expected as many bags of ",
                names.query, " as of ", names.key, ", got ", query.offsets.size(0) - 1, " and ",
                bags);
    r.state_offsets = query.offsets;
  } else if (states.size(0) == 1) {
    states = states.squeeze(0);
  } else {
    TORCH_CHECK(states.size(0) == bags, "[", names.op, "] expected ", names.query,
                " with a batch of ", bags, " or 1, got shape ", query.rows.sizes());
    batch = states.size(0), length = states.size(1);
    r.state_offsets = even_offsets(batch, length, states);
    states = states.flatten(0, 1);
  }
  if (request.stored_pattern_padding_mask.defined()) {
    r.hidden_stored = ragged_hidden(request.stored_pattern_padding_mask.to(p.key.device()),
                                    num_stored, appended, names);
  }
  HopfieldOutput report;
  fill_report(report, ops::retrieve(states, p.key, r));
  if (batch >= 0) unflatten_rows(report, batch, length);
  return report;
}

/// Ragged states over dense stored patterns: one set for all bags, or one a bag.
HopfieldOutput ragged_states_report(const Patterns& query, const Patterns& key, const Projected& p,
                                    const Appended& appended, std::int64_t num_stored,
                                    ops::RetrieveOptions r, const HopfieldRequest& request,
                                    const PartNames& names) {
  const bool shared = p.key.size(0) == 1 && p.value.size(0) == 1;
  const std::int64_t bags = query.offsets.size(0) - 1;
  TORCH_CHECK(shared || (p.key.size(0) == bags && p.value.size(0) == bags), "[", names.op,
              "] expected ", names.key, " with a batch of ", bags, " or 1, got shape ",
              key.rows.sizes());
  const Masks masks =
      combine_masks(request.stored_pattern_padding_mask, {}, shared ? 1 : bags, p.query.size(-2),
                    p.query.size(0), num_stored, appended.extra, p.query, names);
  TORCH_CHECK(!masks.mask.defined(), "[", names.op, "] expected a bool or uint8 ", names.key_mask,
              " with ragged states, got a floating one");
  if (masks.hidden.defined()) r.hidden_stored = masks.hidden;
  HopfieldOutput report;
  if (!shared) {
    r.state_offsets = query.offsets;
    fill_report(report, ops::retrieve(p.query, p.key, r));
    return report;
  }
  // Bags do not matter then: one dense bag of all rows.
  fill_report(report, ops::retrieve(p.query.unsqueeze(0), p.key, r));
  for (at::Tensor* one : row_tensors(report)) {
    if (one->defined()) *one = one->squeeze(0);
  }
  if (report.association.defined()) report.association = report.association.squeeze(0);
  return report;
}

}  // namespace

std::array<at::Tensor*, 12> row_tensors(HopfieldOutput& report) {
  return {&report.retrieved, &report.final_state,     &report.lse,           &report.energy,
          &report.entropy,   &report.largest,         &report.largest_index, &report.top,
          &report.top_index, &report.metastable_size, &report.steps,         &report.reason};
}

CoreOutput core_associate(const Patterns& query, const Patterns& key, const Patterns& value,
                          const HopfieldCoreForwardFuncOptions& o, const at::Tensor& beta,
                          const HopfieldRequest& request, bool want_mean_weights,
                          const PartNames& names) {
  const bool compat = o.compat() != Compat::kNone;
  const bool ragged = query.ragged() || key.ragged();
  TORCH_CHECK(
      !(compat && ragged), "[", names.op,
      "] expected dense patterns with compat = \"hflayers-1.0.2\", got ragged ones; the reference "
      "has none");
  TORCH_CHECK(!(ragged && request.association_mask.defined()), "[", names.op, "] expected no ",
              names.mask, " with ragged patterns; hide patterns with ", names.key_mask);
  TORCH_CHECK(key.ragged() == value.ragged(), "[", names.op, "] expected ", names.key, " and ",
              names.value, " both ragged or both dense");
  TORCH_CHECK(key.rows.size(-2) == value.rows.size(-2) || o.static_k().defined(), "[", names.op,
              "] expected as many rows in ", names.key, " as in ", names.value, ", got ",
              key.rows.sizes(), " and ", value.rows.sizes());
  const std::int64_t heads = o.num_heads();
  Projected p = project(query, key, value, o, names);
  TORCH_CHECK(p.key.size(-3) == p.value.size(-3), "[", names.op,
              "] expected static_k and static_v (or the projected patterns they replace) of equal "
              "length, got ",
              p.key.size(-3), " and ", p.value.size(-3));
  TORCH_CHECK(p.query.size(-1) == p.key.size(-1), "[", names.op, "] expected equal depth of ",
              names.query, " and ", names.key, " in the association space, got ", p.query.size(-1),
              " and ", p.key.size(-1));
  if (p.query.size(-2) != heads) {
    auto sizes = p.query.sizes().vec();
    sizes[sizes.size() - 2] = heads;
    p.query = p.query.expand(sizes);
  }
  if (!ragged) check_batches(p.query, p.key, p.value, names);
  const std::int64_t num_stored = p.key.size(-3);
  const Appended appended = append_extra(p, key, o, names);

  CoreOutput out;
  HopfieldRequest wanted = request;
  wanted.association = request.association || want_mean_weights;
  ops::RetrieveOptions r = retrieve_options(o, beta, wanted);
  r.projections = p.value;
  std::int64_t batch = 1;
  if (key.ragged()) {
    out.report =
        ragged_stored_report(query, key, p, appended, num_stored, std::move(r), request, names);
  } else if (query.ragged()) {
    batch = p.value.size(0);
    out.report =
        ragged_states_report(query, key, p, appended, num_stored, std::move(r), request, names);
  } else {
    batch = std::min({p.query.size(0), p.key.size(0), p.value.size(0)}) == 0
                ? 0
                : std::max({p.query.size(0), p.key.size(0), p.value.size(0)});
    const Masks masks =
        combine_masks(request.stored_pattern_padding_mask, request.association_mask, batch, heads,
                      p.query.size(1), num_stored, appended.extra, p.query, names);
    at::Tensor dropped;
    if (compat) {
      out.report = compat_report(p, beta, masks, o, request, dropped);
    } else {
      if (masks.hidden.defined()) r.hidden_stored = masks.hidden;
      if (masks.mask.defined()) r.mask = masks.mask;
      fill_report(out.report, ops::retrieve(p.query, p.key, r));
      dropped = out.report.association;
    }
    if (want_mean_weights) out.mean_weights = dropped.mean(1);
  }
  if (request.projected) out.report.projected = projected_matrix(p.value, batch, heads);

  at::Tensor merged = out.report.retrieved.flatten(-2, -1);
  if (o.out_proj_weight().defined()) {
    TORCH_CHECK(merged.size(-1) == o.out_proj_weight().size(1), "[", names.op,
                "] expected heads * depth = ", o.out_proj_weight().size(1),
                " entries for the out projection, got ", merged.size(-1), " from ", names.value,
                " of shape ", value.rows.sizes());
    merged = o.out_proj_bias().defined()
                 ? at::linear(merged, o.out_proj_weight(), o.out_proj_bias())
                 : at::linear(merged, o.out_proj_weight());
  }
  out.report.output = merged;
  return out;
}

}  // namespace hopfield::nn::internal
