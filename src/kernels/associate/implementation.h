#ifndef HOPFIELD_KERNELS_ASSOCIATE_IMPLEMENTATION_H_
#define HOPFIELD_KERNELS_ASSOCIATE_IMPLEMENTATION_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/kernels/associate.h"

namespace hopfield::internal {

/// One call, checked: `validate` has passed, sizes of outputs fit, the executor is resolved.
struct AssociateCall {
  const Associations& in;
  const AssociationShape& shape;
  Executor& executor;
  std::int64_t block_size;
};

/// One way to compute the whole family. Every function takes every legal call; where it has nothing
/// better it calls the same function of another implementation (reference_implementation<T>() at
/// the latest). Each returns the name of the implementation that did the work.
template <class T>
struct Implementation {
  const char* name;
  /// Why this CPU cannot run it; empty: it can.
  std::string (*declines)();
  std::string_view (*forward)(const AssociateCall& call, const AssociateOutputs<T>& out);
  std::string_view (*backward)(const AssociateCall& call, const AssociateSaved<T>& saved,
                               const AssociateCotangents<T>& cotangents,
                               const AssociateGradients<T>& gradients);
  /// Fills `blocks`, which has the right count and empty_partials() in each.
  std::string_view (*partials)(const AssociateCall& call, std::int64_t first_index,
                               std::vector<Partials<T>>& blocks);
};

/// The faster ones, best first; the names must be the same for float and double where both exist.
template <class T>
std::span<const Implementation<T>> simd_implementations();

/// Plain loops in double. Its name is "reference".
template <class T>
const Implementation<T>& reference_implementation();

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_IMPLEMENTATION_H_
