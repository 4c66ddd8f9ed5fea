#include "hopfield/apps/mil/coder.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

constexpr std::size_t kMaxKnots = 1024;
constexpr std::int64_t kGathered = 64;  // columns a pass over the values
constexpr float kClip = 3.0f;
const float kRankScale = std::sqrt(12.0f);  // standard deviation 1 for uniform ranks
constexpr float kThermometerScale = 2.5f;

bool uses_ranks(InputCode code) {
  return code == InputCode::kRank || code == InputCode::kThermometer;
}

/// Values of the columns [first, first + count) over the instances of some bags, column after
/// column.
std::vector<std::vector<float>> gather_columns(const Bags& bags,
                                               std::span<const std::int64_t> which,
                                               std::int64_t first, std::int64_t count) {
  const std::span<const float> all = bags.all_values();
  std::vector<std::vector<float>> out(static_cast<std::size_t>(count));
  for (const std::int64_t bag : which) {
    const auto b = static_cast<std::size_t>(bag);
    for (std::int64_t i = bags.offsets[b]; i < bags.offsets[b + 1]; ++i) {
      const auto row = static_cast<std::size_t>(i * bags.num_features + first);
      for (std::size_t c = 0; c < out.size(); ++c) out[c].push_back(all[row + c]);
    }
  }
  return out;
}

/// Distinct values and their mid-ranks, thinned to kMaxKnots; `sorted` ascending.
void append_knots(const std::vector<float>& sorted, std::vector<float>& knots,
                  std::vector<float>& ranks) {
  const auto n = static_cast<double>(sorted.size());
  std::vector<std::pair<float, double>> all;
  for (std::size_t begin = 0; begin < sorted.size();) {
    std::size_t end = begin;
    while (end < sorted.size() && sorted[end] == sorted[begin]) ++end;
    all.emplace_back(sorted[begin], static_cast<double>(begin + end) / (2 * n));
    begin = end;
  }
  const double step = all.size() <= kMaxKnots ? 0.0 : 1.0 / static_cast<double>(kMaxKnots - 1);
  double last = -1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_end = i + 1 == all.size();
    if (!is_end && all[i].second < last + step) continue;
    knots.push_back(all[i].first);
    ranks.push_back(static_cast<float>(all[i].second));
    last = all[i].second;
  }
}

}  // namespace

InputCoder InputCoder::fit(const Bags& bags, std::span<const std::int64_t> training_bags,
                           InputCode code, std::int64_t levels) {
  require(!training_bags.empty(), "input code", "expected training bags, got none");
  InputCoder coder;
  coder.code_ = code;
  coder.levels_ = code == InputCode::kThermometer ? levels : 1;
  coder.num_features_ = bags.num_features;
  if (uses_ranks(code)) coder.knot_offsets_.push_back(0);
  std::vector<std::vector<float>> gathered;
  for (std::int64_t c = 0; c < bags.num_features; ++c) {
    const std::int64_t within = c % kGathered;
    if (within == 0) {
      gathered = gather_columns(bags, training_bags, c, std::min(kGathered, bags.num_features - c));
    }
    std::vector<float>& column = gathered[static_cast<std::size_t>(within)];
    const auto [low, high] = std::minmax_element(column.begin(), column.end());
    if (code != InputCode::kNone && *low == *high) continue;
    coder.kept_.push_back(c);
    if (code == InputCode::kZ || code == InputCode::kClippedZ) {
      double sum = 0, squares = 0;
      for (const float x : column) sum += x;
      const double center = sum / static_cast<double>(column.size());
      for (const float x : column) squares += (x - center) * (x - center);
      coder.shift_.push_back(static_cast<float>(center));
      coder.scale_.push_back(
          static_cast<float>(1 / std::sqrt(squares / static_cast<double>(column.size()))));
    } else if (uses_ranks(code)) {
      std::sort(column.begin(), column.end());
      append_knots(column, coder.knots_, coder.ranks_);
      coder.knot_offsets_.push_back(static_cast<std::int64_t>(coder.knots_.size()));
    }
  }
  if (coder.kept_.empty()) {
    fail(ErrorCode::kCorruptData, "input code",
         "expected a feature that varies over the training bags, got " +
             std::to_string(bags.num_features) + " constant ones");
  }
  if (code == InputCode::kThermometer) {
    coder.shift_.assign(coder.kept_.size() * static_cast<std::size_t>(levels), 0.0f);
    const auto d = static_cast<std::size_t>(bags.num_features);
    std::vector<double> sums(coder.shift_.size(), 0.0);
    std::vector<float> coded(sums.size());
    double rows = 0;
    for (const std::int64_t bag : training_bags) {
      const auto first = bags.offsets[static_cast<std::size_t>(bag)];
      const auto end = bags.offsets[static_cast<std::size_t>(bag) + 1];
      rows += static_cast<double>(end - first);
      for (std::int64_t row = first; row < end; ++row) {
        coder.apply(bags.all_values().subspan(static_cast<std::size_t>(row) * d, d), coded);
        for (std::size_t i = 0; i < coded.size(); ++i) sums[i] += coded[i];
      }
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      // `apply` scaled what it coded with a shift of 0.
      coder.shift_[i] = static_cast<float>(sums[i] / rows / kThermometerScale);
    }
  }
  return coder;
}

