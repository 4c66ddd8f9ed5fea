#include "hopfield/apps/mil/options.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

constexpr std::array<std::pair<InputCode, std::string_view>, 5> kInputCodes = {{
    {InputCode::kNone, "none"},
    {InputCode::kZ, "z"},
    {InputCode::kClippedZ, "zclip"},
    {InputCode::kRank, "rank"},
    {InputCode::kThermometer, "thermometer"},
}};

constexpr std::array<std::pair<Target, std::string_view>, 3> kTargets = {{
    {Target::kBinary, "binary"},
    {Target::kClasses, "classes"},
    {Target::kRegression, "regression"},
}};

constexpr std::array<std::pair<Pooling, std::string_view>, 7> kPoolings = {{
    {Pooling::kHopfield, "hopfield"},
    {Pooling::kMeanMax, "mean_max"},
    {Pooling::kMean, "mean"},
    {Pooling::kMax, "max"},
    {Pooling::kAttention, "attention"},
    {Pooling::kGatedAttention, "gated_attention"},
    {Pooling::kStoredBags, "stored_bags"},
}};

template <class T, std::size_t N>
std::string_view name_of(const std::array<std::pair<T, std::string_view>, N>& table, T value) {
  for (const auto& [entry, name] : table) {
    if (entry == value) return name;
  }
  HOPFIELD_CHECK(false);
  return {};
}

template <class T, std::size_t N>
T value_of(const std::array<std::pair<T, std::string_view>, N>& table, std::string_view name,
           const char* op) {
  std::string names;
  for (const auto& [entry, entry_name] : table) {
    if (entry_name == name) return entry;
    names += (names.empty() ? "" : ", ") + std::string(entry_name);
  }
  fail(ErrorCode::kInvalidArgument, op,
       "expected one of " + names + ", got '" + std::string(name) + "'");
}

void require_range(double value, double low, double high, const char* option) {
  require(std::isfinite(value) && value >= low && value <= high, "mil",
          std::string("expected ") + option + " from " + std::to_string(low) + " to " +
              std::to_string(high) + ", got " + std::to_string(value));
}

void require_range(std::int64_t value, std::int64_t low, std::int64_t high, const char* option) {
  require(value >= low && value <= high, "mil",
          std::string("expected ") + option + " from " + std::to_string(low) + " to " +
              std::to_string(high) + ", got " + std::to_string(value));
}

}  // namespace

std::string_view input_code_name(InputCode code) {
  return name_of(kInputCodes, code);
}
InputCode parse_input_code(std::string_view name) {
  return value_of(kInputCodes, name, "scale");
}
std::string_view pooling_name(Pooling pooling) {
  return name_of(kPoolings, pooling);
}
Pooling parse_pooling(std::string_view name) {
  std::string spelled(name);
  std::replace(spelled.begin(), spelled.end(), '-', '_');
  return value_of(kPoolings, spelled, "model");
}

std::string_view target_name(Target target) {
  return name_of(kTargets, target);
}
Target parse_target(std::string_view name) {
  return value_of(kTargets, name, "target");
}

std::int64_t LabelScheme::predicted(std::span<const double> scores) const {
  if (target == Target::kBinary) return scores.front() > 0 ? 1 : 0;
  return std::max_element(scores.begin(), scores.end()) - scores.begin();
}

std::vector<double> LabelScheme::probabilities(std::span<const double> scores) const {
  if (target == Target::kBinary) {
    const double p = 1 / (1 + std::exp(-scores.front()));
    return {1 - p, p};
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> out;
  double sum = 0;
  for (const double score : scores) sum += out.emplace_back(std::exp(score - largest));
  for (double& p : out) p /= sum;
  return out;
}

std::vector<double> ClassWeights::of(const LabelScheme& scheme, std::span<const int> labels) const {
  const auto num_classes = static_cast<std::size_t>(scheme.num_classes());
  if (!balanced && weights.empty()) return std::vector<double>(num_classes, 1.0);
  require(scheme.target != Target::kRegression, "class weights",
          "expected classes to weigh, got a regression");
  if (balanced) {
    std::vector<double> out(num_classes, 0.0);
    for (const int label : labels) out[static_cast<std::size_t>(label)] += 1;
    for (double& weight : out) {
      weight = static_cast<double>(labels.size()) /
               (static_cast<double>(num_classes) * std::max(weight, 1.0));
    }
    return out;
  }
  require(weights.size() == num_classes, "class weights",
          "expected one weight for each of " + std::to_string(num_classes) + " classes, got " +
              std::to_string(weights.size()));
  return weights;
}

std::vector<Pooling> default_baselines() {
  return {Pooling::kMeanMax, Pooling::kAttention, Pooling::kGatedAttention};
}

void check_options(const ModelOptions& model) {
  require_range(model.levels, 1, 64, "levels");
  for (const std::int64_t width : model.embedding)
    require_range(width, 1, 65536, "embedding width");
  require_range(model.num_heads, 1, 1024, "heads");
  require_range(model.head_size, 1, 65536, "head size");
  require_range(model.quantity, 1, 65536, "quantity");
  require(model.beta.size() == 1 || static_cast<std::int64_t>(model.beta.size()) == model.num_heads,
          "mil",
          "expected one beta, or one for each of " + std::to_string(model.num_heads) +
              " heads, got " + std::to_string(model.beta.size()));
  for (const double beta : model.beta) {
    require(std::isfinite(beta) && beta >= 0, "mil",
            "expected beta >= 0, got " + std::to_string(beta) +
                "; a negative inverse temperature would repel from the stored patterns");
  }
  require_range(model.attention_size, 1, 65536, "attention size");
  require_range(model.head_hidden, 0, 65536, "hidden units of the head");
  require_range(model.head_dropout, 0.0, 0.99, "dropout of the head");
}

void check_options(const TrainOptions& train) {
  require(std::isfinite(train.learning_rate) && train.learning_rate > 0, "mil",
          "expected a learning rate > 0, got " + std::to_string(train.learning_rate));
  require(
      train.learning_rate_decay > 0 && train.learning_rate_decay <= 1, "mil",
      "expected a learning rate decay in (0, 1], got " + std::to_string(train.learning_rate_decay));
  require_range(train.weight_decay, 0.0, 1e6, "weight decay");
  require_range(train.batch_size, 1, 1 << 20, "batch size");
  require_range(train.epochs, 1, 1 << 20, "epochs");
  require_range(train.patience, 0, 1 << 20, "patience");
  require_range(train.bag_dropout, 0.0, 0.99, "bag dropout");
  require_range(train.members, 1, 1000, "members");
  require(!train.class_weights.balanced || train.class_weights.weights.empty(), "mil",
          "expected balanced class weights or given ones, got both");
  for (const double weight : train.class_weights.weights) {
    require(std::isfinite(weight) && weight > 0, "mil",
            "expected class weights > 0, got " + std::to_string(weight));
  }
}

}  // namespace hopfield::mil
