#include "hopfield/theory/capacity.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/special_functions/bessel.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <boost/math/special_functions/factorials.hpp>
#include <cmath>
#include <limits>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/memory/recall_trial.h"
#include "theory/equations/dense_equations.h"

namespace hopfield::theory {
namespace {

constexpr const char* kOp = "measure_capacity";

void validate(const CapacityOptions& o) {
  require(o.kind != NetworkKind::kMultitask, kOp,
          "expected a network whose patterns are stored one by one, got the multitasking one");
  require(o.num_spins >= 2, kOp, "expected at least two spins, got " + std::to_string(o.num_spins));
  require(o.flipped >= 0 && o.flipped <= 1 && o.overlap_min > 0 && o.overlap_min <= 1, kOp,
          "expected a flipped fraction from 0 to 1 and an overlap in (0, 1], got " +
              std::to_string(o.flipped) + " and " + std::to_string(o.overlap_min));
  require(o.num_patterns_max >= 1 && o.num_patterns_max <= 2'000'000'000 / o.num_spins, kOp,
          "expected num_patterns_max >= 1 and num_patterns_max * num_spins <= 2e9, got " +
              std::to_string(o.num_patterns_max));
}

/// A trial's patterns grow as more are asked for and never change.
class Trial {
 public:
  Trial(const CapacityOptions& options, RandomStream& random)
      : options_(options), random_(random), patterns_{0, options.num_spins, {}} {
    grow(1);
    start_ = options.criterion == StoredIf::kRetrieved
                 ? damaged(patterns_.row(0), options.flipped, random)
                 : std::vector<Spin>(patterns_.row(0).begin(), patterns_.row(0).end());
    order_seed_ = random.bits64();
  }

  bool stores(std::int64_t count) {
    grow(count);
    // The projector has rank N at most: no more patterns can be independent.
    if (options_.kind == NetworkKind::kPseudoInverse && count >= options_.num_spins) return false;
    Simulation made;
    made.kind = options_.kind;
    made.power = options_.power;
    const SpinPatterns some{
        count,
        options_.num_spins,
        {patterns_.values.begin(), patterns_.values.begin() + count * options_.num_spins}};
    const std::unique_ptr<SpinNetwork> network = make_network(made, some, random_);
    RandomStream order(order_seed_, 0);
    if (options_.criterion == StoredIf::kStable) {
      return update(*network->state(start_), UpdateOrder::kSynchronous, order) == 0;
    }
    const SpinRetrieval end =
        retrieve(*network, start_, UpdateOrder::kAsynchronous, options_.sweeps_max, order);
    return overlap(some.row(0), end.spins) >= options_.overlap_min;
  }

 private:
  void grow(std::int64_t count) {
    while (patterns_.num_patterns < count) {
      const SpinPatterns one = random_patterns(1, patterns_.num_spins, 0, random_);
      patterns_.values.insert(patterns_.values.end(), one.values.begin(), one.values.end());
      ++patterns_.num_patterns;
    }
  }

  const CapacityOptions& options_;
  RandomStream& random_;
  SpinPatterns patterns_;
  std::vector<Spin> start_;
  std::uint64_t order_seed_ = 0;
};

/// The largest count, at most `most`, that stores(count) accepts: doubling, then halving.
template <class Stores>
double largest_stored(std::int64_t most, const Stores& stores) {
  if (!stores(1)) return 0;
  std::int64_t stored = 1, lost = 2;
  while (lost <= most && stores(lost)) {
    stored = lost;
    lost *= 2;
  }
  if (lost > most) {
    lost = most;
    if (stored == lost || stores(lost)) return static_cast<double>(lost);
  }
  while (lost - stored > 1) {
    const std::int64_t middle = stored + (lost - stored) / 2;
    (stores(middle) ? stored : lost) = middle;
  }
  return static_cast<double>(stored);
}

/// Patterns of one trial on the sphere; they grow and never change, and neither do the cues.
class SphereTrial {
 public:
  SphereTrial(const RecallCapacityOptions& options, RandomStream& random)
      : options_(options),
        random_(random),
        directions_(random.bits64(), 0),
        radius_(options.k * std::sqrt(static_cast<double>(options.depth - 1))) {
    cues_.depth = options.depth;
  }

