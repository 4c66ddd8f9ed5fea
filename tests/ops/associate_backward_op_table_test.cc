// The op table of `associate_backward`: gradients against the dense composition in long double, by
// the two-times rule; same bits for threads and for a bag alone; nothing else written.

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

constexpr std::uint64_t kSeed = 20240612;
constexpr std::size_t kCases = 1000;

const std::vector<Case>& cases() {
  static const std::vector<Case> kAll = all_pairs(Axes().counts(), kCases, kSeed);
  return kAll;
}

Executor& executor(int index) {
  static const std::unique_ptr<Executor> kTwo = make_executor(2);
  static ShuffledThreads seven(7);
  return index == 0 ? serial_executor() : index == 1 ? *kTwo : seven;
}

/// Cotangents of a problem: random, some of them absent.
template <class T>
struct Cotangents {
  DenseCotangents dense;
  PoisonedPatterns state;
  std::vector<T> lse, energy, entropy;
  AssociateCotangents<T> view;

  Cotangents(AssociateProblem& problem, const AssociationShape& shape) {
    std::normal_distribution<double> normal;
    const std::uint64_t which = problem.random()();
    const auto fill = [&](std::vector<double>& to, std::vector<T>& typed) {
      for (std::int64_t i = 0; i < shape.rows * shape.heads; ++i) {
        typed.push_back(static_cast<T>(normal(problem.random())));
        to.push_back(static_cast<double>(typed.back()));
      }
    };
    if (which % 8 != 0) {
      state = PoisonedPatterns(dtype_of<T>::value, shape.rows, shape.heads, shape.projection_depth,
                               problem.layout(), [&] {
                                 const double x =
                                     static_cast<double>(static_cast<T>(normal(problem.random())));
                                 dense.state.push_back(x);
                                 return x;
                               });
      view.state = state.view();
    }
    if (which / 8 % 2 == 0) fill(dense.lse, lse);
    if (which / 16 % 2 == 0 && problem.energy()) fill(dense.energy, energy);
    if (which / 32 % 2 == 0) fill(dense.entropy, entropy);
    view.lse = lse;
    view.energy = energy;
    view.entropy = entropy;
  }
};

/// Gradients of everything, between guards. The bias gradient is dense, or shared by heads and
/// states (its entries are then sums).
template <class T>
struct AllGradients {
  Guarded<T> stored, projections, states, beta, bias;
  AssociateGradients<T> view;
  LayoutStrides stored_strides, projection_strides, state_strides;

  AllGradients(const Associations& in, const AssociationShape& shape, Layout layout,
               std::int64_t max_states, std::int64_t max_stored, bool share_bias) {
    const auto make = [&](const PatternView& like, Guarded<T>& memory, LayoutStrides& s) {
      s = strides_of(layout, like.rows, like.heads, like.depth);
      memory = Guarded<T>(s.size);
      return MutablePatternView<T>{
          memory.data() + s.offset, like.rows, like.heads, like.depth, s.row, s.head};
    };
    view.stored = make(in.stored, stored, stored_strides);
    view.states = make(in.states, states, state_strides);
    if (!shape.tied) view.projections = make(in.projections, projections, projection_strides);
    beta = Guarded<T>(static_cast<std::int64_t>(in.beta.size()));
    view.beta = beta.span();
    view.bias_stored_stride = 1;
    view.bias_state_stride = share_bias ? 0 : max_stored;
    view.bias_head_stride = share_bias ? 0 : max_states * max_stored;
    view.bias_bag_stride = (share_bias ? 1 : shape.heads * max_states) * max_stored;
    bias = Guarded<T>(std::max<std::int64_t>(1, shape.num_bags * view.bias_bag_stride));
    for (std::int64_t i = 0; i < bias.size(); ++i) bias.data()[i] = 0;
    view.bias = bias.data();
  }

