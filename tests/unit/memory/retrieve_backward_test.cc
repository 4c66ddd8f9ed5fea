// Gradients of the iteration: unrolled against central differences, implicit against unrolled and
// against the check values of docs/math/retrieve.md.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/memory/retrieve.h"
#include "tests/unit/memory/problem.h"

namespace {
// Bytes held, to see what the backward pass holds at most.
std::atomic<std::int64_t> bytes_held{0}, bytes_peak{0};
}  // namespace

// Not inlined: the compiler would pair a new-expression with free and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  const std::int64_t held = bytes_held += static_cast<std::int64_t>(malloc_usable_size(block));
  std::int64_t peak = bytes_peak;
  while (held > peak && !bytes_peak.compare_exchange_weak(peak, held)) {
  }
  return block;
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
  bytes_held -= static_cast<std::int64_t>(malloc_usable_size(block));
  std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}

namespace hopfield {
namespace {

using testing::norm;
using testing::Numbers;
using testing::Portable;
using testing::run_retrieve;
using testing::Updates;

/// A loss over every output: <state, g> + <lse, a> + <energy, b> + <entropy, c>.
struct Weights {
  std::vector<double> state, lse, energy, entropy;
};

/// Everything a problem has, owned, so that any number of it can be shaken.
struct Inputs {
  std::int64_t stored = 0, states = 0, depth = 0, values = 0;
  std::int64_t stored_heads = 1, state_heads = 1, value_heads = 1;
  std::vector<double> x, v, xi, beta, bias;
  std::vector<std::int64_t> stored_offsets, state_offsets;
  std::vector<std::uint8_t> hidden;  ///< [states, stored]
  Similarity similarity = Similarity::kDot;
  Separation separation = Separation::kSoftmax;

