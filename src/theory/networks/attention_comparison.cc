#include "hopfield/theory/attention_comparison.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/attention_rows.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "attention";
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
/// Of a mean of gradients relative to the largest possible one: the terms' exponents are
/// beta |q - w|^2/2, in the hundreds at most where a term is not 0, each rounded some times.
constexpr double kGradientError = 1e-12;

std::span<const double> state_of(const LabelledPatterns& patterns, std::int64_t i) {
  return std::span(patterns.values)
      .subspan(static_cast<std::size_t>(i * patterns.depth),
               static_cast<std::size_t>(patterns.depth));
}

std::int64_t largest_of(std::span<const double> values) {
  return std::max_element(values.begin(), values.end()) - values.begin();
}

/// Largest minus second largest; infinity for one class.
double lead(std::vector<double> values) {
  if (values.size() < 2) return std::numeric_limits<double>::infinity();
  std::partial_sort(values.begin(), values.begin() + 2, values.end(), std::greater<>());
  return values[0] - values[1];
}

/// What the layer and the plain form say of one state. Several classes: the largest value decides.
struct Opinion {
  std::vector<double> layer, plain;
  double allowed = 0;  ///< difference by rounding of any value
  bool undecided = false;
};

void add(LayerComparison& to, const Opinion& opinion, std::int64_t label) {
  ++to.num_states;
  to.num_correct += largest_of(opinion.layer) == label;
  to.values.insert(to.values.end(), opinion.layer.begin(), opinion.layer.end());
  if (opinion.undecided) {
    ++to.num_undecided;
    return;
  }
  for (std::size_t c = 0; c < opinion.layer.size(); ++c) {
    const double error = std::abs(opinion.layer[c] - opinion.plain[c]);
    if (!(error <= opinion.allowed)) to.holds = false;
    if (error >= to.error_max) {
      to.error_max = error;
      to.error_allowed = opinion.allowed;
    }
  }
  if (lead(opinion.plain) <= 2 * opinion.allowed) {
    // The values agree; which class is first is a matter of rounding.
    ++to.num_undecided;
  } else if (largest_of(opinion.layer) != largest_of(opinion.plain)) {
    ++to.num_differ;
    to.holds = false;
  }
}

std::vector<double> class_row(const LabelledPatterns& patterns, std::int64_t index) {
  std::vector<double> row(static_cast<std::size_t>(patterns.num_classes), 0);
  row[static_cast<std::size_t>(patterns.labels[static_cast<std::size_t>(index)])] = 1;
  return row;
}

std::vector<double> output_row(const std::vector<double>& all, std::int64_t row,
                               std::int64_t width) {
  return {all.begin() + row * width, all.begin() + (row + 1) * width};
}

LayerComparison compare_nearest(const std::string& name, const LabelledPatterns& stored,
                                const LabelledPatterns& test, Executor* executor) {
  LayerComparison result;
  result.classifier = name;
  const auto out =
      nearest_layer(stored, std::numeric_limits<double>::infinity()).recall(test.values, executor);
  for (std::int64_t t = 0; t < test.count(); ++t) {
    const auto state = state_of(test, t);
    const Neighbour nearest = nearest_pattern(stored, state);
    // One content is copied: no rounding at all.
    add(result,
        {output_row(out, t, test.num_classes), class_row(stored, nearest.index), 0,
         nearest.gap <= score_rounding(stored, state)},
        test.labels[static_cast<std::size_t>(t)]);
  }
  return result;
}

LayerComparison compare_votes(const std::string& name, const LabelledPatterns& train,
                              const LabelledPatterns& test, std::int64_t k, double beta,
                              Executor* executor) {
  LayerComparison result;
  result.classifier = name;
  const auto out = k_nearest_layer(train, k, beta).recall(test.values, executor);
  for (std::int64_t t = 0; t < test.count(); ++t) {
    const auto state = state_of(test, t);
    const Votes votes = k_nearest_votes(train, k, beta, state);
    const double score_error = score_rounding(train, state);
    // k terms are added and divided; an error of a score is a relative error of a vote.
    const double allowed = 4 * static_cast<double>(k) * kEpsilon + 2 * beta * score_error;
    add(result,
        {output_row(out, t, test.num_classes), votes.votes, allowed, votes.gap <= score_error},
        test.labels[static_cast<std::size_t>(t)]);
  }
  return result;
}

LayerComparison compare_machines(const LabelledPatterns& train, const LabelledPatterns& test,
                                 const AttentionOptions& o) {
  LayerComparison result;
  result.classifier = "RBF-SVM";
  result.report.converged = true;
  std::vector<Opinion> opinions(static_cast<std::size_t>(test.count()));
  KernelMachineOptions options;
  options.gamma = o.gamma > 0 ? o.gamma : 1 / static_cast<double>(train.depth);
  options.cost = o.cost;
  const bool two = train.num_classes == 2;
  for (std::int64_t label = two ? 1 : 0; label < train.num_classes; ++label) {
    const KernelMachine machine = train_kernel_machine(train, label, options);
    result.report.iterations += machine.report.iterations;
    result.report.residual = std::max(result.report.residual, machine.report.residual);
    if (!machine.report.converged) {
      result.report.converged = false;
      result.report.message = machine.report.message;
    }
    const FixedLayer layer = kernel_machine_layer(machine);
    const std::vector<double> out = layer.recall(test.values, o.executor);
    double weight_sum = std::abs(machine.bias);
    for (const double weight : machine.weights) weight_sum += std::abs(weight);
    for (std::int64_t t = 0; t < test.count(); ++t) {
      Opinion& opinion = opinions[static_cast<std::size_t>(t)];
      const double value =
          out[static_cast<std::size_t>(2 * t)] / out[static_cast<std::size_t>(2 * t + 1)];
      const double plain = machine.value(state_of(test, t));
      // Rounded scores make each weight wrong by that share; then sums of num_rows terms.
      const double share = 2 * options.gamma * score_rounding(train, state_of(test, t)) +
                           4 * static_cast<double>(layer.num_rows) * kEpsilon;
      opinion.allowed = std::max(opinion.allowed, 2 * share * weight_sum);
      if (two) {
        opinion.layer.push_back(-value);
        opinion.plain.push_back(-plain);
      }
      opinion.layer.push_back(value);
      opinion.plain.push_back(plain);
    }
  }
  for (std::size_t t = 0; t < opinions.size(); ++t) add(result, opinions[t], test.labels[t]);
  return result;
}

