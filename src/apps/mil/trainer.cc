#include "apps/mil/trainer.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "hopfield/apps/mil/evaluation.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

constexpr double kSmoothing = 0.8;

template <class T>
at::Tensor to_tensor(const std::vector<T>& values, at::ScalarType type) {
  at::Tensor out = at::empty({static_cast<std::int64_t>(values.size())}, at::TensorOptions(type));
  if (!values.empty()) {
    std::copy(values.begin(), values.end(), out.mutable_data_ptr<T>());
  }
  return out;
}

at::Tensor scalar(double value) {
  return at::full({1}, value, at::kDouble);
}
at::Tensor scalar(std::int64_t value) {
  return at::full({1}, value, at::kLong);
}

std::vector<int> labels_of(const CodedBags& bags, std::span<const std::int64_t> which) {
  std::vector<int> out;
  if (bags.labels.empty()) return out;
  for (const std::int64_t bag : which) out.push_back(bags.labels[static_cast<std::size_t>(bag)]);
  return out;
}

void copy_parameters(const BagNet& from, BagNet& to) {
  const at::NoGradGuard no_grad;
  const auto source = from->named_parameters();
  for (auto& parameter : to->named_parameters()) {
    parameter.value().copy_(source[parameter.key()]);
  }
}

}  // namespace

CodedBags code_bags(const Bags& bags, const InputCoder& coder) {
  CodedBags out;
  out.values = at::empty({bags.num_instances(), coder.num_coded()}, at::kFloat);
  coder.apply(bags.all_values(),
              {out.values.mutable_data_ptr<float>(), static_cast<std::size_t>(out.values.numel())});
  out.offsets = bags.offsets;
  out.scheme = bags.scheme;
  out.labels = bags.labels;
  out.numbers = bags.numbers;
  return out;
}

BagBatch make_batch(const CodedBags& bags, std::span<const std::int64_t> which, double bag_dropout,
                    Random* random) {
  std::vector<std::int64_t> rows, offsets = {0}, bag_of;
  for (std::size_t b = 0; b < which.size(); ++b) {
    const auto bag = static_cast<std::size_t>(which[b]);
    const std::int64_t begin = bags.offsets[bag], end = bags.offsets[bag + 1];
    const std::size_t before = rows.size();
    for (std::int64_t i = begin; i < end; ++i) {
      if (random == nullptr || bag_dropout <= 0 || random->uniform() >= bag_dropout)
        rows.push_back(i);
    }
    if (rows.size() == before) {
      rows.push_back(
          begin + static_cast<std::int64_t>(random->below(static_cast<std::size_t>(end - begin))));
    }
    bag_of.resize(rows.size(), static_cast<std::int64_t>(b));
    offsets.push_back(static_cast<std::int64_t>(rows.size()));
  }
  return {bags.values.index_select(0, to_tensor(rows, at::kLong)), to_tensor(offsets, at::kLong),
          to_tensor(bag_of, at::kLong)};
}

void limit_to_one_thread() {
  if (at::get_num_threads() != 1) at::set_num_threads(1);
}

SingleThreaded::SingleThreaded() : num_threads_(at::get_num_threads()) {
  limit_to_one_thread();
}

SingleThreaded::~SingleThreaded() {
  if (num_threads_ != 1) at::set_num_threads(num_threads_);
}

Trainer::Trainer(const ModelOptions& model, const TrainOptions& train, std::uint64_t seed,
                 const CodedBags& bags, std::vector<std::int64_t> training_bags,
                 std::vector<std::int64_t> validation_bags)
    : model_(model),
      train_(train),
      seed_(seed),
      bags_(&bags),
      training_bags_(std::move(training_bags)),
      validation_bags_(std::move(validation_bags)),
      net_(model, bags.values.size(1), bags.scheme.num_outputs()),
      optimizer_(*net_, train.learning_rate, train.weight_decay) {
  require(!training_bags_.empty(), "mil", "expected bags to train on, got none");
  net_->initialise(seed);
  best_ = BagNet(model, bags.values.size(1), bags.scheme.num_outputs());
  copy_parameters(net_, best_);
  best_auc_ = std::numeric_limits<double>::quiet_NaN();
  if (!validation_bags_.empty()) validation_batch_ = make_batch(bags, validation_bags_);
  if (bags.scheme.target == Target::kRegression) {
    std::vector<double> numbers;
    for (const std::int64_t bag : training_bags_) {
      numbers.push_back(bags.numbers[static_cast<std::size_t>(bag)]);
    }
    shift_ = mean(numbers);
    const double sd = sample_sd(numbers);
    if (sd > 0) scale_ = sd;
  }
  class_weights_ = train.class_weights.of(bags.scheme, labels_of(bags, training_bags_));
}