  Associations associations() const {
    Associations in;
    in.stored = pattern_view(x.data(), stored, stored_heads, depth);
    if (values > 0) in.projections = pattern_view(v.data(), stored, value_heads, values);
    in.states = pattern_view(xi.data(), states, state_heads, depth);
    in.beta = beta;
    in.stored_offsets = stored_offsets;
    in.state_offsets = state_offsets;
    if (!hidden.empty()) in.hidden = {hidden.data(), 0, 0, stored, 1};
    if (!bias.empty()) in.bias_f64 = {bias.data(), 0, 0, stored, 1};
    in.similarity = similarity;
    in.separation = separation;
    in.top_k = 3;
    return in;
  }
};

struct Gradients {
  std::vector<double> x, v, xi, beta, bias;
  std::int64_t fallback = -1;
};

struct Forward {
  std::vector<double> state, lse, energy, entropy, final_state;
  std::vector<std::int64_t> steps;
  std::vector<StopReason> reason;
};

Forward forward(const Inputs& inputs, const UpdateOptions& update, bool energy) {
  const Associations in = inputs.associations();
  const AssociationShape shape = validate(in, "test");
  const auto pairs = static_cast<std::size_t>(shape.rows * shape.heads);
  Forward f;
  f.state.resize(pairs * static_cast<std::size_t>(shape.projection_depth));
  f.final_state.resize(pairs * static_cast<std::size_t>(shape.depth));
  f.lse.resize(pairs);
  f.entropy.resize(pairs);
  if (energy) f.energy.resize(pairs);
  f.steps.resize(pairs);
  f.reason.resize(pairs);
  AssociateOutputs<double> out;
  out.state = mutable_view(f.state.data(), shape.rows, shape.heads, shape.projection_depth);
  out.lse = f.lse;
  out.energy = f.energy;
  out.entropy = f.entropy;
  RetrieveReport<double> report;
  report.steps = f.steps;
  report.reason = f.reason;
  report.final_state = mutable_view(f.final_state.data(), shape.rows, shape.heads, shape.depth);
  retrieve(in, update, out, report);
  return f;
}

double loss(const Inputs& inputs, const UpdateOptions& update, const Weights& w) {
  const Forward f = forward(inputs, update, !w.energy.empty());
  double sum = 0;
  for (std::size_t i = 0; i < w.state.size(); ++i) sum += w.state[i] * f.state[i];
  for (std::size_t i = 0; i < f.lse.size(); ++i) {
    if (!std::isfinite(f.lse[i])) continue;  // nothing visible: constant
    if (!w.lse.empty()) sum += w.lse[i] * f.lse[i];
    if (!w.energy.empty()) sum += w.energy[i] * f.energy[i];
    if (!w.entropy.empty()) sum += w.entropy[i] * f.entropy[i];
  }
  return sum;
}

Gradients backward(const Inputs& inputs, const UpdateOptions& update, const Weights& w,
                   RetrieveGradient mode, bool with_final_state = false,
                   const AssociateOptions& options = {}) {
  const Associations in = inputs.associations();
  const AssociationShape shape = validate(in, "test");
  const Forward f = forward(inputs, update, false);
  Gradients g;
  g.x.assign(inputs.x.size(), 9);
  g.v.assign(inputs.v.size(), 9);
  g.xi.assign(inputs.xi.size(), 9);
  g.beta.assign(inputs.beta.size(), 9);
  g.bias.assign(inputs.bias.size(), 0);
  AssociateCotangents<double> cotangents;
  if (!w.state.empty()) {
    cotangents.state =
        pattern_view(w.state.data(), shape.rows, shape.heads, shape.projection_depth);
  }
  cotangents.lse = w.lse;
  cotangents.energy = w.energy;
  cotangents.entropy = w.entropy;
  AssociateGradients<double> gradients;
  gradients.stored = mutable_view(g.x.data(), in.stored.rows, in.stored.heads, in.stored.depth);
  if (inputs.values > 0) {
    gradients.projections =
        mutable_view(g.v.data(), in.projections.rows, in.projections.heads, in.projections.depth);
  }
  gradients.states = mutable_view(g.xi.data(), in.states.rows, in.states.heads, in.states.depth);
  gradients.beta = g.beta;
  if (!inputs.bias.empty()) {
    gradients.bias = g.bias.data();
    gradients.bias_state_stride = inputs.stored;
    gradients.bias_stored_stride = 1;
  }
  ImplicitOptions implicit;
  implicit.tolerance = 1e-13;
  if (with_final_state) {
    implicit.final_state = pattern_view(f.final_state.data(), shape.rows, shape.heads, shape.depth);
  }
  retrieve_backward(in, update, f.steps, f.reason, cotangents, gradients, mode, options, implicit,
                    &g.fallback);
  return g;
}

/// Central differences with h = 1e-5: truncation h^2 f'''/6 ~ 1e-10, rounding 1e-16 / h ~ 1e-11,
/// both times derivatives of size 1 to 100.
void expect_differences(Inputs inputs, const UpdateOptions& update, const Weights& w,
                        const Gradients& g, const std::string& what) {
  const double h = 1e-5;
  const auto check = [&](std::vector<double>& values, const std::vector<double>& gradient,
                         const char* name) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double kept = values[i];
      values[i] = kept + h;
      const double above = loss(inputs, update, w);
      values[i] = kept - h;
      const double below = loss(inputs, update, w);
      values[i] = kept;
      const double expected = (above - below) / (2 * h);
      EXPECT_NEAR(gradient[i], expected, 3e-8 * (1 + std::abs(expected)))
          << what << ": " << name << "[" << i << "]";
    }
  };
  check(inputs.x, g.x, "stored");
  check(inputs.v, g.v, "projections");
  check(inputs.xi, g.xi, "states");
  check(inputs.beta, g.beta, "beta");
  check(inputs.bias, g.bias, "bias");
}

Inputs ragged(std::uint64_t seed, bool projections) {
  Numbers numbers(seed);
  Inputs inputs;
  inputs.stored = 11;
  inputs.states = 4;
  inputs.depth = 3;
  inputs.values = projections ? 2 : 0;
  inputs.stored_heads = inputs.state_heads = inputs.value_heads = 2;
  inputs.stored_offsets = {0, 5, 5, 11};
  inputs.state_offsets = {0, 2, 3, 4};
  inputs.x = numbers.vector<double>(11 * 2 * 3);
  inputs.v = numbers.vector<double>(projections ? 11 * 2 * 2 : 0);
  inputs.xi = numbers.vector<double>(4 * 2 * 3);
  inputs.beta = {0.8, 1.3};
  inputs.bias = numbers.vector<double>(4 * 11, 0.3);
  inputs.hidden.assign(4 * 11, 0);
  inputs.hidden[3] = inputs.hidden[12] = 1;
  return inputs;
}

