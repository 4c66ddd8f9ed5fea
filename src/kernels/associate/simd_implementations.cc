// The ordered list of vectorised implementations: one for each instruction set, all the same code
// on top of that set's tile kernels.

#include <array>
#include <cstddef>
#include <utility>

#include "hopfield/base/error.h"
#include "kernels/associate/implementation.h"
#include "kernels/associate/simd_implementation.h"

namespace hopfield::internal {
namespace {

/// The functions of the list's entry kIndex; function pointers carry no state, so it is a
/// parameter.
template <class T, std::size_t kIndex>
struct Entry {
  static const TileKernels<T>& kernels() { return tile_kernels<T>()[kIndex]; }

  static std::string declines() {
    return kernels().supported() ? std::string() : std::string("its instructions are missing");
  }
  static std::string_view forward(const AssociateCall& call, const AssociateOutputs<T>& out) {
    if (call.in.separation == Separation::kSoftmax) {
      simd_softmax_forward(kernels(), call, out);
    } else {
      simd_separated_forward(kernels(), call, out);
    }
    return kernels().name;
  }
  static std::string_view backward(const AssociateCall& call, const AssociateSaved<T>& saved,
                                   const AssociateCotangents<T>& cotangents,
                                   const AssociateGradients<T>& gradients) {
    if (call.in.separation == Separation::kSoftmax) {
      simd_softmax_backward(kernels(), call, saved, cotangents, gradients);
    } else {
      simd_separated_backward(kernels(), call, cotangents, gradients);
    }
    return kernels().name;
  }
  static std::string_view partials(const AssociateCall& call, std::int64_t first_index,
                                   std::vector<Partials<T>>& blocks) {
    simd_softmax_partials(kernels(), call, first_index, blocks);
    return kernels().name;
  }
};

constexpr std::size_t kMostTargets = 6;

template <class T, std::size_t... kIndex>
std::vector<Implementation<T>> list(std::index_sequence<kIndex...>) {
  const auto tables = tile_kernels<T>();
  HOPFIELD_CHECK(tables.size() <= kMostTargets);
  std::vector<Implementation<T>> all;
  const auto add = [&](std::size_t index, const Implementation<T>& entry) {
    if (index >= tables.size()) return;
    all.push_back(entry);
    all.back().name = tables[index].name;
  };
  (add(kIndex, {"", Entry<T, kIndex>::declines, Entry<T, kIndex>::forward,
                Entry<T, kIndex>::backward, Entry<T, kIndex>::partials}),
   ...);
  return all;
}

}  // namespace

template <class T>
std::span<const Implementation<T>> simd_implementations() {
  static const auto all = list<T>(std::make_index_sequence<kMostTargets>());
  return all;
}
template std::span<const Implementation<float>> simd_implementations<float>();
template std::span<const Implementation<double>> simd_implementations<double>();

}  // namespace hopfield::internal
