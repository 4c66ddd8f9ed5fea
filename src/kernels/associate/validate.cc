#include "kernels/associate/validate.h"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <type_traits>

#include "hopfield/base/error.h"

namespace hopfield {
namespace internal {

std::string shape_text(std::int64_t rows, std::int64_t heads, std::int64_t depth) {
  std::string shape = "[";
  shape.append(std::to_string(rows)).append(", ");
  shape.append(std::to_string(heads)).append(", ");
  return shape.append(std::to_string(depth)).append("]");
}

}  // namespace internal

namespace {

std::string text(std::int64_t x) {
  return std::to_string(x);
}
std::string text(std::size_t x) {
  return std::to_string(x);
}
std::string text(double x) {
  std::string s = std::to_string(x);
  return s;
}

std::string text(const PatternView& v) {
  return internal::shape_text(v.rows, v.heads, v.depth);
}

[[noreturn]] void invalid(std::string_view op, const std::string& expected, const std::string& got,
                          const std::string& remedy = "") {
  fail(ErrorCode::kInvalidArgument, op,
       "expected " + expected + ", got " + got + (remedy.empty() ? "" : "; " + remedy));
}

/// a * b of two counts, refusing overflow.
std::int64_t product(std::string_view op, std::int64_t a, std::int64_t b, const char* what) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    invalid(op, std::string(what) + " below 2^63", text(a) + " x " + text(b));
  }
  return result;
}

void check_view(std::string_view op, const std::string& name, const PatternView& v) {
  if (v.rows < 0 || v.heads < 1 || v.depth < 0) {
    invalid(op, name + " with rows >= 0, heads >= 1, depth >= 0", text(v));
  }
  const std::int64_t elements =
      product(op, product(op, v.rows, v.heads, "elements"), v.depth, "elements");
  if (elements > 0 && v.data == nullptr) {
    invalid(op, name + " with data", "a null pointer for shape " + text(v));
  }
  if (elements > 0 && (v.dtype == DType::kI8) != (v.scales != nullptr)) {
    invalid(op, name + " with scales if it holds int8 codes and only then",
            std::string(dtype_name(v.dtype)) + (v.scales == nullptr ? " without" : " with"));
  }
}

void check_heads(std::string_view op, const std::string& name, const PatternView& v,
                 std::int64_t heads) {
  if (v.heads != 1 && v.heads != heads) {
    invalid(op, name + " with 1 or " + text(heads) + " heads", text(v.heads),
            "give one head to share it");
  }
}

void check_offsets(std::string_view op, const std::string& name,
                   std::span<const std::int64_t> offsets, std::int64_t rows,
                   const std::string& view) {
  if (offsets.empty()) return;
  if (offsets.front() != 0) invalid(op, name + " starting at 0", text(offsets.front()));
  for (std::size_t b = 1; b < offsets.size(); ++b) {
    if (offsets[b] < offsets[b - 1]) {
      invalid(op, name + " ascending",
              text(offsets[b]) + " after " + text(offsets[b - 1]) + " at position " + text(b));
    }
  }
  if (offsets.back() != rows) {
    invalid(op, name + " ending at the " + text(rows) + " rows of " + view, text(offsets.back()));
  }
}

void check_beta(std::string_view op, std::span<const double> beta, std::int64_t heads) {
  if (beta.size() != 1 && beta.size() != static_cast<std::size_t>(heads)) {
    invalid(op, "beta with 1 or " + text(heads) + " entries", text(beta.size()));
  }
  for (std::size_t h = 0; h < beta.size(); ++h) {
    if (!std::isfinite(beta[h])) {
      invalid(op, "finite beta", text(beta[h]) + " for head " + text(h));
    }
  }
}

void check_energy(std::string_view op, const Associations& in, const char* what) {
  if (in.similarity == Similarity::kCosine) {
    fail(ErrorCode::kUnsupported, op,
         "expected no " + std::string(what) +
             " with cosine similarity, whose update descends no energy; normalise the patterns and "
             "states and use the dot product");
  }
  for (std::size_t h = 0; h < in.beta.size(); ++h) {
    if (!(in.beta[h] > 0)) {
      invalid(op, "beta > 0 for the " + std::string(what),
              text(in.beta[h]) + " for head " + text(h));
    }
  }
}

void check_size(std::string_view op, const std::string& name, std::size_t size,
                std::int64_t expected) {
  if (size != 0 && size != static_cast<std::size_t>(expected)) {
    invalid(op, name + " with " + text(expected) + " entries or none", text(size));
  }
}

