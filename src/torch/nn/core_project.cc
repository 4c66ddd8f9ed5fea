#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include "torch/nn/core_math.h"

namespace hopfield::nn::internal {

namespace {

using functional::HopfieldCoreForwardFuncOptions;

/// Weights and biases of the three projections, cut out of whichever layout holds them. A static
/// pattern's weight stays undefined.
struct Weights {
  at::Tensor query, key, value;
  at::Tensor query_bias, key_bias, value_bias;
};

void check_rows(const at::Tensor& weight, std::int64_t rows, const char* name,
                const PartNames& names) {
  TORCH_CHECK(weight.defined() && weight.dim() == 2 && weight.size(0) == rows, "[", names.op,
              "] expected ", name, " of shape [", rows, ", depth], got ",
              weight.defined() ? c10::str(weight.sizes()) : std::string("none"));
}

Weights cut_weights(const HopfieldCoreForwardFuncOptions& o, std::int64_t head_dim,
                    std::int64_t pattern_dim, const PartNames& names) {
  const std::int64_t rows_key = o.num_heads() * head_dim;
  const std::int64_t rows_value = o.num_heads() * pattern_dim;
  Weights weights;
  if (o.use_separate_proj_weight()) {
    if (!o.query_as_static()) check_rows(o.q_proj_weight(), rows_key, "q_proj_weight", names);
    if (!o.key_as_static()) check_rows(o.k_proj_weight(), rows_key, "k_proj_weight", names);
    if (!o.value_as_static()) check_rows(o.v_proj_weight(), rows_value, "v_proj_weight", names);
    if (!o.query_as_static()) weights.query = o.q_proj_weight();
    if (!o.key_as_static()) weights.key = o.k_proj_weight();
    if (!o.value_as_static()) weights.value = o.v_proj_weight();
  } else if (!(o.query_as_static() && o.key_as_static() && o.value_as_static())) {
    const std::int64_t rows = (o.query_as_static() ? 0 : rows_key) +
                              (o.key_as_static() ? 0 : rows_key) +
                              (o.value_as_static() ? 0 : rows_value);
    check_rows(o.in_proj_weight(), rows, "in_proj_weight", names);
    std::int64_t at_row = 0;
    const auto next = [&](std::int64_t count) {
      at_row += count;
      return o.in_proj_weight().narrow(0, at_row - count, count);
    };
    if (!o.query_as_static()) weights.query = next(rows_key);
    if (!o.key_as_static()) weights.key = next(rows_key);
    if (!o.value_as_static()) weights.value = next(rows_value);
  }
  if (o.in_proj_bias().defined()) {
    const std::int64_t size =
        (o.query_as_static() ? 0 : rows_key) + (o.key_as_static() ? 0 : rows_key) + rows_value;
    TORCH_CHECK(o.in_proj_bias().dim() == 1 && o.in_proj_bias().size(0) == size, "[", names.op,
                "] expected in_proj_bias of shape [", size, "], got ", o.in_proj_bias().sizes());
    std::int64_t at_row = 0;
    const auto next = [&](std::int64_t count) {
      at_row += count;
      return o.in_proj_bias().narrow(0, at_row - count, count);
    };
    if (!o.query_as_static()) weights.query_bias = next(rows_key);
    if (!o.key_as_static()) weights.key_bias = next(rows_key);
    weights.value_bias = next(rows_value);
  }
  return weights;
}

at::Tensor linear(const at::Tensor& rows, const at::Tensor& weight, const at::Tensor& bias,
                  std::string_view name, const PartNames& names) {
  TORCH_CHECK(rows.size(-1) == weight.size(1), "[", names.op, "] expected ", name, " of depth ",
              weight.size(1), ", got shape ", rows.sizes());
  TORCH_CHECK(rows.scalar_type() == weight.scalar_type(), "[", names.op, "] expected ", name,
              " of type ", weight.scalar_type(), " as the weights, got ", rows.scalar_type(),
              "; convert the input or the module");
  return bias.defined() ? at::linear(rows, weight, bias) : at::linear(rows, weight);
}

/// [.., H * depth] -> [.., H, depth]
at::Tensor split_heads(const at::Tensor& rows, std::int64_t heads, std::string_view name,
                       const PartNames& names) {
  TORCH_CHECK(rows.size(-1) % heads == 0, "[", names.op, "] expected ", name,
              " of a depth divisible by ", heads, " heads, got shape ", rows.sizes());
  auto sizes = rows.sizes().vec();
  sizes.back() = heads;
  sizes.push_back(rows.size(-1) / heads);
  return rows.reshape(sizes);
}

/// A pattern that every head sees as it is: [.., 1, depth]. In compat mode head h of sample b is
/// served sample (b * H + h) mod B instead (defect B2).
at::Tensor as_static(const at::Tensor& rows, const HopfieldCoreForwardFuncOptions& o) {
  const std::int64_t heads = o.num_heads();
  if (o.compat() == Compat::kNone || rows.dim() != 3 || heads == 1 || rows.size(0) <= 1) {
    return rows.unsqueeze(-2);
  }
  const std::int64_t batch = rows.size(0);
  const at::Tensor index =
      at::arange(batch * heads, rows.options().dtype(at::kLong).requires_grad(false))
          .remainder(batch);
  return rows.index_select(0, index)
      .view({batch, heads, rows.size(1), rows.size(2)})
      .transpose(1, 2);
}

at::Tensor project_value(const at::Tensor& rows, const Weights& weights,
                         const HopfieldCoreForwardFuncOptions& o, const PartNames& names) {
  const std::int64_t heads = o.num_heads();
  at::Tensor source = rows;
  if (o.value_as_connected() && !o.key_as_static()) {
    source = linear(rows, weights.key, weights.key_bias, names.value, names);
    if (o.value_as_static()) return split_heads(source, heads, names.value, names);
  }
  if (!o.value_as_static()) {
    return split_heads(linear(source, weights.value, weights.value_bias, names.value, names), heads,
                       names.value, names);
  }
  // Defect B5: with separate weights and a static key the reference splits what it should repeat.
  if (o.compat() != Compat::kNone && o.use_separate_proj_weight() && o.key_as_static()) {
    return split_heads(source, heads, names.value, names);
  }
  return as_static(source, o);
}

}  // namespace

at::Tensor beta_tensor(const Scaling& scaling, std::int64_t num_heads, const at::Tensor& like) {
  const auto type = like.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto options = like.options().dtype(type).requires_grad(false);
  if (scaling.is_none()) return at::ones({}, options);
  if (scaling.is_number()) return at::full({}, scaling.number(), options);
  const at::Tensor& beta = scaling.tensor();
  TORCH_CHECK(beta.dim() <= 1 && (beta.numel() == 1 || beta.numel() == num_heads),
              "[Hopfield] expected scaling as one number or one for each of ", num_heads,
              " heads, got shape ", beta.sizes());
  return beta.to(like.device(), type);
}

namespace {

bool same_numbers(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && at::equal(a, b);
}

/// With packed weights the reference projects parts that hold the same numbers from one of them.
/// The values do not change, but the gradient of all goes to that one (and to the norm it came
/// through), none to the others: defect B26. Fresh layers are in this state, as all norms start
/// equal.
void merge_equal_parts(Patterns& query, Patterns& key, Patterns& value,
                       const HopfieldCoreForwardFuncOptions& o) {
  if (o.compat() == Compat::kNone || o.use_separate_proj_weight() || o.key_as_static() ||
      o.value_as_static() || !same_numbers(key.rows, value.rows)) {
    return;
  }
  if (!o.query_as_static() && same_numbers(query.rows, key.rows)) key.rows = query.rows;
  value.rows = key.rows;
}

}  // namespace

Projected project(Patterns query, Patterns key, Patterns value,
                  const HopfieldCoreForwardFuncOptions& o, const PartNames& names) {
  merge_equal_parts(query, key, value, o);
  const std::int64_t heads = o.num_heads();
  TORCH_CHECK(heads >= 1, "[", names.op, "] expected num_heads >= 1, got ", heads);
  const bool both_static = o.query_as_static() && o.key_as_static();
  std::int64_t head_dim = 0;
  if (both_static) {
    head_dim = query.rows.size(-1);
  } else if (o.head_dim()) {
    head_dim = *o.head_dim();
  } else {
    const std::int64_t embed_dim = o.embed_dim_to_check().value_or(query.rows.size(-1));
    TORCH_CHECK(embed_dim % heads == 0, "[", names.op,
                "] expected input_size divisible by num_heads, got ", embed_dim, " and ", heads,
                "; give hidden_size");
    head_dim = embed_dim / heads;
  }
  // The declared depth also cuts the packed weights when the static patterns bring another one.
  std::int64_t weight_dim = head_dim;
  if (both_static) {
    if (o.head_dim()) {
      weight_dim = *o.head_dim();
    } else if (o.embed_dim_to_check()) {
      weight_dim = *o.embed_dim_to_check() / heads;
    }
  }
  const Weights weights = cut_weights(o, weight_dim, o.pattern_dim().value_or(weight_dim), names);

  Projected out;
  if (o.query_as_static()) {
    TORCH_CHECK(query.rows.size(-1) == head_dim, "[", names.op, "] expected ", names.query,
                ", which is static, of depth ", head_dim, ", got shape ", query.rows.sizes());
    out.query = as_static(query.rows, o);
  } else {
    out.query =
        split_heads(linear(query.rows, weights.query, weights.query_bias, names.query, names),
                    heads, names.query, names);
  }
  if (o.static_k().defined()) {
    const at::Tensor& k = o.static_k();
    TORCH_CHECK(k.dim() == 3 && k.size(0) % heads == 0 && k.size(2) == head_dim, "[", names.op,
                "] expected static_k of shape [batch * ", heads, ", length, ", head_dim, "], got ",
                k.sizes());
    out.key = k.view({k.size(0) / heads, heads, k.size(1), k.size(2)}).transpose(1, 2);
  } else if (o.key_as_static()) {
    TORCH_CHECK(key.rows.size(-1) == head_dim, "[", names.op, "] expected ", names.key,
                ", which is static, of depth ", head_dim, ", got shape ", key.rows.sizes());
    out.key = as_static(key.rows, o);
  } else {
    out.key = split_heads(linear(key.rows, weights.key, weights.key_bias, names.key, names), heads,
                          names.key, names);
  }
  if (o.static_v().defined()) {
    const at::Tensor& v = o.static_v();
    TORCH_CHECK(v.dim() == 3 && v.size(0) % heads == 0, "[", names.op,
                "] expected static_v of shape [batch * ", heads, ", length, depth], got ",
                v.sizes());
    out.value = v.view({v.size(0) / heads, heads, v.size(1), v.size(2)}).transpose(1, 2);
  } else {
    out.value = project_value(value.rows, weights, o, names);
  }
  if (o.normalize_pattern()) {
    const auto norm = [&](const at::Tensor& rows) {
      return at::layer_norm(rows, {rows.size(-1)}, o.p_norm_weight(), o.p_norm_bias(),
                            o.normalize_pattern_eps());
    };
    TORCH_CHECK(!o.p_norm_weight().defined() || o.p_norm_weight().size(0) == out.query.size(-1),
                "[", names.op, "] expected association depth ", o.p_norm_weight().size(0),
                " as p_norm_weight has, got ", out.query.size(-1));
    out.query = norm(out.query);
    if (!o.static_k().defined()) out.key = norm(out.key);
  }
  return out;
}

}  // namespace hopfield::nn::internal
