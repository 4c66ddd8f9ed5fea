#include "hopfield/apps/mil/stored_bags.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "apps/mil/bag_pattern.h"
#include "apps/mil/ridge.h"
#include "hopfield/apps/mil/evaluation.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/base/error.h"
#include "hopfield/report/format.h"

namespace hopfield::mil {
namespace {

constexpr const char* kOp = "stored bags";
constexpr double kRidge = 0.01;
constexpr double kSmallestWeight = 0.01;  // of a candidate beside the best one
constexpr double kSmallestError = 1e-3;   // a perfect AUC has no standard error of its own
constexpr std::size_t kMaxBags = 4096;
constexpr std::size_t kMaxSetInstances = 20000;

using Poll = std::function<void()>;

/// Ranks of the instances of some bags, bag after bag.
struct RankedBags {
  std::vector<float> ranks;                 ///< [n, K]
  std::vector<std::int64_t> offsets = {0};  ///< [bags + 1]
  std::size_t num_columns = 0;

  std::size_t num_bags() const { return offsets.size() - 1; }
  std::span<const float> bag(std::size_t b) const {
    const auto begin = static_cast<std::size_t>(offsets[b]) * num_columns;
    const auto end = static_cast<std::size_t>(offsets[b + 1]) * num_columns;
    return std::span(ranks).subspan(begin, end - begin);
  }
};

RankedBags rank_bags(const Bags& bags, const InputCoder& coder) {
  return {coder.apply(bags.values), bags.offsets, static_cast<std::size_t>(coder.num_coded())};
}

/// Everything a similarity between two stored bags can weigh: [n, n].
class DistanceTable {
 public:
  DistanceTable(const RankedBags& ranked, const std::vector<BagPattern>& patterns,
                const PatternScales& scales, bool with_sets, const Poll& poll)
      : n_(patterns.size()), distances_(n_ * n_) {
    std::vector<double> self(n_, 1.0);
    for (std::size_t a = 0; a < n_; ++a) {
      if (poll) poll();
      for (std::size_t b = 0; b <= a; ++b) {
        BagDistances entry = pattern_distances(patterns[a], patterns[b], scales);
        if (with_sets) {
          entry.set = instance_similarity(ranked.bag(a), ranked.bag(b), ranked.num_columns);
          if (a == b) self[a] = entry.set;
        }
        distances_[a * n_ + b] = entry;
      }
    }
    for (std::size_t a = 0; a < n_; ++a) {
      for (std::size_t b = 0; b <= a; ++b) {
        BagDistances& entry = distances_[a * n_ + b];
        entry.set = a == b ? 1.0 : entry.set / std::sqrt(self[a] * self[b]);
        distances_[b * n_ + a] = entry;
      }
    }
  }

  std::vector<double> gram(const BagSimilarity& similarity) const {
    std::vector<double> out(distances_.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = similarity_of(similarity, distances_[i]);
    }
    return out;
  }

 private:
  std::size_t n_;
  std::vector<BagDistances> distances_;
};

/// What is known of the stored bags.
struct StoredLabels {
  const LabelScheme& scheme;
  std::vector<int> labels;
  std::vector<double> numbers;