template <class View>
void check_shape(std::string_view op, const std::string& name, const View& v, std::int64_t rows,
                 std::int64_t heads, std::int64_t depth) {
  if (v.rows != rows || v.heads != heads || v.depth != depth) {
    invalid(op, name + " of shape " + internal::shape_text(rows, heads, depth),
            internal::shape_text(v.rows, v.heads, v.depth));
  }
}

void check_types(std::string_view op, const Associations& in, bool tied) {
  const bool f64 = in.stored.dtype == DType::kF64;
  const auto check = [&](const std::string& name, const PatternView& v) {
    if ((v.dtype == DType::kF64) != f64) {
      invalid(op, "either every view in f64 or none",
              name + " in " + std::string(dtype_name(v.dtype)) + " with stored in " +
                  std::string(dtype_name(in.stored.dtype)));
    }
  };
  check("states", in.states);
  if (!tied) check("projections", in.projections);
  if (f64 && in.bias_f32.given()) {
    invalid(op, "bias_f64 for f64 views", "bias_f32", "convert the bias");
  }
  if (!f64 && in.bias_f64.given()) {
    invalid(op, "bias_f32 for views that are not f64", "bias_f64", "convert the bias");
  }
}

void check_bags(std::string_view op, const Associations& in, AssociationShape& shape) {
  check_offsets(op, "stored_offsets", in.stored_offsets, in.stored.rows, "stored");
  check_offsets(op, "state_offsets", in.state_offsets, in.states.rows, "states");
  shape.stored_shared = in.stored_offsets.empty();
  shape.states_shared = in.state_offsets.empty();
  if (!shape.stored_shared && !shape.states_shared &&
      in.stored_offsets.size() != in.state_offsets.size()) {
    invalid(op, "as many bags in state_offsets as in stored_offsets",
            text(in.state_offsets.size() - 1) + " and " + text(in.stored_offsets.size() - 1));
  }
  shape.num_bags = !shape.stored_shared   ? static_cast<std::int64_t>(in.stored_offsets.size()) - 1
                   : !shape.states_shared ? static_cast<std::int64_t>(in.state_offsets.size()) - 1
                                          : 1;
  shape.rows =
      shape.states_shared ? product(op, shape.num_bags, in.states.rows, "rows") : in.states.rows;
}

}  // namespace

AssociationShape validate(const Associations& in, std::string_view op) {
  AssociationShape shape;
  shape.tied = !in.projections.given() && in.projections.depth == 0;
  check_view(op, "stored", in.stored);
  check_view(op, "states", in.states);
  if (!shape.tied) check_view(op, "projections", in.projections);
  check_types(op, in, shape.tied);
  shape.f64 = in.stored.dtype == DType::kF64;

  shape.heads = std::max(in.stored.heads, in.states.heads);
  if (!shape.tied) shape.heads = std::max(shape.heads, in.projections.heads);
  check_heads(op, "stored", in.stored, shape.heads);
  check_heads(op, "states", in.states, shape.heads);
  if (!shape.tied) check_heads(op, "projections", in.projections, shape.heads);

  shape.depth = in.stored.depth;
  if (in.states.depth != shape.depth) {
    invalid(op, "states as deep as stored, " + text(shape.depth), text(in.states.depth));
  }
  shape.projection_depth = shape.tied ? shape.depth : in.projections.depth;
  if (!shape.tied && in.projections.rows != in.stored.rows) {
    invalid(op, "projections with the " + text(in.stored.rows) + " rows of stored",
            text(in.projections.rows));
  }
  shape.num_stored = in.stored.rows;
  shape.num_states = in.states.rows;
  check_bags(op, in, shape);
  check_beta(op, in.beta, shape.heads);
  const std::int64_t results = product(op, shape.rows, shape.heads, "result rows");
  product(op, product(op, results, shape.projection_depth, "results"),
          static_cast<std::int64_t>(sizeof(double)), "result bytes");

  check_size(op, "hidden_stored", in.hidden_stored.size(), shape.num_stored);
  check_size(op, "active", in.active.size(), results);
  if (in.separation == Separation::kTopKSoftmax && in.top_k < 1) {
    invalid(op, "top_k >= 1 for the top-k softmax", text(in.top_k));
  }
  return shape;
}

