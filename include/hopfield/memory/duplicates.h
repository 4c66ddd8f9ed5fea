#ifndef HOPFIELD_MEMORY_DUPLICATES_H_
#define HOPFIELD_MEMORY_DUPLICATES_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"
#include "hopfield/kernels/associate.h"

namespace hopfield {

struct DuplicateOptions {
  Similarity similarity = Similarity::kNegativeSquaredDistance;
  /// A pattern is a near duplicate of one whose similarity with it is at least this: minus the
  /// square of a distance, a cosine or a scalar product.
  double least_similarity = 0;
  Executor* executor = nullptr;                ///< null: default_executor()
  std::function<void(std::int64_t)> progress;  ///< patterns done, now and then; may be empty
};

/// Patterns to leave out, ascending, and for each the kept one that it is most alike.
struct NearDuplicates {
  std::vector<std::int64_t> duplicate, kept;
  std::vector<double> similarity;
};

/// In the order of the patterns [S, d]: each is kept unless an earlier kept one is alike enough. So
/// no two kept patterns are, and every other one is near a kept one.
/// Promise  similarities are compared in double; which kept pattern is looked at is the most
///          similar one in f32 (double for f64), so a pair may be missed or found by that rounding.
///          Same bits for any executor.
/// Costs    S^2 d / 2 products; memory O(S).
/// Errors   kInvalidArgument (several heads, least_similarity NaN).
NearDuplicates near_duplicates(const PatternView& stored, const DuplicateOptions& options = {});

}  // namespace hopfield

#endif  // HOPFIELD_MEMORY_DUPLICATES_H_