  std::size_t num_outputs() const { return static_cast<std::size_t>(scheme.num_outputs()); }
  std::size_t num_bags() const { return labels.size() + numbers.size(); }
  bool regression() const { return scheme.target == Target::kRegression; }
  /// Whether bag j is of the class that this output stands for.
  std::vector<int> members(std::size_t output) const {
    if (scheme.target == Target::kBinary) return labels;
    std::vector<int> out;
    for (const int label : labels) out.push_back(label == static_cast<int>(output) ? 1 : 0);
    return out;
  }
  Outcomes outcomes(std::span<const double> scores) const {
    return {&scheme, scores, labels, numbers};
  }
};

/// [bags, outputs] class members as +-1, or numbers; and their means.
struct Targets {
  std::vector<double> values, means;
};

Targets targets_of(const StoredLabels& known) {
  const std::size_t outputs = known.num_outputs(), n = known.num_bags();
  Targets out{std::vector<double>(n * outputs), std::vector<double>(outputs)};
  for (std::size_t c = 0; c < outputs; ++c) {
    std::vector<double> column = known.numbers;
    if (!known.regression()) {
      for (const int member : known.members(c)) column.push_back(2 * member - 1);
    }
    out.means[c] = mean(column);
    for (std::size_t j = 0; j < n; ++j) out.values[j * outputs + c] = column[j] - out.means[c];
  }
  return out;
}

std::vector<double> column_of(const std::vector<double>& table, std::size_t c, std::size_t width) {
  std::vector<double> out;
  for (std::size_t at = c; at < table.size(); at += width) out.push_back(table[at]);
  return out;
}

/// Candidates with their values and left-out scores; of classes both divided by the sd of the
/// latter, of a regression with the mean number added to the latter.
struct Candidates {
  std::vector<StoredBags::Member> members;
  std::vector<std::vector<double>> left_out;
};

Candidates fit_candidates(const DistanceTable& table, const StoredLabels& known, bool with_sets,
                          const Poll& poll) {
  const Targets targets = targets_of(known);
  const std::size_t outputs = known.num_outputs();
  Candidates out;
  for (const BagSimilarity& similarity : similarity_candidates()) {
    if (similarity.set && !with_sets) continue;
    if (poll) poll();
    RidgeFit fit = fit_ridge(table.gram(similarity), targets.values, kRidge, outputs);
    for (std::size_t c = 0; c < outputs; ++c) {
      const double sd = sample_sd(column_of(fit.left_out, c, outputs));
      const double scale = known.regression() ? 1.0 : sd > 0 ? 1 / sd : 0.0;
      const double shift = known.regression() ? targets.means[c] : 0.0;
      for (std::size_t at = c; at < fit.values.size(); at += outputs) {
        fit.values[at] *= scale;
        fit.left_out[at] = fit.left_out[at] * scale + shift;
      }
    }
    const double auc = main_figure(known.outcomes(fit.left_out));
    out.members.push_back({similarity, 0.0, auc, std::move(fit.values)});
    out.left_out.push_back(std::move(fit.left_out));
  }
  return out;
}

/// Weights by left-out AUC, see StoredBags; then the average of classes becomes a logit.
void settle(Candidates candidates, const StoredLabels& known, StoredBags::State& state) {
  std::size_t best = 0;
  for (std::size_t m = 1; m < candidates.members.size(); ++m) {
    if (candidates.members[m].left_out_auc > candidates.members[best].left_out_auc) best = m;
  }
  const double error =
      std::max(kSmallestError, main_standard_error(known.outcomes(candidates.left_out[best])));
  double total = 0;
  for (StoredBags::Member& member : candidates.members) {
    const double behind = candidates.members[best].left_out_auc - member.left_out_auc;
    member.weight = std::exp(-behind / error);
    if (member.weight < kSmallestWeight) member.weight = 0;
    total += member.weight;
  }
  const std::size_t outputs = known.num_outputs();
  std::vector<double> average(known.num_bags() * outputs, 0.0);
  for (std::size_t m = 0; m < candidates.members.size(); ++m) {
    StoredBags::Member& member = candidates.members[m];
    if (member.weight == 0) continue;
    member.weight /= total;
    for (std::size_t j = 0; j < average.size(); ++j) {
      average[j] += member.weight * candidates.left_out[m][j];
    }
    state.members.push_back(std::move(member));
  }
  state.left_out_auc = main_figure(known.outcomes(average));
  state.intercept.assign(outputs, known.regression() ? mean(known.numbers) : 0.0);
  for (std::size_t c = 0; c < outputs; ++c) {
    double slope = 1;
    if (!known.regression()) {
      const Logistic logistic = fit_logistic(column_of(average, c, outputs), known.members(c));
      slope = logistic.slope;
      state.intercept[c] = logistic.intercept;
    }
    for (StoredBags::Member& member : state.members) {
      for (std::size_t at = c; at < member.values.size(); at += outputs) {
        member.values[at] *= slope * member.weight;
      }
    }
  }
}

/// A probability that is right for the classes as they come is right for weighted classes after
/// its odds are multiplied by the weights.
void weigh_classes(const StoredLabels& known, const ClassWeights& given, StoredBags::State& state) {
  const std::vector<double> weights = given.of(known.scheme, known.labels);
  if (known.scheme.target == Target::kBinary) {
    state.intercept.front() += std::log(weights[1] / weights[0]);
  } else {
    for (const double weight : weights) state.log_class_weights.push_back(std::log(weight));
  }
}

bool uses_sets(const StoredBags::State& state) {
  return std::any_of(state.members.begin(), state.members.end(),
                     [](const StoredBags::Member& member) { return member.similarity.set; });
}

/// Scores pooled bags against the stored ones; made for one call.
class Scorer {
 public:
  explicit Scorer(const StoredBags::State& state)
      : state_(state),
        scales_{state.center, state.max_shift, state.max_scale, state.min_shift, state.min_scale},
        num_columns_(static_cast<std::size_t>(state.coder.num_coded())),
        num_outputs_(state.intercept.size()) {
    const std::size_t n = state.members.front().values.size() / num_outputs_;
    const auto part = [](const std::vector<float>& all, std::size_t b, std::size_t width) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(b * width);
      return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(width));
    };
    for (std::size_t b = 0; b < n; ++b) {
      stored_.push_back(restore_bag(part(state.mean, b, num_columns_ * kStoredLevels),
                                    part(state.max, b, num_columns_),
                                    part(state.min, b, num_columns_), scales_));
    }
    if (!uses_sets(state)) return;
    instances_ = {state.instances, state.offsets, num_columns_};
    for (std::size_t b = 0; b < n; ++b) {
      self_.push_back(instance_similarity(instances_.bag(b), instances_.bag(b), num_columns_));
    }
  }

