// The backward pass of `associate` goes different ways by what is asked of it: the numbers may not.

#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "hopfield/base/executor.h"
#include "hopfield/kernels/associate.h"

namespace hopfield::test {
namespace {

constexpr std::int64_t kStates = 200, kStored = 300, kHeads = 2;  // several groups, tiles, blocks

std::vector<float> random_numbers(std::int64_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.5F);
  std::vector<float> numbers(static_cast<std::size_t>(count));
  for (float& x : numbers) x = normal(random);
  return numbers;
}

struct Problem {
  Problem(Similarity similarity, std::int64_t depth_in, std::int64_t value_depth_in)
      : depth(depth_in),
        value_depth(value_depth_in),
        stored(random_numbers(kStored * kHeads * depth, 1)),
        states(random_numbers(kStates * kHeads * depth, 2)),
        projections(random_numbers(kStored * kHeads * value_depth, 3)),
        cotangents(random_numbers(kStates * kHeads * value_depth, 4)),
        state(cotangents.size()),
        lse(static_cast<std::size_t>(kStates * kHeads)) {
    in.stored = pattern_view(stored.data(), kStored, kHeads, depth);
    in.states = pattern_view(states.data(), kStates, kHeads, depth);
    in.projections = pattern_view(projections.data(), kStored, kHeads, value_depth);
    in.beta = beta;
    in.similarity = similarity;
    AssociateOutputs<float> out;
    out.state = mutable_view(state.data(), kStates, kHeads, value_depth);
    out.lse = lse;
    associate(in, out, options(1));
  }

  AssociateOptions options(int threads) {
    executor = make_executor(threads);
    AssociateOptions made;
    made.executor = executor.get();
    made.block_size = 256;
    return made;
  }

  struct Gradients {
    std::vector<float> states, stored, projections;
  };
  Gradients backward(bool of_states, bool of_stored, bool of_projections, int threads) {
    Gradients g = {std::vector<float>(states.size()), std::vector<float>(stored.size()),
                   std::vector<float>(projections.size())};
    AssociateGradients<float> to;
    if (of_states) to.states = mutable_view(g.states.data(), kStates, kHeads, depth);
    if (of_stored) to.stored = mutable_view(g.stored.data(), kStored, kHeads, depth);
    if (of_projections) {
      to.projections = mutable_view(g.projections.data(), kStored, kHeads, value_depth);
    }
    AssociateSaved<float> saved;
    saved.state = pattern_view(state.data(), kStates, kHeads, value_depth);
    saved.lse = lse;
    AssociateCotangents<float> arrived;
    arrived.state = pattern_view(cotangents.data(), kStates, kHeads, value_depth);
    associate_backward(in, saved, arrived, to, options(threads));
    return g;
  }

  std::int64_t depth, value_depth;
  std::vector<float> stored, states, projections, cotangents, state, lse;
  std::vector<double> beta = {0.7};
  Associations in;
  std::unique_ptr<Executor> executor;
};

TEST(AssociateBackward, GivesTheSameBitsWhicheverGradientsAreWantedByAnyNumberOfThreads) {
  struct Depths {
    std::int64_t pattern, value;
  };
  for (const Similarity similarity :
       {Similarity::kDot, Similarity::kCosine, Similarity::kNegativeSquaredDistance}) {
    for (const Depths depths : {Depths{5, 3}, Depths{16, 32}, Depths{20, 8}}) {
      Problem problem(similarity, depths.pattern, depths.value);
      const Problem::Gradients all = problem.backward(true, true, true, 1);
      for (const int threads : {1, 7}) {
        for (int wanted = 1; wanted < 8; ++wanted) {
          SCOPED_TRACE(::testing::Message()
                       << "similarity " << static_cast<int>(similarity) << ", depth "
                       << depths.pattern << ", wanted " << wanted << ", threads " << threads);
          const bool states = (wanted & 1) != 0, stored = (wanted & 2) != 0;
          const bool projections = (wanted & 4) != 0;
          const Problem::Gradients some = problem.backward(states, stored, projections, threads);
          if (states) {
            EXPECT_EQ(some.states, all.states);
          }
          if (stored) {
            EXPECT_EQ(some.stored, all.stored);
          }
          if (projections) {
            EXPECT_EQ(some.projections, all.projections);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace hopfield::test
