// The op table of `associate`: every implementation on a sample of sizes, types, layouts, masks,
// bags, heads, separations and similarities in which every pair of values occurs
// (associate_case.h).

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "ops/associate_case.h"
#include "ops/associate_outputs.h"
#include "ops/error_bounds.h"
#include "support/thread_executor.h"

namespace hopfield::test {
namespace {

constexpr std::uint64_t kSeed = 20240611;
constexpr std::size_t kCases = 1000;

const std::vector<Case>& cases() {
  static const std::vector<Case> kAll = all_pairs(Axes().counts(), kCases, kSeed);
  return kAll;
}

/// 1, 2 and 7 threads.
Executor& executor(int index) {
  static const std::unique_ptr<Executor> kTwo = make_executor(2);
  static ShuffledThreads seven(7);
  return index == 0 ? serial_executor() : index == 1 ? *kTwo : seven;
}

/// All checks of one case with one target; the first failure as text.
template <class T>
class ForwardCheck {
 public:
  ForwardCheck(AssociateProblem& problem, const DenseAssociation<Exact>& exact,
               const DenseAssociation<T>& naive, std::string target)
      : problem_(problem),
        in_(problem.in()),
        shape_(exact.shape),
        exact_(exact),
        naive_(naive),
        target_(std::move(target)),
        num_top_(std::min<std::int64_t>(5, problem.max_stored() + 2)),
        mass_(problem.block_size() == 7 ? 0.5 : 0.9) {}

  std::string run() {
    AllOutputs<T> out = make(in_, shape_);
    std::string served;
    AssociateOptions options = this->options(0);
    options.served_by = &served;
    associate(in_, out.view, options);
    if (served.empty()) return "no implementation said that it served the call";
    if (!out.nothing_else_touched(shape_, in_.active)) return "wrote what is not its own";
    for (const auto& check : {values(out), choices(out), integers(out), threads(out), alone(out),
                              few_outputs(out), shards(out)}) {
      if (!check.empty()) return check;
    }
    return "";
  }

 private:
  AssociateOptions options(int threads) const {
    AssociateOptions o;
    o.executor = &executor(threads);
    o.target = target_;
    o.block_size = problem_.block_size();
    return o;
  }
  AllOutputs<T> make(const Associations& in, const AssociationShape& shape) const {
    return AllOutputs<T>(in, shape, problem_.layout(), problem_.energy(), num_top_, mass_);
  }

  /// The association matrix's part of a row.
  const T* associations(const AllOutputs<T>& out, const DenseRow<Exact>& row) const {
    std::int64_t at = 0;
    for (std::int64_t b = 0; b < row.bag; ++b) at += association_count(one_bag(in_, b));
    const Associations bag = one_bag(in_, row.bag);
    return out.association.data() + at +
           (row.head * bag.states.rows + row.state_in_bag) * bag.stored.rows;
  }
  std::int64_t association_count(const Associations& bag) const {
    return shape_.heads * bag.states.rows * bag.stored.rows;
  }

  std::string values(const AllOutputs<T>& out) const {
    TwoTimesRule state("state"), lse("lse"), energy("energy"), entropy("entropy"),
        largest("largest"), association("association");
    for (std::size_t i = 0; i < exact_.rows.size(); ++i) {
      const DenseRow<Exact>& row = exact_.rows[i];
      const DenseRow<T>& naive = naive_.rows[i];
      if (!row.active) continue;
      const auto at = static_cast<std::int64_t>(i);
      const Floors<T> floor(row, in_.separation);
      const bool jumps =
          in_.separation == Separation::kMax || in_.separation == Separation::kTopKSoftmax;
      if (!(jumps && fragile<T>(row))) {
        for (std::size_t k = 0; k < row.state_out.size(); ++k) {
          state.add(out.state_at(row.row, row.head, static_cast<std::int64_t>(k)),
                    naive.state_out[k], row.state_out[k], floor.state);
        }
        entropy.add(out.entropy[at], naive.entropy, row.entropy, floor.entropy);
        const T* p = associations(out, row);
        Exact most = 0, naive_most = 0;
        for (std::size_t s = 0; s < row.p.size(); ++s) {
          association.add(p[s], naive.p[s], row.p[s], floor.association);
          if (!row.visible[s] && p[s] != 0) return "association with a hidden pattern";
          most = std::max(most, row.p[s]);
          naive_most = std::max<Exact>(naive_most, naive.p[s]);
        }
        largest.add(out.largest[at], naive_most, most, floor.association);
      }
      lse.add(out.lse[at], naive.lse, row.lse, floor.lse);
      if (problem_.energy()) energy.add(out.energy[at], naive.energy, row.energy, floor.energy);
    }
    for (const TwoTimesRule* rule : {&state, &lse, &energy, &entropy, &largest, &association}) {
      if (const std::string text = rule->verdict(); !text.empty()) return text;
    }
    return "";
  }

