#ifndef HOPFIELD_MEMORY_PRUNED_H_
#define HOPFIELD_MEMORY_PRUNED_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"

namespace hopfield {

namespace internal {
template <class T>
struct PrunedBlocks;
}  // namespace internal

/// Which patterns share a block.
enum class BlockOrder : std::uint8_t {
  kKept,   ///< consecutive ones; nothing is copied
  kAlike,  ///< alike ones: recursive bisection; the patterns are copied in that order
};

struct PrunedPatternsOptions {
  BlockOrder order = BlockOrder::kAlike;
  std::int64_t block_size = 0;  ///< patterns a block at most; 0: 64, or 256 without sketches
  /// Directions that a sketch of a pattern keeps, besides the length of what they leave over; cut
  /// to the depth. Negative: depth / 16, from 4 to 48, or no sketches where they would cost too
  /// much (depth < 160 or so). 0: none (needs kKept).
  std::int64_t num_directions = -1;
  std::uint64_t seed = 0;        ///< of the sampled patterns that the directions follow
  Executor* executor = nullptr;  ///< of the constructor; null: default_executor()
};

/// Stored patterns [S, d] cut into blocks whose centroid, radius, norm and sketches bound what a
/// block can weigh in an association (docs/math/pruning.md).
///
/// Types    T = double for f64 patterns, float for all others.
/// Owner    `stored` must stay alive and unchanged. Beside it: S (num_directions + 1) numbers for
///          the sketches and, with kAlike, a copy of the patterns.
/// Errors   kInvalidArgument (several heads, block_size < 0, kAlike with 0 directions, wrong T).
/// Threads  const after construction. Copies share the blocks. Same bits for any executor.
template <class T>
class PrunedPatterns {
 public:
  explicit PrunedPatterns(const PatternView& stored, const PrunedPatternsOptions& options = {});

  std::int64_t num_patterns() const;
  std::int64_t depth() const;
  std::int64_t num_blocks() const;
  const internal::PrunedBlocks<T>& blocks() const { return *blocks_; }

 private:
  std::shared_ptr<const internal::PrunedBlocks<T>> blocks_;
};

struct PruneOptions {
  Similarity similarity = Similarity::kDot;  ///< kCosine: kUnsupported
  /// How far from its exact value a state may be moved by leaving patterns out (Euclidean), >= 0.
  /// 0: nothing is left out, and the bits are those of `associate`.
  double tolerance = 1e-6;
  Executor* executor = nullptr;  ///< null: default_executor()
};

/// One entry a state. A state for which too little can be left out is associated with all patterns;
/// its bits are then those of `associate`, its bounds 0 and `visited` is S.
template <class T>
struct PrunedAssociation {
  std::vector<T> state;  ///< [T, d] sum_s p_s x_s over the visited patterns
  std::vector<T> lse;    ///< log sum exp(scores) of the visited patterns
  std::vector<T> largest;
  std::vector<std::int64_t> largest_index;  ///< in `stored`, whatever the order of the blocks
  std::vector<double> state_bound;          ///< |state without - state with the others| <= this
  std::vector<double> lse_bound;            ///< 0 <= lse with - lse without <= this
  std::vector<std::int64_t> visited;        ///< how many patterns were visited
};

/// One softmax association of every state with the patterns, as `associate`, but without the blocks
/// that provably hold too little mass to matter.
///
/// Shapes   states [T, d], one head.
/// Promise  state_bound <= tolerance, for every input. The bounds take rounding in what was left
///          out into account; on the visited patterns the results err as those of `associate` do.
///          lse_bound may be large where tolerance is not small against the largest norm.
///          Same bits for any executor and any batch neighbours.
/// Costs    where bounds are computed and fail, up to 1.3 times `associate`
///          (docs/results/pruning.md). Memory O(num_blocks) numbers for each of some 100 states at
///          a time, and the patterns that they visit.
/// Errors   kInvalidArgument (depths or types differ, several heads, beta not finite, tolerance
///          negative or NaN); kUnsupported.
template <class T>
PrunedAssociation<T> associate_pruned(const PrunedPatterns<T>& patterns, const PatternView& states,
                                      double beta, const PruneOptions& options = {});

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_PRUNED_H_
