#ifndef HOPFIELD_SRC_THEORY_NETWORKS_ATTENTION_ROWS_H_
#define HOPFIELD_SRC_THEORY_NETWORKS_ATTENTION_ROWS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "hopfield/theory/attention.h"

// What the classifiers of attention.h share.
namespace hopfield::theory {

/// Throws kInvalidArgument unless shapes fit, numbers are finite, labels are in range.
void check_patterns(const LabelledPatterns& patterns, std::string_view op);

double squared_norm(std::span<const double> pattern);
double squared_distance(const double* a, const double* b, std::int64_t depth);

/// (z, -|z|^2/2) for each row z of values [S, depth]: [S, depth + 1].
std::vector<double> distance_rows(std::span<const double> values, std::int64_t depth);

/// (q, 1) or (q, 1, |q|^2) for each row q of values [T, depth].
std::vector<double> distance_states(std::span<const double> values, std::int64_t depth,
                                    bool norm_column);

}  // namespace hopfield::theory

#endif  // HOPFIELD_SRC_THEORY_NETWORKS_ATTENTION_ROWS_H_
