#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/attention_rows.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "train_prototypes";

/// `per_class` patterns of each class, at even distances in their order.
LabelledPatterns first_prototypes(const LabelledPatterns& patterns, std::int64_t per_class) {
  LabelledPatterns result{{}, {}, patterns.depth, patterns.num_classes};
  for (std::int64_t label = 0; label < patterns.num_classes; ++label) {
    std::vector<std::int64_t> members;
    for (std::int64_t i = 0; i < patterns.count(); ++i) {
      if (patterns.labels[static_cast<std::size_t>(i)] == label) members.push_back(i);
    }
    require(!members.empty(), kOp,
            "expected patterns of every class, got none of class " + std::to_string(label));
    const auto num = std::min(per_class, static_cast<std::int64_t>(members.size()));
    for (std::int64_t n = 0; n < num; ++n) {
      const std::int64_t at = n * static_cast<std::int64_t>(members.size()) / num;
      const double* pattern =
          patterns.values.data() + members[static_cast<std::size_t>(at)] * patterns.depth;
      result.values.insert(result.values.end(), pattern, pattern + patterns.depth);
      result.labels.push_back(label);
    }
  }
  return result;
}

/// Mean of ln p_y = lse over the prototypes of y - lse over all, and its gradient through the
/// layer.
struct Likelihood {
  double value = 0;
  std::vector<double> gradient;  ///< [K, depth] with respect to the prototypes
};

Likelihood layer_likelihood(const LabelledPatterns& prototypes, const LabelledPatterns& patterns,
                            double beta, Executor* executor) {
  const std::int64_t count = patterns.count(), num = prototypes.count(), depth = patterns.depth;
  const std::vector<double> rows = distance_rows(prototypes.values, depth);
  const std::vector<double> states = distance_states(patterns.values, depth, false);
  std::vector<std::uint8_t> hidden;  // [count, num] of another class
  for (const std::int64_t label : patterns.labels) {
    for (const std::int64_t own : prototypes.labels) hidden.push_back(own != label);
  }
  AssociateOptions options;
  options.executor = executor;
  Likelihood result;
  result.gradient.assign(static_cast<std::size_t>(num * depth), 0);
  for (const bool own_class : {true, false}) {
    Associations in;
    in.stored = pattern_view(rows.data(), num, depth + 1);
    in.states = pattern_view(states.data(), count, depth + 1);
    in.beta = {&beta, 1};
    if (own_class) {
      in.hidden.data = hidden.data();
      in.hidden.state_stride = num;
    }
    std::vector<double> lse(static_cast<std::size_t>(count));
    AssociateOutputs<double> out;
    out.lse = lse;
    associate(in, out, options);
    const double share = (own_class ? 1.0 : -1.0) / static_cast<double>(count);
    const std::vector<double> cotangent(lse.size(), share);
    AssociateSaved<double> saved;
    saved.lse = lse;
    AssociateCotangents<double> cotangents;
    cotangents.lse = cotangent;
    std::vector<double> row_gradient(rows.size());
    AssociateGradients<double> gradients;
    gradients.stored = mutable_view(row_gradient.data(), num, depth + 1);
    associate_backward(in, saved, cotangents, gradients, options);
    for (const double value : lse) result.value += share * value;
    // The last column is -|w|^2/2.
    for (std::int64_t k = 0; k < num; ++k) {
      const double* own = row_gradient.data() + k * (depth + 1);
      for (std::int64_t c = 0; c < depth; ++c) {
        const auto at = static_cast<std::size_t>(k * depth + c);
        result.gradient[at] += own[c] - prototypes.values[at] * own[depth];
      }
    }
  }
  return result;
}

/// Largest |q - w|.
double reach(const LabelledPatterns& prototypes, const LabelledPatterns& patterns) {
  double square = 0;
  for (std::int64_t i = 0; i < patterns.count(); ++i) {
    for (std::int64_t k = 0; k < prototypes.count(); ++k) {
      square = std::max(
          square, squared_distance(patterns.values.data() + i * patterns.depth,
                                   prototypes.values.data() + k * patterns.depth, patterns.depth));
    }
  }
  return std::sqrt(square);
}

}  // namespace

std::vector<double> prototype_gradient(const LabelledPatterns& prototypes,
                                       const LabelledPatterns& patterns, double beta) {
  const auto num = static_cast<std::size_t>(prototypes.count());
  const auto depth = static_cast<std::size_t>(patterns.depth);
  std::vector<double> gradient(num * depth, 0);
  std::vector<double> square(num), weight(num);
  for (std::size_t i = 0; i < patterns.labels.size(); ++i) {
    const double* q = patterns.values.data() + i * depth;
    for (std::size_t k = 0; k < num; ++k) {
      square[k] = squared_distance(q, prototypes.values.data() + k * depth, patterns.depth);
    }
    const double nearest = *std::min_element(square.begin(), square.end());
    double all = 0, own_all = 0;
    double own_nearest = std::numeric_limits<double>::infinity();
    const auto is_own = [&](std::size_t k) { return prototypes.labels[k] == patterns.labels[i]; };
    for (std::size_t k = 0; k < num; ++k) {
      all += std::exp(-beta * (square[k] - nearest) / 2);
      if (is_own(k)) own_nearest = std::min(own_nearest, square[k]);
    }
    for (std::size_t k = 0; k < num; ++k) {
      if (is_own(k)) own_all += std::exp(-beta * (square[k] - own_nearest) / 2);
    }
    for (std::size_t k = 0; k < num; ++k) {
      weight[k] = -std::exp(-beta * (square[k] - nearest) / 2) / all;
      if (is_own(k)) weight[k] += std::exp(-beta * (square[k] - own_nearest) / 2) / own_all;
      for (std::size_t c = 0; c < depth; ++c) {
        gradient[k * depth + c] += beta * weight[k] * (q[c] - prototypes.values[k * depth + c]) /
                                   static_cast<double>(patterns.count());
      }
    }
  }
  return gradient;
}

TrainedPrototypes train_prototypes(const LabelledPatterns& patterns, const PrototypeOptions& o,
                                   Executor* executor) {
  check_patterns(patterns, kOp);
  require(o.per_class >= 1, kOp,
          "expected at least 1 prototype a class, got " + std::to_string(o.per_class));
  require(o.beta > 0 && std::isfinite(o.beta), kOp,
          "expected a finite beta > 0, got " + std::to_string(o.beta));
  require(o.rate > 0 && std::isfinite(o.rate), kOp,
          "expected a finite rate > 0, got " + std::to_string(o.rate));
  require(o.steps >= 0, kOp, "expected steps >= 0, got " + std::to_string(o.steps));
  TrainedPrototypes result;
  result.prototypes = first_prototypes(patterns, o.per_class);
  Likelihood now = layer_likelihood(result.prototypes, patterns, o.beta, executor);
  result.start_log_likelihood = now.value;
  for (std::int64_t step = 0; step < o.steps; ++step) {
    const std::vector<double> plain = prototype_gradient(result.prototypes, patterns, o.beta);
    const double size = o.beta * reach(result.prototypes, patterns);
    for (std::size_t at = 0; at < plain.size(); ++at) {
      result.gradient_error =
          std::max(result.gradient_error, std::abs(now.gradient[at] - plain[at]) / size);
      result.prototypes.values[at] += o.rate / o.beta * now.gradient[at];
    }
    now = layer_likelihood(result.prototypes, patterns, o.beta, executor);
  }
  result.log_likelihood = now.value;
  return result;
}

}  // namespace hopfield::theory
