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
constexpr double kSharpness = 2.0;        // of the weights, in units of the standard error
constexpr double kSmallestWeight = 0.01;  // of a candidate beside the best one
constexpr double kSmallestError = 1e-3;   // a perfect AUC has no standard error of its own
constexpr std::size_t kMaxBags = 4096;
constexpr std::size_t kMaxSetInstances = 20000;

using Poll = std::function<void()>;

/// Codes of the instances of some bags, bag after bag.
struct CodedRows {
  std::vector<float> rows;                  ///< [n, K]
  std::vector<std::int64_t> offsets = {0};  ///< [bags + 1]
  std::size_t num_columns = 0;

  std::size_t num_bags() const { return offsets.size() - 1; }
  std::span<const float> bag(std::size_t b) const {
    const auto begin = static_cast<std::size_t>(offsets[b]) * num_columns;
    const auto end = static_cast<std::size_t>(offsets[b + 1]) * num_columns;
    return std::span(rows).subspan(begin, end - begin);
  }
};

CodedRows code_rows(const Bags& bags, const InputCoder& coder) {
  return {coder.apply(bags.all_values()), bags.offsets,
          static_cast<std::size_t>(coder.num_coded())};
}

/// Everything a similarity between two stored bags can weigh: [n, n].
class DistanceTable {
 public:
  DistanceTable(const CodedRows& coded, const std::vector<BagPattern>& patterns,
                const PatternScales& scales, bool with_sets, const Poll& poll)
      : n_(patterns.size()), distances_(n_ * n_) {
    std::vector<double> self(n_, 1.0);
    for (std::size_t a = 0; a < n_; ++a) {
      if (poll) poll();
      for (std::size_t b = 0; b <= a; ++b) {
        BagDistances entry = pattern_distances(patterns[a], patterns[b], scales);
        if (with_sets) {
          entry.set = instance_similarity(coded.bag(a), coded.bag(b), coded.num_columns);
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

Candidates fit_candidates(const DistanceTable& ranks, const DistanceTable& z,
                          const StoredLabels& known, bool with_sets, const Poll& poll) {
  const Targets targets = targets_of(known);
  const std::size_t outputs = known.num_outputs();
  Candidates out;
  for (const BagSimilarity& similarity : similarity_candidates()) {
    if (similarity.set && !with_sets) continue;
    if (poll) poll();
    const DistanceTable& table = similarity.z ? z : ranks;
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
    member.weight = std::exp(-kSharpness * behind / error);
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
  const Outcomes outcomes = known.outcomes(average);
  state.left_out_auc = main_figure(outcomes);
  state.left_out_interval =
      main_interval(outcomes.scheme->target, state.left_out_auc, main_influence(outcomes));
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

/// Whether a member asks for this code, or for its instances.
bool uses(std::span<const StoredBags::Member> members, bool z, bool sets_only = false) {
  return std::any_of(members.begin(), members.end(), [&](const StoredBags::Member& member) {
    return member.similarity.z == z && (member.similarity.set || !sets_only);
  });
}

std::size_t levels_of(bool z) {
  return z ? kZLevels : kRankLevels;
}

/// Scores bags in one code against the stored ones: the sums over the members that use it. Made
/// for one call.
class Scorer {
 public:
  Scorer(const StoredBags::State& state, bool z)
      : coded_(z ? state.z : state.ranks),
        scales_{coded_.center,    coded_.max_center, coded_.max_shift,
                coded_.max_scale, coded_.min_shift,  coded_.min_scale},
        levels_(levels_of(z)),
        num_columns_(static_cast<std::size_t>(coded_.coder.num_coded())),
        num_outputs_(state.intercept.size()) {
    for (const StoredBags::Member& member : state.members) {
      if (member.similarity.z == z) members_.push_back(&member);
    }
    const std::size_t n = state.members.front().values.size() / num_outputs_;
    const auto part = [](const std::vector<float>& all, std::size_t b, std::size_t width) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(b * width);
      return std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(width));
    };
    for (std::size_t b = 0; b < n; ++b) {
      stored_.push_back(restore_bag(part(coded_.mean, b, num_columns_ * levels_),
                                    part(coded_.max, b, num_columns_),
                                    part(coded_.min, b, num_columns_), scales_));
    }
    if (!uses(state.members, z, /*sets_only=*/true)) return;
    instances_ = {coded_.instances, coded_.offsets, num_columns_};
    for (std::size_t b = 0; b < n; ++b) {
      self_.push_back(instance_similarity(instances_.bag(b), instances_.bag(b), num_columns_));
    }
  }

  CodedRows code(const Bags& bags) const { return code_rows(bags, coded_.coder); }

  /// [outputs]
  std::vector<double> score(std::span<const float> rows) const {
    return score(pool_bag(rows, num_columns_, levels_), to_stored(rows), to_itself(rows));
  }

  /// [n, outputs] of the bag without each of its instances, n >= 2.
  std::vector<double> scores_without_each(std::span<const float> rows) const {
    const std::size_t n = rows.size() / num_columns_;
    const std::vector<PooledBag> pooled = pool_without_each(rows, num_columns_, levels_);
    // Sums over the bag's instances, and each one's part of them.
    std::vector<double> sums;
    std::vector<std::vector<double>> parts(n);
    std::vector<double> own(n, 0.0);
    double own_sum = 0;
    if (with_sets()) {
      for (std::size_t i = 0; i < n; ++i) {
        const std::span<const float> row = rows.subspan(i * num_columns_, num_columns_);
        parts[i] = to_stored(row);
        sums.resize(parts[i].size(), 0.0);
        for (std::size_t b = 0; b < sums.size(); ++b) sums[b] += parts[i][b];
        own[i] = instance_similarity(row, rows, num_columns_) * static_cast<double>(n);
        own_sum += own[i];
      }
    }
    std::vector<double> out;
    for (std::size_t i = 0; i < n; ++i) {
      const auto rest = static_cast<double>(n - 1);
      std::vector<double> to_stored(sums.size());
      for (std::size_t b = 0; b < sums.size(); ++b) to_stored[b] = (sums[b] - parts[i][b]) / rest;
      // Pairs without i: its row and its column go, its pair with itself (exp 0 = 1) is in both.
      const double to_itself = with_sets() ? (own_sum - 2 * own[i] + 1) / (rest * rest) : 1.0;
      const std::vector<double> scores = score(pooled[i], to_stored, to_itself);
      out.insert(out.end(), scores.begin(), scores.end());
    }
    return out;
  }

 private:
  bool with_sets() const { return !self_.empty(); }

  /// Mean instance similarity with each stored bag; empty if no member asks.
  std::vector<double> to_stored(std::span<const float> rows) const {
    std::vector<double> out;
    for (std::size_t b = 0; b < self_.size(); ++b) {
      out.push_back(instance_similarity(rows, instances_.bag(b), num_columns_));
    }
    return out;
  }
  double to_itself(std::span<const float> rows) const {
    return with_sets() ? instance_similarity(rows, rows, num_columns_) : 1.0;
  }

  std::vector<double> score(const PooledBag& pooled, std::span<const double> to_stored,
                            double to_itself) const {
    const BagPattern pattern = scale_bag(pooled, scales_);
    std::vector<double> sums(members_.size() * num_outputs_, 0.0);
    for (std::size_t b = 0; b < stored_.size(); ++b) {
      BagDistances distances = pattern_distances(pattern, stored_[b], scales_);
      if (with_sets()) distances.set = to_stored[b] / std::sqrt(to_itself * self_[b]);
      for (std::size_t m = 0; m < members_.size(); ++m) {
        const double similarity = similarity_of(members_[m]->similarity, distances);
        for (std::size_t c = 0; c < num_outputs_; ++c) {
          sums[m * num_outputs_ + c] += similarity * members_[m]->values[b * num_outputs_ + c];
        }
      }
    }
    std::vector<double> out(num_outputs_, 0.0);
    for (std::size_t i = 0; i < sums.size(); ++i) out[i % num_outputs_] += sums[i];
    return out;
  }

  const StoredBags::Coded& coded_;
  PatternScales scales_;
  std::size_t levels_, num_columns_, num_outputs_;
  std::vector<const StoredBags::Member*> members_;
  std::vector<BagPattern> stored_;
  CodedRows instances_;
  std::vector<double> self_;
};

/// Those that the members need.
std::vector<Scorer> scorers_of(const StoredBags::State& state) {
  std::vector<Scorer> out;
  for (const bool z : {false, true}) {
    if (uses(state.members, z)) out.emplace_back(state, z);
  }
  return out;
}

std::vector<double> repeated(const std::vector<double>& values, std::size_t times) {
  std::vector<double> out;
  for (std::size_t i = 0; i < times; ++i) out.insert(out.end(), values.begin(), values.end());
  return out;
}

void add_to(const std::vector<double>& part, std::span<double> sums) {
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];
}

/// Sums [n, outputs] of the scorers and the intercept become scores, see StoredBags.
void weigh(const StoredBags::State& state, std::vector<double>& scores) {
  if (state.log_class_weights.empty()) return;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double loss = std::max(-scores[i], 0.0) + std::log1p(std::exp(-std::abs(scores[i])));
    // -loss = log(1 / (1 + exp(-logit)))
    scores[i] = state.log_class_weights[i % state.log_class_weights.size()] - loss;
  }
}

/// The bags to store in one code, with all distances between them.
struct Coding {
  CodedRows rows;
  PatternScales scales;
  std::vector<BagPattern> patterns;
  DistanceTable table;
};

Coding code_stored(CodedRows rows, bool z, bool with_sets, const Poll& poll) {
  std::vector<PooledBag> pooled;
  for (std::size_t b = 0; b < rows.num_bags(); ++b) {
    pooled.push_back(pool_bag(rows.bag(b), rows.num_columns, levels_of(z)));
  }
  PatternScales scales = fit_scales(pooled, levels_of(z));
  std::vector<BagPattern> patterns;
  for (const PooledBag& bag : pooled) patterns.push_back(scale_bag(bag, scales));
  DistanceTable table(rows, patterns, scales, with_sets, poll);
  return {std::move(rows), std::move(scales), std::move(patterns), std::move(table)};
}

/// Keeps of a code what the members need.
void keep(Coding coding, bool z, std::span<const StoredBags::Member> members,
          StoredBags::Coded& coded) {
  if (!uses(members, z)) return;
  for (const BagPattern& pattern : coding.patterns) {
    coded.mean.insert(coded.mean.end(), pattern.mean.begin(), pattern.mean.end());
    coded.max.insert(coded.max.end(), pattern.max.begin(), pattern.max.end());
    coded.min.insert(coded.min.end(), pattern.min.begin(), pattern.min.end());
  }
  coded.center = std::move(coding.scales.center);
  coded.max_center = std::move(coding.scales.max_center);
  coded.max_shift = std::move(coding.scales.max_shift);
  coded.max_scale = std::move(coding.scales.max_scale);
  coded.min_shift = std::move(coding.scales.min_shift);
  coded.min_scale = std::move(coding.scales.min_scale);
  if (uses(members, z, /*sets_only=*/true)) {
    coded.instances = std::move(coding.rows.rows);
    coded.offsets = std::move(coding.rows.offsets);
  }
}

void check_coded(const StoredBags::State& state, bool z,
                 const std::function<void(bool, const char*)>& check) {
  const StoredBags::Coded& coded = z ? state.z : state.ranks;
  const bool used = uses(state.members, z);
  const std::size_t n = used ? state.members.front().values.size() / state.intercept.size() : 0;
  const auto columns = used ? static_cast<std::size_t>(coded.coder.num_coded()) : 0;
  check(!used || columns > 0, "input codes");
  check(coded.center.size() == columns * levels_of(z) &&
            coded.max_center.size() == (z ? 0 : columns * kCoarseLevels) &&
            coded.max_shift.size() == columns && coded.max_scale.size() == columns &&
            coded.min_shift.size() == columns && coded.min_scale.size() == columns,
        "scales");
  check(coded.mean.size() == n * columns * levels_of(z) && coded.max.size() == n * columns &&
            coded.min.size() == n * columns,
        "patterns");
  if (uses(state.members, z, /*sets_only=*/true)) {
    check(coded.offsets.size() == n + 1 && coded.offsets.front() == 0 &&
              std::adjacent_find(coded.offsets.begin(), coded.offsets.end(),
                                 std::greater_equal<>()) == coded.offsets.end() &&
              coded.instances.size() % columns == 0 &&
              coded.offsets.back() == static_cast<std::int64_t>(coded.instances.size() / columns),
          "instances");
  } else {
    check(coded.offsets.empty() && coded.instances.empty(), "instances");
  }
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
  add(similarity.code_cosine, "code cosine");
  if (similarity.set) out += out.empty() ? "set" : ", set";
  return (similarity.z ? "z: " : "") + out;
}

std::vector<BagSimilarity> similarity_candidates() {
  return {
      {.mean = 3, .max = 0.5},
      {.cosine = 1},
      {.code_cosine = 1},
      {.max = 0.5, .set = true},
      {.mean = 1, .max = 0.25, .min = 0.25, .z = true},
      {.max = 0.5, .set = true, .z = true},
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
  const Bags chosen = select_bags(bags, which);
  check_variety(chosen, kOp);
  const StoredLabels known{chosen.scheme, chosen.labels, chosen.numbers};
  state.ranks.coder = InputCoder::fit(bags, which, InputCode::kRank, 1);
  state.z.coder = InputCoder::fit(bags, which, InputCode::kClippedZ, 1);
  const bool with_sets = static_cast<std::size_t>(chosen.num_instances()) <= kMaxSetInstances;
  Coding ranks = code_stored(code_rows(chosen, state.ranks.coder), false, with_sets, poll);
  Coding z = code_stored(code_rows(chosen, state.z.coder), true, with_sets, poll);
  settle(fit_candidates(ranks.table, z.table, known, with_sets, poll), known, state);
  if (!known.regression() || weights.balanced || !weights.weights.empty()) {
    weigh_classes(known, weights, state);
  }
  keep(std::move(ranks), false, state.members, state.ranks);
  keep(std::move(z), true, state.members, state.z);
  if (!uses(state.members, true)) state.z = {};
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
  const Bags chosen = select_bags(bags, which);
  const std::size_t outputs = state_.intercept.size();
  std::vector<double> out = repeated(state_.intercept, which.size());
  for (const Scorer& scorer : scorers_of(state_)) {
    const CodedRows coded = scorer.code(chosen);
    for (std::size_t b = 0; b < which.size(); ++b) {
      add_to(scorer.score(coded.bag(b)), std::span(out).subspan(b * outputs, outputs));
    }
  }
  weigh(state_, out);
  return out;
}

std::vector<StoredBags::InstanceEffects> StoredBags::instance_effects(
    const Bags& bags, std::span<const std::int64_t> which, std::int64_t output) const {
  check_features(bags, *this);
  require(output < num_outputs(), kOp,
          "expected an output below " + std::to_string(num_outputs()) + ", got " +
              std::to_string(output));
  const Bags chosen = select_bags(bags, which);
  const std::size_t outputs = state_.intercept.size();
  // [outputs] or [instances, outputs], before weigh().
  struct Sums {
    std::vector<double> whole, alone, without;
  };
  std::vector<Sums> sums;
  for (const std::int64_t b : which) {
    const auto n = static_cast<std::size_t>(bags.bag_size(b));
    const std::vector<double> start = repeated(state_.intercept, n);
    sums.push_back({state_.intercept, start, start});
  }
  for (const Scorer& scorer : scorers_of(state_)) {
    const CodedRows coded = scorer.code(chosen);
    for (std::size_t b = 0; b < sums.size(); ++b) {
      const std::span<const float> rows = coded.bag(b);
      const std::size_t n = rows.size() / coded.num_columns;
      add_to(scorer.score(rows), sums[b].whole);
      for (std::size_t i = 0; i < n; ++i) {
        add_to(scorer.score(rows.subspan(i * coded.num_columns, coded.num_columns)),
               std::span(sums[b].alone).subspan(i * outputs, outputs));
      }
      if (n == 1) continue;  // a bag without instances associates with nothing
      add_to(scorer.scores_without_each(rows), sums[b].without);
    }
  }
  std::vector<InstanceEffects> out;
  for (Sums& bag : sums) {
    for (std::vector<double>* scores : {&bag.whole, &bag.alone, &bag.without}) {
      weigh(state_, *scores);
    }
    const auto greatest = std::max_element(bag.whole.begin(), bag.whole.end()) - bag.whole.begin();
    const auto at = static_cast<std::size_t>(output < 0 ? greatest : output);
    out.push_back({static_cast<std::int64_t>(at), bag.whole[at], column_of(bag.alone, at, outputs),
                   column_of(bag.without, at, outputs)});
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
  check(!state.members.empty() && !state.members.front().values.empty(), "members");
  const std::size_t outputs = state.intercept.size();
  check(outputs > 0 && state.members.front().values.size() % outputs == 0 &&
            (state.log_class_weights.empty() || state.log_class_weights.size() == outputs) &&
            (outputs == 1 || !state.log_class_weights.empty()),
        "outputs");
  const std::size_t num_values = state.members.front().values.size();
  for (const Member& member : state.members) check(member.values.size() == num_values, "values");
  const auto code = [](const Coded& coded) {
    return static_cast<InputCode>(coded.coder.state().code);
  };
  check(state.ranks.coder.num_features() > 0 && code(state.ranks) == InputCode::kRank,
        "input codes");
  check(!uses(state.members, true) ||
            (code(state.z) == InputCode::kClippedZ &&
             state.z.coder.num_features() == state.ranks.coder.num_features()),
        "input codes");
  for (const bool z : {false, true}) check_coded(state, z, check);
  StoredBags model;
  model.state_ = std::move(state);
  return model;
}

}  // namespace hopfield::mil
