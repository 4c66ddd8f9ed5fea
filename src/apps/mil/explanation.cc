#include "apps/mil/explanation.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

/// Up to so many instances all effects of a bag are found; of more, those of the most weighted, so
/// that no more rows are pooled. And numbers held for one step.
constexpr std::int64_t kMaxEffects = 4096;
constexpr std::int64_t kMaxEffectRows = kMaxEffects * kMaxEffects;
constexpr std::int64_t kNumbersOfAStep = std::int64_t{1} << 24;

/// Instances by falling weight, then by place.
std::vector<std::int64_t> order_of(const std::vector<double>& weights) {
  std::vector<std::int64_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return weights[static_cast<std::size_t>(a)] > weights[static_cast<std::size_t>(b)];
  });
  return order;
}

/// Weights that are shares of the |effects|.
void weigh_by_effects(BagExplanation& explanation) {
  double total = 0;
  for (const double effect : explanation.effect) total += std::abs(effect);
  const double even = 1 / static_cast<double>(explanation.effect.size());
  for (const double effect : explanation.effect) {
    explanation.mean_weight.push_back(total > 0 ? std::abs(effect) / total : even);
  }
  explanation.order = order_of(explanation.mean_weight);
}

std::size_t output_of(const LabelScheme& scheme, std::span<const double> scores,
                      std::int64_t output) {
  if (output >= 0) return static_cast<std::size_t>(output);
  return scheme.target == Target::kClasses ? static_cast<std::size_t>(scheme.predicted(scores)) : 0;
}

/// The bags of these `embedded` instances [n, width] without one of them, for each of `left_out`.
BagBatch bags_without(const at::Tensor& embedded, std::span<const std::int64_t> left_out) {
  const std::int64_t n = embedded.size(0), rest = n - 1;
  const auto bags = static_cast<std::int64_t>(left_out.size());
  at::Tensor rows = at::arange(rest).repeat({bags, 1});
  at::Tensor gaps = at::empty({bags, 1}, at::kLong);
  std::copy(left_out.begin(), left_out.end(), gaps.mutable_data_ptr<std::int64_t>());
  rows = rows + rows.ge(gaps).to(at::kLong);
  return {embedded.index_select(0, rows.flatten()), at::arange(bags + 1) * rest,
          at::arange(bags).repeat_interleave(rest)};
}

/// Adds the score of the bag without each of `left_out`, divided by `share`, to `sums`.
void add_scores_without(BagNet& net, const at::Tensor& embedded,
                        std::span<const std::int64_t> left_out, std::size_t output, double share,
                        std::vector<double>& sums) {
  const auto column = static_cast<std::int64_t>(output);
  if (embedded.size(0) == 1) {
    sums[0] += net->forward_nothing().select(1, column).item<double>() / share;
    return;
  }
  const auto step =
      static_cast<std::size_t>(std::max<std::int64_t>(1, kNumbersOfAStep / embedded.numel()));
  for (std::size_t begin = 0; begin < left_out.size(); begin += step) {
    const auto some = left_out.subspan(begin, std::min(step, left_out.size() - begin));
    const at::Tensor scores = net->forward_embedded(bags_without(embedded, some))
                                  .select(1, column)
                                  .to(at::kDouble)
                                  .contiguous();
    for (std::size_t i = 0; i < some.size(); ++i) {
      sums[static_cast<std::size_t>(some[i])] += scores.const_data_ptr<double>()[i] / share;
    }
  }
}

