#include "torch/ops/signature.h"

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/Exception.h>

#include <span>
#include <string>

#include "torch/ops/arguments.h"

namespace hopfield::ops {
namespace {

constexpr std::string_view kSimilarities[] = {"dot", "cosine", "negative_squared_distance"};
constexpr std::string_view kSeparations[] = {"softmax", "sparsemax", "entmax15", "top_k_softmax",
                                             "max"};
constexpr std::string_view kCriteria[] = {"association", "state"};
constexpr std::string_view kGradients[] = {"unrolled", "implicit"};

template <class Enum>
void parse_one(std::string_view name, std::span<const std::string_view> names, const char* what,
               Enum& x) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) {
      x = static_cast<Enum>(i);
      return;
    }
    all += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  TORCH_CHECK_VALUE(false, "[retrieve] expected ", what, " one of ", all, ", got \"", name, "\"");
}

}  // namespace

std::string_view name_of(Similarity x) {
  return kSimilarities[static_cast<std::size_t>(x)];
}
std::string_view name_of(Separation x) {
  return kSeparations[static_cast<std::size_t>(x)];
}
std::string_view name_of(StopCriterion x) {
  return kCriteria[static_cast<std::size_t>(x)];
}
std::string_view name_of(RetrieveGradient x) {
  return kGradients[static_cast<std::size_t>(x)];
}
void parse(std::string_view name, Similarity& x) {
  parse_one(name, kSimilarities, "similarity", x);
}
void parse(std::string_view name, Separation& x) {
  parse_one(name, kSeparations, "separation", x);
}
void parse(std::string_view name, StopCriterion& x) {
  parse_one(name, kCriteria, "criterion", x);
}
void parse(std::string_view name, RetrieveGradient& x) {
  parse_one(name, kGradients, "gradient", x);
}

RetrieveOptions make_options(const OptionalTensor& projections, const at::Tensor& beta,
                             const OptionalTensor& stored_offsets,
                             const OptionalTensor& state_offsets,
                             const OptionalTensor& hidden_stored, const OptionalTensor& mask,
                             std::string_view similarity, std::string_view separation,
                             std::int64_t top_k, at::IntArrayRef update_steps_max,
                             at::ArrayRef<double> update_steps_eps, std::string_view criterion,
                             std::int64_t update_steps_cap, std::string_view gradient) {
  RetrieveOptions o;
  o.projections = projections;
  o.beta = beta;
  o.stored_offsets = stored_offsets;
  o.state_offsets = state_offsets;
  o.hidden_stored = hidden_stored;
  o.mask = mask;
  parse(similarity, o.similarity);
  parse(separation, o.separation);
  o.top_k = top_k;
  o.update_steps_max = update_steps_max.vec();
  o.update_steps_eps = update_steps_eps.vec();
  parse(criterion, o.criterion);
  o.update_steps_cap = update_steps_cap;
  parse(gradient, o.gradient);
  return o;
}

namespace {
// Only their types are used: those of the registered ops.
RetrieveOutputs no_retrieve(const at::Tensor&, const at::Tensor&, const RetrieveOptions&) {
  return {};
}
RetrieveGradients no_backward(const BackwardArguments&) {
  return {};
}
using FlatRetrieve = std::remove_pointer_t<decltype(&flat_retrieve<no_retrieve>)>;
using FlatBackward = std::remove_pointer_t<decltype(&flat_backward<no_backward>)>;
}  // namespace

RetrieveOutputs call_retrieve(const at::Tensor& states, const at::Tensor& stored,
                              const RetrieveOptions& o) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("hopfield::retrieve", "")
                             .typed<FlatRetrieve>();
  return op.call(states, stored, o.projections, o.beta, o.stored_offsets, o.state_offsets,
                 o.hidden_stored, o.mask, name_of(o.similarity), name_of(o.separation), o.top_k,
                 o.update_steps_max, o.update_steps_eps, name_of(o.criterion), o.update_steps_cap,
                 name_of(o.gradient), o.want_energy, o.want_entropy, o.want_largest,
                 o.want_metastable, o.metastable_mass, o.num_top, o.want_association);
}

RetrieveGradients call_retrieve_backward(const BackwardArguments& a) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("hopfield::retrieve_backward", "")
                             .typed<FlatBackward>();
  const RetrieveOptions& o = a.options;
  return op.call(a.grad_state, a.grad_lse, a.grad_energy, a.grad_entropy, a.states, a.stored,
                 o.projections, o.beta, o.stored_offsets, o.state_offsets, o.hidden_stored, o.mask,
                 name_of(o.similarity), name_of(o.separation), o.top_k, o.update_steps_max,
                 o.update_steps_eps, name_of(o.criterion), o.update_steps_cap, name_of(o.gradient),
                 a.state, a.lse, a.entropy, a.steps, a.reason, a.final_state, a.need);
}

RetrieveOutputs to_outputs(const RetrieveResult& r, const RetrieveOptions& options) {
  const auto out = [&](const at::Tensor& x, at::ScalarType type) {
    return x.defined() ? x.contiguous() : at::empty({0}, r.lse.options().dtype(type));
  };
  const at::ScalarType type = r.state.scalar_type(), statistics = r.lse.scalar_type();
  const at::Tensor final_state = wants_updates(options) ? r.final_state : at::Tensor();
  return {out(r.state, type),
          out(r.lse, statistics),
          out(r.energy, statistics),
          out(r.entropy, statistics),
          out(r.largest, statistics),
          out(r.largest_index, at::kLong),
          out(r.top, statistics),
          out(r.top_index, at::kLong),
          out(r.metastable_size, at::kLong),
          out(r.association, statistics),
          out(r.steps, at::kLong),
          out(r.reason, at::kByte),
          out(final_state, type)};
}

}  // namespace hopfield::ops
