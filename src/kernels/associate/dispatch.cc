#include <algorithm>
#include <string>

#include "hopfield/base/error.h"
#include "kernels/associate/implementation.h"
#include "kernels/associate/partials.h"
#include "kernels/associate/validate.h"

namespace hopfield {
namespace internal {
namespace {

/// Calls visit(implementation) in order, best first, until it returns true.
template <class T, class Visit>
void for_each_implementation(const Visit& visit) {
  for (const Implementation<T>& one : simd_implementations<T>()) {
    if (visit(one)) return;
  }
  visit(reference_implementation<T>());
}

template <class T>
std::string all_names() {
  std::string names;
  for_each_implementation<T>([&](const Implementation<T>& one) {
    names += (names.empty() ? "" : ", ") + std::string(one.name);
    return false;
  });
  return names;
}

template <class T>
const Implementation<T>& choose(std::string_view target, std::string_view op) {
  const Implementation<T>* found = nullptr;
  for_each_implementation<T>([&](const Implementation<T>& one) {
    if (target.empty() ? !one.declines().empty() : target != one.name) return false;
    found = &one;
    return true;
  });
  if (found == nullptr) {
    fail(ErrorCode::kInvalidArgument, op,
         "expected a target among " + all_names<T>() + ", got " + std::string(target) +
             "; leave it empty for the best one");
  }
  if (const std::string reason = found->declines(); !reason.empty()) {
    fail(
        ErrorCode::kUnsupported, op,
        "expected a CPU that runs the target " + std::string(target) + ", got one where " + reason);
  }
  return *found;
}

Executor& resolve(const AssociateOptions& options) {
  return options.executor != nullptr ? *options.executor : default_executor();
}

void report_served_by(const AssociateOptions& options, std::string_view name) {
  if (options.served_by != nullptr) *options.served_by = std::string(name);
}

}  // namespace
}  // namespace internal

std::vector<std::string> associate_targets() {
  std::vector<std::string> names;
  const auto add = [&](const auto& one) {
    if (one.declines().empty() && std::find(names.begin(), names.end(), one.name) == names.end()) {
      names.emplace_back(one.name);
    }
    return false;
  };
  for (const auto& one : internal::simd_implementations<float>()) add(one);
  for (const auto& one : internal::simd_implementations<double>()) add(one);
  add(internal::reference_implementation<float>());
  return names;
}

template <class T>
void associate(const Associations& in, const AssociateOutputs<T>& out,
               const AssociateOptions& options) {
  const std::string_view op = "associate";
  const AssociationShape shape = validate(in, op);
  internal::validate_type<T>(shape, op);
  internal::validate_options(options, op);
  internal::validate_outputs(in, shape, out, op);
  const auto& implementation = internal::choose<T>(options.target, op);
  const internal::AssociateCall call = {in, shape, internal::resolve(options), options.block_size};
  internal::report_served_by(options, implementation.forward(call, out));
}

template <class T>
void associate_backward(const Associations& in, const AssociateSaved<T>& saved,
                        const AssociateCotangents<T>& cotangents,
                        const AssociateGradients<T>& gradients, const AssociateOptions& options) {
  const std::string_view op = "associate_backward";
  const AssociationShape shape = validate(in, op);
  internal::validate_type<T>(shape, op);
  internal::validate_options(options, op);
  internal::validate_backward(in, shape, saved, cotangents, gradients);
  const auto& implementation = internal::choose<T>(options.target, op);
  const internal::AssociateCall call = {in, shape, internal::resolve(options), options.block_size};
  internal::report_served_by(options, implementation.backward(call, saved, cotangents, gradients));
}

template <class T>
std::vector<Partials<T>> associate_partials(const Associations& in, const AssociateOptions& options,
                                            std::int64_t first_index) {
  const std::string_view op = "associate_partials";
  const AssociationShape shape = validate(in, op);
  internal::validate_type<T>(shape, op);
  internal::validate_options(options, op);
  internal::validate_partial_inputs(in, shape, op);
  const auto& implementation = internal::choose<T>(options.target, op);
  const internal::AssociateCall call = {in, shape, internal::resolve(options), options.block_size};
  const std::int64_t blocks = std::max<std::int64_t>(
      1, shape.num_stored / options.block_size + (shape.num_stored % options.block_size != 0));
  std::vector<Partials<T>> partials(
      static_cast<std::size_t>(blocks),
      internal::empty_partials<T>(shape.rows, shape.heads, shape.projection_depth));
  internal::report_served_by(options, implementation.partials(call, first_index, partials));
  return partials;
}

#define HOPFIELD_INSTANTIATE(T)                                                                 \
  template void associate(const Associations&, const AssociateOutputs<T>&,                      \
                          const AssociateOptions&);                                             \
  template void associate_backward(const Associations&, const AssociateSaved<T>&,               \
                                   const AssociateCotangents<T>&, const AssociateGradients<T>&, \
                                   const AssociateOptions&);                                    \
  template std::vector<Partials<T>> associate_partials(const Associations&,                     \
                                                       const AssociateOptions&, std::int64_t);
HOPFIELD_INSTANTIATE(float)
HOPFIELD_INSTANTIATE(double)
#undef HOPFIELD_INSTANTIATE

}  // namespace hopfield
