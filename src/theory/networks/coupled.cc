// Energies -1/2 s^T W s with a matrix that is no sum over patterns; the fields are kept.
#include <cmath>

#include "theory/networks/patterns.h"

namespace hopfield::theory {
namespace {

using Matrix = std::vector<double>;

std::size_t at(std::int64_t row, std::int64_t column, std::int64_t columns) {
  return static_cast<std::size_t>(row * columns + column);
}

class CoupledState final : public SpinState {
 public:
  CoupledState(const Matrix& weights, std::span<const Spin> spins)
      : SpinState(spins), weights_(weights), fields_(spins.size(), 0.0) {
    const auto n = static_cast<std::int64_t>(spins.size());
    for (std::int64_t i = 0; i < n; ++i) add(i, spin(i));
  }
  double field(std::int64_t i) const override { return fields_[static_cast<std::size_t>(i)]; }
  double energy() const override {
    double sum = 0;
    for (std::size_t i = 0; i < fields_.size(); ++i) sum += spins_[i] * fields_[i];
    return -0.5 * sum;
  }
  void flip(std::int64_t i) override {
    Spin& s = spins_[static_cast<std::size_t>(i)];
    s = static_cast<Spin>(-s);
    add(i, 2.0 * s);
  }

 private:
  void add(std::int64_t i, double factor) {
    const double* w = weights_.data() + i * static_cast<std::int64_t>(fields_.size());
    for (std::size_t k = 0; k < fields_.size(); ++k) fields_[k] += factor * w[k];
  }

  const Matrix& weights_;  ///< symmetric, zero diagonal
  std::vector<double> fields_;
};

class CoupledNetwork final : public SpinNetwork {
 public:
  CoupledNetwork(std::int64_t num_spins, Matrix weights)
      : num_spins_(num_spins), weights_(std::move(weights)) {}
  std::int64_t num_spins() const override { return num_spins_; }

 protected:
  std::unique_ptr<SpinState> make_state(std::span<const Spin> spins) const override {
    return std::make_unique<CoupledState>(weights_, spins);
  }

 private:
  std::int64_t num_spins_;
  Matrix weights_;
};

/// Orthonormal rows [rank, N] that span what the patterns span: Gram-Schmidt, twice for full
/// precision.
Matrix orthonormal(const SpinPatterns& patterns) {
  const std::int64_t n = patterns.num_spins;
  Matrix basis;
  for (std::int64_t mu = 0; mu < patterns.num_patterns; ++mu) {
    std::vector<double> row(patterns.row(mu).begin(), patterns.row(mu).end());
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t other = 0; other < basis.size(); other += row.size()) {
        double dot = 0;
        for (std::size_t i = 0; i < row.size(); ++i) dot += row[i] * basis[other + i];
        for (std::size_t i = 0; i < row.size(); ++i) row[i] -= dot * basis[other + i];
      }
    }
    double square = 0;
    for (const double x : row) square += x * x;
    // A pattern has length sqrt N; what rounding leaves of a dependent one is near 1e-15 of that.
    if (square <= 1e-20 * static_cast<double>(n)) continue;
    for (double& x : row) x /= std::sqrt(square);
    basis.insert(basis.end(), row.begin(), row.end());
  }
  return basis;
}

}  // namespace

std::unique_ptr<SpinNetwork> pseudo_inverse_network(const SpinPatterns& patterns) {
  internal::validate(patterns, false, "pseudo_inverse_network");
  const std::int64_t n = patterns.num_spins;
  const Matrix basis = orthonormal(patterns);
  const std::int64_t rank = static_cast<std::int64_t>(basis.size()) / n;
  Matrix weights(static_cast<std::size_t>(n * n), 0.0);
  for (std::int64_t mu = 0; mu < rank; ++mu) {
    const double* u = basis.data() + mu * n;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) weights[at(i, j, n)] += u[i] * u[j];
    }
  }
  for (std::int64_t i = 0; i < n; ++i) weights[at(i, i, n)] = 0;
  return std::make_unique<CoupledNetwork>(n, std::move(weights));
}

std::unique_ptr<SpinNetwork> storkey_network(const SpinPatterns& patterns) {
  internal::validate(patterns, false, "storkey_network");
  const std::int64_t n = patterns.num_spins;
  Matrix weights(static_cast<std::size_t>(n * n), 0.0);
  std::vector<double> h(static_cast<std::size_t>(n));
  for (std::int64_t mu = 0; mu < patterns.num_patterns; ++mu) {
    const std::span<const Spin> x = patterns.row(mu);
    for (std::size_t i = 0; i < h.size(); ++i) {
      h[i] = 0;
      for (std::size_t k = 0; k < h.size(); ++k) h[i] += weights[i * h.size() + k] * x[k];
    }
    for (std::size_t i = 0; i < h.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        double& w = weights[i * h.size() + j];
        const double h_ij = h[i] - w * x[j], h_ji = h[j] - w * x[i];
        w += (x[i] * x[j] - x[i] * h_ji - h_ij * x[j]) / static_cast<double>(n);
        weights[j * h.size() + i] = w;
      }
    }
  }
  return std::make_unique<CoupledNetwork>(n, std::move(weights));
}

}  // namespace hopfield::theory
