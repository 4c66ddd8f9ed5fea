#include "hopfield/theory/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/attention_rows.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "attention";
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Scores times this keep their order (a power of two rounds nothing) and make weights that are
/// equal to the last bit: beta = 0 itself would forget who is near.
constexpr double kEqualVotes = 0x1p-200;

std::vector<double> squared_distances(const LabelledPatterns& patterns,
                                      std::span<const double> state) {
  require(static_cast<std::int64_t>(state.size()) == patterns.depth, kOp,
          "expected a state of depth " + std::to_string(patterns.depth) + ", got " +
              std::to_string(state.size()));
  std::vector<double> result;
  for (std::int64_t i = 0; i < patterns.count(); ++i) {
    result.push_back(squared_distance(patterns.values.data() + i * patterns.depth, state.data(),
                                      patterns.depth));
  }
  return result;
}

FixedLayer class_layer(const LabelledPatterns& patterns) {
  FixedLayer layer;
  layer.rows = distance_rows(patterns.values, patterns.depth);
  layer.num_rows = patterns.count();
  layer.depth = patterns.depth;
  layer.width = patterns.num_classes;
  layer.contents.assign(static_cast<std::size_t>(layer.num_rows * layer.width), 0);
  for (std::int64_t i = 0; i < layer.num_rows; ++i) {
    const std::int64_t label = patterns.labels[static_cast<std::size_t>(i)];
    layer.contents[static_cast<std::size_t>(i * layer.width + label)] = 1;
  }
  return layer;
}

void check_k(const LabelledPatterns& patterns, std::int64_t k, double beta) {
  require(
      k >= 1 && k <= patterns.count(), kOp,
      "expected a k from 1 to " + std::to_string(patterns.count()) + ", got " + std::to_string(k));
  require(beta >= 0 && std::isfinite(beta), kOp,
          "expected a finite beta >= 0, got " + std::to_string(beta));
}

}  // namespace

void check_patterns(const LabelledPatterns& patterns, std::string_view op) {
  require(
      patterns.depth >= 1 && patterns.count() >= 1 &&
          static_cast<std::int64_t>(patterns.values.size()) == patterns.count() * patterns.depth,
      op,
      "expected patterns of shape [S, " + std::to_string(patterns.depth) +
          "] with S labels, S >= 1, got " + std::to_string(patterns.values.size()) +
          " numbers and " + std::to_string(patterns.count()) + " labels");
  for (const double x : patterns.values) require(std::isfinite(x), op, "expected finite patterns");
  for (const std::int64_t label : patterns.labels) {
    require(label >= 0 && label < patterns.num_classes, op,
            "expected labels from 0 to " + std::to_string(patterns.num_classes - 1) + ", got " +
                std::to_string(label));
  }
}

std::vector<double> distance_rows(std::span<const double> values, std::int64_t depth) {
  std::vector<double> rows;
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(depth)) {
    const auto pattern = values.subspan(at, static_cast<std::size_t>(depth));
    rows.insert(rows.end(), pattern.begin(), pattern.end());
    rows.push_back(-squared_norm(pattern) / 2);
  }
  return rows;
}

std::vector<double> distance_states(std::span<const double> values, std::int64_t depth,
                                    bool norm_column) {
  std::vector<double> states;
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(depth)) {
    const auto pattern = values.subspan(at, static_cast<std::size_t>(depth));
    states.insert(states.end(), pattern.begin(), pattern.end());
    states.push_back(1);
    if (norm_column) states.push_back(squared_norm(pattern));
  }
  return states;
}

double squared_norm(std::span<const double> pattern) {
  return std::inner_product(pattern.begin(), pattern.end(), pattern.begin(), 0.0);
}

double squared_distance(const double* a, const double* b, std::int64_t depth) {
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return sum;
}