  /// Outputs that choose: indices, order, counts. Judged by what they chose, since near ties may
  /// fall either way.
  std::string choices(const AllOutputs<T>& out) const {
    for (std::size_t i = 0; i < exact_.rows.size(); ++i) {
      const DenseRow<Exact>& row = exact_.rows[i];
      if (!row.active) continue;
      const auto at = static_cast<std::int64_t>(i);
      const Exact tolerance = 4 * Floors<T>(row, in_.separation).association;
      std::vector<Exact> sorted = row.p;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      if (row.num_visible == 0) {
        if (out.largest_index[at] != -1 || out.metastable_size[at] != 0) return "empty row";
      } else {
        const std::int64_t index = out.largest_index[at];
        if (index < 0 || index >= static_cast<std::int64_t>(row.p.size())) return "largest_index";
        if (!fragile<T>(row) && row.p[static_cast<std::size_t>(index)] < sorted[0] - tolerance) {
          return "largest_index is not that of the largest";
        }
      }
      if (const std::string text = top(out, row, at, sorted, tolerance); !text.empty()) return text;
      if (fragile<T>(row)) continue;
      const std::int64_t size = out.metastable_size[at];
      if (size < 0 || size > row.num_visible) return "metastable_size out of range";
      Exact sum = 0, without_last = 0;
      for (std::int64_t k = 0; k < size; ++k) {
        without_last = sum;
        sum += sorted[static_cast<std::size_t>(k)];
      }
      const Exact slack = tolerance * static_cast<Exact>(1 + size);
      if (row.num_visible > 0 && !(sum >= mass_ - slack && without_last <= mass_ + slack)) {
        return "metastable_size does not hold the mass, or is not the fewest";
      }
    }
    return "";
  }

  std::string top(const AllOutputs<T>& out, const DenseRow<Exact>& row, std::int64_t at,
                  const std::vector<Exact>& sorted, Exact tolerance) const {
    std::vector<std::int64_t> seen;
    for (std::int64_t k = 0; k < num_top_; ++k) {
      const std::int64_t index = out.top_index[at * num_top_ + k];
      const T weight = out.top[at * num_top_ + k];
      if (k >= row.num_visible) {
        if (index != -1 || weight != 0) return "top beyond the visible patterns";
        continue;
      }
      if (index < 0 || index >= static_cast<std::int64_t>(row.p.size()) ||
          !row.visible[static_cast<std::size_t>(index)]) {
        return "top_index is no visible pattern";
      }
      if (std::find(seen.begin(), seen.end(), index) != seen.end()) return "top_index twice";
      seen.push_back(index);
      if (k > 0 && weight > out.top[at * num_top_ + k - 1]) return "top does not descend";
      if (fragile<T>(row)) continue;
      if (std::abs(row.p[static_cast<std::size_t>(index)] - sorted[static_cast<std::size_t>(k)]) >
              tolerance ||
          std::abs(weight - row.p[static_cast<std::size_t>(index)]) > tolerance) {
        return "top is not the largest";
      }
    }
    if (num_top_ > 0 && row.num_visible > 0 &&
        !same_bits(out.top[at * num_top_], out.largest[at])) {
      return "largest differs from the first of top";
    }
    return "";
  }

  /// Integer patterns make scores exact, so every choice and all of kMax is exact.
  std::string integers(const AllOutputs<T>& out) const {
    if (!problem_.integers() || in_.similarity == Similarity::kCosine) return "";
    for (std::size_t i = 0; i < exact_.rows.size(); ++i) {
      const DenseRow<Exact>& row = exact_.rows[i];
      if (!row.active || row.num_visible == 0) continue;
      const auto at = static_cast<std::int64_t>(i);
      std::vector<std::int64_t> order;
      for (std::size_t s = 0; s < row.p.size(); ++s) {
        if (row.visible[s]) order.push_back(static_cast<std::int64_t>(s));
      }
      std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
        return row.score[static_cast<std::size_t>(a)] > row.score[static_cast<std::size_t>(b)];
      });
      if (out.largest_index[at] != order[0]) return "largest_index is not the first of equals";
      for (std::int64_t k = 0; k < std::min<std::int64_t>(num_top_, row.num_visible); ++k) {
        if (out.top_index[at * num_top_ + k] != order[static_cast<std::size_t>(k)]) {
          return "top_index is not in order of score, then position";
        }
      }
      if (in_.separation != Separation::kMax) continue;
      if (static_cast<Exact>(out.lse[at]) != row.lse || out.largest[at] != 1) return "max, exactly";
      for (std::size_t k = 0; k < row.state_out.size(); ++k) {
        if (static_cast<Exact>(out.state_at(row.row, row.head, static_cast<std::int64_t>(k))) !=
            row.state_out[k]) {
          return "state of max, exactly";
        }
      }
    }
    return "";
  }

  std::string threads(const AllOutputs<T>& out) const {
    for (const int more : {1, 2}) {
      AllOutputs<T> again = make(in_, shape_);
      associate(in_, again.view, options(more));
      if (!out.same_bits(again)) return "bits depend on the number of threads";
    }
    return "";
  }