/// One bag of networks.
void explain_bag(std::vector<BagNet>& members, const CodedBags& bags, std::int64_t bag,
                 std::size_t num_weights, BagExplanation& out) {
  const BagBatch batch = make_batch(bags, std::span(&bag, 1));
  const auto size = static_cast<std::size_t>(batch.values.size(0));
  const auto share = static_cast<double>(members.size());
  out.weights.assign(size * num_weights, 0.0);
  for (BagNet& net : members) {
    if (num_weights == 0) break;
    const at::Tensor weights = net->instance_weights(batch).to(at::kDouble).contiguous();
    const double* data = weights.const_data_ptr<double>();
    for (std::size_t i = 0; i < out.weights.size(); ++i) out.weights[i] += data[i] / share;
  }
  std::vector<std::int64_t> left_out;
  if (num_weights > 0) {
    out.mean_weight.assign(size, 0.0);
    for (std::size_t i = 0; i < out.weights.size(); ++i) {
      out.mean_weight[i / num_weights] += out.weights[i] / static_cast<double>(num_weights);
    }
    out.order = order_of(out.mean_weight);
    left_out = out.order;
  } else {
    left_out = order_of(std::vector<double>(size));
  }
  const auto most = static_cast<std::size_t>(
      std::max<std::int64_t>(1, kMaxEffectRows / static_cast<std::int64_t>(size)));
  if (left_out.size() > most) {
    if (num_weights == 0) {
      fail(ErrorCode::kUnsupported, "explain",
           "expected bags of at most " + std::to_string(kMaxEffects) +
               " instances for a model that weighs none, got " + std::to_string(size));
    }
    left_out.resize(most);
  }
  std::vector<double> without(size, 0.0);
  for (BagNet& net : members) {
    add_scores_without(net, net->embed(batch.values), left_out,
                       static_cast<std::size_t>(out.output), share, without);
  }
  out.effect.assign(size, std::numeric_limits<double>::quiet_NaN());
  for (const std::int64_t i : left_out) {
    out.effect[static_cast<std::size_t>(i)] = out.score - without[static_cast<std::size_t>(i)];
  }
  if (num_weights == 0) weigh_by_effects(out);
}

}  // namespace

std::vector<BagExplanation> explain_stored(const StoredBags& model, const Bags& bags,
                                           std::int64_t output) {
  std::vector<std::int64_t> all(bags.bag_ids.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  std::vector<BagExplanation> out;
  for (StoredBags::InstanceEffects& effects : model.instance_effects(bags, all, output)) {
    BagExplanation& explanation = out.emplace_back();
    explanation.output = effects.output;
    explanation.score = effects.score;
    explanation.alone = std::move(effects.alone);
    for (const double without : effects.without) {
      explanation.effect.push_back(effects.score - without);
    }
    weigh_by_effects(explanation);
  }
  return out;
}

std::vector<BagExplanation> explain_networks(std::vector<BagNet>& members, const CodedBags& bags,
                                             std::size_t num_weights, std::int64_t output) {
  const at::NoGradGuard no_grad;
  const auto outputs = static_cast<std::size_t>(bags.scheme.num_outputs());
  // Each instance as a bag of its own.
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(bags.offsets.back()) + 1);
  std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
  const CodedBags instances{bags.values, numbers, bags.scheme, {}, {}};
  const std::vector<double> alone =
      mean_scores(members, instances, std::span(numbers).first(numbers.size() - 1));
  const std::size_t num_bags = bags.offsets.size() - 1;
  const std::vector<double> scores = mean_scores(members, bags, std::span(numbers).first(num_bags));
  std::vector<BagExplanation> out(num_bags);
  for (std::size_t b = 0; b < num_bags; ++b) {
    const std::span own = std::span(scores).subspan(b * outputs, outputs);
    const std::size_t at = output_of(bags.scheme, own, output);
    out[b].output = static_cast<std::int64_t>(at);
    out[b].score = own[at];
    for (std::int64_t i = bags.offsets[b]; i < bags.offsets[b + 1]; ++i) {
      out[b].alone.push_back(alone[static_cast<std::size_t>(i) * outputs + at]);
    }
    explain_bag(members, bags, static_cast<std::int64_t>(b), num_weights, out[b]);
  }
  return out;
}

}  // namespace hopfield::mil