  bool stores(std::int64_t count) {
    grow(count);
    RecallTrialOptions recall;
    recall.similarity = Similarity::kDot;
    recall.beta = options_.beta;
    recall.update_steps_cap = 100;
    recall.tolerance = options_.tolerance * options_.k;
    recall.executor = &serial_executor();  // trials run side by side
    const auto num_cues = static_cast<std::size_t>(std::min(count, options_.num_cues));
    Cues cues = cues_;
    cues.pattern.resize(num_cues);
    cues.state.resize(num_cues * static_cast<std::size_t>(options_.depth));
    const RecallTrial trial =
        recall_trial(pattern_view(patterns_.data(), count, options_.depth), cues, recall);
    return trial.exact_rate() >= options_.wanted;
  }

 private:
  void grow(std::int64_t count) {
    for (; num_patterns_ < count; ++num_patterns_) {
      const std::vector<double> x = random_.on_sphere(options_.depth, radius_);
      patterns_.insert(patterns_.end(), x.begin(), x.end());
      if (num_patterns_ >= options_.num_cues) continue;
      const std::vector<double> away =
          directions_.on_sphere(options_.depth, options_.distance * radius_);
      cues_.pattern.push_back(num_patterns_);
      for (std::size_t i = 0; i < x.size(); ++i) {
        cues_.state.push_back(static_cast<float>(x[i] + away[i]));
      }
    }
  }

