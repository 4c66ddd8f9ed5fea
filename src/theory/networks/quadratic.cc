// Energies that are sums of squares of overlaps with whole-numbered features: Hebbian learning of
// patterns, of diluted patterns, and of noisy examples.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/patterns.h"

namespace hopfield::theory {
namespace {

/// E = -(scale/(2N)) sum_f O_f^2 + constant, O_f = sum_i F_fi s_i.
struct Features {
  std::int64_t num_features = 0, num_spins = 0;
  std::vector<std::int16_t> by_spin;  ///< F, [N, num_features]
  std::int32_t largest = 1;           ///< max |F|
  double scale = 1;
  bool diagonal = true;               ///< false: terms i = j are left out of the energy
  std::vector<std::int64_t> squares;  ///< [N] sum_f F_fi^2
};

/// sum_f F_f O_f. Products of 16-bit numbers are summed in 32 bits, which every SIMD unit does in
/// pairs, for as many of them as cannot overflow.
std::int64_t product(const std::int16_t* f, const std::int16_t* o, std::int64_t n,
                     std::int64_t block) {
  std::int64_t sum = 0;
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t end = std::min(n, first + block);
    std::int32_t part = 0;
    for (std::int64_t k = first; k < end; ++k) part += std::int32_t{f[k]} * std::int32_t{o[k]};
    sum += part;
  }
  return sum;
}
std::int64_t product(const std::int16_t* f, const std::int32_t* o, std::int64_t n,
                     std::int64_t /*block*/) {
  std::int64_t sum = 0;
  for (std::int64_t k = 0; k < n; ++k) sum += std::int64_t{f[k]} * o[k];
  return sum;
}

/// Overlap: the smallest type that holds N * max |F|.
template <class Overlap>
class QuadraticState final : public SpinState {
 public:
  QuadraticState(const Features& features, std::span<const Spin> spins)
      : SpinState(spins),
        features_(features),
        unit_(features.scale / static_cast<double>(features.num_spins)),
        block_(std::numeric_limits<std::int32_t>::max() /
               (features.num_spins * features.largest * features.largest)),
        overlaps_(static_cast<std::size_t>(features.num_features)) {
    for (std::int64_t i = 0; i < features.num_spins; ++i) add(i, spin(i));
  }

  double field(std::int64_t i) const override {
    const std::int64_t all = product(row(i), overlaps_.data(), features_.num_features, block_);
    return unit_ *
           static_cast<double>(all - spin(i) * features_.squares[static_cast<std::size_t>(i)]);
  }

  double energy() const override {
    double sum = 0;
    for (const Overlap o : overlaps_) sum += static_cast<double>(o) * static_cast<double>(o);
    if (!features_.diagonal) {
      for (const std::int64_t square : features_.squares) sum -= static_cast<double>(square);
    }
    return -0.5 * unit_ * sum;
  }

  void flip(std::int64_t i) override {
    Spin& s = spins_[static_cast<std::size_t>(i)];
    s = static_cast<Spin>(-s);
    add(i, 2 * s);
  }

 private:
  const std::int16_t* row(std::int64_t i) const {
    return features_.by_spin.data() + i * features_.num_features;
  }
  void add(std::int64_t i, int factor) {
    const std::int16_t* f = row(i);
    const std::int64_t n = features_.num_features;
    for (std::int64_t k = 0; k < n; ++k) {
      Overlap& o = overlaps_[static_cast<std::size_t>(k)];
      o = static_cast<Overlap>(o + factor * f[k]);
    }
  }