  bool guards_intact() const {
    return stored.guards_intact() && projections.guards_intact() && states.guards_intact() &&
           beta.guards_intact() && bias.guards_intact() && gaps_intact(stored, view.stored) &&
           gaps_intact(states, view.states) &&
           (!view.projections.wanted() || gaps_intact(projections, view.projections));
  }
  bool same_bits(const AllGradients& other) const {
    return stored.same_bits(other.stored) && projections.same_bits(other.projections) &&
           states.same_bits(other.states) && beta.same_bits(other.beta) &&
           bias.same_bits(other.bias);
  }

 private:
  static bool gaps_intact(const Guarded<T>& memory, const MutablePatternView<T>& v) {
    std::vector<char> own(static_cast<std::size_t>(memory.size()), 0);
    for (std::int64_t r = 0; r < v.rows; ++r) {
      for (std::int64_t h = 0; h < v.heads; ++h) {
        for (std::int64_t k = 0; k < v.depth; ++k) {
          own[static_cast<std::size_t>(v.row(r, h) + k - memory.data())] = 1;
        }
      }
    }
    for (std::int64_t i = 0; i < memory.size(); ++i) {
      if (!own[static_cast<std::size_t>(i)] && !memory.untouched(i)) return false;
    }
    return true;
  }
};

/// What rounding of the scores alone does to each gradient: see docs/math/associate.md.
template <class T>
struct GradientFloors {
  std::vector<Exact> stored, projections, states;  // per (row, head) of the view
  Exact beta = 0, bias = 0;

  GradientFloors(const Associations& in, const DenseAssociation<Exact>& forward,
                 const DenseCotangents& g) {
    const auto size = [](const PatternView& v) {
      return static_cast<std::size_t>(v.rows * v.heads);
    };
    stored.assign(size(in.stored), 0);
    projections.assign(size(in.projections), 0);
    states.assign(size(in.states), 0);
    for (std::size_t i = 0; i < forward.rows.size(); ++i) {
      const DenseRow<Exact>& row = forward.rows[i];
      if (row.active && row.num_visible > 0) add(in, forward.shape, row, i, g);
    }
  }

 private:
  void add(const Associations& in, const AssociationShape& shape, const DenseRow<Exact>& row,
           std::size_t i, const DenseCotangents& g) {
    const auto at = [i](const std::vector<double>& c) {
      return c.empty() ? Exact{0} : std::abs(static_cast<Exact>(c[i]));
    };
    Exact g_sum = 0, g_max = 0;
    const auto dv = static_cast<std::size_t>(shape.projection_depth);
    for (std::size_t k = 0; k < dv && !g.state.empty(); ++k) {
      g_sum += std::abs(static_cast<Exact>(g.state[i * dv + k]));
      g_max = std::max(g_max, std::abs(static_cast<Exact>(g.state[i * dv + k])));
    }
    const bool soft =
        in.separation == Separation::kSoftmax || in.separation == Separation::kTopKSoftmax;
    const Exact delta = score_rounding<T>(row), u = delta / (4 * (1 + row.reach));
    const Exact log_n = std::log(static_cast<Exact>(row.num_visible));
    Exact smallest = 1;
    for (const Exact p : row.p) smallest = p > 0 ? std::min(smallest, p) : smallest;
    const Exact log_p = soft ? 1 + log_n + 2 * row.reach : 1 - std::log(smallest) + 1 / smallest;
    const Exact support = soft ? 1 : support_size(row);
    const Exact value = g_sum * row.max_value + at(g.entropy) * log_p;
    const Exact scale = std::abs(row.beta);
    const Exact c = at(g.lse) + (at(g.energy) == 0 ? 0 : at(g.energy) / scale);
    const Exact ds = delta * (2 * support * value + c);

    // |dsim/dx|, |dsim/dxi|
    Exact by_x = row.state_norm, by_xi = row.max_norm;
    if (in.similarity == Similarity::kNegativeSquaredDistance) {
      by_x = by_xi = 2 * (row.state_norm + row.max_norm);
    } else if (in.similarity == Similarity::kCosine) {
      by_x = std::isfinite(row.min_norm) ? 2 / row.min_norm : 0;
      by_xi = row.state_norm > 0 ? 2 / row.state_norm : 0;
    }
    const auto head = [&](const PatternView& v, std::int64_t r) {
      return static_cast<std::size_t>(r * v.heads + (v.heads == 1 ? 0 : row.head));
    };
    // Even an exact ds is multiplied and summed with rounding: u times the terms' magnitude.
    const Exact terms = 4 * u * (2 * support * value + c);
    states[head(in.states, row.state)] +=
        scale * by_xi * (ds + terms) + 4 * u * at(g.energy) * row.state_norm;
    for (std::size_t s = 0; s < row.p.size(); ++s) {
      const std::int64_t r = row.stored_begin + static_cast<std::int64_t>(s);
      const Exact read_out = delta * 2 * g_max;
      stored[head(in.stored, r)] += scale * by_x * (ds + terms) + (shape.tied ? read_out : 0) +
                                    4 * u * at(g.energy) * row.max_norm;
      if (!shape.tied) projections[head(in.projections, r)] += read_out;
    }
    beta += row.max_similarity * (ds + terms);
    if (at(g.energy) != 0) beta += 8 * u * at(g.energy) * row.energy_terms / scale;
    bias += ds + terms;
  }
};

