#ifndef HOPFIELD_TESTS_UNIT_MEMORY_PROBLEM_H_
#define HOPFIELD_TESTS_UNIT_MEMORY_PROBLEM_H_

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "hopfield/memory/retrieve.h"

namespace hopfield::testing {

/// The portable problem of docs/math/retrieve.md: no random numbers, patterns as rows.
struct Portable {
  Portable(int depth, int num_patterns, double inverse_temperature)
      : d(depth), n(num_patterns), beta{inverse_temperature} {
    for (int i = 1; i <= n; ++i) {
      for (int k = 1; k <= d; ++k)
        x.push_back(std::cos(0.7 * k * i) + 0.3 * std::sin(1.3 * k + 2.1 * i));
    }
    for (int k = 1; k <= d; ++k) {
      xi0.push_back(std::sin(0.9 * k));
      v.push_back(std::cos(0.4 * k));
    }
  }
  Associations associations() const {
    Associations in;
    in.stored = pattern_view(x.data(), n, d);
    in.states = pattern_view(xi0.data(), 1, d);
    in.beta = beta;
    return in;
  }

  int d, n;
  std::vector<double> beta;
  std::vector<double> x, xi0, v;
};

/// Seeded numbers, the same on every platform.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(uniform() * static_cast<double>(bound));
  }
  template <class T>
  std::vector<T> vector(std::int64_t count, double scale = 1) {
    std::vector<T> result;
    for (std::int64_t i = 0; i < count; ++i) {
      // A sum of uniform numbers is near enough to a Gaussian here.
      result.push_back(static_cast<T>(scale * (uniform() + uniform() + uniform() - 1.5) * 2));
    }
    return result;
  }

 private:
  std::mt19937_64 engine_;
};

inline double norm(const std::vector<double>& a) {
  double sum = 0;
  for (const double x : a) sum += x * x;
  return std::sqrt(sum);
}

inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t k = 0; k < a.size(); ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(sum);
}

/// retrieve with owned outputs.
template <class T>
struct Retrieved {
  std::vector<T> state, lse, final_state, energies;
  std::vector<std::int64_t> steps;
  std::vector<StopReason> reason;
};

template <class T>
Retrieved<T> run_retrieve(const Associations& in, const UpdateOptions& update,
                          std::int64_t num_energies = 0, const AssociateOptions& options = {}) {
  const AssociationShape shape = validate(in, "test");
  const auto pairs = static_cast<std::size_t>(shape.rows * shape.heads);
  Retrieved<T> got;
  got.state.assign(pairs * static_cast<std::size_t>(shape.projection_depth), T{-7});
  got.lse.assign(pairs, T{-7});
  got.final_state.assign(pairs * static_cast<std::size_t>(shape.depth), T{-7});
  got.energies.assign(pairs * static_cast<std::size_t>(num_energies), T{-7});
  got.steps.assign(pairs, -7);
  got.reason.resize(pairs);
  AssociateOutputs<T> out;
  out.state = mutable_view(got.state.data(), shape.rows, shape.heads, shape.projection_depth);
  out.lse = got.lse;
  RetrieveReport<T> report;
  report.final_state = mutable_view(got.final_state.data(), shape.rows, shape.heads, shape.depth);
  report.steps = got.steps;
  report.reason = got.reason;
  report.energies = got.energies;
  report.num_energies = num_energies;
  retrieve(in, update, out, report, options);
  return got;
}

/// Update options that own what they point at.
struct Updates {
  explicit Updates(std::vector<std::int64_t> steps_max, std::vector<double> steps_eps = {1e-4},
                   StopCriterion criterion = StopCriterion::kAssociation, std::int64_t cap = 10000)
      : max(std::move(steps_max)), eps(std::move(steps_eps)) {
    options.update_steps_max = max;
    options.update_steps_eps = eps;
    options.criterion = criterion;
    options.update_steps_cap = cap;
  }
  Updates(const Updates&) = delete;
  Updates& operator=(const Updates&) = delete;

  std::vector<std::int64_t> max;
  std::vector<double> eps;
  UpdateOptions options;
};

}  // namespace hopfield::testing

#endif  // HOPFIELD_TESTS_UNIT_MEMORY_PROBLEM_H_