  std::size_t num_columns() const { return num_columns_; }
  bool with_sets() const { return !self_.empty(); }

  /// Mean instance similarity with each stored bag; empty if no member asks.
  std::vector<double> to_stored(std::span<const float> ranks) const {
    std::vector<double> out;
    for (std::size_t b = 0; b < self_.size(); ++b) {
      out.push_back(instance_similarity(ranks, instances_.bag(b), num_columns_));
    }
    return out;
  }
  double to_itself(std::span<const float> ranks) const {
    return with_sets() ? instance_similarity(ranks, ranks, num_columns_) : 1.0;
  }

  std::vector<double> scores(const PooledBag& pooled, std::span<const double> to_stored,
                             double to_itself) const {
    const BagPattern pattern = scale_bag(pooled, scales_);
    std::vector<double> sums(state_.members.size() * num_outputs_, 0.0);
    for (std::size_t b = 0; b < stored_.size(); ++b) {
      BagDistances distances = pattern_distances(pattern, stored_[b], scales_);
      if (with_sets()) distances.set = to_stored[b] / std::sqrt(to_itself * self_[b]);
      for (std::size_t m = 0; m < state_.members.size(); ++m) {
        const StoredBags::Member& member = state_.members[m];
        const double similarity = similarity_of(member.similarity, distances);
        for (std::size_t c = 0; c < num_outputs_; ++c) {
          sums[m * num_outputs_ + c] += similarity * member.values[b * num_outputs_ + c];
        }
      }
    }
    return settled(sums);
  }

  std::vector<double> scores(std::span<const float> ranks) const {
    return scores(pool_bag(ranks, num_columns_), to_stored(ranks), to_itself(ranks));
  }

  /// Of a bag that associates with nothing.
  std::vector<double> scores_of_nothing() const { return settled({}); }

 private:
  /// `sums` [members, outputs] of the members; or none.
  std::vector<double> settled(const std::vector<double>& sums) const {
    std::vector<double> out = state_.intercept;
    for (std::size_t i = 0; i < sums.size(); ++i) out[i % num_outputs_] += sums[i];
    if (state_.log_class_weights.empty()) return out;
    for (std::size_t c = 0; c < num_outputs_; ++c) {
      const double loss = std::max(-out[c], 0.0) + std::log1p(std::exp(-std::abs(out[c])));
      out[c] = state_.log_class_weights[c] - loss;  // -loss = log(1 / (1 + exp(-logit)))
    }
    return out;
  }

  const StoredBags::State& state_;
  PatternScales scales_;
  std::size_t num_columns_, num_outputs_;
  std::vector<BagPattern> stored_;
  RankedBags instances_;
  std::vector<double> self_;
};

/// One score of the bag without each of its instances, n >= 2.
std::vector<double> scores_without_each(const Scorer& scorer, std::span<const float> ranks,
                                        std::size_t output) {
  const std::size_t columns = scorer.num_columns(), n = ranks.size() / columns;
  const std::vector<PooledBag> pooled = pool_without_each(ranks, columns);
  // Sums over the bag's instances, and each one's part of them.
  std::vector<double> sums;
  std::vector<std::vector<double>> parts(n);
  std::vector<double> own(n, 0.0);
  double own_sum = 0;
  if (scorer.with_sets()) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::span<const float> row = ranks.subspan(i * columns, columns);
      parts[i] = scorer.to_stored(row);
      sums.resize(parts[i].size(), 0.0);
      for (std::size_t b = 0; b < sums.size(); ++b) sums[b] += parts[i][b];
      own[i] = instance_similarity(row, ranks, columns) * static_cast<double>(n);
      own_sum += own[i];
    }
  }
  std::vector<double> out;
  for (std::size_t i = 0; i < n; ++i) {
    const auto rest = static_cast<double>(n - 1);
    std::vector<double> to_stored(sums.size());
    for (std::size_t b = 0; b < sums.size(); ++b) to_stored[b] = (sums[b] - parts[i][b]) / rest;
    // Pairs without i: its row and its column go, its pair with itself (exp 0 = 1) is in both.
    const double to_itself = scorer.with_sets() ? (own_sum - 2 * own[i] + 1) / (rest * rest) : 1.0;
    out.push_back(scorer.scores(pooled[i], to_stored, to_itself)[output]);
  }
  return out;
}