/// Whether rounding could move a row across a kink, where gradients jump.
template <class T>
bool kinks_near(const DenseAssociation<Exact>& forward, bool energy) {
  for (const DenseRow<Exact>& row : forward.rows) {
    if (!row.active || row.num_visible == 0) continue;
    if (fragile<T>(row)) return true;
    const Exact square = row.max_norm * row.max_norm;
    const Exact u = static_cast<Exact>(std::numeric_limits<T>::epsilon()) / 2;
    if (energy && row.norm_gap < 64 * u * square) return true;
  }
  return false;
}

template <class T>
class BackwardCheck {
 public:
  BackwardCheck(AssociateProblem& problem, const DenseAssociation<Exact>& exact,
                const Cotangents<T>& cotangents, const DenseGradients<Exact>& truth,
                const DenseGradients<T>& naive, const GradientFloors<T>& floors, std::string target)
      : problem_(problem),
        in_(problem.in()),
        shape_(exact.shape),
        exact_(exact),
        cotangents_(cotangents),
        truth_(truth),
        naive_(naive),
        floors_(floors),
        target_(std::move(target)) {}

  std::string run(bool judge_values) {
    AllOutputs<T> forward(in_, shape_, problem_.layout(), false, 0, 0.9);
    associate(in_, forward.view, options(0));
    AssociateSaved<T> saved;
    saved.lse = forward.view.lse;
    saved.entropy = forward.view.entropy;
    saved.state = {forward.view.state.data, dtype_of<T>::value,  shape_.rows,         shape_.heads,
                   shape_.projection_depth, forward.strides.row, forward.strides.head};
    const bool share_bias = problem_.block_size() == 64;
    AllGradients<T> first = make(share_bias);
    std::string served;
    AssociateOptions with_name = options(0);
    with_name.served_by = &served;
    associate_backward(in_, saved, cotangents_.view, first.view, with_name);
    if (served.empty()) return "no implementation said that it served the call";
    if (!first.guards_intact()) return "wrote what is not its own";
    for (const int threads : {1, 2}) {
      AllGradients<T> again = make(share_bias);
      associate_backward(in_, saved, cotangents_.view, again.view, options(threads));
      if (!again.same_bits(first)) return "bits depend on the number of threads";
    }
    if (std::string text = hidden_is_zero(first); !text.empty()) return text;
    if (std::string text = bag_alone(first, saved, share_bias); !text.empty()) return text;
    return judge_values ? values(first) : "";
  }

 private:
  AssociateOptions options(int threads) const {
    AssociateOptions o;
    o.executor = &executor(threads);
    o.target = target_;
    o.block_size = problem_.block_size();
    return o;
  }
  AllGradients<T> make(bool share_bias) const {
    return AllGradients<T>(in_, shape_, problem_.layout(), problem_.max_states(),
                           problem_.max_stored(), share_bias);
  }

