#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/attention_rows.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "train_kernel_machine";

double kernel(const double* a, const double* b, std::int64_t depth, double gamma) {
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::exp(-gamma * sum);
}

/// The dual problem. Steps keep y^T alpha = 0.
class Dual {
 public:
  Dual(const LabelledPatterns& patterns, std::int64_t positive, const KernelMachineOptions& options)
      : num_(static_cast<std::size_t>(patterns.count())),
        cost_(options.cost),
        kernels_(num_ * num_),
        sign_(num_),
        alpha_(num_, 0),
        slope_(num_, -1) {
    for (std::size_t i = 0; i < num_; ++i) {
      sign_[i] = patterns.labels[i] == positive ? 1 : -1;
      const double* own = patterns.values.data() + i * static_cast<std::size_t>(patterns.depth);
      for (std::size_t j = 0; j < num_; ++j) {
        const double* other = patterns.values.data() + j * static_cast<std::size_t>(patterns.depth);
        kernels_[i * num_ + j] = kernel(own, other, patterns.depth, options.gamma);
      }
    }
  }

  /// Finds the pair that violates optimality most; returns by how much.
  double find_pair() {
    highest_ = -std::numeric_limits<double>::infinity();
    lowest_ = -highest_;
    for (std::size_t t = 0; t < num_; ++t) {
      const double height = -sign_[t] * slope_[t];
      const bool below = alpha_[t]<cost_, above = alpha_[t]> 0;
      if ((sign_[t] > 0 ? below : above) && height > highest_) {
        highest_ = height;
        up_ = t;
      }
      if ((sign_[t] > 0 ? above : below) && height < lowest_) {
        lowest_ = height;
        down_ = t;
      }
    }
    return highest_ - lowest_;
  }

  /// Solves for the pair alone, within the box.
  void step() {
    const double curvature =
        std::max(2 - 2 * kernels_[up_ * num_ + down_], std::numeric_limits<double>::epsilon());
    const double room_up = room(up_, 1), room_down = room(down_, -1);
    const double length = std::min({(highest_ - lowest_) / curvature, room_up, room_down});
    move(up_, 1, length, room_up);
    move(down_, -1, length, room_down);
    for (std::size_t t = 0; t < num_; ++t) {
      slope_[t] += sign_[t] * length * (kernels_[t * num_ + up_] - kernels_[t * num_ + down_]);
    }
  }

  double bias() const { return (highest_ + lowest_) / 2; }
  double weight(std::size_t i) const { return sign_[i] * alpha_[i]; }

 private:
  double room(std::size_t i, double direction) const {
    return sign_[i] * direction > 0 ? cost_ - alpha_[i] : alpha_[i];
  }
  void move(std::size_t i, double direction, double length, double most) {
    const bool rises = sign_[i] * direction > 0;
    // At the wall exactly, so that the pattern leaves the set of free ones.
    if (length == most) {
      alpha_[i] = rises ? cost_ : 0;
    } else {
      alpha_[i] += rises ? length : -length;
    }
  }

  std::size_t num_, up_ = 0, down_ = 0;
  double cost_, highest_ = 0, lowest_ = 0;
  std::vector<double> kernels_, sign_, alpha_, slope_;
};

}  // namespace

double KernelMachine::value(std::span<const double> state) const {
  require(static_cast<std::int64_t>(state.size()) == depth, "kernel machine",
          "expected a state of depth " + std::to_string(depth) + ", got " +
              std::to_string(state.size()));
  double sum = bias;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += weights[i] * kernel(vectors.data() + i * state.size(), state.data(), depth, gamma);
  }
  return sum;
}

KernelMachine train_kernel_machine(const LabelledPatterns& patterns, std::int64_t positive,
                                   const KernelMachineOptions& options) {
  check_patterns(patterns, kOp);
  const auto above_zero = [](double x, const char* name) {
    require(x > 0 && std::isfinite(x), kOp,
            std::string("expected a finite ") + name + " > 0, got " + std::to_string(x));
  };
  above_zero(options.gamma, "gamma");
  above_zero(options.cost, "cost");
  above_zero(options.tolerance, "tolerance");
  const auto members = std::count(patterns.labels.begin(), patterns.labels.end(), positive);
  require(members > 0 && members < patterns.count(), kOp,
          "expected patterns of class " + std::to_string(positive) + " and of others, got " +
              std::to_string(members) + " of " + std::to_string(patterns.count()));
  Dual dual(patterns, positive, options);
  KernelMachine machine;
  machine.depth = patterns.depth;
  machine.gamma = options.gamma;
  machine.report.residual = dual.find_pair();
  while (machine.report.residual > options.tolerance &&
         machine.report.iterations < options.iterations_max) {
    dual.step();
    machine.report.residual = dual.find_pair();
    ++machine.report.iterations;
  }
  machine.report.converged = machine.report.residual <= options.tolerance;
  if (!machine.report.converged) {
    machine.report.message = "stopped after " + std::to_string(machine.report.iterations) +
                             " steps before the tolerance was met";
  }
  machine.bias = dual.bias();
  for (std::int64_t i = 0; i < patterns.count(); ++i) {
    const double weight = dual.weight(static_cast<std::size_t>(i));
    if (weight == 0) continue;
    machine.weights.push_back(weight);
    const double* pattern = patterns.values.data() + i * patterns.depth;
    machine.vectors.insert(machine.vectors.end(), pattern, pattern + patterns.depth);
  }
  return machine;
}

FixedLayer kernel_machine_layer(const KernelMachine& machine) {
  FixedLayer layer;
  layer.depth = machine.depth;
  layer.width = 2;
  layer.norm_column = true;
  layer.beta = 2 * machine.gamma;
  const std::span<const double> vectors = machine.vectors;
  const auto depth = static_cast<std::size_t>(machine.depth);
  for (std::size_t i = 0; i < machine.weights.size(); ++i) {
    const auto pattern = vectors.subspan(i * depth, depth);
    layer.rows.insert(layer.rows.end(), pattern.begin(), pattern.end());
    layer.rows.insert(layer.rows.end(), {-squared_norm(pattern) / 2, -0.5});
    layer.contents.insert(layer.contents.end(), {machine.weights[i], 0});
  }
  layer.rows.insert(layer.rows.end(), depth + 2, 0);
  layer.contents.insert(layer.contents.end(), {machine.bias, 1});
  layer.num_rows = static_cast<std::int64_t>(machine.weights.size()) + 1;
  return layer;
}

}  // namespace hopfield::theory