std::vector<double> FixedLayer::recall(std::span<const double> states, Executor* executor) const {
  const auto count = static_cast<std::int64_t>(states.size());
  require(depth >= 1 && count % depth == 0, kOp,
          "expected states of depth " + std::to_string(depth) + ", got " + std::to_string(count) +
              " numbers");
  const std::vector<double> queries = distance_states(states, depth, norm_column);
  const std::int64_t row_depth = depth + (norm_column ? 2 : 1);
  Associations in;
  in.stored = pattern_view(rows.data(), num_rows, row_depth);
  in.projections = pattern_view(contents.data(), num_rows, width);
  in.states = pattern_view(queries.data(), count / depth, row_depth);
  in.beta = {&beta, 1};
  in.separation = separation;
  in.top_k = top_k;
  std::vector<double> result(static_cast<std::size_t>(count / depth * width));
  AssociateOutputs<double> out;
  out.state = mutable_view(result.data(), count / depth, width);
  AssociateOptions options;
  options.executor = executor;
  associate(in, out, options);
  return result;
}

FixedLayer nearest_layer(const LabelledPatterns& patterns, double beta) {
  check_patterns(patterns, kOp);
  require(beta > 0, kOp, "expected a beta > 0, got " + std::to_string(beta));
  FixedLayer layer = class_layer(patterns);
  const bool limit = std::isinf(beta);
  layer.beta = limit ? 1 : beta;
  layer.separation = limit ? Separation::kMax : Separation::kSoftmax;
  return layer;
}

FixedLayer k_nearest_layer(const LabelledPatterns& patterns, std::int64_t k, double beta) {
  check_patterns(patterns, kOp);
  check_k(patterns, k, beta);
  FixedLayer layer = class_layer(patterns);
  layer.beta = beta > 0 ? beta : kEqualVotes;
  layer.separation = Separation::kTopKSoftmax;
  layer.top_k = k;
  return layer;
}

Neighbour nearest_pattern(const LabelledPatterns& patterns, std::span<const double> state) {
  check_patterns(patterns, kOp);
  const std::vector<double> distances = squared_distances(patterns, state);
  const auto nearest = std::min_element(distances.begin(), distances.end());
  double second = kInfinity;
  for (auto it = distances.begin(); it != distances.end(); ++it) {
    if (it != nearest) second = std::min(second, *it);
  }
  return {nearest - distances.begin(), (second - *nearest) / 2};
}

Votes k_nearest_votes(const LabelledPatterns& patterns, std::int64_t k, double beta,
                      std::span<const double> state) {
  check_patterns(patterns, kOp);
  check_k(patterns, k, beta);
  const std::vector<double> distances = squared_distances(patterns, state);
  std::vector<std::size_t> order(distances.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return distances[a] < distances[b]; });
  const auto num = static_cast<std::size_t>(k);
  Votes result;
  result.votes.assign(static_cast<std::size_t>(patterns.num_classes), 0);
  double total = 0;
  for (std::size_t n = 0; n < num; ++n) {
    const double vote = std::exp(-beta * (distances[order[n]] - distances[order[0]]) / 2);
    result.votes[static_cast<std::size_t>(patterns.labels[order[n]])] += vote;
    total += vote;
  }
  for (double& vote : result.votes) vote /= total;
  result.gap =
      num == order.size() ? kInfinity : (distances[order[num]] - distances[order[num - 1]]) / 2;
  return result;
}

double score_rounding(const LabelledPatterns& patterns, std::span<const double> state) {
  const double own = std::sqrt(squared_norm(state));
  double size = 0;
  const std::span<const double> all = patterns.values;
  for (std::size_t at = 0; at < all.size(); at += state.size()) {
    size = std::max(size, own + std::sqrt(squared_norm(all.subspan(at, state.size()))));
  }
  // Each score, and each distance of the plain form, has depth + 2 roundings of parts of this size.
  return 4 * static_cast<double>(patterns.depth + 2) * size * size *
         std::numeric_limits<double>::epsilon();
}

}  // namespace hopfield::theory