std::int64_t InputCoder::num_coded() const {
  return static_cast<std::int64_t>(kept_.size()) * levels_;
}

float InputCoder::rank(std::size_t column, float value) const {
  const auto begin = static_cast<std::size_t>(knot_offsets_[column]);
  const auto end = static_cast<std::size_t>(knot_offsets_[column + 1]);
  const auto first = knots_.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = knots_.begin() + static_cast<std::ptrdiff_t>(end);
  const auto above = std::upper_bound(first, last, value);
  if (above == first) return ranks_[begin];
  if (above == last) return ranks_[end - 1];
  const auto k = static_cast<std::size_t>(above - knots_.begin());
  const double low = knots_[k - 1], high = knots_[k];  // double: the difference cannot overflow
  const auto fraction = static_cast<float>((value - low) / (high - low));
  return ranks_[k - 1] + fraction * (ranks_[k] - ranks_[k - 1]);
}

std::vector<float> InputCoder::apply(std::span<const float> values) const {
  const auto d = static_cast<std::size_t>(num_features_);
  std::vector<float> out(d == 0 ? 0 : values.size() / d * static_cast<std::size_t>(num_coded()));
  apply(values, out);
  return out;
}

void InputCoder::apply(std::span<const float> values, std::span<float> out) const {
  const auto d = static_cast<std::size_t>(num_features_);
  require(d > 0 && values.size() % d == 0, "input code",
          "expected rows of " + std::to_string(d) + " features, got " +
              std::to_string(values.size()) + " numbers");
  const std::size_t rows = values.size() / d;
  const auto levels = static_cast<std::size_t>(levels_);
  require(out.size() == rows * kept_.size() * levels, "input code",
          "expected room for " + std::to_string(rows) + " coded rows, got that of " +
              std::to_string(out.size()) + " numbers");
  float* to = out.data();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < kept_.size(); ++j) {
      const float x = values[row * d + static_cast<std::size_t>(kept_[j])];
      switch (code_) {
        case InputCode::kNone:
          *to++ = x;
          break;
        case InputCode::kZ:
          *to++ = (x - shift_[j]) * scale_[j];
          break;
        case InputCode::kClippedZ:
          *to++ = std::clamp((x - shift_[j]) * scale_[j], -kClip, kClip);
          break;
        case InputCode::kRank:
          *to++ = (rank(j, x) - 0.5f) * kRankScale;
          break;
        case InputCode::kThermometer: {
          const float u = rank(j, x) * static_cast<float>(levels_);
          for (std::size_t t = 0; t < levels; ++t) {
            const float on = std::clamp(u - static_cast<float>(t), 0.0f, 1.0f);
            *to++ = (on - shift_[j * levels + t]) * kThermometerScale;
          }
          break;
        }
      }
    }
  }
}

InputCoder::State InputCoder::state() const {
  return {static_cast<std::int64_t>(code_),
          levels_,
          num_features_,
          kept_,
          shift_,
          scale_,
          knot_offsets_,
          knots_,
          ranks_};
}

InputCoder InputCoder::from_state(State state) {
  const auto check = [](bool ok, const char* what) {
    if (!ok) {
      fail(ErrorCode::kCorruptData, "input code",
           std::string("expected a consistent input code in the model, got contradicting ") + what);
    }
  };
  check(state.code >= 0 && state.code <= static_cast<std::int64_t>(InputCode::kThermometer),
        "code");
  InputCoder coder;
  coder.code_ = static_cast<InputCode>(state.code);
  const std::size_t num_kept = state.kept.size();
  check(state.num_features > 0 && num_kept > 0, "sizes");
  check(state.levels >= 1 && state.levels <= 64 &&
            (state.levels == 1 || coder.code_ == InputCode::kThermometer),
        "levels");
  for (std::size_t j = 0; j < num_kept; ++j) {
    check(state.kept[j] >= 0 && state.kept[j] < state.num_features &&
              (j == 0 || state.kept[j] > state.kept[j - 1]),
          "columns");
  }
  const bool is_z = coder.code_ == InputCode::kZ || coder.code_ == InputCode::kClippedZ;
  const std::size_t num_shift = is_z ? num_kept
                                : coder.code_ == InputCode::kThermometer
                                    ? num_kept * static_cast<std::size_t>(state.levels)
                                    : 0;
  check(state.shift.size() == num_shift && state.scale.size() == (is_z ? num_kept : 0), "scales");
  if (uses_ranks(coder.code_)) {
    check(state.knot_offsets.size() == num_kept + 1 && state.knot_offsets.front() == 0 &&
              state.knot_offsets.back() == static_cast<std::int64_t>(state.knots.size()) &&
              state.ranks.size() == state.knots.size(),
          "knots");
    for (std::size_t j = 0; j < num_kept; ++j) {
      check(state.knot_offsets[j + 1] > state.knot_offsets[j] &&
                state.knot_offsets[j + 1] <= state.knot_offsets.back(),
            "knots");
    }
  }
  coder.levels_ = state.levels;
  coder.num_features_ = state.num_features;
  coder.kept_ = std::move(state.kept);
  coder.shift_ = std::move(state.shift);
  coder.scale_ = std::move(state.scale);
  coder.knot_offsets_ = std::move(state.knot_offsets);
  coder.knots_ = std::move(state.knots);
  coder.ranks_ = std::move(state.ranks);
  return coder;
}

}  // namespace hopfield::mil
