#include "hopfield/memory/pruned.h"

#include <algorithm>
#include <string>
#include <type_traits>

#include "hopfield/base/error.h"
#include "memory/pattern_rows.h"
#include "memory/pruned_blocks.h"
#include "memory/pruned_chunk.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "associate_pruned";
/// States whose bounds are held at a time: as many as share a packed tile of the kernels.
constexpr std::int64_t kChunk = 96;
/// With fewer blocks there is too little to leave out.
constexpr std::int64_t kFewestBlocks = 128;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The states marked in `whole` against all patterns, in the caller's order.
template <class T>
void associate_whole(const internal::PrunedBlocks<T>& blocks, const PatternView& states,
                     double beta, const PruneOptions& options,
                     const std::vector<std::uint8_t>& whole, PrunedAssociation<T>& result) {
  Associations in;
  in.stored = blocks.original;
  in.states = states;
  in.beta = {&beta, 1};
  in.similarity = options.similarity;
  in.active = whole;
  AssociateOutputs<T> out;
  out.state = mutable_view(result.state.data(), states.rows, states.depth);
  out.lse = result.lse;
  out.largest = result.largest;
  out.largest_index = result.largest_index;
  AssociateOptions associate_options;
  associate_options.executor = options.executor;
  hopfield::associate(in, out, associate_options);
  for (std::size_t t = 0; t < whole.size(); ++t) {
    if (whole[t] != 0) result.visited[t] = blocks.original.rows;
  }
}

}  // namespace

template <class T>
PrunedAssociation<T> associate_pruned(const PrunedPatterns<T>& patterns, const PatternView& states,
                                      double beta, const PruneOptions& options) {
  const internal::PrunedBlocks<T>& blocks = patterns.blocks();
  Associations in;
  in.stored = blocks.original;
  in.states = states;
  in.beta = {&beta, 1};
  in.similarity = options.similarity;
  const AssociationShape shape = validate(in, kOp);
  require(shape.heads == 1, kOp, "expected states of one head, got " + std::to_string(shape.heads));
  require(shape.f64 == std::is_same_v<T, double>, kOp,
          "expected states of the patterns' type (f64 or not), got the other one");
  require(options.tolerance >= 0, kOp,
          "expected tolerance >= 0, got " + std::to_string(options.tolerance));
  if (options.similarity == Similarity::kCosine) {
    fail(ErrorCode::kUnsupported, kOp,
         "expected the dot product or the distance as similarity, got cosine; store patterns of "
         "length 1 and use the dot product");
  }
  const auto rows = index(states.rows);
  PrunedAssociation<T> result;
  result.state.resize(rows * index(states.depth));
  result.lse.resize(rows);
  result.largest.resize(rows);
  result.largest_index.resize(rows);
  result.state_bound.assign(rows, 0);
  result.lse_bound.assign(rows, 0);
  result.visited.assign(rows, 0);
  std::vector<std::uint8_t> whole(rows, 0);
  if (blocks.num_blocks() < kFewestBlocks || !(beta > 0) || options.tolerance == 0) {
    std::fill(whole.begin(), whole.end(), std::uint8_t{1});
  } else {
    for (std::int64_t first = 0; first < states.rows; first += kChunk) {
      const PatternView part =
          internal::rows_of(states, first, std::min(kChunk, states.rows - first));
      internal::associate_chunk(blocks, part, beta, options, first, result, whole);
    }
  }
  associate_whole(blocks, states, beta, options, whole, result);
  return result;
}

template PrunedAssociation<float> associate_pruned(const PrunedPatterns<float>&, const PatternView&,
                                                   double, const PruneOptions&);
template PrunedAssociation<double> associate_pruned(const PrunedPatterns<double>&,
                                                    const PatternView&, double,
                                                    const PruneOptions&);

}  // namespace hopfield
