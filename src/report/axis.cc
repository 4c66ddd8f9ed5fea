#include "report/axis.h"

#include <algorithm>
#include <cmath>

#include "hopfield/base/error.h"
#include "hopfield/report/format.h"

namespace hopfield::report::internal {
namespace {

// Beyond this, differences of two values could overflow.
constexpr double kLargestDrawable = 1e300;
constexpr double kSmallestLogDrawable = 1e-300;

/// 1, 2 or 5 times a power of ten, not below `step`.
double round_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

/// Decimals that tell multiples of `step` apart.
int decimals_of(double step) {
  return std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
}

std::vector<Tick> linear_ticks(double low, double high, int wanted) {
  const double step = round_step((high - low) / wanted);
  const double largest = std::max(std::abs(low), std::abs(high));
  const int decimals = decimals_of(step);
  const int digits = std::clamp(1 + static_cast<int>(std::ceil(std::log10(largest / step))), 2, 15);
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  std::vector<Tick> ticks;
  for (double k = first; k <= last && ticks.size() < 50; ++k) {
    const double value = k * step;
    ticks.push_back(
        {value, largest >= 1e7 || decimals > 5 ? general(value, digits) : fixed(value, decimals)});
  }
  return ticks;
}

std::string power_of_ten(int exponent) {
  if (exponent >= -3 && exponent <= 4)
    return fixed(std::pow(10.0, exponent), std::max(0, -exponent));
  static constexpr const char* kSuperscripts[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (const char digit : std::to_string(std::abs(exponent))) text += kSuperscripts[digit - '0'];
  return text;
}

std::vector<Tick> log_ticks(double low, double high, int wanted) {
  const int first = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const int last = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const double decades = std::log10(high) - std::log10(low);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / wanted)));
  std::vector<Tick> ticks;
  for (int e = first; e <= last; ++e) {
    if (decades > 1.5) {
      const double value = std::pow(10.0, e);
      if (e % stride == 0 && value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) {
        ticks.push_back({value, power_of_ten(e)});
      }
      continue;
    }
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10.0, e);
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) {
        ticks.push_back({value, general(value, 3)});
      }
    }
  }
  return ticks.size() >= 2 ? ticks : linear_ticks(low, high, wanted);
}

}  // namespace

bool Extent::drawable(double value) const {
  if (!(std::abs(value) <= kLargestDrawable)) return false;
  return scale_ == Scale::kLinear || value >= kSmallestLogDrawable;
}

void Extent::add(double value) {
  if (!drawable(value)) return;
  const bool first = empty();
  min_ = first ? value : std::min(min_, value);
  max_ = first ? value : std::max(max_, value);
}

AxisMap::AxisMap(const Axis& axis, const Extent& extent, std::string_view op, double room)
    : scale_(axis.scale) {
  const std::string name = "axis '" + axis.label + "'";
  for (const auto& end : {axis.min, axis.max}) {
    require(!end || extent.drawable(*end), op,
            "expected finite ends of " + name +
                (scale_ == Scale::kLog10 ? " above 0, got " : ", got ") + general(end.value_or(0)));
  }
  require(!axis.min || !axis.max || *axis.min < *axis.max, op,
          "expected min < max of " + name + ", got " + general(axis.min.value_or(0)) + " and " +
              general(axis.max.value_or(0)));

  const bool log = scale_ == Scale::kLog10;
  double low = extent.empty() ? (log ? 1.0 : 0.0) : extent.min();
  double high = extent.empty() ? (log ? 10.0 : 1.0) : extent.max();
  if (axis.min) low = *axis.min;
  if (axis.max) high = *axis.max;
  if (log) {
    low = std::log10(low);
    high = std::log10(high);
  }
  // Constant data, or ends of the caller's beyond all data, get some width around them.
  const double magnitude = std::max({std::abs(low), std::abs(high), 1e-280});
  if (high - low < 1e-12 * magnitude || high - low < 1e-290) {
    const double width = log ? 0.5 : std::max(std::abs(axis.min ? low : high) * 0.1, 1e-3);
    const double centre = axis.min ? low : high;
    low = axis.min ? low : centre - width;
    high = axis.max ? high : centre + width;
  } else {
    const double pad = room * (high - low);
    if (!axis.min) low -= pad;
    if (!axis.max) high += pad;
  }
  low_ = axis.min ? *axis.min : log ? std::pow(10.0, low) : low;
  high_ = axis.max ? *axis.max : log ? std::pow(10.0, high) : high;
  HOPFIELD_CHECK(low_ < high_);
}

double AxisMap::part(double value) const {
  if (scale_ == Scale::kLinear) return (value - low_) / (high_ - low_);
  return (std::log10(value) - std::log10(low_)) / (std::log10(high_) - std::log10(low_));
}

std::vector<Tick> AxisMap::ticks(int wanted) const {
  wanted = std::max(wanted, 2);
  return scale_ == Scale::kLinear ? linear_ticks(low_, high_, wanted)
                                  : log_ticks(low_, high_, wanted);
}

std::string coordinate(double value) {
  std::string text = fixed(std::clamp(value, -1e6, 1e6), 2);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

}  // namespace hopfield::report::internal
