// Energies that are sums over patterns of a function of the overlap, or the logarithm of such a
// sum: dense polynomial, distinct-index P-spin, exponential.
#include <algorithm>
#include <cmath>
#include <string>

#include "hopfield/base/error.h"
#include "theory/networks/patterns.h"

namespace hopfield::theory {
namespace {

/// Patterns with their overlaps O_mu = sum_i x_i s_i in a state, kept while spins flip.
class OverlapState : public SpinState {
 public:
  OverlapState(const std::vector<Spin>& by_spin, std::span<const Spin> spins)
      : SpinState(spins), by_spin_(by_spin), overlaps_(by_spin.size() / spins.size(), 0) {
    for (std::size_t i = 0; i < spins.size(); ++i) add(static_cast<std::int64_t>(i), spins[i]);
  }
  void flip(std::int64_t i) override {
    Spin& s = spins_[static_cast<std::size_t>(i)];
    s = static_cast<Spin>(-s);
    add(i, 2 * s);
  }

 protected:
  const Spin* row(std::int64_t i) const {
    return by_spin_.data() + i * static_cast<std::int64_t>(overlaps_.size());
  }
  const std::vector<std::int32_t>& overlaps() const { return overlaps_; }

 private:
  void add(std::int64_t i, int factor) {
    const Spin* x = row(i);
    for (std::size_t mu = 0; mu < overlaps_.size(); ++mu) overlaps_[mu] += factor * x[mu];
  }

  const std::vector<Spin>& by_spin_;  ///< [N, K]
  std::vector<std::int32_t> overlaps_;
};

/// E = -sum_mu G(O_mu), G given for every overlap from -N to N.
class SumState final : public OverlapState {
 public:
  SumState(const std::vector<Spin>& by_spin, const std::vector<double>& table,
           std::span<const Spin> spins)
      : OverlapState(by_spin, spins), middle_(table.data() + spins.size()) {}
  double energy() const override {
    double sum = 0;
    for (const std::int32_t o : overlaps()) sum += middle_[o];
    return -sum;
  }
  double field(std::int64_t i) const override {
    const Spin* x = row(i);
    const int s = spin(i);
    double gain = 0;  // of the flipped energy over the present one
    for (std::size_t mu = 0; mu < overlaps().size(); ++mu) {
      const std::int32_t o = overlaps()[mu];
      gain += middle_[o] - middle_[o - 2 * x[mu] * s];
    }
    return 0.5 * s * gain;
  }

 private:
  const double* middle_;  ///< G(0)
};

/// E = -log sum_mu exp(O_mu), with the largest overlap subtracted in every sum.
class ExponentialState final : public OverlapState {
 public:
  ExponentialState(const std::vector<Spin>& by_spin, const std::vector<double>& decay,
                   std::span<const Spin> spins)
      : OverlapState(by_spin, spins), decay_(decay) {}
  double energy() const override {
    const std::int32_t top = *std::max_element(overlaps().begin(), overlaps().end());
    double sum = 0;
    for (const std::int32_t o : overlaps()) sum += decay_[static_cast<std::size_t>(top - o)];
    return -(top + std::log(sum));
  }
  double field(std::int64_t i) const override {
    const Spin* x = row(i);
    const int s = spin(i);
    // A flip raises an overlap by at most 2.
    const std::int32_t top = *std::max_element(overlaps().begin(), overlaps().end()) + 2;
    double now = 0, flipped = 0;
    for (std::size_t mu = 0; mu < overlaps().size(); ++mu) {
      const std::int32_t o = overlaps()[mu];
      now += decay_[static_cast<std::size_t>(top - o)];
      flipped += decay_[static_cast<std::size_t>(top - o + 2 * x[mu] * s)];
    }
    return 0.5 * s * (std::log(now) - std::log(flipped));
  }

 private:
  const std::vector<double>& decay_;  ///< exp(-k)
};

template <class State>
class OverlapNetwork final : public SpinNetwork {
 public:
  OverlapNetwork(const SpinPatterns& patterns, std::vector<double> table)
      : num_spins_(patterns.num_spins),
        by_spin_(
            internal::transposed<Spin>(patterns.values, patterns.num_patterns, patterns.num_spins)),
        table_(std::move(table)) {}
  std::int64_t num_spins() const override { return num_spins_; }

 protected:
  std::unique_ptr<SpinState> make_state(std::span<const Spin> spins) const override {
    return std::make_unique<State>(by_spin_, table_, spins);
  }

 private:
  std::int64_t num_spins_;
  std::vector<Spin> by_spin_;
  std::vector<double> table_;
};

/// function(O) for O = -N, ..., N.
template <class Function>
std::vector<double> table_of(std::int64_t num_spins, std::string_view op, Function function) {
  std::vector<double> table;
  for (std::int64_t o = -num_spins; o <= num_spins; ++o) {
    table.push_back(function(static_cast<double>(o)));
    require(std::isfinite(table.back()), op,
            "expected an energy within the range of double, got an overflow; lower the power");
  }
  return table;
}

}  // namespace

std::unique_ptr<SpinNetwork> polynomial_network(const SpinPatterns& patterns, int power) {
  constexpr const char* kOp = "polynomial_network";
  internal::validate(patterns, false, kOp);
  require(power >= 2, kOp, "expected a power >= 2, got " + std::to_string(power));
  const double n = static_cast<double>(patterns.num_spins);
  return std::make_unique<OverlapNetwork<SumState>>(
      patterns, table_of(patterns.num_spins, kOp,
                         [n, power](double o) { return n * std::pow(o / n, power); }));
}

std::unique_ptr<SpinNetwork> p_spin_network(const SpinPatterns& patterns, int power) {
  constexpr const char* kOp = "p_spin_network";
  internal::validate(patterns, false, kOp);
  require(power >= 2 && power <= patterns.num_spins, kOp,
          "expected a P from 2 to the number of spins, got " + std::to_string(power));
  const double n = static_cast<double>(patterns.num_spins);
  // P!/(2 N^(P-1)) times the elementary symmetric polynomial e_P of spins +-1 with sum O:
  // (k + 1) e_{k+1} = O e_k - (N - k + 1) e_{k-1}; here for k! e_k / N^k, which stays in range.
  const auto symmetric = [n, power](double o) {
    double before = 0, now = 1;
    for (int k = 0; k < power; ++k) {
      const double next = (o / n) * now - k * (n - k + 1) / (n * n) * before;
      before = now;
      now = next;
    }
    return 0.5 * n * now;
  };
  return std::make_unique<OverlapNetwork<SumState>>(patterns,
                                                    table_of(patterns.num_spins, kOp, symmetric));
}

std::unique_ptr<SpinNetwork> exponential_network(const SpinPatterns& patterns) {
  constexpr const char* kOp = "exponential_network";
  internal::validate(patterns, false, kOp);
  require(patterns.num_patterns >= 1, kOp, "expected at least one pattern, got none");
  std::vector<double> decay;
  for (std::int64_t k = 0; k <= 2 * patterns.num_spins + 4; ++k) {
    decay.push_back(std::exp(-static_cast<double>(k)));
  }
  return std::make_unique<OverlapNetwork<ExponentialState>>(patterns, std::move(decay));
}

}  // namespace hopfield::theory