SharpnessPoint measure_sharpness(const LabelledPatterns& train, const LabelledPatterns& test,
                                 double beta, Executor* executor) {
  SharpnessPoint point;
  point.beta = beta;
  const auto out = nearest_layer(train, beta).recall(test.values, executor);
  const double others = static_cast<double>(train.count() - 1);
  std::vector<double> masses;
  for (std::int64_t t = 0; t < test.count(); ++t) {
    const auto state = state_of(test, t);
    const Neighbour nearest = nearest_pattern(train, state);
    const std::int64_t label = train.labels[static_cast<std::size_t>(nearest.index)];
    const std::vector<double> row = output_row(out, t, train.num_classes);
    double mass = 0;
    for (std::int64_t c = 0; c < train.num_classes; ++c) {
      if (c != label) mass += row[static_cast<std::size_t>(c)];
    }
    const double bound = others * std::exp(-beta * nearest.gap);
    const double allowed =
        bound * std::exp(2 * beta * score_rounding(train, state)) * (1 + 4 * others * kEpsilon) +
        std::numeric_limits<double>::min();
    if (bound > 0) point.bound_ratio = std::max(point.bound_ratio, mass / bound);
    point.num_violations += !(mass <= allowed);
    point.num_equal += largest_of(row) == label;
    masses.push_back(mass);
  }
  point.num_states = test.count();
  std::sort(masses.begin(), masses.end());
  point.mass_median = masses[masses.size() / 2];
  return point;
}

}  // namespace

void standardise(LabelledPatterns& train, LabelledPatterns& test) {
  check_patterns(train, kOp);
  check_patterns(test, kOp);
  require(train.depth == test.depth, kOp,
          "expected test patterns of depth " + std::to_string(train.depth) + ", got " +
              std::to_string(test.depth));
  const auto depth = static_cast<std::size_t>(train.depth);
  const auto count = static_cast<double>(train.count());
  for (std::size_t c = 0; c < depth; ++c) {
    double mean = 0, square = 0;
    double low = train.values[c], high = low;
    for (std::size_t at = c; at < train.values.size(); at += depth) {
      mean += train.values[at] / count;
      low = std::min(low, train.values[at]);
      high = std::max(high, train.values[at]);
    }
    for (std::size_t at = c; at < train.values.size(); at += depth) {
      square += (train.values[at] - mean) * (train.values[at] - mean) / count;
    }
    const double scale = low < high ? 1 / std::sqrt(square) : 0;
    for (LabelledPatterns* part : {&train, &test}) {
      for (std::size_t at = c; at < part->values.size(); at += depth) {
        part->values[at] = (part->values[at] - mean) * scale;
      }
    }
  }
}

AttentionComparison compare_attention(const LabelledPatterns& train, const LabelledPatterns& test,
                                      const AttentionOptions& o) {
  check_patterns(train, kOp);
  check_patterns(test, kOp);
  require(
      train.depth == test.depth && train.num_classes == test.num_classes && train.num_classes >= 2,
      kOp, "expected two sets of one depth and the same two or more classes");
  require(o.vote_beta > 0, kOp, "expected a vote_beta > 0, got " + std::to_string(o.vote_beta));
  require(o.gamma >= 0, kOp, "expected a gamma >= 0, got " + std::to_string(o.gamma));
  AttentionComparison result;
  const std::string k = std::to_string(o.k);
  result.layers.push_back(compare_nearest("1-NN", train, test, o.executor));
  result.layers.push_back(compare_votes(k + "-NN", train, test, o.k, 0, o.executor));
  result.layers.push_back(
      compare_votes(k + "-NN, weighted", train, test, o.k, o.vote_beta, o.executor));
  result.layers.push_back(compare_machines(train, test, o));
  result.prototypes = train_prototypes(train, o.prototypes, o.executor);
  result.layers.push_back(compare_nearest("LVQ", result.prototypes.prototypes, test, o.executor));
  for (const double beta : o.betas) {
    result.sharpness.push_back(measure_sharpness(train, test, beta, o.executor));
  }
  for (const LayerComparison& layer : result.layers) result.holds = result.holds && layer.holds;
  for (const SharpnessPoint& point : result.sharpness) {
    result.holds = result.holds && point.num_violations == 0;
  }
  result.holds = result.holds && result.prototypes.gradient_error <= kGradientError;
  return result;
}

}  // namespace hopfield::theory