  const Features& features_;
  double unit_;
  std::int64_t block_;
  std::vector<Overlap> overlaps_;
};

class QuadraticNetwork final : public SpinNetwork {
 public:
  explicit QuadraticNetwork(Features features) : features_(std::move(features)) {
    const std::int64_t f = features_.num_features, n = features_.num_spins;
    features_.squares.assign(static_cast<std::size_t>(n), 0);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t k = 0; k < f; ++k) {
        const std::int64_t x = features_.by_spin[static_cast<std::size_t>(i * f + k)];
        features_.squares[static_cast<std::size_t>(i)] += x * x;
        features_.largest = std::max(features_.largest, static_cast<std::int32_t>(std::abs(x)));
      }
    }
    constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
    require(n <= kLargest / features_.largest, "multitask_network",
            "expected num_spins * num_examples < 2^31, got " + std::to_string(n) +
                " spins with features of up to " + std::to_string(features_.largest));
  }
  std::int64_t num_spins() const override { return features_.num_spins; }

 protected:
  std::unique_ptr<SpinState> make_state(std::span<const Spin> spins) const override {
    // Short overlaps must hold N max|F|, and a block of one product must fit 32 bits.
    const std::int64_t largest = features_.num_spins * features_.largest;
    if (largest <= std::numeric_limits<std::int16_t>::max()) {
      return std::make_unique<QuadraticState<std::int16_t>>(features_, spins);
    }
    return std::make_unique<QuadraticState<std::int32_t>>(features_, spins);
  }

 private:
  Features features_;
};

Features features_of(const SpinPatterns& patterns) {
  Features features;
  features.num_features = patterns.num_patterns;
  features.num_spins = patterns.num_spins;
  features.by_spin = internal::transposed<std::int16_t>(patterns.values, patterns.num_patterns,
                                                        patterns.num_spins);
  return features;
}

}  // namespace

std::unique_ptr<SpinNetwork> hebbian_network(const SpinPatterns& patterns) {
  internal::validate(patterns, false, "hebbian_network");
  Features features = features_of(patterns);
  features.diagonal = false;
  return std::make_unique<QuadraticNetwork>(std::move(features));
}

std::unique_ptr<SpinNetwork> multitask_network(const SpinPatterns& patterns) {
  internal::validate(patterns, true, "multitask_network");
  return std::make_unique<QuadraticNetwork>(features_of(patterns));
}

std::unique_ptr<SpinNetwork> multitask_network(const SpinPatterns& patterns, Learning learning,
                                               double quality, std::int64_t num_examples,
                                               RandomStream& random) {
  constexpr const char* kOp = "multitask_network";
  internal::validate(patterns, true, kOp);
  require(quality > 0 && quality <= 1, kOp,
          "expected a quality r in (0, 1], got " + std::to_string(quality));
  require(num_examples >= 1 && num_examples <= std::numeric_limits<std::int16_t>::max(), kOp,
          "expected from 1 to 32767 examples, got " + std::to_string(num_examples));
  const bool supervised = learning == Learning::kSupervised;
  const double examples = static_cast<double>(num_examples);
  const double strength = quality * quality + (1 - quality * quality) / examples;  // R
  const std::int64_t k = patterns.num_patterns, n = patterns.num_spins;
  Features features;
  features.num_spins = n;
  features.num_features = supervised ? k : k * num_examples;
  features.by_spin.assign(static_cast<std::size_t>(features.num_features * n), 0);
  // Supervised features are sums over the examples: M times their mean.
  features.scale = 1 / (strength * examples * (supervised ? examples : 1.0));
  const double right = 0.5 * (1 + quality);
  for (std::int64_t mu = 0; mu < k; ++mu) {
    const std::span<const Spin> x = patterns.row(mu);
    for (std::int64_t a = 0; a < num_examples; ++a) {
      const std::int64_t feature = supervised ? mu : mu * num_examples + a;
      for (std::int64_t i = 0; i < n; ++i) {
        const int chi = random.uniform() < right ? 1 : -1;
        std::int16_t& f =
            features.by_spin[static_cast<std::size_t>(i * features.num_features + feature)];
        f = static_cast<std::int16_t>(f + chi * x[static_cast<std::size_t>(i)]);
      }
    }
  }
  return std::make_unique<QuadraticNetwork>(std::move(features));
}

}  // namespace hopfield::theory
