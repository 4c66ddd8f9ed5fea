#include "hopfield/theory/multitask.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>

#include "hopfield/base/error.h"
#include "theory/equations/gaussian.h"
#include "theory/equations/newton.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kPatternsMax = 12, kPatternsMaxNoisy = 8;

void require_range(bool ok, const char* op, const std::string& expected, double value) {
  std::ostringstream got;
  got << value;
  require(ok && std::isfinite(value), op, "expected " + expected + ", got " + got.str());
}

void check_dilution(const char* op, double dilution) {
  require_range(dilution >= 0 && dilution <= 1, op, "a dilution in [0, 1]", dilution);
}

void check(const MultitaskParameters& at) {
  constexpr const char* kOp = "solve_multitask";
  check_dilution(kOp, at.dilution);
  require_range(at.temperature >= 0, kOp, "a finite temperature >= 0", at.temperature);
  require_range(at.rho >= 0, kOp, "a finite data-set entropy rho >= 0", at.rho);
  const int most = at.rho > 0 ? kPatternsMaxNoisy : kPatternsMax;
  require(at.num_patterns >= 1 && at.num_patterns <= most, kOp,
          "expected 1 to " + std::to_string(most) + " patterns, got " +
              std::to_string(at.num_patterns));
}

/// Averages over z at one choice of the patterns' entries.
struct Response {
  double sign = 0;      ///< E tanh(b G)
  double slope = 0;     ///< b E sech^2(b G)
  double pressure = 0;  ///< T E ln 2 cosh(b G)
};

Response respond(double mean, double deviation, double temperature) {
  Response response;
  if (temperature > 0) {
    const double b = 1 / temperature;
    const TanhAverages average = tanh_averages(b * mean, b * deviation);
    return {average.tanh, b * average.tanh_by_mean,
            temperature * (average.log_cosh + constants::ln_two)};
  }
  if (deviation > 0) {
    const double u = mean / deviation;
    response.sign = std::erf(u * constants::one_div_root_two);
    response.slope = 2 * normal_density(u) / deviation;
    response.pressure = mean * response.sign + 2 * deviation * normal_density(u);
    return response;
  }
  constexpr double kTie = 1e-12;  // rounding of a sum of at most 12 terms below 1 stays under it
  response.sign = std::abs(mean) < kTie ? 0 : std::copysign(1.0, mean);
  response.pressure = std::abs(mean);
  return response;
}

/// Right sides of the equations and the mean of T ln 2 cosh.
struct Averages {
  Vector m, n;
  double pressure = 0;
};

class Sum {
 public:
  Sum(const MultitaskParameters& at, const Vector& n) : at_(at), n_(n), xi_(n.size(), 0) {
    result_.m.assign(n.size(), 0);
    slope_.assign(n.size(), 0);
    visit(0, 1, 0, 0);
    result_.n.resize(n.size());
    for (std::size_t mu = 0; mu < n.size(); ++mu) {
      result_.n[mu] = (result_.m[mu] + at.rho * n[mu] * slope_[mu]) / (1 + at.rho);
    }
  }
  const Averages& result() const { return result_; }

 private:
  void visit(std::size_t mu, double probability, double mean, double square) {
    if (probability == 0) return;
    if (mu == n_.size()) {
      const Response response = respond(mean, std::sqrt(at_.rho * square), at_.temperature);
      result_.pressure += probability * response.pressure;
      for (std::size_t k = 0; k < n_.size(); ++k) {
        result_.m[k] += probability * xi_[k] * response.sign;
        slope_[k] += probability * std::abs(xi_[k]) * response.slope;
      }
      return;
    }
    xi_[mu] = 0;
    visit(mu + 1, probability * at_.dilution, mean, square);
    for (const double xi : {1.0, -1.0}) {
      xi_[mu] = xi;
      visit(mu + 1, probability * (1 - at_.dilution) / 2, mean + xi * n_[mu],
            square + n_[mu] * n_[mu]);
    }
    xi_[mu] = 0;
  }

  const MultitaskParameters& at_;
  const Vector& n_;
  Vector xi_, slope_;
  Averages result_;
};

double misfit(const Vector& a, const Vector& b) {
  double result = 0;
  for (std::size_t k = 0; k < a.size(); ++k) result = std::max(result, std::abs(a[k] - b[k]));
  return result;
}