void check_features(const Bags& bags, const StoredBags& model) {
  check_bags(bags);
  require(bags.num_features == model.num_features(), kOp,
          "expected bags with " + std::to_string(model.num_features()) +
              " features, as the model was trained on, got " + std::to_string(bags.num_features) +
              " in " + bags.origin);
}

}  // namespace

std::string similarity_text(const BagSimilarity& similarity) {
  std::string out;
  const auto add = [&](double factor, const char* name) {
    if (factor == 0) return;
    out += out.empty() ? "" : " + ";
    if (factor != 1) out += report::general(factor) + " ";
    out += name;
  };
  add(similarity.mean, "mean");
  add(similarity.max, "max");
  add(similarity.min, "min");
  add(similarity.cosine, "cosine");
  if (similarity.set) out += out.empty() ? "set" : ", set";
  return out;
}

std::vector<BagSimilarity> similarity_candidates() {
  // Around the recipe 3 mean + 0.5 max by factors of two, each part alone, and its siblings.
  return {
      {.mean = 3, .max = 0.5},
      {.mean = 6, .max = 0.5},
      {.mean = 1.5, .max = 0.25},
      {.mean = 2, .max = 0.7},
      {.mean = 3},
      {.max = 0.5},
      {.mean = 3, .max = 0.25, .min = 0.25},
      {.cosine = 1},
      {.set = true},
      {.max = 0.5, .set = true},
      {.mean = 3, .max = 0.5, .set = true},
  };
}

StoredBags StoredBags::fit(const Bags& bags, std::span<const std::int64_t> which, const Poll& poll,
                           const ClassWeights& weights) {
  check_bags(bags);
  check_labels(bags);
  require(!which.empty(), kOp, "expected bags to store, got none");
  if (which.size() > kMaxBags) {
    fail(ErrorCode::kUnsupported, kOp,
         "expected at most " + std::to_string(kMaxBags) +
             " training bags, since their values are solved exactly, got " +
             std::to_string(which.size()) + "; use --model hopfield");
  }
  for (const std::int64_t bag : which) {
    require(
        bag >= 0 && bag < bags.num_bags(), kOp,
        "expected bags below " + std::to_string(bags.num_bags()) + ", got " + std::to_string(bag));
  }
  StoredBags model;
  State& state = model.state_;
  state.coder = InputCoder::fit(bags, which, InputCode::kRank, 1);
  const Bags chosen = select_bags(bags, which);
  RankedBags ranked = rank_bags(chosen, state.coder);
  check_variety(chosen, kOp);
  const StoredLabels known{chosen.scheme, chosen.labels, chosen.numbers};
  std::vector<PooledBag> pooled;
  for (std::size_t b = 0; b < ranked.num_bags(); ++b) {
    pooled.push_back(pool_bag(ranked.bag(b), ranked.num_columns));
  }
  PatternScales scales = fit_scales(pooled);
  std::vector<BagPattern> patterns;
  for (const PooledBag& bag : pooled) patterns.push_back(scale_bag(bag, scales));
  const auto num_instances = static_cast<std::size_t>(ranked.offsets.back());
  const bool with_sets = num_instances <= kMaxSetInstances;
  const DistanceTable table(ranked, patterns, scales, with_sets, poll);
  settle(fit_candidates(table, known, with_sets, poll), known, state);
  if (!known.regression() || weights.balanced || !weights.weights.empty()) {
    weigh_classes(known, weights, state);
  }
  for (const BagPattern& pattern : patterns) {
    state.mean.insert(state.mean.end(), pattern.mean.begin(), pattern.mean.end());
    state.max.insert(state.max.end(), pattern.max.begin(), pattern.max.end());
    state.min.insert(state.min.end(), pattern.min.begin(), pattern.min.end());
  }
  state.center = std::move(scales.center);
  state.max_shift = std::move(scales.max_shift);
  state.max_scale = std::move(scales.max_scale);
  state.min_shift = std::move(scales.min_shift);
  state.min_scale = std::move(scales.min_scale);
  if (uses_sets(state)) {
    state.instances = std::move(ranked.ranks);
    state.offsets = std::move(ranked.offsets);
  }
  return model;
}