bool Trainer::finished() const {
  if (epoch_ >= train_.epochs) return true;
  return !validation_bags_.empty() && train_.patience > 0 &&
         epoch_ - best_epoch_ >= train_.patience;
}

void Trainer::run_epoch() {
  Random random(mix_seed(mix_seed(seed_, "epoch"), static_cast<std::uint64_t>(epoch_)));
  const at::Generator dropout = at::make_generator<at::CPUGeneratorImpl>(random.bits());
  const double rate =
      train_.learning_rate * std::pow(train_.learning_rate_decay, static_cast<double>(epoch_));
  optimizer_.set_learning_rate(rate);
  std::vector<std::int64_t> order = training_bags_;
  random.shuffle(order);
  // Steps of nearly equal size, so that no step rests on a few bags.
  const std::size_t n = order.size(), size = static_cast<std::size_t>(train_.batch_size);
  const std::size_t num_steps = std::max<std::size_t>(1, (n + size / 2) / size);
  for (std::size_t s = 0; s < num_steps; ++s) {
    const std::size_t begin = n * s / num_steps, end = n * (s + 1) / num_steps;
    if (begin < end) step(std::span(order).subspan(begin, end - begin), random, dropout);
  }
  ++epoch_;
  validate();
}

void Trainer::step(std::span<const std::int64_t> which, Random& random,
                   const at::Generator& dropout) {
  const BagBatch batch = make_batch(*bags_, which, train_.bag_dropout, &random);
  const at::Tensor mean_loss = loss(net_->forward(batch, &dropout), which);
  optimizer_.zero_grad();
  mean_loss.backward();
  optimizer_.step();
}

at::Tensor Trainer::loss(const at::Tensor& outputs, std::span<const std::int64_t> which) const {
  if (bags_->scheme.target == Target::kRegression) {
    std::vector<float> targets;
    for (const std::int64_t bag : which) {
      const double number = bags_->numbers[static_cast<std::size_t>(bag)];
      targets.push_back(static_cast<float>((number - shift_) / scale_));
    }
    return at::mse_loss(outputs.squeeze(1), to_tensor(targets, at::kFloat));
  }
  const std::vector<int> labels = labels_of(*bags_, which);
  std::vector<float> weights;
  for (const int label : labels) {
    weights.push_back(static_cast<float>(class_weights_[static_cast<std::size_t>(label)]));
  }
  const at::Tensor weight = to_tensor(weights, at::kFloat);
  if (bags_->scheme.target == Target::kBinary) {
    const std::vector<float> targets(labels.begin(), labels.end());
    return at::binary_cross_entropy_with_logits(outputs.squeeze(1), to_tensor(targets, at::kFloat),
                                                weight);
  }
  const std::vector<std::int64_t> targets(labels.begin(), labels.end());
  const at::Tensor chosen =
      at::log_softmax(outputs, 1).gather(1, to_tensor(targets, at::kLong).unsqueeze(1)).squeeze(1);
  return -(chosen * weight).mean();
}

