#include "hopfield/theory/retrieval_error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "hopfield/memory/bounds.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "measure_retrieval_errors";

double dot(const double* a, const double* b, std::int64_t depth) {
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) sum += a[k] * b[k];
  return sum;
}

/// |sum_{j != i} p_j (x_j - x_i)| with p the softmax of beta <x_j, xi>.
double one_update_error(const std::vector<double>& patterns, std::int64_t depth, std::int64_t i,
                        const std::vector<double>& state, double beta) {
  const std::int64_t n = static_cast<std::int64_t>(patterns.size()) / depth;
  const double* own = patterns.data() + i * depth;
  // Weights relative to pattern i's own.
  std::vector<double> weights(static_cast<std::size_t>(n));
  std::vector<double> scores(weights.size());
  double top = -std::numeric_limits<double>::infinity();
  for (std::int64_t j = 0; j < n; ++j) {
    double& score = scores[static_cast<std::size_t>(j)];
    score = beta * dot(patterns.data() + j * depth, state.data(), depth);
    top = std::max(top, score);
  }
  double total = 0;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    weights[j] = std::exp(scores[j] - top);
    total += weights[j];
  }
  double square = 0;
  for (std::int64_t k = 0; k < depth; ++k) {
    double sum = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (j == i) continue;
      sum += weights[static_cast<std::size_t>(j)] *
             (patterns[static_cast<std::size_t>(j * depth + k)] - own[k]);
    }
    square += sum * sum;
  }
  return std::sqrt(square) / total;
}

/// One trial as a flat row: six numbers a point.
std::vector<double> trial_row(const RetrievalErrorOptions& o, std::span<const double> betas,
                              const std::vector<double>& patterns, RandomStream& random) {
  const std::int64_t n = static_cast<std::int64_t>(patterns.size()) / o.depth;
  const double count = static_cast<double>(n);
  double norm_max = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* x = patterns.data() + i * o.depth;
    norm_max = std::max(norm_max, std::sqrt(dot(x, x, o.depth)));
  }
  std::vector<double> row;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* x = patterns.data() + i * o.depth;
    double rival = -std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < n; ++j) {
      if (j != i) rival = std::max(rival, dot(x, patterns.data() + j * o.depth, o.depth));
    }
    const double separation = dot(x, x, o.depth) - rival;
    std::vector<double> state = random.on_sphere(o.depth, o.distance);
    for (std::size_t k = 0; k < state.size(); ++k) state[k] += x[k];
    for (const double beta : betas) {
      const double error = one_update_error(patterns, o.depth, i, state, beta);
      const double bound = retrieval_error_bound(beta, separation, o.distance, count, norm_max);
      // Scores of size beta M^2 carry depth roundings, which the exponential makes relative ones.
      const double roundings =
          static_cast<double>(o.depth) * (1 + beta * norm_max * (norm_max + o.distance)) + count;
      const double allowed = bound * (1 + 4 * roundings * std::numeric_limits<double>::epsilon()) +
                             std::numeric_limits<double>::min();
      row.insert(row.end(), {beta, static_cast<double>(i), separation,
                             beta * (separation - 2 * o.distance * norm_max), error, bound,
                             error <= allowed ? 1.0 : 0.0});
    }
  }
  return row;
}

std::vector<RetrievalErrorPoint> measure(
    const RetrievalErrorOptions& o, std::span<const double> betas,
    const std::function<std::vector<double>(RandomStream&)>& draw) {
  require(!betas.empty(), kOp, "expected at least one beta, got none");
  for (const double beta : betas) {
    require(beta > 0 && std::isfinite(beta), kOp,
            "expected betas > 0, got " + std::to_string(beta));
  }
  require(o.distance >= 0 && std::isfinite(o.distance), kOp,
          "expected a distance >= 0, got " + std::to_string(o.distance));
  constexpr std::size_t kColumns = 7;
  const auto rows = replicate(o.trials, [&](RandomStream& random) {
    const std::vector<double> patterns = draw(random);
    return trial_row(o, betas, patterns, random);
  });
  std::vector<RetrievalErrorPoint> points;
  for (std::size_t trial = 0; trial < rows.size(); ++trial) {
    const std::vector<double>& r = rows[trial];
    for (std::size_t at = 0; at < r.size(); at += kColumns) {
      points.push_back({r[at], static_cast<std::int64_t>(trial),
                        static_cast<std::int64_t>(r[at + 1]), r[at + 2], r[at + 3], r[at + 4],
                        r[at + 5], r[at + 6] == 1});
    }
  }
  return points;
}

}  // namespace

std::vector<RetrievalErrorPoint> measure_retrieval_errors(const RetrievalErrorOptions& o,
                                                          std::span<const double> betas) {
  require(o.num_patterns >= 2 && o.depth >= 1 && o.num_patterns <= 10'000'000 / o.depth, kOp,
          "expected at least 2 patterns and at most 1e7 numbers, got " +
              std::to_string(o.num_patterns) + " of depth " + std::to_string(o.depth));
  return measure(o, betas, [&](RandomStream& random) {
    std::vector<double> patterns;
    for (std::int64_t i = 0; i < o.num_patterns; ++i) {
      const std::vector<double> x = random.on_sphere(o.depth, 1);
      patterns.insert(patterns.end(), x.begin(), x.end());
    }
    return patterns;
  });
}

std::vector<RetrievalErrorPoint> measure_retrieval_errors(const RetrievalErrorOptions& o,
                                                          std::span<const double> betas,
                                                          std::span<const double> patterns) {
  require(o.depth >= 1 && static_cast<std::int64_t>(patterns.size()) % o.depth == 0 &&
              static_cast<std::int64_t>(patterns.size()) >= 2 * o.depth,
          kOp,
          "expected at least 2 patterns of depth " + std::to_string(o.depth) + ", got " +
              std::to_string(patterns.size()) + " numbers");
  for (const double x : patterns) require(std::isfinite(x), kOp, "expected finite patterns");
  return measure(o, betas, [&](RandomStream&) {
    return std::vector<double>(patterns.begin(), patterns.end());
  });
}

}  // namespace hopfield::theory
