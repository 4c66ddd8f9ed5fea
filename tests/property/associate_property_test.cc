// Laws that association obeys whatever the numbers are. Every property draws a target, a number
// type, sizes and a seed; RC_PARAMS overrides the fixed seed below.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "support/simple_associate.h"

namespace hopfield::test {
namespace {

const bool kSeeded = setenv("RC_PARAMS", "seed=20240613 max_success=250", 0) == 0;

struct Draw {
  std::string target;
  std::int64_t stored = 1, states = 1, depth = 1;
  double beta = 1;
  std::uint64_t seed = 0;
};

Draw draw(std::int64_t max_stored = 120, std::int64_t max_depth = 40) {
  Draw d;
  d.target = *rc::gen::elementOf(associate_targets());
  d.stored = *rc::gen::inRange<std::int64_t>(1, max_stored);
  d.states = *rc::gen::inRange<std::int64_t>(1, 6);
  d.depth = *rc::gen::inRange<std::int64_t>(1, max_depth);
  d.beta = *rc::gen::element(0.05, 0.3, 1.0, 4.0);
  d.seed = *rc::gen::inRange<std::uint64_t>(0, 1u << 20);
  return d;
}

template <class T>
Memory<T> memory(const Draw& d) {
  std::mt19937_64 random(d.seed);
  std::normal_distribution<double> normal;
  Memory<T> m;
  m.depth = d.depth;
  m.beta = {d.beta};
  for (std::int64_t i = 0; i < d.stored * d.depth; ++i) {
    m.stored.push_back(static_cast<T>(normal(random)));
  }
  for (std::int64_t i = 0; i < d.states * d.depth; ++i) {
    m.states.push_back(static_cast<T>(normal(random)));
  }
  return m;
}

template <class T>
double square(const std::vector<T>& x, std::int64_t row, std::int64_t depth) {
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) {
    const auto value = static_cast<double>(x[static_cast<std::size_t>(row * depth + k)]);
    sum += value * value;
  }
  return sum;
}

template <class T>
double largest_norm(const std::vector<T>& x, std::int64_t depth) {
  double most = 0;
  for (std::int64_t r = 0; r < static_cast<std::int64_t>(x.size()) / depth; ++r) {
    most = std::max(most, square(x, r, depth));
  }
  return std::sqrt(most);
}

/// How far rounding may move a score: (d + 4) u |beta| M |xi| bounds any order of summing the
/// products, and a result's relative rounding adds a few u more. docs/math/associate.md.
template <class T>
double score_rounding(const Memory<T>& m) {
  const double u = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  double reach =
      std::abs(m.beta[0]) * largest_norm(m.stored, m.depth) * largest_norm(m.states, m.depth);
  if (m.similarity == Similarity::kNegativeSquaredDistance) {
    reach = std::abs(m.beta[0]) *
            std::pow(largest_norm(m.stored, m.depth) + largest_norm(m.states, m.depth), 2);
  }
  return u * static_cast<double>(m.depth + 4) * (1 + reach);
}

/// The same for a weighted sum of S values of size at most `size`: the scores' part and the sum's.
template <class T>
double sum_rounding(const Memory<T>& m, double size) {
  const double u = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  return (2 * score_rounding(m) + u * static_cast<double>(m.num_stored() + 8)) * size;
}

template <class T>
double largest_entry(const std::vector<T>& x) {
  double most = 0;
  for (const T value : x) most = std::max(most, std::abs(static_cast<double>(value)));
  return most;
}

#define CLOSE(a, b, tolerance)                                                                \
  do {                                                                                        \
    const double a_ = static_cast<double>(a), b_ = static_cast<double>(b), t_ = (tolerance);  \
    if (!(std::abs(a_ - b_) <= t_)) {                                                         \
      RC_LOG() << #a " = " << a_ << ", " #b " = " << b_ << ", tolerance " << t_ << std::endl; \
      RC_FAIL(#a " differs from " #b);                                                        \
    }                                                                                         \
  } while (false)

// Energy ------------------------------------------------------------------------------------------

template <class T>
void energy_never_rises(Similarity similarity) {
  const Draw d = draw();
  Memory<T> m = memory<T>(d);
  m.similarity = similarity;
  const double u = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  for (int step = 0; step < 5; ++step) {
    const auto before = associate_all<T>(m.view(), d.target);
    Memory<T> next = m;
    next.states = before.state;
    const auto after = associate_all<T>(next.view(), d.target);
    for (std::int64_t t = 0; t < d.states; ++t) {
      const auto i = static_cast<std::size_t>(t);
      std::vector<double> moved;
      for (std::int64_t k = 0; k < d.depth; ++k) {
        const auto at = static_cast<std::size_t>(t * d.depth + k);
        moved.push_back(static_cast<double>(next.states[at]) - static_cast<double>(m.states[at]));
      }
      const double step_square = square(moved, 0, d.depth);
      // dE <= -|step|^2 / 2 for the dot product (arXiv:2008.02217, theorem 1), -|step|^2 for the
      // distance (mean shift). Rounding: that of two energies, and of the new state, across which
      // the energy's slope is at most |xi - f(xi)| <= 2 (M + |xi|), times 1 or 2 by similarity.
      const double gain = similarity == Similarity::kDot ? step_square / 2 : step_square;
      const double size = largest_norm(m.stored, d.depth) + largest_norm(m.states, d.depth);
      const double terms = std::abs(static_cast<double>(before.lse[i])) / d.beta + size * size +
                           std::log(static_cast<double>(d.stored)) / d.beta;
      const double rounding = 2 * score_rounding(m) / d.beta + 16 * u * terms +
                              8 * size * sum_rounding(m, largest_entry(m.stored)) *
                                  std::sqrt(static_cast<double>(d.depth));
      if (!(static_cast<double>(after.energy[i]) <=
            static_cast<double>(before.energy[i]) - gain + rounding)) {
        RC_LOG() << "before " << before.energy[i] << ", after " << after.energy[i] << ", |step|^2 "
                 << step_square << ", rounding " << rounding << std::endl;
        RC_FAIL("the energy fell by less than the step demands");
      }
    }
    m = next;
  }
}

RC_GTEST_PROP(Energy, NeverRisesAlongUpdates, ()) {
  energy_never_rises<double>(Similarity::kDot);
}
RC_GTEST_PROP(Energy, NeverRisesAlongUpdatesInF32, ()) {
  energy_never_rises<float>(Similarity::kDot);
}
RC_GTEST_PROP(Energy, NeverRisesAlongUpdatesByDistance, ()) {
  energy_never_rises<double>(Similarity::kNegativeSquaredDistance);
}

// Lemma A1 of arXiv:2008.02217: E >= 0, and E <= min(log N / beta + M^2 / 2, 2 M^2) in the hull.
RC_GTEST_PROP(Energy, StaysWithinItsBounds, ()) {
  const Draw d = draw();
  Memory<double> m = memory<double>(d);
  const double norm = largest_norm(m.stored, d.depth);
  const double slack =
      1e-12 * (1 + norm * norm + std::log(1.0 + static_cast<double>(d.stored)) / d.beta);
  const auto start = associate_all<double>(m.view(), d.target);
  for (const double e : start.energy) RC_ASSERT(e >= -slack);
  m.states = start.state;
  for (const double e : associate_all<double>(m.view(), d.target).energy) {
    RC_ASSERT(e >= -slack);
    RC_ASSERT(e <= std::min(std::log(static_cast<double>(d.stored)) / d.beta + norm * norm / 2,
                            2 * norm * norm) +
                       slack);
  }
}

// State and associations --------------------------------------------------------------------------

const Separation kSeparations[] = {Separation::kSoftmax, Separation::kSparsemax,
                                   Separation::kEntmax15, Separation::kTopKSoftmax,
                                   Separation::kMax};

template <class T>
void state_in_the_hull() {
  const Draw d = draw();
  Memory<T> m = memory<T>(d);
  m.separation = *rc::gen::elementOf(
      std::vector<Separation>(std::begin(kSeparations), std::end(kSeparations)));
  m.top_k = 3;
  const auto r = associate_all<T>(m.view(), d.target);
  // Sparse weights carry the rounding of each score in the support, not only relative to p.
  const double slack = sum_rounding(m, largest_entry(m.stored)) * static_cast<double>(d.stored);
  for (std::int64_t t = 0; t < d.states; ++t) {
    double total = 0;
    for (std::int64_t s = 0; s < d.stored; ++s) {
      const T p = r.association[static_cast<std::size_t>(t * d.stored + s)];
      RC_ASSERT(p >= 0);
      total += static_cast<double>(p);
    }
    CLOSE(total, 1, slack + 1e-15);
    for (std::int64_t k = 0; k < d.depth; ++k) {
      double mix = 0, low = std::numeric_limits<double>::infinity(), high = -low;
      for (std::int64_t s = 0; s < d.stored; ++s) {
        const auto x = static_cast<double>(m.stored[static_cast<std::size_t>(s * d.depth + k)]);
        mix += static_cast<double>(r.association[static_cast<std::size_t>(t * d.stored + s)]) * x;
        low = std::min(low, x);
        high = std::max(high, x);
      }
      const auto state = static_cast<double>(r.state[static_cast<std::size_t>(t * d.depth + k)]);
      CLOSE(state, mix, slack);
      RC_ASSERT(state >= low - slack);
      RC_ASSERT(state <= high + slack);
    }
  }
}

RC_GTEST_PROP(State, IsTheMixtureThatItsAssociationsSayAndStaysInTheHull, ()) {
  state_in_the_hull<double>();
}
RC_GTEST_PROP(State, IsTheMixtureThatItsAssociationsSayAndStaysInTheHullInF32, ()) {
  state_in_the_hull<float>();
}

/// Pattern s of the result is pattern order[s] of m.
template <class T>
Memory<T> reordered(const Memory<T>& m, const std::vector<std::int64_t>& order) {
  Memory<T> out = m;
  out.stored.clear();
  for (const std::int64_t s : order) {
    for (std::int64_t k = 0; k < m.depth; ++k) {
      out.stored.push_back(m.stored[static_cast<std::size_t>(s * m.depth + k)]);
    }
  }
  return out;
}

/// Equal up to rounding: everything that does not depend on the patterns' numbering.
template <class T>
void expect_same(const Memory<T>& m, const Result<T>& a, const Result<T>& b) {
  const double log_n = std::log(1 + static_cast<double>(m.num_stored()));
  const double many = static_cast<double>(m.num_stored());
  const bool soft = m.separation == Separation::kSoftmax;
  const double slack = sum_rounding(m, largest_entry(m.stored)) * (soft ? 2 : 2 * many);
  for (std::size_t i = 0; i < a.state.size(); ++i) CLOSE(a.state[i], b.state[i], slack);
  for (std::size_t i = 0; i < a.lse.size(); ++i) {
    CLOSE(a.lse[i], b.lse[i], sum_rounding(m, 2 + log_n));
    CLOSE(a.energy[i], b.energy[i],
          sum_rounding(m, 4 + log_n + std::abs(static_cast<double>(a.lse[i])) +
                              m.beta[0] * std::pow(largest_norm(m.stored, m.depth), 2) +
                              m.beta[0] * std::pow(largest_norm(m.states, m.depth), 2)) /
              m.beta[0]);
    CLOSE(a.entropy[i], b.entropy[i], sum_rounding(m, 4 + 4 * log_n) * (soft ? 1 : 40 * many));
    CLOSE(a.largest[i], b.largest[i], sum_rounding(m, 2));
  }
}

template <class T>
void permuting_changes_nothing() {
  const Draw d = draw();
  Memory<T> m = memory<T>(d);
  m.separation =
      *rc::gen::element(Separation::kSoftmax, Separation::kSparsemax, Separation::kEntmax15);
  std::vector<std::int64_t> order(static_cast<std::size_t>(d.stored));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::mt19937_64 random(d.seed);
  std::shuffle(order.begin(), order.end(), random);
  const std::int64_t block = *rc::gen::element<std::int64_t>(1, 7, 4096);
  const auto a = associate_all<T>(m.view(), d.target);
  const auto b = associate_all<T>(reordered(m, order).view(), d.target, 0, 0.9, block);
  expect_same(m, a, b);
  for (std::int64_t t = 0; t < d.states; ++t) {
    for (std::int64_t s = 0; s < d.stored; ++s) {
      CLOSE(b.association[static_cast<std::size_t>(t * d.stored + s)],
            a.association[static_cast<std::size_t>(t * d.stored +
                                                   order[static_cast<std::size_t>(s)])],
            sum_rounding(m, 2));
    }
  }
}

RC_GTEST_PROP(StoredPatterns, PermutingThemChangesNothingBeyondRounding, ()) {
  permuting_changes_nothing<double>();
}
RC_GTEST_PROP(StoredPatterns, PermutingThemChangesNothingBeyondRoundingInF32, ()) {
  permuting_changes_nothing<float>();
}

template <class T>
void splitting_changes_nothing() {
  const Draw d = draw();
  const Memory<T> m = memory<T>(d);
  const auto whole = associate_all<T>(m.view(), d.target);
  AssociateOptions options;
  options.target = d.target;
  options.block_size = *rc::gen::inRange<std::int64_t>(1, 50);
  const std::int64_t cut = *rc::gen::inRange<std::int64_t>(0, d.stored + 1);
  Partials<T> merged;
  for (const auto& [begin, end] : {std::pair{std::int64_t{0}, cut}, std::pair{cut, d.stored}}) {
    Associations shard = m.view();
    shard.stored = pattern_view(m.stored.data() + begin * d.depth, end - begin, d.depth);
    for (const Partials<T>& p : associate_partials<T>(shard, options, begin)) {
      if (merged.max.empty()) {
        merged = p;
      } else {
        merge(merged, p);
      }
    }
  }
  Result<T> r;
  r.state.resize(whole.state.size());
  r.lse.resize(whole.lse.size());
  r.energy.resize(whole.lse.size());
  r.entropy.resize(whole.lse.size());
  r.largest.resize(whole.lse.size());
  r.largest_index.resize(whole.lse.size());
  AssociateOutputs<T> out;
  out.state = mutable_view(r.state.data(), d.states, d.depth);
  out.lse = r.lse;
  out.energy = r.energy;
  out.entropy = r.entropy;
  out.largest = r.largest;
  out.largest_index = r.largest_index;
  finish(merged, m.view(), out);
  expect_same(m, whole, r);
  RC_ASSERT(r.largest_index == whole.largest_index);
}

RC_GTEST_PROP(StoredPatterns, SplittingThemAnywhereChangesNothingBeyondRounding, ()) {
  splitting_changes_nothing<double>();
}
RC_GTEST_PROP(StoredPatterns, SplittingThemAnywhereChangesNothingBeyondRoundingInF32, ()) {
  splitting_changes_nothing<float>();
}

RC_GTEST_PROP(StoredPatterns, DuplicatingAllAddsLogTwoToLseAndEntropy, ()) {
  const Draw d = draw();
  const Memory<double> m = memory<double>(d);
  std::vector<std::int64_t> twice(static_cast<std::size_t>(2 * d.stored));
  for (std::size_t s = 0; s < twice.size(); ++s) twice[s] = static_cast<std::int64_t>(s) % d.stored;
  const auto a = associate_all<double>(m.view(), d.target);
  const auto b = associate_all<double>(reordered(m, twice).view(), d.target);
  for (std::size_t i = 0; i < a.lse.size(); ++i) {
    CLOSE(b.lse[i], a.lse[i] + std::log(2), sum_rounding(m, 8));
    CLOSE(b.entropy[i], a.entropy[i] + std::log(2), sum_rounding(m, 40));
    CLOSE(b.largest[i], a.largest[i] / 2, sum_rounding(m, 2));
    CLOSE(b.energy[i], a.energy[i],
          sum_rounding(m, 8) / d.beta + 1e-14 * (1 + std::abs(a.energy[i])));  // log N grows as lse
    RC_ASSERT(b.largest_index[i] == a.largest_index[i]);
  }
  for (std::size_t i = 0; i < a.state.size(); ++i) {
    CLOSE(b.state[i], a.state[i], 2 * sum_rounding(m, largest_entry(m.stored)));
  }
}

RC_GTEST_PROP(StoredPatterns, AMaskedOneEqualsAnAbsentOne, ()) {
  const Draw d = draw();
  Memory<double> m = memory<double>(d);
  m.separation = *rc::gen::elementOf(
      std::vector<Separation>(std::begin(kSeparations), std::end(kSeparations)));
  m.top_k = 3;
  std::mt19937_64 random(d.seed + 1);
  std::vector<std::int64_t> kept;
  m.hidden_stored.assign(static_cast<std::size_t>(d.stored), 0);
  for (std::int64_t s = 0; s < d.stored; ++s) {
    if (s > 0 && random() % 3 == 0) {
      m.hidden_stored[static_cast<std::size_t>(s)] = 1;
    } else {
      kept.push_back(s);
    }
  }
  Memory<double> without = reordered(m, kept);
  without.hidden_stored.clear();
  const auto a = associate_all<double>(m.view(), d.target, 4);
  const auto b = associate_all<double>(without.view(), d.target, 4);
  expect_same(m, a, b);
  for (std::size_t i = 0; i < a.lse.size(); ++i) {
    RC_ASSERT(a.largest_index[i] == kept[static_cast<std::size_t>(b.largest_index[i])]);
    RC_ASSERT(a.metastable_size[i] == b.metastable_size[i]);
  }
  for (std::size_t i = 0; i < a.top_index.size(); ++i) {
    const std::int64_t there = b.top_index[i];
    const std::int64_t expected = there < 0 ? -1 : kept[static_cast<std::size_t>(there)];
    RC_ASSERT(a.top_index[i] == expected);
  }
}

// Inverse temperature -----------------------------------------------------------------------------

RC_GTEST_PROP(Beta, TowardsZeroGivesTheMean, ()) {
  const Draw d = draw();
  Memory<double> m = memory<double>(d);
  m.beta = {1e-13};
  const auto r = associate_all<double>(m.view(), d.target);
  for (std::int64_t k = 0; k < d.depth; ++k) {
    double mean = 0;
    for (std::int64_t s = 0; s < d.stored; ++s) {
      mean += m.stored[static_cast<std::size_t>(s * d.depth + k)] / static_cast<double>(d.stored);
    }
    // The association differs from 1 / S by at most 2 beta M |xi| / S each.
    const double by_beta = 2 * m.beta[0] * largest_norm(m.stored, d.depth) *
                           largest_norm(m.states, d.depth) * largest_entry(m.stored);
    for (std::int64_t t = 0; t < d.states; ++t) {
      CLOSE(r.state[static_cast<std::size_t>(t * d.depth + k)], mean,
            by_beta + sum_rounding(m, largest_entry(m.stored)));
    }
  }
  for (const double h : r.entropy) CLOSE(h, std::log(static_cast<double>(d.stored)), 1e-10);
}

RC_GTEST_PROP(Beta, TowardsInfinityGivesTheNearest, ()) {
  const Draw d = draw();
  Memory<double> m = memory<double>(d);
  m.similarity = *rc::gen::element(Similarity::kDot, Similarity::kNegativeSquaredDistance);
  Memory<double> max = m;
  max.separation = Separation::kMax;
  m.beta = {1e9};
  const auto a = associate_all<double>(m.view(), d.target, 2);
  const auto b = associate_all<double>(max.view(), d.target);
  for (std::int64_t t = 0; t < d.states; ++t) {
    const auto i = static_cast<std::size_t>(t);
    // Two patterns within 1e-7 of each other in score are a coin toss of probability about 1e-6.
    if (d.stored > 1 && a.top[2 * i + 1] != 0) RC_DISCARD("near tie");
    RC_ASSERT(a.largest_index[i] == b.largest_index[i]);
    for (std::int64_t k = 0; k < d.depth; ++k) {
      const auto at = static_cast<std::size_t>(t * d.depth + k);
      RC_ASSERT(a.state[at] == b.state[at]);
    }
  }
}

// Outputs among each other ------------------------------------------------------------------------

template <class T>
void outputs_agree() {
  const Draw d = draw();
  const Memory<T> m = memory<T>(d);
  Memory<T> max = m;
  max.separation = Separation::kMax;
  const auto r = associate_all<T>(m.view(), d.target);
  const auto top = associate_all<T>(max.view(), d.target);
  const double log_n = std::log(static_cast<double>(d.stored));
  const double slack = sum_rounding(m, 2 + log_n);
  for (std::size_t i = 0; i < r.lse.size(); ++i) {
    const auto lse = static_cast<double>(r.lse[i]), score = static_cast<double>(top.lse[i]);
    const double u = static_cast<double>(std::numeric_limits<T>::epsilon());
    RC_ASSERT(lse >= score - u * std::abs(score));  // its own rounding; sums only add
    RC_ASSERT(lse <= score + log_n + slack + u * std::abs(score));
    CLOSE(r.largest[i], std::exp(score - lse), slack + 2 * u * std::abs(score));
    RC_ASSERT(r.entropy[i] >= 0);
    RC_ASSERT(static_cast<double>(r.entropy[i]) <= log_n + slack);
    RC_ASSERT(r.metastable_size[i] >= 1);
    RC_ASSERT(r.metastable_size[i] <= d.stored);
  }
  std::vector<std::int64_t> before(r.lse.size(), 0);
  for (const double mass : {0.1, 0.5, 0.9, 0.99, 1.0}) {
    const auto size = associate_all<T>(m.view(), d.target, 0, mass).metastable_size;
    for (std::size_t i = 0; i < size.size(); ++i) RC_ASSERT(size[i] >= before[i]);
    before = size;
  }
}

RC_GTEST_PROP(Outputs, AgreeWithEachOther, ()) {
  outputs_agree<double>();
}
RC_GTEST_PROP(Outputs, AgreeWithEachOtherInF32, ()) {
  outputs_agree<float>();
}

RC_GTEST_PROP(Outputs, AConstantBiasOnlyShiftsLse, ()) {
  const Draw d = draw();
  Memory<double> m = memory<double>(d);
  m.separation = *rc::gen::elementOf(
      std::vector<Separation>(std::begin(kSeparations), std::end(kSeparations)));
  m.top_k = 2;
  const double shift = *rc::gen::element(-3.0, 0.5, 40.0);
  Associations in = m.view();
  in.bias_f64 = {&shift, 0, 0, 0, 0};
  const auto a = associate_all<double>(m.view(), d.target), b = associate_all<double>(in, d.target);
  const double slack = sum_rounding(m, 2) + 8e-16 * std::abs(shift);
  for (std::size_t i = 0; i < a.lse.size(); ++i) {
    CLOSE(b.lse[i], a.lse[i] + shift, slack * 4 + 1e-15 * std::abs(a.lse[i]));
  }
  for (std::size_t i = 0; i < a.association.size(); ++i) {
    CLOSE(b.association[i], a.association[i], slack);
  }
}

RC_GTEST_PROP(Rows, DoNotSeeTheirBatchNeighbours, ()) {
  const Draw d = draw();
  const Memory<float> m = memory<float>(d);
  const auto batch = associate_all<float>(m.view(), d.target, 3);
  const std::int64_t t = *rc::gen::inRange<std::int64_t>(0, d.states);
  Associations one = m.view();
  one.states = pattern_view(m.states.data() + t * d.depth, 1, d.depth);
  const auto alone = associate_all<float>(one, d.target, 3);
  const auto i = static_cast<std::size_t>(t);
  RC_ASSERT(alone.lse[0] == batch.lse[i]);
  RC_ASSERT(alone.energy[0] == batch.energy[i]);
  RC_ASSERT(alone.entropy[0] == batch.entropy[i]);
  for (std::size_t k = 0; k < 3; ++k) RC_ASSERT(alone.top_index[k] == batch.top_index[3 * i + k]);
  for (std::size_t k = 0; k < alone.state.size(); ++k) {
    RC_ASSERT(alone.state[k] == batch.state[i * alone.state.size() + k]);
  }
}

// The associations sum to 1, so raising all scores raises lse as much: the gradients of the bias
// sum to the cotangent of lse, whatever arrives at the state and the entropy.
RC_GTEST_PROP(Gradients, OfTheBiasSumToTheCotangentOfLse, ()) {
  const Draw d = draw();
  Memory<double> m = memory<double>(d);
  m.separation = *rc::gen::elementOf(
      std::vector<Separation>(std::begin(kSeparations), std::end(kSeparations)));
  m.top_k = 4;
  const auto r = associate_all<double>(m.view(), d.target);
  std::mt19937_64 random(d.seed + 2);
  std::normal_distribution<double> normal;
  std::vector<double> g_state(r.state.size()), g_lse(r.lse.size()), g_entropy(r.lse.size());
  for (auto* g : {&g_state, &g_lse, &g_entropy}) {
    for (double& x : *g) x = normal(random);
  }
  AssociateSaved<double> saved;
  saved.state = pattern_view(r.state.data(), d.states, d.depth);
  saved.lse = r.lse;
  saved.entropy = r.entropy;
  AssociateCotangents<double> g;
  g.state = pattern_view(g_state.data(), d.states, d.depth);
  g.lse = g_lse;
  g.entropy = g_entropy;
  std::vector<double> bias(static_cast<std::size_t>(d.states * d.stored), 0);
  AssociateGradients<double> gradients;
  gradients.bias = bias.data();
  gradients.bias_state_stride = d.stored;
  AssociateOptions options;
  options.target = d.target;
  associate_backward(m.view(), saved, g, gradients, options);
  for (std::int64_t t = 0; t < d.states; ++t) {
    double sum = 0, size = 1;
    for (std::int64_t s = 0; s < d.stored; ++s) {
      sum += bias[static_cast<std::size_t>(t * d.stored + s)];
      size += std::abs(bias[static_cast<std::size_t>(t * d.stored + s)]);
    }
    const double scale = largest_norm(g_state, d.depth) * largest_norm(m.stored, d.depth) + 40;
    CLOSE(sum, g_lse[static_cast<std::size_t>(t)], sum_rounding(m, scale + size));
  }
}

}  // namespace
}  // namespace hopfield::test