namespace internal {

template <class T>
void validate_type(const AssociationShape& shape, std::string_view op) {
  if (shape.f64 != std::is_same_v<T, double>) {
    invalid(op,
            shape.f64 ? "results in f64 for f64 views" : "results in f32 for f32, bf16, f16 views",
            shape.f64 ? "f32" : "f64", "convert the views");
  }
}

void validate_options(const AssociateOptions& options, std::string_view op) {
  if (options.block_size < 1) invalid(op, "block_size >= 1", text(options.block_size));
}

namespace {

/// Sum over bags of H * T_bag * S_bag.
std::int64_t association_size(const Associations& in, const AssociationShape& shape,
                              std::string_view op) {
  std::int64_t sum = 0;
  for (std::int64_t b = 0; b < shape.num_bags; ++b) {
    const auto i = static_cast<std::size_t>(b);
    const std::int64_t stored =
        shape.stored_shared ? shape.num_stored : in.stored_offsets[i + 1] - in.stored_offsets[i];
    const std::int64_t states =
        shape.states_shared ? shape.num_states : in.state_offsets[i + 1] - in.state_offsets[i];
    const std::int64_t bag =
        product(op, product(op, stored, states, "associations"), shape.heads, "associations");
    if (__builtin_add_overflow(sum, bag, &sum)) {
      invalid(op, "associations below 2^63", "more");
    }
  }
  return sum;
}

}  // namespace

template <class T>
void validate_outputs(const Associations& in, const AssociationShape& shape,
                      const AssociateOutputs<T>& out, std::string_view op) {
  const std::int64_t results = shape.rows * shape.heads;
  if (out.state.wanted()) {
    check_shape(op, "output state", out.state, shape.rows, shape.heads, shape.projection_depth);
  }
  check_size(op, "output lse", out.lse.size(), results);
  check_size(op, "output energy", out.energy.size(), results);
  check_size(op, "output entropy", out.entropy.size(), results);
  check_size(op, "output largest", out.largest.size(), results);
  check_size(op, "output largest_index", out.largest_index.size(), results);
  check_size(op, "output metastable_size", out.metastable_size.size(), results);
  if (out.num_top < 0) invalid(op, "num_top >= 0", text(out.num_top));
  const std::int64_t top = product(op, results, out.num_top, "top entries");
  check_size(op, "output top", out.top.size(), top);
  check_size(op, "output top_index", out.top_index.size(), top);
  if (!(out.metastable_mass > 0 && out.metastable_mass <= 1)) {
    invalid(op, "metastable_mass in (0, 1]", text(out.metastable_mass));
  }
  if (!out.association.empty()) {
    check_size(op, "output association", out.association.size(), association_size(in, shape, op));
  }
  if (!out.energy.empty()) check_energy(op, in, "energy");
}

template <class T>
void validate_backward(const Associations& in, const AssociationShape& shape,
                       const AssociateSaved<T>& saved, const AssociateCotangents<T>& cotangents,
                       const AssociateGradients<T>& gradients) {
  const std::string_view op = "associate_backward";
  const std::int64_t results = shape.rows * shape.heads;
  const auto check_state = [&](const std::string& name, const PatternView& v) {
    check_shape(op, name, v, shape.rows, shape.heads, shape.projection_depth);
    check_view(op, name, v);
    if (v.dtype != dtype_of<T>::value) {
      invalid(op, name + " in " + std::string(dtype_name(dtype_of<T>::value)),
              std::string(dtype_name(v.dtype)));
    }
  };
  if (cotangents.state.given()) check_state("cotangent of state", cotangents.state);
  check_size(op, "cotangent of lse", cotangents.lse.size(), results);
  check_size(op, "cotangent of energy", cotangents.energy.size(), results);
  check_size(op, "cotangent of entropy", cotangents.entropy.size(), results);
  if (!cotangents.energy.empty()) check_energy(op, in, "cotangent of energy");

  if (in.separation == Separation::kSoftmax && results > 0) {
    const auto need = [&](const std::string& name, std::size_t size) {
      if (size != static_cast<std::size_t>(results)) {
        invalid(op, "saved " + name + " with " + text(results) + " entries", text(size),
                "ask `associate` for it");
      }
    };
    need("lse", saved.lse.size());
    if (!cotangents.entropy.empty()) need("entropy", saved.entropy.size());
    if (cotangents.state.given()) check_state("saved state", saved.state);
  }

  const auto check_gradient = [&](const std::string& name, const MutablePatternView<T>& gradient,
                                  const PatternView& input) {
    if (gradient.wanted()) {
      check_shape(op, "gradient of " + name, gradient, input.rows, input.heads, input.depth);
    }
  };
  check_gradient("stored", gradients.stored, in.stored);
  check_gradient("states", gradients.states, in.states);
  if (shape.tied) {
    if (gradients.projections.wanted()) {
      invalid(op, "no gradient of projections when none are given", "one",
              "the gradient of stored holds both parts");
    }
  } else {
    check_gradient("projections", gradients.projections, in.projections);
  }
  check_size(op, "gradient of beta", gradients.beta.size(),
             static_cast<std::int64_t>(in.beta.size()));
}

void validate_partial_inputs(const Associations& in, const AssociationShape& shape,
                             std::string_view op) {
  if (in.separation != Separation::kSoftmax) {
    fail(ErrorCode::kUnsupported, op,
         "expected softmax separation, got another; only softmax has mergeable partial states");
  }
  if (shape.num_bags != 1) {
    invalid(op, "one bag", text(shape.num_bags) + " bags", "call once a bag");
  }
}

template <class T>
void validate_partials(const Partials<T>& partials, std::string_view op, std::string_view name) {
  const std::string what(name);
  if (partials.rows < 0 || partials.heads < 0 || partials.depth < 0) {
    invalid(op, what + " with sizes >= 0",
            shape_text(partials.rows, partials.heads, partials.depth));
  }
  const std::int64_t n = product(op, partials.rows, partials.heads, "rows");
  const std::int64_t elements = product(op, n, partials.depth, "elements");
  const auto check = [&](const char* field, std::size_t size, std::int64_t expected) {
    if (size != static_cast<std::size_t>(expected)) {
      invalid(op, what + "." + field + " with " + text(expected) + " entries", text(size));
    }
  };
  check("max", partials.max.size(), n);
  check("sum", partials.sum.size(), n);
  check("acc", partials.acc.size(), elements);
  check("moment", partials.moment.size(), n);
  check("max_square_norm", partials.max_square_norm.size(), n);
  check("visible", partials.visible.size(), n);
  check("largest_index", partials.largest_index.size(), n);
}

template <class T>
void validate_finish(const Partials<T>& partials, const Associations& in,
                     const AssociateOutputs<T>& out) {
  const std::string_view op = "finish";
  validate_partials(partials, op, "partials");
  if (in.separation != Separation::kSoftmax) {
    fail(ErrorCode::kUnsupported, op,
         "expected softmax separation, got another; only softmax has mergeable partial states");
  }
  if (!out.top.empty() || !out.top_index.empty() || !out.metastable_size.empty() ||
      !out.association.empty()) {
    fail(ErrorCode::kUnsupported, op,
         "expected no top, metastable_size or association, got one of them; partial states do not "
         "hold it: call `associate`");
  }
  check_view(op, "states", in.states);
  if (in.states.rows != partials.rows) {
    invalid(op, "states with the " + text(partials.rows) + " rows of the partials",
            text(in.states.rows));
  }
  check_heads(op, "states", in.states, partials.heads);
  if ((in.states.dtype == DType::kF64) != std::is_same_v<T, double>) {
    invalid(op, std::is_same_v<T, double> ? "states in f64" : "states not in f64",
            std::string(dtype_name(in.states.dtype)));
  }
  check_beta(op, in.beta, partials.heads);
  const std::int64_t results = partials.rows * partials.heads;
  check_size(op, "active", in.active.size(), results);
  if (out.state.wanted()) {
    check_shape(op, "output state", out.state, partials.rows, partials.heads, partials.depth);
  }
  check_size(op, "output lse", out.lse.size(), results);
  check_size(op, "output energy", out.energy.size(), results);
  check_size(op, "output entropy", out.entropy.size(), results);
  check_size(op, "output largest", out.largest.size(), results);
  check_size(op, "output largest_index", out.largest_index.size(), results);
  if (!out.energy.empty()) check_energy(op, in, "energy");
}

#define HOPFIELD_INSTANTIATE(T)                                                            \
  template void validate_type<T>(const AssociationShape&, std::string_view);               \
  template void validate_outputs(const Associations&, const AssociationShape&,             \
                                 const AssociateOutputs<T>&, std::string_view);            \
  template void validate_backward(const Associations&, const AssociationShape&,            \
                                  const AssociateSaved<T>&, const AssociateCotangents<T>&, \
                                  const AssociateGradients<T>&);                           \
  template void validate_partials(const Partials<T>&, std::string_view, std::string_view); \
  template void validate_finish(const Partials<T>&, const Associations&,                   \
                                const AssociateOutputs<T>&);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace internal
}  // namespace hopfield