  std::string compare(const char* name, const MutablePatternView<T>& ours,
                      const std::vector<T>& naive, const std::vector<Exact>& truth,
                      const std::vector<Exact>& floors) const {
    TwoTimesRule rule(name);
    std::size_t at = 0, group = 0;
    for (std::int64_t r = 0; r < ours.rows; ++r) {
      for (std::int64_t h = 0; h < ours.heads; ++h, ++group) {
        for (std::int64_t k = 0; k < ours.depth; ++k, ++at) {
          rule.add(ours.row(r, h)[k], naive[at], truth[at], floors[group]);
        }
      }
    }
    return rule.verdict();
  }

  std::string values(const AllGradients<T>& ours) const {
    for (const std::string& text :
         {compare("gradient of stored", ours.view.stored, naive_.stored, truth_.stored,
                  floors_.stored),
          compare("gradient of states", ours.view.states, naive_.states, truth_.states,
                  floors_.states),
          shape_.tied ? std::string()
                      : compare("gradient of projections", ours.view.projections,
                                naive_.projections, truth_.projections, floors_.projections)}) {
      if (!text.empty()) return text;
    }
    TwoTimesRule beta("gradient of beta"), bias("gradient of bias");
    for (std::size_t h = 0; h < in_.beta.size(); ++h) {
      beta.add(ours.beta[static_cast<std::int64_t>(h)], naive_.beta[h], truth_.beta[h],
               floors_.beta);
    }
    if (std::string text = beta.verdict(); !text.empty()) return text;

    std::vector<Exact> sums(static_cast<std::size_t>(ours.bias.size()), 0);
    std::vector<T> naive_sums(sums.size(), 0);
    for (std::size_t i = 0; i < exact_.rows.size(); ++i) {
      const DenseRow<Exact>& row = exact_.rows[i];
      for (std::size_t s = 0; s < row.p.size(); ++s) {
        const auto at = static_cast<std::size_t>(
            row.bag * ours.view.bias_bag_stride + row.head * ours.view.bias_head_stride +
            row.state_in_bag * ours.view.bias_state_stride + static_cast<std::int64_t>(s));
        sums[at] += truth_.bias[i][s];
        naive_sums[at] += naive_.bias[i][s];
      }
    }
    for (std::size_t at = 0; at < sums.size(); ++at) {
      bias.add(ours.bias[static_cast<std::int64_t>(at)], naive_sums[at], sums[at], floors_.bias);
    }
    return bias.verdict();
  }

  /// Patterns that nobody sees and rows that were skipped get exactly zero.
  std::string hidden_is_zero(const AllGradients<T>& ours) const {
    for (std::size_t s = 0; s < in_.hidden_stored.size(); ++s) {
      if (in_.hidden_stored[s] == 0) continue;
      const auto zero = [&](const MutablePatternView<T>& v) {
        for (std::int64_t h = 0; h < v.heads; ++h) {
          for (std::int64_t k = 0; k < v.depth; ++k) {
            if (v.row(static_cast<std::int64_t>(s), h)[k] != 0) return false;
          }
        }
        return true;
      };
      if (!zero(ours.view.stored)) return "gradient of a hidden stored pattern is not zero";
      if (ours.view.projections.wanted() && !zero(ours.view.projections)) {
        return "gradient of a hidden projection is not zero";
      }
    }
    return "";
  }