  /// Every bag alone, and some rows alone, give the bits they gave in the batch.
  std::string alone(const AllOutputs<T>& out) const {
    for (std::int64_t b = 0; b < shape_.num_bags; ++b) {
      const Associations bag = one_bag(in_, b);
      const AssociationShape bag_shape = validate(bag, "test");
      const std::int64_t first = shape_.states_shared
                                     ? b * shape_.num_states
                                     : in_.state_offsets[static_cast<std::size_t>(b)];
      AllOutputs<T> bag_out = make(bag, bag_shape);
      associate(bag, bag_out.view, options(0));
      for (std::int64_t r = 0; r < bag_shape.rows; ++r) {
        if (!same_row_active(out, first + r, bag_out, r)) return "a bag sees its batch neighbours";
      }
      for (const std::int64_t r : {std::int64_t{0}, bag_shape.rows / 2, bag_shape.rows - 1}) {
        if (r < 0 || r >= bag_shape.rows) continue;
        const Associations row = one_row(bag, r);
        const AssociationShape row_shape = validate(row, "test");
        AllOutputs<T> row_out = make(row, row_shape);
        associate(row, row_out.view, options(0));
        if (!same_row_active(out, first + r, row_out, 0)) return "a row sees its batch neighbours";
      }
    }
    return "";
  }
  bool same_row_active(const AllOutputs<T>& a, std::int64_t row_a, const AllOutputs<T>& b,
                       std::int64_t row_b) const {
    for (std::int64_t h = 0; h < shape_.heads; ++h) {
      if (!exact_.rows[static_cast<std::size_t>(row_a * shape_.heads + h)].active) continue;
      if (!same_row(a, row_a, b, row_b, h, shape_.heads, shape_.projection_depth)) return false;
    }
    return true;
  }

  /// State and lse alone have the same bits as together with everything else.
  std::string few_outputs(const AllOutputs<T>& out) const {
    AllOutputs<T> few = make(in_, shape_);
    AssociateOutputs<T> view;
    view.state = few.view.state;
    view.lse = few.view.lse;
    associate(in_, view, options(0));
    return few.state.same_bits(out.state) && few.lse.same_bits(out.lse)
               ? ""
               : "bits depend on which other outputs are asked for";
  }

  /// Partial states of shards cut at block boundaries, merged, are `associate`.
  std::string shards(const AllOutputs<T>& out) const {
    if (in_.separation != Separation::kSoftmax || shape_.num_bags != 1) return "";
    const Associations whole = one_bag(in_, 0);
    const std::int64_t count = whole.stored.rows, block = problem_.block_size();
    const std::int64_t cut = count / block / 2 * block;
    Partials<T> merged;
    bool first = true;
    for (const auto& [begin, end] : {std::pair{std::int64_t{0}, cut}, std::pair{cut, count}}) {
      for (const Partials<T>& partial :
           associate_partials<T>(one_shard(whole, begin, end), options(1), begin)) {
        if (first) {
          merged = partial;
        } else {
          merge(merged, partial);
        }
        first = false;
      }
    }
    AllOutputs<T> finished = make(in_, shape_);
    AssociateOutputs<T> view = finished.view;
    view.top = {};
    view.top_index = {};
    view.metastable_size = {};
    view.association = {};
    Associations states = in_;
    states.stored = {};  // `finish` does not need them
    states.projections = {};
    finish(merged, states, view);
    const bool same = finished.state.same_bits(out.state) && finished.lse.same_bits(out.lse) &&
                      finished.energy.same_bits(out.energy) &&
                      finished.entropy.same_bits(out.entropy) &&
                      finished.largest.same_bits(out.largest) &&
                      finished.largest_index.same_bits(out.largest_index);
    return same ? "" : "merged shards differ from associate";
  }

  AssociateProblem& problem_;
  const Associations& in_;
  const AssociationShape shape_;
  const DenseAssociation<Exact>& exact_;
  const DenseAssociation<T>& naive_;
  std::string target_;
  std::int64_t num_top_;
  double mass_;
};

template <class T>
std::string check_case(AssociateProblem& problem) {
  const auto exact = dense_associate<Exact>(problem.in());
  const auto naive = dense_associate<T>(problem.in());
  for (const std::string& target : associate_targets()) {
    const std::string text = ForwardCheck<T>(problem, exact, naive, target).run();
    if (!text.empty()) return "target " + target + ": " + text;
  }
  return "";
}

TEST(AssociateOpTable, HoldsEveryPairOfValues) {
  EXPECT_TRUE(covers_all_pairs(Axes().counts(), cases()));
  RecordProperty("cases", static_cast<int>(cases().size()));
}

TEST(AssociateOpTable, EveryCaseOnEveryTarget) {
  int failures = 0;
  for (std::size_t c = 0; c < cases().size() && failures < 10; ++c) {
    AssociateProblem problem(cases()[c], kSeed + c);
    const std::string text =
        problem.f64() ? check_case<double>(problem) : check_case<float>(problem);
    if (text.empty()) continue;
    ++failures;
    ADD_FAILURE() << "case " << c << " (seed " << kSeed + c << "): " << problem.describe() << "\n  "
                  << text;
  }
}

}  // namespace
}  // namespace hopfield::test