void Trainer::validate() {
  if (validation_bags_.empty()) {
    if (finished()) {
      best_epoch_ = epoch_;
      copy_parameters(net_, best_);
    }
    return;
  }
  const at::NoGradGuard no_grad;
  const at::Tensor outputs = net_->forward(validation_batch_).to(at::kDouble).contiguous();
  if (!std::isfinite(outputs.sum().item<double>())) {
    fail(ErrorCode::kNotConverged, "mil",
         "expected finite scores, got NaN or infinity in epoch " + std::to_string(epoch_) +
             "; lower the learning rate, or scale the features (rank, thermometer, z)");
  }
  std::vector<double> numbers;  // on the network's scale
  std::vector<int> labels;
  if (bags_->scheme.target == Target::kRegression) {
    for (const std::int64_t bag : validation_bags_) {
      numbers.push_back((bags_->numbers[static_cast<std::size_t>(bag)] - shift_) / scale_);
    }
  } else {
    labels = labels_of(*bags_, validation_bags_);
  }
  const std::span scores(outputs.const_data_ptr<double>(),
                         static_cast<std::size_t>(outputs.numel()));
  const double auc = main_figure({&bags_->scheme, scores, labels, numbers});
  smoothed_auc_ = epoch_ == 1 ? auc : kSmoothing * smoothed_auc_ + (1 - kSmoothing) * auc;
  if (smoothed_auc_ > best_smoothed_auc_) {
    best_smoothed_auc_ = smoothed_auc_;
    best_auc_ = auc;
    best_epoch_ = epoch_;
    copy_parameters(net_, best_);
  }
}

BagNet Trainer::best_net() const {
  if (bags_->scheme.target != Target::kRegression) return best_;
  BagNet out(model_, bags_->values.size(1), bags_->scheme.num_outputs());
  copy_parameters(best_, out);
  out->scale_output(shift_, scale_);
  return out;
}

NamedTensors Trainer::checkpoint() const {
  NamedTensors out;
  optimizer_.save(out);
  for (const auto& parameter : net_->named_parameters()) {
    out.emplace_back("current." + parameter.key(), parameter.value().detach());
  }
  for (const auto& parameter : best_->named_parameters()) {
    out.emplace_back("best." + parameter.key(), parameter.value().detach());
  }
  out.emplace_back("epoch", scalar(epoch_));
  out.emplace_back("best_epoch", scalar(best_epoch_));
  out.emplace_back("smoothed_auc", scalar(smoothed_auc_));
  out.emplace_back("best_smoothed_auc", scalar(best_smoothed_auc_));
  out.emplace_back("best_auc", scalar(best_auc_));
  return out;
}

void Trainer::restore(const NamedTensors& tensors) {
  const at::NoGradGuard no_grad;
  const auto find = [&](const std::string& name, at::IntArrayRef shape) {
    for (const auto& [key, value] : tensors) {
      if (key == name && value.sizes() == shape) return value;
    }
    fail(ErrorCode::kCorruptData, "resume",
         "expected the tensor '" + name +
             "' of this model in the checkpoint, got none of its shape");
  };
  epoch_ = find("epoch", {1}).item<std::int64_t>();
  best_epoch_ = find("best_epoch", {1}).item<std::int64_t>();
  smoothed_auc_ = find("smoothed_auc", {1}).item<double>();
  best_smoothed_auc_ = find("best_smoothed_auc", {1}).item<double>();
  best_auc_ = find("best_auc", {1}).item<double>();
  for (auto& parameter : best_->named_parameters()) {
    parameter.value().copy_(find("best." + parameter.key(), parameter.value().sizes()));
  }
  for (auto& parameter : net_->named_parameters()) {
    const std::string& name = parameter.key();
    at::Tensor& value = parameter.value();
    value.copy_(find("current." + name, value.sizes()));
  }
  if (epoch_ > 0) optimizer_.restore(find);
}

std::vector<double> score_bags(BagNet& net, const CodedBags& bags,
                               std::span<const std::int64_t> which) {
  const at::NoGradGuard no_grad;
  std::vector<double> scores;
  for (const std::int64_t& bag : which) {
    const at::Tensor outputs = net->forward(make_batch(bags, std::span(&bag, 1))).to(at::kDouble);
    const double* data = outputs.const_data_ptr<double>();
    scores.insert(scores.end(), data, data + outputs.numel());
  }
  return scores;
}

std::vector<double> mean_scores(std::vector<BagNet>& members, const CodedBags& bags,
                                std::span<const std::int64_t> which) {
  std::vector<double> out(which.size() * static_cast<std::size_t>(bags.scheme.num_outputs()), 0.0);
  for (BagNet& net : members) {
    const std::vector<double> scored = score_bags(net, bags, which);
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] += scored[i] / static_cast<double>(members.size());
    }
  }
  return out;
}

}  // namespace hopfield::mil
