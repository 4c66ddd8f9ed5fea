#ifndef HOPFIELD_SRC_MEMORY_PAIR_SIMILARITY_H_
#define HOPFIELD_SRC_MEMORY_PAIR_SIMILARITY_H_

#include <cmath>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "memory/pattern_rows.h"

namespace hopfield::internal {

/// `Similarity` of two rows of one depth, in double.
inline double pair_similarity(Similarity similarity, const std::vector<double>& x,
                              const std::vector<double>& xi) {
  switch (similarity) {
    case Similarity::kDot:
      return dot(x, xi);
    case Similarity::kCosine: {
      const double norms = std::sqrt(dot(x, x)) * std::sqrt(dot(xi, xi));
      return norms > 0 ? dot(x, xi) / norms : 0;
    }
    case Similarity::kNegativeSquaredDistance: {
      double sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k) sum += (x[k] - xi[k]) * (x[k] - xi[k]);
      return -sum;
    }
  }
  return 0;
}

}  // namespace hopfield::internal

#endif  // HOPFIELD_SRC_MEMORY_PAIR_SIMILARITY_H_
