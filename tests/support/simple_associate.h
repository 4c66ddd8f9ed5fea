#ifndef HOPFIELD_TESTS_SUPPORT_SIMPLE_ASSOCIATE_H_
#define HOPFIELD_TESTS_SUPPORT_SIMPLE_ASSOCIATE_H_

// Small problems in double with named parts, and `associate` returning everything by value.

#include <string>
#include <vector>

#include "hopfield/kernels/associate.h"

namespace hopfield::test {

/// A memory [S, d] and states [T, d], one head, owning its numbers.
template <class T>
struct Memory {
  std::int64_t depth = 0;
  std::vector<T> stored, projections, states;
  std::int64_t projection_depth = 0;  ///< 0: tied
  std::vector<double> beta = {1};
  Similarity similarity = Similarity::kDot;
  Separation separation = Separation::kSoftmax;
  std::int64_t top_k = 0;
  std::vector<std::uint8_t> hidden_stored;

  std::int64_t num_stored() const { return static_cast<std::int64_t>(stored.size()) / depth; }
  std::int64_t num_states() const { return static_cast<std::int64_t>(states.size()) / depth; }
  Associations view() const {
    Associations in;
    in.stored = pattern_view(stored.data(), num_stored(), depth);
    in.states = pattern_view(states.data(), num_states(), depth);
    if (projection_depth > 0) {
      in.projections = pattern_view(projections.data(), num_stored(), projection_depth);
    }
    in.beta = beta;
    in.similarity = similarity;
    in.separation = separation;
    in.top_k = top_k;
    in.hidden_stored = hidden_stored;
    return in;
  }
};

/// All outputs of one call; energy only where it is defined.
template <class T>
struct Result {
  std::vector<T> state, lse, energy, entropy, largest, top, association;
  std::vector<std::int64_t> largest_index, top_index, metastable_size;
  std::string served_by;
};

template <class T>
Result<T> associate_all(const Associations& in, const std::string& target = "",
                        std::int64_t num_top = 0, double mass = 0.9,
                        std::int64_t block_size = 4096) {
  const AssociationShape shape = validate(in, "test");
  const auto n = static_cast<std::size_t>(shape.rows * shape.heads);
  Result<T> r;
  r.state.resize(n * static_cast<std::size_t>(shape.projection_depth));
  r.lse.resize(n);
  r.entropy.resize(n);
  r.largest.resize(n);
  r.largest_index.resize(n);
  r.metastable_size.resize(n);
  r.top.resize(n * static_cast<std::size_t>(num_top));
  r.top_index.resize(r.top.size());
  AssociateOutputs<T> out;
  out.state = mutable_view(r.state.data(), shape.rows, shape.heads, shape.projection_depth);
  out.lse = r.lse;
  out.entropy = r.entropy;
  out.largest = r.largest;
  out.largest_index = r.largest_index;
  out.metastable_size = r.metastable_size;
  out.metastable_mass = mass;
  out.num_top = num_top;
  out.top = r.top;
  out.top_index = r.top_index;
  bool energy = in.similarity != Similarity::kCosine;
  for (const double b : in.beta) energy = energy && b > 0;
  if (energy) {
    r.energy.resize(n);
    out.energy = r.energy;
  }
  if (shape.num_bags == 1) {
    r.association.resize(n * static_cast<std::size_t>(shape.num_stored));
    out.association = r.association;
  }
  AssociateOptions options;
  options.target = target;
  options.block_size = block_size;
  options.served_by = &r.served_by;
  associate(in, out, options);
  return r;
}

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_SUPPORT_SIMPLE_ASSOCIATE_H_