Weights weights(const Inputs& inputs, std::uint64_t seed, bool energy) {
  const AssociationShape shape = validate(inputs.associations(), "test");
  const std::int64_t pairs = shape.rows * shape.heads;
  Numbers numbers(seed);
  Weights w;
  w.state = numbers.vector<double>(pairs * shape.projection_depth);
  w.lse = numbers.vector<double>(pairs);
  w.entropy = numbers.vector<double>(pairs);
  if (energy) w.energy = numbers.vector<double>(pairs);
  return w;
}

TEST(RetrieveBackward, UnrolledEqualsCentralDifferences) {
  for (const Similarity similarity :
       {Similarity::kDot, Similarity::kCosine, Similarity::kNegativeSquaredDistance}) {
    for (const bool projections : {false, true}) {
      for (const std::vector<std::int64_t>& steps :
           {std::vector<std::int64_t>{0}, {1}, {3}, {0, 2}, {3, 1}}) {
        Inputs inputs = ragged(31, projections);
        inputs.similarity = similarity;
        const Weights w = weights(inputs, 32, similarity != Similarity::kCosine);
        const Updates update(steps, {1e-300});
        const Gradients g = backward(inputs, update.options, w, RetrieveGradient::kUnrolled);
        EXPECT_EQ(g.fallback, 0);
        expect_differences(
            inputs, update.options, w, g,
            "similarity " + std::to_string(int(similarity)) + " steps " + std::to_string(steps[0]));
      }
    }
  }
}

TEST(RetrieveBackward, OtherSeparationsEqualCentralDifferences) {
  // Away from where the support changes these are smooth; seed chosen so that no shake crosses.
  for (const Separation separation :
       {Separation::kSparsemax, Separation::kEntmax15, Separation::kTopKSoftmax}) {
    Inputs inputs = ragged(37, true);
    inputs.separation = separation;
    Weights w = weights(inputs, 38, true);
    const Updates update({2}, {1e-300});
    const Gradients g = backward(inputs, update.options, w, RetrieveGradient::kUnrolled);
    expect_differences(inputs, update.options, w, g,
                       "separation " + std::to_string(int(separation)));
  }
}

TEST(RetrieveBackward, SharedStatesAndHeadsCollect) {
  for (const std::int64_t n : {0, 2}) {
    Numbers numbers(41);
    Inputs inputs;
    inputs.stored = 7;
    inputs.states = 2;
    inputs.depth = 3;
    inputs.values = 2;
    inputs.stored_heads = 2;  // states and projections shared by the heads, states by the bags
    inputs.stored_offsets = {0, 3, 7};
    inputs.x = numbers.vector<double>(7 * 2 * 3);
    inputs.v = numbers.vector<double>(7 * 2);
    inputs.xi = numbers.vector<double>(2 * 3);
    inputs.beta = {1.1};
    const Weights w = weights(inputs, 42, true);
    const Updates update({n}, {1e-300});
    const Gradients g = backward(inputs, update.options, w, RetrieveGradient::kUnrolled);
    expect_differences(inputs, update.options, w, g, "shared");
  }
}

struct ImplicitRow {
  int d, n;
  double beta, norm_x, sum_x, d_beta;
};

class ImplicitValues : public ::testing::TestWithParam<ImplicitRow> {};

Inputs portable(const Portable& problem) {
  Inputs inputs;
  inputs.stored = problem.n;
  inputs.states = 1;
  inputs.depth = problem.d;
  inputs.x = problem.x;
  inputs.xi = problem.xi0;
  inputs.beta = problem.beta;
  return inputs;
}

