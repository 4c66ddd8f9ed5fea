#include "theory/equations/gaussian.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <boost/math/quadrature/gauss.hpp>
#include <cmath>

namespace hopfield::theory {
namespace {

namespace constants = boost::math::double_constants;

constexpr double kReach = 9;        // a normal lies beyond with probability 2e-19
constexpr double kPanelWidest = 2;  // 15 points give exp(-z^2/2) to rounding on such a panel
constexpr double kGrading = 3;

void add_panel(double low, double high, std::vector<GaussianNode>& nodes) {
  using Rule = boost::math::quadrature::gauss<double, 15>;
  const auto& abscissa = Rule::abscissa();
  const auto& weight = Rule::weights();
  const double half = (high - low) / 2, middle = low + half;
  const auto add = [&](double x, double w) {
    const double z = middle + half * x;
    nodes.push_back({z, half * w * normal_density(z)});
  };
  for (std::size_t i = 0; i < abscissa.size(); ++i) {
    add(abscissa[i], weight[i]);
    if (abscissa[i] != 0) add(-abscissa[i], weight[i]);
  }
}

/// Panels from `from` (near the kink) to `to`, on one side of it; `first` is the first one's width.
void add_side(double from, double to, double first, std::vector<GaussianNode>& nodes) {
  const double sign = to > from ? 1 : -1;
  double width = std::min(first, kPanelWidest);
  for (double at = from; sign * (to - at) > 0;) {
    double next = at + sign * width;
    // What would remain as a sliver joins the last panel.
    if (sign * (to - next) < width / 4) next = to;
    add_panel(std::min(at, next), std::max(at, next), nodes);
    at = next;
    width = std::min((kGrading - 1) * std::abs(at - from), kPanelWidest);
  }
}

}  // namespace

double normal_density(double x) {
  return std::exp(-x * x / 2) * constants::one_div_root_two_pi;
}

double log_cosh(double x) {
  const double a = std::abs(x);
  return a + std::log1p(std::exp(-2 * a)) - constants::ln_two;
}

double log_normal_cdf(double x) {
  if (x > 0) return std::log1p(-std::erfc(x * constants::one_div_root_two) / 2);
  if (x > -20) return std::log(std::erfc(-x * constants::one_div_root_two) / 2);
  // Asymptotic series of Mills' ratio: ten terms reach 1e-17 from 20 on.
  double term = 1, sum = 1;
  for (int k = 1; k <= 10; ++k) {
    term *= -(2 * k - 1) / (x * x);
    sum += term;
  }
  return -x * x / 2 - std::log(-x) + std::log(sum * constants::one_div_root_two_pi);
}

void gaussian_nodes(double kink, double width, double tilt, std::vector<GaussianNode>& nodes) {
  nodes.clear();
  const double low = -kReach - tilt, high = kReach + tilt;
  // Never so narrow that a step would be lost in rounding.
  const double first = std::clamp(width, 1e-14 * high, kPanelWidest);
  // A kink outside the range is felt from its distance only.
  const double centre = std::clamp(kink, low, high);
  const double start = std::max(first, std::abs(kink - centre));
  add_side(centre, high, start, nodes);
  add_side(centre, low, start, nodes);
}

TanhAverages tanh_averages(double mean, double deviation) {
  std::vector<GaussianNode> nodes;
  if (deviation > 0) {
    gaussian_nodes(-mean / deviation, 1 / deviation, 0, nodes);
  } else {
    nodes.push_back({0, 1});
  }
  TanhAverages sum;
  for (const GaussianNode& node : nodes) {
    const double g = mean + deviation * node.z;
    const double a = std::abs(g), e = std::exp(-2 * a);
    const double t = std::copysign((1 - e) / (1 + e), g);
    const double s = 4 * e / ((1 + e) * (1 + e));  // sech^2, without cancellation
    const double w = node.weight;
    sum.tanh += w * t;
    sum.tanh2 += w * t * t;
    sum.sech4 += w * s * s;
    sum.log_cosh += w * (a + std::log1p(e) - constants::ln_two);
    sum.tanh_by_mean += w * s;
    sum.tanh_by_variance -= w * t * s;
    sum.tanh2_by_mean += w * 2 * t * s;
    sum.tanh2_by_variance += w * s * (s - 2 * t * t);
  }
  return sum;
}

}  // namespace hopfield::theory
