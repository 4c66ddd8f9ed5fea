#ifndef HOPFIELD_SRC_THEORY_NETWORKS_VECTORS_H_
#define HOPFIELD_SRC_THEORY_NETWORKS_VECTORS_H_

#include <cmath>
#include <cstddef>
#include <span>

namespace hopfield::theory::internal {

inline double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

inline double distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

}  // namespace hopfield::theory::internal

#endif  // HOPFIELD_SRC_THEORY_NETWORKS_VECTORS_H_