/// L = v . xi*: the result of the last association is the fixed point, too.
TEST_P(ImplicitValues, EqualThePublishedOnesAndTheUnrolledOnes) {
  const ImplicitRow row = GetParam();
  const Portable problem(row.d, row.n, row.beta);
  const Inputs inputs = portable(problem);
  Weights w;
  w.state = problem.v;
  const Updates until({-1}, {1e-14}, StopCriterion::kState);
  for (const bool final_state : {false, true}) {
    const Gradients implicit =
        backward(inputs, until.options, w, RetrieveGradient::kImplicit, final_state);
    EXPECT_EQ(implicit.fallback, 0);
    EXPECT_NEAR(norm(implicit.x), row.norm_x, 2e-10);
    double sum = 0;
    for (const double g : implicit.x) sum += g;
    EXPECT_NEAR(sum, row.sum_x, 2e-10);
    EXPECT_NEAR(implicit.beta[0], row.d_beta, 2e-10);
    for (const double g : implicit.xi) EXPECT_EQ(g, 0);

    const Gradients unrolled = backward(inputs, until.options, w, RetrieveGradient::kUnrolled);
    EXPECT_LT(testing::distance(implicit.x, unrolled.x), 1e-11 * row.norm_x);
    EXPECT_NEAR(implicit.beta[0], unrolled.beta[0], 1e-11);
    EXPECT_LT(norm(unrolled.xi), 1e-11);
  }
}

INSTANTIATE_TEST_SUITE_P(
    RetrieveBackward, ImplicitValues,
    ::testing::Values(ImplicitRow{6, 5, 1.0, 1.0385524600, 0.6862840788, -0.0593880721},
                      ImplicitRow{6, 5, 0.35, 0.7332206871, 0.6252832813, 0.0006734013},
                      ImplicitRow{8, 12, 0.25, 0.5895355792, -1.3512068184, 0.0601896627}));

TEST(RetrieveBackward, ImplicitEqualsCentralDifferencesOfTheConvergedOutputs) {
  for (const Similarity similarity : {Similarity::kDot, Similarity::kNegativeSquaredDistance}) {
    Inputs inputs = ragged(51, true);
    inputs.similarity = similarity;
    const Weights w = weights(inputs, 52, true);
    const Updates until({-1}, {1e-15}, StopCriterion::kState, 100000);
    const Gradients g = backward(inputs, until.options, w, RetrieveGradient::kImplicit);
    EXPECT_EQ(g.fallback, 0);
    expect_differences(inputs, until.options, w, g,
                       "implicit, similarity " + std::to_string(int(similarity)));
  }
}

TEST(RetrieveBackward, ImplicitFollowsTheOtherSeparations) {
  for (const Separation separation : {Separation::kSparsemax, Separation::kEntmax15,
                                      Separation::kTopKSoftmax, Separation::kMax}) {
    Inputs inputs = ragged(53, true);
    inputs.separation = separation;
    inputs.beta = {0.4, 0.3};
    const Weights w = weights(inputs, 54, false);
    const Updates until({-1}, {1e-14}, StopCriterion::kState);
    const Gradients implicit = backward(inputs, until.options, w, RetrieveGradient::kImplicit);
    const Gradients unrolled = backward(inputs, until.options, w, RetrieveGradient::kUnrolled);
    EXPECT_EQ(implicit.fallback, 0);
    EXPECT_LT(testing::distance(implicit.x, unrolled.x), 1e-9) << int(separation);
    EXPECT_LT(testing::distance(implicit.v, unrolled.v), 1e-9) << int(separation);
    EXPECT_LT(testing::distance(implicit.bias, unrolled.bias), 1e-9) << int(separation);
    EXPECT_LT(testing::distance(implicit.beta, unrolled.beta), 1e-9) << int(separation);
  }
}

TEST(RetrieveBackward, RowsAtNoMinimumOrNotConvergedAreUnrolledAndCounted) {
  // The antipodal pair above its bifurcation: state 0 sits on the saddle (J = beta M^2 = 2 > 1),
  // state 1 rolls into a minimum, state 2 starts empty-handed at its bag of none.
  Inputs inputs;
  inputs.stored = 2;
  inputs.states = 3;
  inputs.depth = 1;
  inputs.stored_offsets = {0, 2, 2};
  inputs.state_offsets = {0, 2, 3};
  inputs.x = {1, -1};
  inputs.xi = {0, 0.7, 0.7};
  inputs.beta = {2};
  Weights w;
  w.state = {1, 1, 1};
  const Updates until({-1}, {1e-13}, StopCriterion::kState);
  const Gradients mixed = backward(inputs, until.options, w, RetrieveGradient::kImplicit);
  EXPECT_EQ(mixed.fallback, 1);
  const Gradients unrolled = backward(inputs, until.options, w, RetrieveGradient::kUnrolled);
  EXPECT_EQ(unrolled.fallback, 0);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(mixed.x[i], unrolled.x[i], 1e-11);
  EXPECT_NEAR(mixed.beta[0], unrolled.beta[0], 1e-11);
  EXPECT_EQ(mixed.xi[0], unrolled.xi[0]);  // dxi_1/dxi_0 = 2, and once more at the end
  EXPECT_NEAR(mixed.xi[0], 4, 1e-12);
  EXPECT_EQ(mixed.xi[1], 0);
  EXPECT_EQ(mixed.xi[2], 0);

  // Asked for a number of updates, nothing has converged: all is unrolled, and says so.
  const Updates three({3}, {1e-300});
  const Gradients counted = backward(inputs, three.options, w, RetrieveGradient::kImplicit);
  EXPECT_EQ(counted.fallback, 2);
  const Gradients exact = backward(inputs, three.options, w, RetrieveGradient::kUnrolled);
  EXPECT_EQ(counted.x, exact.x);
  EXPECT_EQ(counted.xi, exact.xi);
  EXPECT_EQ(counted.beta, exact.beta);
}