std::int64_t StoredBags::num_stored() const {
  if (state_.members.empty()) return 0;
  return static_cast<std::int64_t>(state_.members.front().values.size()) / num_outputs();
}

std::int64_t StoredBags::num_values() const {
  return num_stored() * num_outputs() * static_cast<std::int64_t>(state_.members.size());
}

std::string StoredBags::text() const {
  std::string out;
  for (const Member& member : state_.members) {
    out += (out.empty() ? "" : "; ") + similarity_text(member.similarity) + ": " +
           report::fixed(100 * member.weight, 0) + " %";
  }
  return out;
}

std::vector<double> StoredBags::scores(const Bags& bags,
                                       std::span<const std::int64_t> which) const {
  check_features(bags, *this);
  const RankedBags ranked = rank_bags(select_bags(bags, which), state_.coder);
  const Scorer scorer(state_);
  std::vector<double> out;
  for (std::size_t b = 0; b < ranked.num_bags(); ++b) {
    const std::vector<double> scores = scorer.scores(ranked.bag(b));
    out.insert(out.end(), scores.begin(), scores.end());
  }
  return out;
}

std::vector<StoredBags::InstanceEffects> StoredBags::instance_effects(
    const Bags& bags, std::span<const std::int64_t> which, std::int64_t output) const {
  check_features(bags, *this);
  require(output < num_outputs(), kOp,
          "expected an output below " + std::to_string(num_outputs()) + ", got " +
              std::to_string(output));
  const RankedBags ranked = rank_bags(select_bags(bags, which), state_.coder);
  const Scorer scorer(state_);
  std::vector<InstanceEffects> out(ranked.num_bags());
  for (std::size_t b = 0; b < out.size(); ++b) {
    const std::span<const float> ranks = ranked.bag(b);
    const std::vector<double> scores = scorer.scores(ranks);
    const auto greatest = std::max_element(scores.begin(), scores.end()) - scores.begin();
    const auto at = static_cast<std::size_t>(output < 0 ? greatest : output);
    out[b].output = static_cast<std::int64_t>(at);
    out[b].score = scores[at];
    for (std::size_t i = 0; i < ranks.size(); i += ranked.num_columns) {
      out[b].alone.push_back(scorer.scores(ranks.subspan(i, ranked.num_columns))[at]);
    }
    out[b].without = out[b].alone.size() == 1 ? std::vector<double>{scorer.scores_of_nothing()[at]}
                                              : scores_without_each(scorer, ranks, at);
  }
  return out;
}

StoredBags StoredBags::from_state(State state) {
  const auto check = [](bool ok, const char* what) {
    if (!ok) {
      fail(ErrorCode::kCorruptData, kOp,
           std::string("expected a consistent model of stored bags, got contradicting ") + what);
    }
  };
  const auto columns = static_cast<std::size_t>(state.coder.num_coded());
  check(columns > 0 && state.coder.state().code == static_cast<std::int64_t>(InputCode::kRank),
        "input codes");
  check(!state.members.empty() && !state.members.front().values.empty(), "members");
  const std::size_t outputs = state.intercept.size();
  check(outputs > 0 && state.members.front().values.size() % outputs == 0 &&
            (state.log_class_weights.empty() || state.log_class_weights.size() == outputs) &&
            (outputs == 1 || !state.log_class_weights.empty()),
        "outputs");
  const std::size_t n = state.members.front().values.size() / outputs;
  for (const Member& member : state.members) check(member.values.size() == n * outputs, "values");
  check(state.center.size() == columns * kStoredLevels && state.max_shift.size() == columns &&
            state.max_scale.size() == columns && state.min_shift.size() == columns &&
            state.min_scale.size() == columns,
        "scales");
  check(state.mean.size() == n * columns * kStoredLevels && state.max.size() == n * columns &&
            state.min.size() == n * columns,
        "patterns");
  if (uses_sets(state)) {
    check(state.offsets.size() == n + 1 && state.offsets.front() == 0 &&
              std::adjacent_find(state.offsets.begin(), state.offsets.end(),
                                 std::greater_equal<>()) == state.offsets.end() &&
              state.instances.size() % columns == 0 &&
              state.offsets.back() == static_cast<std::int64_t>(state.instances.size() / columns),
          "instances");
  } else {
    check(state.offsets.empty() && state.instances.empty(), "instances");
  }
  StoredBags model;
  model.state_ = std::move(state);
  return model;
}

}  // namespace hopfield::mil