  const RecallCapacityOptions& options_;
  RandomStream& random_;
  RandomStream directions_;
  double radius_;
  std::int64_t num_patterns_ = 0;
  std::vector<float> patterns_;
  Cues cues_;
};

CapacityEstimate estimate_of(const std::vector<std::vector<double>>& samples, double most,
                             double confidence) {
  CapacityEstimate estimate;
  for (const auto& sample : samples) {
    estimate.trials.push_back(sample[0]);
    estimate.num_capped += sample[0] >= most;
  }
  std::sort(estimate.trials.begin(), estimate.trials.end());
  const MedianInterval interval = median_interval(estimate.trials, confidence);
  estimate.median = interval.median;
  estimate.low = interval.low;
  estimate.high = interval.high;
  return estimate;
}

/// Throws unless the extremes of so many trials enclose the median with that confidence.
void require_enough(std::size_t trials, double confidence) {
  require(confidence > 0 && confidence < 1, "median_interval",
          "expected a confidence in (0, 1), got " + std::to_string(confidence));
  const double outside = 2 * std::pow(0.5, static_cast<double>(trials));
  require(trials >= 1 && outside <= 1 - confidence, "median_interval",
          "expected more trials for this confidence, got " + std::to_string(trials) +
              "; 6 serve for 0.95");
}

double double_factorial(int n) {
  return n < 1 ? 1.0 : boost::math::double_factorial<double>(static_cast<unsigned>(n));
}

/// K for which a pattern of N spins has no error with probability 1/2, each spin erring with
/// probability Q(sqrt(signal / K)) on its own: N Q = ln 2.
double gaussian_half(double n, double signal) {
  const double rate = boost::math::constants::ln_two<double>() / n;
  const double x = std::sqrt(2.0) * boost::math::erfc_inv(2 * rate);
  return signal / (x * x);
}

/// I(a) of the exponential network: ((1+a) ln(1+a) + (1-a) ln(1-a)) / 2.
double flip_exponent(double a) {
  const auto term = [](double x) { return x > 0 ? x * std::log(x) : 0.0; };
  return 0.5 * (term(1 + a) + term(1 - a));
}

}  // namespace

MedianInterval median_interval(const std::vector<double>& ascending, double confidence) {
  require(confidence > 0 && confidence < 1, "median_interval",
          "expected a confidence in (0, 1), got " + std::to_string(confidence));
  const std::size_t n = ascending.size();
  const double rest = 0.5 * (1 - confidence);
  require(
      n >= 1 && std::pow(0.5, static_cast<double>(n)) <= rest, "median_interval",
      "expected more trials for this confidence, got " + std::to_string(n) + "; 6 serve for 0.95");
  // Outside [x_l, x_{n+1-l}] the median lies with probability 2 P(Binomial(n, 1/2) <= l - 1).
  const boost::math::binomial_distribution<> heads(static_cast<double>(n), 0.5);
  std::size_t l = 1;
  while (2 * (l + 1) <= n && boost::math::cdf(heads, static_cast<double>(l)) <= rest) ++l;
  return {0.5 * (ascending[(n - 1) / 2] + ascending[n / 2]), ascending[l - 1], ascending[n - l]};
}

ProbabilityInterval probability_interval(std::int64_t successes, std::int64_t trials,
                                         double confidence) {
  require(trials >= 1 && successes >= 0 && successes <= trials, "probability_interval",
          "expected 0 <= successes <= trials, got " + std::to_string(successes) + " of " +
              std::to_string(trials));
  require(confidence > 0 && confidence < 1, "probability_interval",
          "expected a confidence in (0, 1), got " + std::to_string(confidence));
  using Binomial = boost::math::binomial_distribution<>;
  const double n = static_cast<double>(trials), s = static_cast<double>(successes);
  const double rest = 0.5 * (1 - confidence);
  return {Binomial::find_lower_bound_on_p(n, s, rest), Binomial::find_upper_bound_on_p(n, s, rest)};
}

CapacityEstimate measure_capacity(const CapacityOptions& options) {
  validate(options);
  require_enough(static_cast<std::size_t>(std::max<std::int64_t>(options.trials.num_replicas, 0)),
                 options.confidence);
  return estimate_of(
      replicate(options.trials,
                [&](RandomStream& random) -> std::vector<double> {
                  Trial trial(options, random);
                  return {largest_stored(options.num_patterns_max,
                                         [&](std::int64_t count) { return trial.stores(count); })};
                }),
      static_cast<double>(options.num_patterns_max), options.confidence);
}

CapacityEstimate measure_continuous_capacity(double beta, double k, std::int64_t depth,
                                             std::int64_t num_patterns_max,
                                             const ReplicaOptions& trials, double confidence) {
  require(beta > 0 && std::isfinite(beta) && k > 0 && std::isfinite(k) && depth >= 2 &&
              num_patterns_max >= 1,
          "measure_continuous_capacity",
          "expected beta > 0, k > 0, depth >= 2 and num_patterns_max >= 1, got " +
              std::to_string(beta) + ", " + std::to_string(k) + ", " + std::to_string(depth) +
              " and " + std::to_string(num_patterns_max));
  require_enough(static_cast<std::size_t>(std::max<std::int64_t>(trials.num_replicas, 0)),
                 confidence);
  const double radius = k * std::sqrt(static_cast<double>(depth - 1));
  const double kappa = beta * radius * radius;
  const auto trial = [&](RandomStream& random) -> std::vector<double> {
    const std::vector<double> first = random.on_sphere(depth, 1);
    double rivals = 0;  // sum of exp(score - score of the first)
    std::int64_t count = 1;
    while (count < num_patterns_max) {
      const std::vector<double> x = random.on_sphere(depth, 1);
      double cosine = 0;
      for (std::size_t i = 0; i < x.size(); ++i) cosine += x[i] * first[i];
      rivals += std::exp(kappa * (cosine - 1));
      if (rivals > 1) break;
      ++count;
    }
    return {static_cast<double>(count)};
  };
  return estimate_of(replicate(trials, trial), static_cast<double>(num_patterns_max), confidence);
}

CapacityEstimate measure_recall_capacity(const RecallCapacityOptions& o) {
  constexpr const char* kRecall = "measure_recall_capacity";
  require(o.beta > 0 && std::isfinite(o.beta) && o.k > 0 && std::isfinite(o.k) && o.depth >= 2 &&
              o.distance >= 0 && std::isfinite(o.distance) && o.tolerance > 0,
          kRecall,
          "expected beta, k and tolerance > 0, depth >= 2 and distance >= 0, got " +
              std::to_string(o.beta) + ", " + std::to_string(o.k) + ", " +
              std::to_string(o.tolerance) + ", " + std::to_string(o.depth) + " and " +
              std::to_string(o.distance));
  require(o.wanted > 0 && o.wanted <= 1 && o.num_cues >= 1 && o.num_patterns_max >= 1 &&
              o.num_patterns_max <= 2'000'000'000 / o.depth,
          kRecall,
          "expected a wanted share in (0, 1], num_cues >= 1 and num_patterns_max * depth from 1 to "
          "2e9, got " +
              std::to_string(o.wanted) + ", " + std::to_string(o.num_cues) + " and " +
              std::to_string(o.num_patterns_max) + " patterns");
  require_enough(static_cast<std::size_t>(std::max<std::int64_t>(o.trials.num_replicas, 0)),
                 o.confidence);
  const auto trial = [&](RandomStream& random) -> std::vector<double> {
    SphereTrial sphere(o, random);
    return {largest_stored(o.num_patterns_max,
                           [&](std::int64_t count) { return sphere.stores(count); })};
  };
  return estimate_of(replicate(o.trials, trial), static_cast<double>(o.num_patterns_max),
                     o.confidence);
}

double half_association_capacity(double beta, double k, std::int64_t depth) {
  require(beta > 0 && std::isfinite(beta) && k > 0 && std::isfinite(k) && depth >= 2,
          "half_association_capacity",
          "expected beta > 0, k > 0 and depth >= 2, got " + std::to_string(beta) + ", " +
              std::to_string(k) + " and " + std::to_string(depth));
  const double d = static_cast<double>(depth), kappa = beta * k * k * (d - 1), nu = d / 2 - 1;
  require(kappa <= 700, "half_association_capacity",
          "expected beta k^2 (depth - 1) <= 700, beyond which no double holds the number, got " +
              std::to_string(kappa));
  // log A = log Gamma(d/2) + (d/2 - 1) log(2/kappa) + log I_{d/2-1}(kappa).
  const double log_a = std::lgamma(d / 2) + nu * std::log(2 / kappa) +
                       std::log(boost::math::cyl_bessel_i(nu, kappa));
  return 1 + std::exp(kappa - log_a);
}

std::vector<CapacityFormula> capacity_formulas(const CapacityOptions& o) {
  validate(o);
  const double n = static_cast<double>(o.num_spins);
  const bool stable = o.criterion == StoredIf::kStable;
  const double all = std::pow(n, o.power - 1);
  switch (o.kind) {
    case NetworkKind::kHebbian:
      if (!stable) return {{"alpha_c N", critical_replica_symmetric(2).gamma * n}};
      return {{"N Q(sqrt(N/K)) = ln 2", gaussian_half(n, n)},
              {"N / (2 ln N)", n / (2 * std::log(n))}};
    case NetworkKind::kPseudoInverse:
      return {{"N", n}};
    case NetworkKind::kStorkey:
      return {{"N / sqrt(2 ln N)", n / std::sqrt(2 * std::log(n))}};
    case NetworkKind::kPolynomial: {
      const double noise = double_factorial(2 * o.power - 3);
      if (!stable)
        return {{"alpha_c N^(n-1) / (2n-3)!!", critical_replica_symmetric(2).gamma * all / noise}};
      return {{"N Q(sqrt(N^(n-1)/((2n-3)!! K))) = ln 2", gaussian_half(n, all / noise)},
              {"N^(n-1) / (2 (2n-3)!! ln N)", all / (2 * noise * std::log(n))}};
    }
    case NetworkKind::kPSpin: {
      const double noise = std::tgamma(static_cast<double>(o.power));  // (P-1)!
      if (!stable && o.power > 2) {
        return {{"(2 gamma_c/P!) N^(P-1)",
                 2 * critical_replica_symmetric(o.power).gamma * all / (noise * o.power)}};
      }
      if (!stable) return {{"alpha_c N", critical_replica_symmetric(2).gamma * n}};
      return {{"N Q(sqrt(N^(P-1)/((P-1)! K))) = ln 2", gaussian_half(n, all / noise)}};
    }
    case NetworkKind::kExponential: {
      if (stable) {
        const double signal = std::pow(std::exp(2.0) / std::cosh(2.0), n - 1);
        return {{"N Q(sqrt((e^2/cosh 2)^(N-1)/K)) = ln 2", gaussian_half(n, signal)},
                {"2^(N/2)", std::exp2(0.5 * n)}};
      }
      if (o.flipped >= 0.5) return {};
      return {{"exp(N I(1 - 2 flipped)/2)", std::exp(0.5 * n * flip_exponent(1 - 2 * o.flipped))}};
    }
    case NetworkKind::kMultitask:
      break;
  }
  return {};
}

}  // namespace hopfield::theory