MultitaskRegime regime_of(const Vector& m) {
  // Of an iteration that ended at a residual near rounding.
  constexpr double kSame = 1e-7;
  Vector sorted = m;
  for (double& x : sorted) x = std::abs(x);
  std::sort(sorted.rbegin(), sorted.rend());
  if (sorted.front() < kSame) return MultitaskRegime::kParamagnet;
  if (sorted.size() > 1 && sorted.front() - sorted.back() < kSame * sorted.front())
    return MultitaskRegime::kParallel;
  double rest = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  for (const double x : sorted) {
    rest -= x;
    if (x > kSame && x <= rest + kSame) return MultitaskRegime::kMixed;
  }
  return MultitaskRegime::kHierarchical;
}

Vector start_of(const MultitaskParameters& at, MultitaskStart start) {
  Vector n;
  for (int mu = 0; mu < at.num_patterns; ++mu) {
    const double power = start == MultitaskStart::kHierarchical ? std::pow(at.dilution, mu) : 0.5;
    n.push_back((1 - at.dilution) * power);
  }
  return n;
}

/// E over n = number of non-zero entries and S = their sum, of K entries.
template <class Function>
double average_over_sums(int num_patterns, double dilution, const Function& function) {
  double total = 0;
  const double log_half = -constants::ln_two;
  for (int n = 0; n <= num_patterns; ++n) {
    const double log_n = std::lgamma(num_patterns + 1.0) - std::lgamma(n + 1.0) -
                         std::lgamma(num_patterns - n + 1.0);
    const double share = std::pow(1 - dilution, n) * std::pow(dilution, num_patterns - n);
    for (int up = 0; up <= n; ++up) {
      const double log_up =
          std::lgamma(n + 1.0) - std::lgamma(up + 1.0) - std::lgamma(n - up + 1.0);
      total += share * std::exp(log_n + log_up + n * log_half) * function(2.0 * up - n, n);
    }
  }
  return total;
}

void check_parallel(const char* op, int num_patterns, double dilution, int least) {
  require(num_patterns >= least && num_patterns <= 200, op,
          "expected " + std::to_string(least) + " to 200 patterns, got " +
              std::to_string(num_patterns));
  check_dilution(op, dilution);
}

}  // namespace

std::string_view multitask_regime_name(MultitaskRegime regime) {
  switch (regime) {
    case MultitaskRegime::kParamagnet:
      return "paramagnet";
    case MultitaskRegime::kParallel:
      return "parallel";
    case MultitaskRegime::kHierarchical:
      return "hierarchical";
    case MultitaskRegime::kMixed:
      return "mixed";
  }
  return "";
}

MultitaskState solve_multitask(const MultitaskParameters& at, MultitaskStart start) {
  check(at);
  constexpr double kExact = 1e-15, kNear = 1e-7, kGood = 1e-12;
  // About ten seconds at most.
  const double cost = std::pow(3.0, at.num_patterns) * (at.rho > 0 ? 100 : 1);
  const auto iterations_max = static_cast<std::int64_t>(std::clamp(3e8 / cost, 300.0, 50000.0));
  MultitaskState state;
  state.n = start_of(at, start);
  Averages averages;
  for (;;) {
    averages = Sum(at, state.n).result();
    ++state.report.iterations;
    state.report.residual = misfit(averages.n, state.n);
    if (state.report.residual <= kExact || state.report.iterations >= iterations_max) break;
    if (at.temperature > 0 && state.report.residual < kNear && state.report.iterations % 64 == 0) {
      // The basin is known by now; Newton's method gives the digits.
      const auto equations = [&at](const Vector& n, Vector& value) {
        value = Sum(at, n).result().n;
        for (std::size_t k = 0; k < n.size(); ++k) value[k] -= n[k];
        return true;
      };
      const auto scale = [](const Vector& n) { return Vector(n.size(), 1.0); };
      const NewtonResult found = newton(equations, state.n, scale, kGood, 10);
      state.report.iterations += found.iterations;
      if (found.converged && misfit(found.x, state.n) < 1e-4) {
        state.n = found.x;
        averages = Sum(at, state.n).result();
        state.report.residual = misfit(averages.n, state.n);
        break;
      }
    }
    state.n = averages.n;
  }
  state.report.converged = state.report.residual <= kGood;
  if (!state.report.converged) state.report.message = "still moving; the state is nearly marginal";
  state.m = averages.m;
  if (at.rho == 0) state.m = state.n;
  double square = 0;
  for (const double n : state.n) square += n * n;
  state.energy = -(1 + at.rho) / 2 * square;
  state.free_energy = (1 + at.rho) / 2 * square - averages.pressure;
  state.regime = regime_of(state.m);
  return state;
}