  /// Gradients of a bag's own patterns and states do not depend on the other bags.
  std::string bag_alone(const AllGradients<T>& batch, const AssociateSaved<T>& saved,
                        bool share_bias) const {
    if (shape_.stored_shared || shape_.states_shared || !in_.active.empty()) return "";
    for (std::int64_t b = 0; b < shape_.num_bags; ++b) {
      const Associations bag = one_bag(in_, b);
      const AssociationShape bag_shape = validate(bag, "test");
      const auto i = static_cast<std::size_t>(b);
      const std::int64_t x0 = in_.stored_offsets[i], t0 = in_.state_offsets[i];
      const auto rows = [&](PatternView v) {
        if (v.data == nullptr) return v;
        v.data = static_cast<const T*>(v.data) + t0 * v.row_stride;
        v.rows = bag_shape.rows;
        return v;
      };
      const auto part = [&](std::span<const T> all) {
        return all.empty() ? all
                           : all.subspan(static_cast<std::size_t>(t0 * shape_.heads),
                                         static_cast<std::size_t>(bag_shape.rows * shape_.heads));
      };
      const AssociateSaved<T> bag_saved = {rows(saved.state), part(saved.lse), part(saved.entropy)};
      AssociateCotangents<T> g = cotangents_.view;
      g.state = rows(g.state);
      g.lse = part(g.lse);
      g.energy = part(g.energy);
      g.entropy = part(g.entropy);
      AllGradients<T> alone(bag, bag_shape, problem_.layout(), problem_.max_states(),
                            problem_.max_stored(), share_bias);
      associate_backward(bag, bag_saved, g, alone.view, options(0));
      const auto equal = [](const MutablePatternView<T>& part_view,
                            const MutablePatternView<T>& whole, std::int64_t offset) {
        for (std::int64_t r = 0; r < part_view.rows; ++r) {
          for (std::int64_t h = 0; h < part_view.heads; ++h) {
            for (std::int64_t k = 0; k < part_view.depth; ++k) {
              if (!same_bits(part_view.row(r, h)[k], whole.row(offset + r, h)[k])) return false;
            }
          }
        }
        return true;
      };
      if (!equal(alone.view.stored, batch.view.stored, x0) ||
          !equal(alone.view.states, batch.view.states, t0) ||
          (alone.view.projections.wanted() &&
           !equal(alone.view.projections, batch.view.projections, x0))) {
        return "gradients of a bag depend on its batch neighbours";
      }
    }
    return "";
  }

  AssociateProblem& problem_;
  const Associations& in_;
  const AssociationShape shape_;
  const DenseAssociation<Exact>& exact_;
  const Cotangents<T>& cotangents_;
  const DenseGradients<Exact>& truth_;
  const DenseGradients<T>& naive_;
  const GradientFloors<T>& floors_;
  std::string target_;
};

template <class T>
std::string check_case(AssociateProblem& problem, int* skipped) {
  const auto exact = dense_associate<Exact>(problem.in());
  const auto naive_forward = dense_associate<T>(problem.in());
  const Cotangents<T> cotangents(problem, exact.shape);
  const auto truth = dense_backward(problem.in(), exact, cotangents.dense);
  const auto naive = dense_backward(problem.in(), naive_forward, cotangents.dense);
  const GradientFloors<T> floors(problem.in(), exact, cotangents.dense);
  const bool judge = !kinks_near<T>(exact, !cotangents.energy.empty());
  if (!judge) ++*skipped;
  for (const std::string& target : associate_targets()) {
    const std::string text =
        BackwardCheck<T>(problem, exact, cotangents, truth, naive, floors, target).run(judge);
    if (!text.empty()) return "target " + target + ": " + text;
  }
  return "";
}

TEST(AssociateBackwardOpTable, HoldsEveryPairOfValues) {
  EXPECT_TRUE(covers_all_pairs(Axes().counts(), cases()));
}

TEST(AssociateBackwardOpTable, EveryCaseOnEveryTarget) {
  int failures = 0, skipped = 0;
  for (std::size_t c = 0; c < cases().size() && failures < 10; ++c) {
    AssociateProblem problem(cases()[c], kSeed + c);
    const std::string text = problem.f64() ? check_case<double>(problem, &skipped)
                                           : check_case<float>(problem, &skipped);
    if (text.empty()) continue;
    ++failures;
    ADD_FAILURE() << "case " << c << " (seed " << kSeed + c << "): " << problem.describe() << "\n  "
                  << text;
  }
  RecordProperty("values_not_judged_near_kinks", skipped);
  EXPECT_LT(skipped, static_cast<int>(cases().size() / 10));
}

}  // namespace
}  // namespace hopfield::test
