#include "hopfield/theory/multitask.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>

#include "hopfield/base/error.h"
#include "theory/equations/multitask_averages.h"
#include "theory/equations/newton.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// What can be summed over all patterns, and what the integrals take where T is high enough.
constexpr int kSummedMax = 12, kSummedMaxNoisy = 8, kPatternsMax = 100;
constexpr double kTemperatureLeast = 1e-3;

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

void require_range(bool ok, const char* op, const std::string& expected, double value) {
  require(ok && std::isfinite(value), op, "expected " + expected + ", got " + number(value));
}

void check_dilution(const char* op, double dilution) {
  require_range(dilution >= 0 && dilution <= 1, op, "a dilution in [0, 1]", dilution);
}

void check(const MultitaskParameters& at) {
  constexpr const char* kOp = "solve_multitask";
  check_dilution(kOp, at.dilution);
  require_range(at.temperature >= 0, kOp, "a finite temperature >= 0", at.temperature);
  require_range(at.rho >= 0, kOp, "a finite data-set entropy rho >= 0", at.rho);
  const bool cold = at.temperature < kTemperatureLeast;
  const int most = !cold ? kPatternsMax : at.rho > 0 ? kSummedMaxNoisy : kSummedMax;
  require(at.num_patterns >= 1 && at.num_patterns <= most, kOp,
          "expected 1 to " + std::to_string(most) + " patterns" + (cold ? " below T = 0.001" : "") +
              ", got " + std::to_string(at.num_patterns));
}

/// Right sides of the equations and the mean of T ln 2 cosh.
struct Averages {
  Vector m, n;
  double pressure = 0;
};

/// Terms that the sum over all patterns has; an average over z costs about a hundred.
double enumeration_cost(const MultitaskParameters& at) {
  return std::pow(3.0, at.num_patterns) * (at.rho > 0 ? 100 : 1);
}

/// Terms of the cheaper way: the sum, or integrals over products.
double cost_of(const MultitaskParameters& at, const Vector& n) {
  const double enumeration = enumeration_cost(at);
  if (at.temperature == 0) return enumeration;
  return std::min(enumeration, fourier_points(at, n) * static_cast<double>(n.size()));
}

Averages averages_at(const MultitaskParameters& at, const Vector& n) {
  const bool enumerate = cost_of(at, n) >= enumeration_cost(at);
  FieldAverages field = enumerate ? enumerated_averages(at, n) : fourier_averages(at, n);
  Averages result{field.m, field.m, field.pressure};
  for (std::size_t mu = 0; mu < n.size(); ++mu) {
    result.n[mu] = (field.m[mu] + at.rho * n[mu] * field.slope[mu]) / (1 + at.rho);
  }
  return result;
}

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
  MultitaskState state;
  state.n = start_of(at, start);
  const auto iterations_max =
      static_cast<std::int64_t>(std::clamp(3e8 / cost_of(at, state.n), 300.0, 50000.0));
  Averages averages;
  for (;;) {
    averages = averages_at(at, state.n);
    ++state.report.iterations;
    state.report.residual = misfit(averages.n, state.n);
    if (state.report.residual <= kExact || state.report.iterations >= iterations_max) break;
    if (at.temperature > 0 && state.report.residual < kNear && state.report.iterations % 64 == 0) {
      // The basin is known by now; Newton's method gives the digits.
      const auto equations = [&at](const Vector& n, Vector& value) {
        value = averages_at(at, n).n;
        for (std::size_t k = 0; k < n.size(); ++k) value[k] -= n[k];
        return true;
      };
      const auto scale = [](const Vector& n) { return Vector(n.size(), 1.0); };
      const NewtonResult found = newton(equations, state.n, scale, kGood, 10);
      state.report.iterations += found.iterations;
      if (found.converged && misfit(found.x, state.n) < 1e-4) {
        state.n = found.x;
        averages = averages_at(at, state.n);
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
  for (const double m : state.m) state.loss.push_back(1 - at.dilution / 2 - m);
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

LearningThreshold learning_threshold(const MultitaskParameters& at, double theta) {
  require_range(theta > 0, "learning_threshold", "a threshold Theta > 0", theta);
  LearningThreshold threshold;
  const double wanted = (1 - at.dilution) * std::erf(theta);
  bool complete = true;
  const auto excess = [&](double log_rho) {
    MultitaskParameters noisy = at;
    noisy.rho = std::exp(log_rho);
    const MultitaskState state = solve_multitask(noisy);
    ++threshold.report.iterations;
    complete = complete && state.report.converged;
    return state.m[0] - wanted;
  };
  MultitaskParameters clean = at;
  clean.rho = 0;
  const MultitaskState best = solve_multitask(clean);
  if (!(best.m[0] > wanted)) {
    threshold.rho = threshold.report.residual = kNan;
    threshold.report.message = "not reached with exact patterns: m = " + number(best.m[0]);
    return threshold;
  }
  // m falls like rho^(-1/2) at most; from the one-pattern value outwards.
  double low = -std::log(2 * theta * theta), high = low;
  while (excess(low) < 0 && low > -40) low -= 1;
  while (excess(high) > 0 && high < 40) high += 1;
  if (low <= -40 || high >= 40) {
    threshold.rho = threshold.report.residual = kNan;
    threshold.report.message = "no rho between exp(-40) and exp(40) has this magnetisation";
    return threshold;
  }
  const double log_rho = bracketed_root(excess, low, high);
  threshold.rho = std::exp(log_rho);
  threshold.report.residual = std::abs(excess(log_rho));
  threshold.report.converged = complete;
  if (!complete) threshold.report.message = "a state on the way did not converge";
  return threshold;
}

double examples_needed(double quality, double theta) {
  require_range(theta > 0, "examples_needed", "a threshold Theta > 0", theta);
  return 2 * theta * theta * dataset_entropy(quality, 1);
}

}  // namespace hopfield::theory