double hierarchical_dilution_max(int num_patterns) {
  require(num_patterns >= 1 && num_patterns <= 1000, "hierarchical_dilution_max",
          "expected 1 to 1000 patterns, got " + std::to_string(num_patterns));
  if (num_patterns <= 2) return 1;
  // (1 - 2d + d^K)/(1 - d) = 1 - d - d^2 - ... - d^(K-1).
  return bracketed_root(
      [num_patterns](double d) {
        double sum = 0, power = 1;
        for (int j = 1; j < num_patterns; ++j) sum += power *= d;
        return 1 - sum;
      },
      0.5 - 1e-3, 0.7);
}

double parallel_magnetisation(int num_patterns, double dilution, double temperature) {
  check_parallel("parallel_magnetisation", num_patterns, dilution, 1);
  require_range(temperature > 0, "parallel_magnetisation", "a finite temperature > 0", temperature);
  const auto excess = [&](double m) {
    return average_over_sums(num_patterns, dilution,
                             [&](double s, int) { return s * std::tanh(m * s / temperature); }) /
               num_patterns -
           m;
  };
  // The right side is concave in m: one positive root, or none.
  const double low = 1e-9;
  if (temperature >= 1 - dilution || !(excess(low) > 0)) return 0;
  return bracketed_root(excess, low, 1);
}

double parallel_slope(int num_patterns, double dilution, double temperature) {
  check_parallel("parallel_slope", num_patterns, dilution, 2);
  const double m = parallel_magnetisation(num_patterns, dilution, temperature);
  const double k = num_patterns;
  // By symmetry E[xi_1^2 f] = E[n f]/K and E[xi_1 xi_2 f] = E[(S^2 - n) f]/(K (K - 1)).
  return average_over_sums(num_patterns, dilution,
                           [&](double s, int n) {
                             const double t = std::tanh(m * s / temperature);
                             return (1 - t * t) * (n / k - (s * s - n) / (k * (k - 1)));
                           }) /
         temperature;
}

ParallelEdge parallel_edge(int num_patterns, double dilution) {
  check_parallel("parallel_edge", num_patterns, dilution, 2);
  ParallelEdge edge;
  edge.temperature = edge.m = edge.report.residual = kNan;
  const auto excess = [&](double temperature) {
    ++edge.report.iterations;
    return parallel_slope(num_patterns, dilution, temperature) - 1;
  };
  double high = (1 - dilution) * (1 - 1e-4);
  if (!(dilution < 1) || !(excess(high) < 0)) {
    edge.report.message = "the parallel state is not stable just below T = 1 - d";
    return edge;
  }
  const double least = 1e-9 * high;
  double low = high;
  while (low > least) {
    low *= 0.95;
    if (excess(low) >= 0) break;
    high = low;
  }
  if (low <= least) {
    edge.report.message = "the parallel state is stable down to T = 0";
    return edge;
  }
  edge.temperature = bracketed_root(excess, low, high);
  edge.m = parallel_magnetisation(num_patterns, dilution, edge.temperature);
  edge.report.residual = std::abs(excess(edge.temperature));
  edge.report.converged = true;
  return edge;
}

double dataset_entropy(double quality, double num_examples) {
  require_range(quality > 0 && quality <= 1, "dataset_entropy", "a quality r in (0, 1]", quality);
  require_range(num_examples >= 1, "dataset_entropy", "at least one example", num_examples);
  return (1 - quality) * (1 + quality) / (num_examples * quality * quality);
}

double learned_magnetisation(double rho) {
  require_range(rho >= 0, "learned_magnetisation", "a data-set entropy rho >= 0", rho);
  return rho == 0 ? 1 : std::erf(1 / std::sqrt(2 * rho));
}

double examples_needed(double quality, double theta) {
  require_range(theta > 0, "examples_needed", "a threshold Theta > 0", theta);
  return 2 * theta * theta * dataset_entropy(quality, 1);
}

}  // namespace hopfield::theory
