// Codes with a scale a row count as the f32 numbers that they decode to, on every target.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "hopfield/kernels/associate.h"

namespace hopfield {
namespace {

/// Codes of [rows, heads, depth] and what they decode to.
struct Coded {
  std::vector<std::int8_t> codes;
  std::vector<float> scales, decoded;
  PatternView code_view, decoded_view;

  Coded(std::int64_t rows, std::int64_t heads, std::int64_t depth, std::mt19937_64& random) {
    std::uniform_int_distribution<int> code(-127, 127);
    std::uniform_real_distribution<float> scale(0, 0.02f);
    for (std::int64_t r = 0; r < rows; ++r) {
      scales.push_back(r % 5 == 3 ? 0 : scale(random));
      for (std::int64_t k = 0; k < heads * depth; ++k) {
        codes.push_back(static_cast<std::int8_t>(code(random)));
        decoded.push_back(static_cast<float>(codes.back()) * scales.back());
      }
    }
    decoded_view = pattern_view(decoded.data(), rows, heads, depth);
    code_view = decoded_view;
    code_view.data = codes.data();
    code_view.dtype = DType::kI8;
    code_view.scales = scales.data();
  }
};

struct Everything {
  std::vector<float> state, lse, entropy, largest, top;
  std::vector<std::int64_t> largest_index, top_index, size;
  std::string served_by;
  bool operator==(const Everything&) const = default;
};

Everything associate_all(const Associations& in, const std::string& target) {
  const AssociationShape shape = validate(in, "test");
  const auto results = static_cast<std::size_t>(shape.rows * shape.heads);
  Everything all;
  AssociateOutputs<float> out;
  all.state.resize(results * static_cast<std::size_t>(shape.projection_depth));
  out.state = mutable_view(all.state.data(), shape.rows, shape.heads, shape.projection_depth);
  for (auto [to, numbers] : {std::pair(&out.lse, &all.lse),
                             {&out.entropy, &all.entropy},
                             {&out.largest, &all.largest}}) {
    numbers->resize(results);
    *to = *numbers;
  }
  all.largest_index.resize(results);
  out.largest_index = all.largest_index;
  all.size.resize(results);
  out.metastable_size = all.size;
  out.num_top = 3;
  all.top.resize(3 * results);
  all.top_index.resize(3 * results);
  out.top = all.top;
  out.top_index = all.top_index;
  AssociateOptions options;
  options.target = target;
  options.block_size = 64;
  options.served_by = &all.served_by;
  associate(in, out, options);
  return all;
}

class AssociateCodes : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Targets, AssociateCodes, ::testing::ValuesIn(associate_targets()),
                         [](const auto& tested) { return tested.param; });

TEST_P(AssociateCodes, GiveTheBitsOfWhatTheyDecodeTo) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal(0, 1);
  const double beta = 1.5;
  for (const std::int64_t depth : {1, 3, 16, 67, 130}) {
    for (const std::int64_t num_states : {1, 4, 9}) {  // up to 4 states take another path
      for (const std::int64_t heads : {1, 2}) {
        const Coded stored(150, heads, depth, random), values(150, heads, 5, random);
        const Coded coded_states(num_states, heads, depth, random);
        std::vector<float> states(coded_states.decoded);
        for (float& x : states) x = normal(random);
        const std::vector<std::int64_t> offsets = {0, 7, 150};
        for (int which = 0; which < 9; ++which) {
          Associations in;
          in.states = pattern_view(states.data(), num_states, heads, depth);
          in.beta = {&beta, 1};
          in.similarity = static_cast<Similarity>(which % 3);
          in.separation = which < 6   ? Separation::kSoftmax
                          : which < 8 ? Separation::kSparsemax
                                      : Separation::kMax;
          if (which % 2 == 1) in.stored_offsets = offsets;
          Associations decoded = in;
          if (which == 4) {
            in.states = coded_states.code_view;
            decoded.states = coded_states.decoded_view;
          }
          in.stored = stored.code_view;
          decoded.stored = stored.decoded_view;
          if (which % 4 >= 2) {
            in.projections = values.code_view;
            decoded.projections = values.decoded_view;
          }
          EXPECT_TRUE(associate_all(in, GetParam()) == associate_all(decoded, GetParam()))
              << "depth " << depth << ", states " << num_states << ", heads " << heads << ", case "
              << which;
        }
      }
    }
  }
}

TEST_P(AssociateCodes, GiveTheGradientsOfWhatTheyDecodeTo) {
  std::mt19937_64 random(4);
  const double beta = 0.7;
  const Coded stored(70, 1, 19, random);
  std::vector<float> states(6 * 19), arriving(states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    states[i] = static_cast<float>(i % 7) - 3;
    arriving[i] = static_cast<float>(i % 5) - 2;
  }
  const auto gradients = [&](const PatternView& patterns) {
    Associations in;
    in.stored = patterns;
    in.states = pattern_view(states.data(), 6, 19);
    in.beta = {&beta, 1};
    std::vector<float> state(states.size()), lse(6), to_stored(70 * 19), to_states(states.size());
    AssociateOutputs<float> out;
    out.state = mutable_view(state.data(), 6, 19);
    out.lse = lse;
    AssociateOptions options;
    options.target = GetParam();
    associate(in, out, options);
    AssociateSaved<float> saved;
    saved.state = pattern_view(state.data(), 6, 19);
    saved.lse = lse;
    AssociateCotangents<float> cotangents;
    cotangents.state = pattern_view(arriving.data(), 6, 19);
    AssociateGradients<float> wanted;
    wanted.stored = mutable_view(to_stored.data(), 70, 19);
    wanted.states = mutable_view(to_states.data(), 6, 19);
    associate_backward(in, saved, cotangents, wanted, options);
    to_stored.insert(to_stored.end(), to_states.begin(), to_states.end());
    return to_stored;
  };
  EXPECT_EQ(gradients(stored.code_view), gradients(stored.decoded_view));
}

}  // namespace
}  // namespace hopfield
