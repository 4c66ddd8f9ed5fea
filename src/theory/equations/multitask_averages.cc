#include "theory/equations/multitask_averages.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <cmath>

#include "theory/equations/gaussian.h"

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;

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

class Sum {
 public:
  Sum(const MultitaskParameters& at, const Vector& n) : at_(at), n_(n), xi_(n.size(), 0) {
    result_.m.assign(n.size(), 0);
    result_.slope.assign(n.size(), 0);
    visit(0, 1, 0, 0);
  }
  const FieldAverages& result() const { return result_; }

 private:
  void visit(std::size_t mu, double probability, double mean, double square) {
    if (probability == 0) return;
    if (mu == n_.size()) {
      const Response response = respond(mean, std::sqrt(at_.rho * square), at_.temperature);
      result_.pressure += probability * response.pressure;
      for (std::size_t k = 0; k < n_.size(); ++k) {
        result_.m[k] += probability * xi_[k] * response.sign;
        result_.slope[k] += probability * std::abs(xi_[k]) * response.slope;
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
  Vector xi_;
  FieldAverages result_;
};

/// Patterns with the same n.
struct Group {
  double n = 0;
  int count = 0;
  double m = 0, slope = 0;
  double factor = 0;  ///< E cos(k b n xi), averaged over its z too
  double sine = 0;    ///< E[xi sin], the same way
  double cosine = 0;  ///< E[xi^2 cos]
  double before = 1;  ///< product of the factors of all groups before this one
};

std::vector<Group> groups_of(const Vector& n) {
  Vector values = n;
  std::sort(values.begin(), values.end());
  std::vector<Group> groups;
  for (const double value : values) {
    if (groups.empty() || groups.back().n != value) groups.push_back({value});
    ++groups.back().count;
  }
  return groups;
}

// 1/sinh(pi k/2) at the end is 1e-17 of its value at 1.
constexpr double kReach = 26;

/// The midpoint rule of step 2 pi / L gives sum_j (-1)^j tanh(x + j L) for tanh x, which is off by
/// 2 exp(-2 (L - |x|)) for |x| < L.
double period(const MultitaskParameters& at, const Vector& n) {
  double sum = 0, square = 0;
  for (const double value : n) {
    sum += std::abs(value);
    square += value * value;
  }
  constexpr double kDeviations = 9, kMargin = 20;
  return (sum + kDeviations * std::sqrt(at.rho * square)) / at.temperature + kMargin;
}

}  // namespace

FieldAverages enumerated_averages(const MultitaskParameters& at, const Vector& n) {
  return Sum(at, n).result();
}

double fourier_points(const MultitaskParameters& at, const Vector& n) {
  return kReach * period(at, n) / constants::two_pi;
}

FieldAverages fourier_averages(const MultitaskParameters& at, const Vector& n) {
  std::vector<Group> groups = groups_of(n);
  const double b = 1 / at.temperature, step = constants::two_pi / period(at, n);
  double log_cosh = 0;
  for (double k = step / 2; k < kReach; k += step) {
    double all = 1;
    for (Group& group : groups) {
      const double phase = k * b * group.n;
      const double share = (1 - at.dilution) * std::exp(-at.rho * phase * phase / 2);
      group.sine = share * std::sin(phase);
      group.cosine = share * std::cos(phase);
      group.factor = at.dilution + group.cosine;
      group.before = all;
      all *= std::pow(group.factor, group.count);
    }
    const double weight = step / std::sinh(constants::half_pi * k);
    log_cosh += weight / k * (1 - all);
    double after = 1;
    for (std::size_t g = groups.size(); g-- > 0;) {
      Group& group = groups[g];
      const double own = std::pow(group.factor, group.count - 1);
      const double others = weight * group.before * own * after;
      group.m += others * group.sine;
      group.slope += others * k * b * group.cosine;
      after *= own * group.factor;
    }
  }
  FieldAverages result;
  result.pressure = at.temperature * (log_cosh + constants::ln_two);
  for (const double value : n) {
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [value](const Group& g) { return g.n == value; });
    result.m.push_back(group->m);
    result.slope.push_back(group->slope);
  }
  return result;
}

}  // namespace hopfield::theory