TEST(RetrieveBackward, TooFewIterationsOfTheSolverFallBack) {
  const Portable problem(8, 12, 0.25);
  const Inputs inputs = portable(problem);
  const Associations in = inputs.associations();
  const Updates until({-1}, {1e-12}, StopCriterion::kState);
  const Forward f = forward(inputs, until.options, false);
  AssociateCotangents<double> cotangents;
  cotangents.state = pattern_view(problem.v.data(), 1, 8);
  for (const std::int64_t iterations : {0, 2, 50}) {
    std::vector<double> x(inputs.x.size()), expected(inputs.x.size());
    AssociateGradients<double> gradients;
    gradients.stored = mutable_view(x.data(), 12, 8);
    ImplicitOptions implicit;
    implicit.iterations_max = iterations;
    std::int64_t fallback = -1;
    retrieve_backward(in, until.options, f.steps, f.reason, cotangents, gradients,
                      RetrieveGradient::kImplicit, {}, implicit, &fallback);
    EXPECT_EQ(fallback, iterations == 50 ? 0 : 1);
    gradients.stored = mutable_view(expected.data(), 12, 8);
    retrieve_backward(in, until.options, f.steps, f.reason, cotangents, gradients,
                      RetrieveGradient::kUnrolled);
    EXPECT_LT(testing::distance(x, expected), 1e-9);
  }
}

TEST(RetrieveBackward, EmptyRowsHaveNoGradient) {
  Inputs inputs = ragged(61, false);
  inputs.hidden.assign(inputs.hidden.size(), 1);
  for (const RetrieveGradient mode : {RetrieveGradient::kUnrolled, RetrieveGradient::kImplicit}) {
    for (const std::int64_t n : {0, 3, -1}) {
      const Updates update({n});
      const Gradients g = backward(inputs, update.options, weights(inputs, 62, true), mode);
      EXPECT_EQ(norm(g.x), 0);
      EXPECT_EQ(norm(g.xi), 0);
      EXPECT_EQ(norm(g.beta), 0);
      EXPECT_EQ(norm(g.bias), 0);
      EXPECT_EQ(g.fallback, 0);
    }
  }
}

TEST(RetrieveBackward, GivesTheSameBitsForAnyNumberOfThreads) {
  const Inputs inputs = ragged(71, true);
  const Weights w = weights(inputs, 72, true);
  const Updates update({-1, 4}, {1e-9});
  for (const RetrieveGradient mode : {RetrieveGradient::kUnrolled, RetrieveGradient::kImplicit}) {
    AssociateOptions options;
    options.executor = &serial_executor();
    const Gradients expected = backward(inputs, update.options, w, mode, false, options);
    for (const int threads : {1, 2, 7}) {
      const std::unique_ptr<Executor> executor = make_executor(threads);
      options.executor = executor.get();
      const Gradients got = backward(inputs, update.options, w, mode, false, options);
      EXPECT_EQ(got.x, expected.x);
      EXPECT_EQ(got.v, expected.v);
      EXPECT_EQ(got.xi, expected.xi);
      EXPECT_EQ(got.beta, expected.beta);
      EXPECT_EQ(got.bias, expected.bias);
    }
  }
}

/// Bytes that one backward pass adds at most, when retrieve reported `steps` for every row.
std::int64_t peak(RetrieveGradient mode, std::int64_t steps, const PatternView& final_state) {
  const std::int64_t rows = 64, d = 8;
  Numbers numbers(81);
  const auto x = numbers.vector<double>(20 * d, 0.3), xi = numbers.vector<double>(rows * d),
             g = numbers.vector<double>(rows * d);
  std::vector<double> gx(x.size());
  const std::vector<double> beta = {1};
  Associations in;
  in.stored = pattern_view(x.data(), 20, d);
  in.states = pattern_view(xi.data(), rows, d);
  in.beta = beta;
  const std::vector<std::int64_t> all_steps(rows, steps);
  const std::vector<StopReason> reason(rows, StopReason::kConverged);
  AssociateCotangents<double> cotangents;
  cotangents.state = pattern_view(g.data(), rows, d);
  AssociateGradients<double> gradients;
  gradients.stored = mutable_view(gx.data(), 20, d);
  const Updates until({-1}, {1e-12});
  AssociateOptions options;
  options.executor = &serial_executor();
  ImplicitOptions implicit;
  implicit.final_state = final_state;
  std::int64_t fallback = -1;
  const std::int64_t before = bytes_held;
  bytes_peak = before;
  retrieve_backward(in, until.options, all_steps, reason, cotangents, gradients, mode, options,
                    implicit, &fallback);
  EXPECT_EQ(fallback, 0);
  return bytes_peak - before;
}

TEST(RetrieveBackward, ImplicitMemoryDoesNotGrowWithTheSteps) {
  peak(RetrieveGradient::kImplicit, 1, {});  // what is made once in a process, is made now
  EXPECT_EQ(peak(RetrieveGradient::kImplicit, 20, {}), peak(RetrieveGradient::kImplicit, 400, {}));
  // Unrolled it does: states [rows, d] and lse [rows] of 380 more steps.
  const std::int64_t more =
      peak(RetrieveGradient::kUnrolled, 400, {}) - peak(RetrieveGradient::kUnrolled, 20, {});
  EXPECT_GE(more, 380 * 64 * (8 + 1) * 8);
  EXPECT_LE(more, 380 * 64 * (8 + 1) * 8 * 11 / 10);
}

TEST(RetrieveBackward, SaysWhatIsWrong) {
  Inputs inputs = ragged(91, false);
  const Associations in = inputs.associations();
  const std::vector<std::int64_t> steps(8, 1), few(3, 1), negative(8, -1);
  const std::vector<StopReason> reason(8, StopReason::kConverged);
  const Updates update({1});
  const auto error = [&](const Associations& what, const std::vector<std::int64_t>& counts,
                         RetrieveGradient mode, const ImplicitOptions& implicit, ErrorCode code) {
    try {
      retrieve_backward<double>(what, update.options, counts, reason, {}, {}, mode, {}, implicit);
    } catch (const Error& caught) {
      EXPECT_EQ(caught.code(), code);
      EXPECT_EQ(std::string(caught.what()).rfind("[retrieve_backward] expected", 0), 0u);
      return std::string(caught.what());
    }
    ADD_FAILURE() << "no error";
    return std::string();
  };
  const auto unrolled = RetrieveGradient::kUnrolled, fixed = RetrieveGradient::kImplicit;
  EXPECT_NE(error(in, few, unrolled, {}, ErrorCode::kInvalidArgument).find("steps to have 8"),
            std::string::npos);
  EXPECT_NE(error(in, negative, unrolled, {}, ErrorCode::kInvalidArgument).find("steps >= 0"),
            std::string::npos);
  Associations cosine = in;
  cosine.similarity = Similarity::kCosine;
  EXPECT_NE(error(cosine, steps, fixed, {}, ErrorCode::kUnsupported).find("unrolled"),
            std::string::npos);
  ImplicitOptions implicit;
  implicit.tolerance = 0;
  EXPECT_NE(error(in, steps, fixed, implicit, ErrorCode::kInvalidArgument).find("tolerance"),
            std::string::npos);
  implicit = {};
  implicit.final_state = in.stored;
  EXPECT_NE(error(in, steps, fixed, implicit, ErrorCode::kInvalidArgument).find("final_state"),
            std::string::npos);
}

}  // namespace
}  // namespace hopfield
