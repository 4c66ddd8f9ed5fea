// Every way to misuse `associate` and its family: the code, the message, and outputs left alone.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hopfield/base/error.h"
#include "hopfield/kernels/associate.h"

namespace hopfield {
namespace {

constexpr float kMark = -77.5f;

/// A valid call in f32: S = 3, T = 2, H = 2, d = 2, dv = 1, whose parts a test spoils.
struct Call {
  std::vector<float> stored = std::vector<float>(12, 1), states = std::vector<float>(8, 1),
                     projections = std::vector<float>(6, 1);
  std::vector<double> beta = {1};
  std::vector<std::int64_t> stored_offsets, state_offsets;
  std::vector<std::uint8_t> hidden_stored, active;
  std::vector<float> state = std::vector<float>(4, kMark), row = std::vector<float>(4, kMark),
                     wide = std::vector<float>(100, kMark);
  std::vector<std::int64_t> index = std::vector<std::int64_t>(100, -77);
  std::vector<double> bias64 = std::vector<double>(100, 0);
  Associations in;
  AssociateOutputs<float> out;
  AssociateOptions options;
  AssociateSaved<float> saved;
  AssociateCotangents<float> cotangents;
  AssociateGradients<float> gradients;

  Call() {
    in.stored = pattern_view(stored.data(), 3, 2, 2);
    in.states = pattern_view(states.data(), 2, 2, 2);
    in.projections = pattern_view(projections.data(), 3, 2, 1);
    in.beta = beta;
    out.state = mutable_view(state.data(), 2, 2, 1);
    out.lse = row;
    saved.lse = row;
    cotangents.lse = row;
    gradients.stored = mutable_view(wide.data(), 3, 2, 2);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  std::span<float> floats(std::size_t n) { return std::span<float>(wide).first(n); }
  std::span<std::int64_t> integers(std::size_t n) {
    return std::span<std::int64_t>(index).first(n);
  }
  bool untouched() const {
    for (const auto* v : {&state, &row, &wide}) {
      for (const float x : *v) {
        if (x != kMark) return false;
      }
    }
    for (const std::int64_t x : index) {
      if (x != -77) return false;
    }
    return true;
  }
};

struct Misuse {
  const char* message;
  std::function<void(Call&)> spoil;
  ErrorCode code = ErrorCode::kInvalidArgument;
};

void expect_error(const Misuse& misuse, const std::function<void(Call&)>& run) {
  Call call;
  misuse.spoil(call);
  try {
    run(call);
    ADD_FAILURE() << "nothing was thrown; expected: " << misuse.message;
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), misuse.message);
    EXPECT_EQ(error.code(), misuse.code) << misuse.message;
  }
  EXPECT_TRUE(call.untouched()) << misuse.message;
}

// Inputs: the same checks stand before associate, associate_backward, associate_partials and
// whatever else calls `validate`.
const std::vector<Misuse>& input_misuses() {
  static const std::vector<Misuse> kAll = {
      {"[associate] expected stored with rows >= 0, heads >= 1, depth >= 0, got [-1, 2, 2]",
       [](Call& c) { c.in.stored.rows = -1; }},
      {"[associate] expected states with rows >= 0, heads >= 1, depth >= 0, got [2, 0, 2]",
       [](Call& c) { c.in.states.heads = 0; }},
      {"[associate] expected projections with rows >= 0, heads >= 1, depth >= 0, got [3, 2, -4]",
       [](Call& c) { c.in.projections.depth = -4; }},
      {"[associate] expected stored with data, got a null pointer for shape [3, 2, 2]",
       [](Call& c) { c.in.stored.data = nullptr; }},
      {"[associate] expected stored with scales if it holds int8 codes and only then, got int8 "
       "without",
       [](Call& c) { c.in.stored.dtype = DType::kI8; }},
      {"[associate] expected projections with scales if it holds int8 codes and only then, got f32 "
       "with",
       [](Call& c) { c.in.projections.scales = c.stored.data(); }},
      {"[associate] expected elements below 2^63, got 4611686018427387904 x 2",
       [](Call& c) { c.in.stored.rows = std::int64_t{1} << 62; }},
      {"[associate] expected either every view in f64 or none, got states in f64 with stored in "
       "f32",
       [](Call& c) { c.in.states.dtype = DType::kF64; }},
      {"[associate] expected either every view in f64 or none, got projections in f64 with stored "
       "in "
       "f32",
       [](Call& c) { c.in.projections.dtype = DType::kF64; }},
      {"[associate] expected bias_f32 for views that are not f64, got bias_f64; convert the bias",
       [](Call& c) { c.in.bias_f64.data = c.bias64.data(); }},
      {"[associate] expected stored with 1 or 3 heads, got 2; give one head to share it",
       [](Call& c) { c.in.states.heads = 3; }},
      {"[associate] expected projections with 1 or 3 heads, got 2; give one head to share it",
       [](Call& c) { c.in.stored.heads = c.in.states.heads = 3; }},
      {"[associate] expected states as deep as stored, 2, got 1",
       [](Call& c) { c.in.states.depth = 1; }},
      {"[associate] expected projections with the 3 rows of stored, got 2",
       [](Call& c) { c.in.projections.rows = 2; }},
      {"[associate] expected beta with 1 or 2 entries, got 3",
       [](Call& c) {
         c.beta = {1, 1, 1};
         c.in.beta = c.beta;
       }},
      {"[associate] expected beta with 1 or 2 entries, got 0", [](Call& c) { c.in.beta = {}; }},
      {"[associate] expected finite beta, got nan for head 1",
       [](Call& c) {
         c.beta = {1, std::numeric_limits<double>::quiet_NaN()};
         c.in.beta = c.beta;
       }},
      {"[associate] expected stored_offsets starting at 0, got 1",
       [](Call& c) {
         c.stored_offsets = {1, 3};
         c.in.stored_offsets = c.stored_offsets;
       }},
      {"[associate] expected stored_offsets ascending, got 1 after 2 at position 2",
       [](Call& c) {
         c.stored_offsets = {0, 2, 1, 3};
         c.in.stored_offsets = c.stored_offsets;
       }},
      {"[associate] expected stored_offsets ending at the 3 rows of stored, got 2",
       [](Call& c) {
         c.stored_offsets = {0, 2};
         c.in.stored_offsets = c.stored_offsets;
       }},
      {"[associate] expected state_offsets ending at the 2 rows of states, got 5",
       [](Call& c) {
         c.state_offsets = {0, 5};
         c.in.state_offsets = c.state_offsets;
       }},
      {"[associate] expected as many bags in state_offsets as in stored_offsets, got 1 and 2",
       [](Call& c) {
         c.stored_offsets = {0, 2, 3};
         c.state_offsets = {0, 2};
         c.in.stored_offsets = c.stored_offsets;
         c.in.state_offsets = c.state_offsets;
       }},
      {"[associate] expected hidden_stored with 3 entries or none, got 2",
       [](Call& c) {
         c.hidden_stored = {0, 0};
         c.in.hidden_stored = c.hidden_stored;
       }},
      {"[associate] expected active with 4 entries or none, got 2",
       [](Call& c) {
         c.active = {1, 1};
         c.in.active = c.active;
       }},
      {"[associate] expected top_k >= 1 for the top-k softmax, got 0",
       [](Call& c) { c.in.separation = Separation::kTopKSoftmax; }},
      {"[associate] expected results in f64 for f64 views, got f32; convert the views",
       [](Call& c) {
         c.in.stored.dtype = c.in.states.dtype = c.in.projections.dtype = DType::kF64;
       }},
      {"[associate] expected block_size >= 1, got 0", [](Call& c) { c.options.block_size = 0; }}};
  return kAll;
}

TEST(AssociateErrors, OfInputs) {
  for (const Misuse& misuse : input_misuses()) {
    expect_error(misuse, [](Call& c) { associate(c.in, c.out, c.options); });
  }
}

TEST(AssociateErrors, OfInputsOfTheBackwardPassAndOfPartialsToo) {
  for (const auto& [op, run] :
       {std::pair<std::string, std::function<void(Call&)>>{
            "[associate_backward]",
            [](Call& c) {
              associate_backward(c.in, c.saved, c.cotangents, c.gradients, c.options);
            }},
        {"[associate_partials]",
         [](Call& c) { (void)associate_partials<float>(c.in, c.options); }}}) {
    for (const Misuse& misuse : input_misuses()) {
      const std::string message =
          op + std::string(misuse.message).substr(std::string("[associate]").size());
      expect_error({message.c_str(), misuse.spoil, misuse.code}, run);
    }
  }
}

TEST(AssociateErrors, OfF64InputsWithAnF32Bias) {
  expect_error({"[associate] expected bias_f64 for f64 views, got bias_f32; convert the bias",
                [](Call& c) {
                  c.in.stored.dtype = c.in.states.dtype = c.in.projections.dtype = DType::kF64;
                  c.in.bias_f32.data = c.row.data();
                }},
               [](Call& c) { associate(c.in, AssociateOutputs<double>(), c.options); });
  expect_error(
      {"[associate] expected results in f32 for f32, bf16, f16 views, got f64; convert the "
       "views",
       [](Call&) {}},
      [](Call& c) { associate(c.in, AssociateOutputs<double>(), c.options); });
}

TEST(AssociateErrors, OfOutputs) {
  const std::vector<Misuse> misuses = {
      {"[associate] expected output state of shape [2, 2, 1], got [2, 2, 2]",
       [](Call& c) { c.out.state.depth = 2; }},
      {"[associate] expected output state of shape [2, 2, 1], got [3, 2, 1]",
       [](Call& c) { c.out.state.rows = 3; }},
      {"[associate] expected output lse with 4 entries or none, got 3",
       [](Call& c) { c.out.lse = c.floats(3); }},
      {"[associate] expected output energy with 4 entries or none, got 3",
       [](Call& c) { c.out.energy = c.floats(3); }},
      {"[associate] expected output entropy with 4 entries or none, got 3",
       [](Call& c) { c.out.entropy = c.floats(3); }},
      {"[associate] expected output largest with 4 entries or none, got 3",
       [](Call& c) { c.out.largest = c.floats(3); }},
      {"[associate] expected output largest_index with 4 entries or none, got 3",
       [](Call& c) { c.out.largest_index = c.integers(3); }},
      {"[associate] expected output metastable_size with 4 entries or none, got 3",
       [](Call& c) { c.out.metastable_size = c.integers(3); }},
      {"[associate] expected num_top >= 0, got -1", [](Call& c) { c.out.num_top = -1; }},
      {"[associate] expected output top with 8 entries or none, got 4",
       [](Call& c) {
         c.out.num_top = 2;
         c.out.top = c.floats(4);
       }},
      {"[associate] expected output top_index with 0 entries or none, got 4",
       [](Call& c) { c.out.top_index = c.integers(4); }},
      {"[associate] expected top entries below 2^63, got 4 x 9223372036854775807",
       [](Call& c) { c.out.num_top = std::numeric_limits<std::int64_t>::max(); }},
      {"[associate] expected metastable_mass in (0, 1], got 0.000000",
       [](Call& c) { c.out.metastable_mass = 0; }},
      {"[associate] expected metastable_mass in (0, 1], got 1.500000",
       [](Call& c) { c.out.metastable_mass = 1.5; }},
      {"[associate] expected output association with 12 entries or none, got 11",
       [](Call& c) { c.out.association = c.floats(11); }},
      {"[associate] expected beta > 0 for the energy, got 0.000000 for head 0",
       [](Call& c) {
         c.beta = {0};
         c.out.energy = c.floats(4);
       }},
      {"[associate] expected no energy with cosine similarity, whose update descends no energy; "
       "normalise the patterns and states and use the dot product",
       [](Call& c) {
         c.in.similarity = Similarity::kCosine;
         c.out.energy = c.floats(4);
       },
       ErrorCode::kUnsupported}};
  for (const Misuse& misuse : misuses) {
    expect_error(misuse, [](Call& c) { associate(c.in, c.out, c.options); });
  }
}

TEST(AssociateErrors, OfTheBackwardPass) {
  const std::vector<Misuse> misuses = {
      {"[associate_backward] expected cotangent of state of shape [2, 2, 1], got [2, 2, 3]",
       [](Call& c) { c.cotangents.state = pattern_view(c.wide.data(), 2, 2, 3); }},
      {"[associate_backward] expected cotangent of state in f32, got bf16",
       [](Call& c) {
         c.cotangents.state = pattern_view(c.wide.data(), 2, 2, 1);
         c.cotangents.state.dtype = DType::kBF16;
       }},
      {"[associate_backward] expected cotangent of lse with 4 entries or none, got 2",
       [](Call& c) { c.cotangents.lse = c.floats(2); }},
      {"[associate_backward] expected cotangent of energy with 4 entries or none, got 2",
       [](Call& c) { c.cotangents.energy = c.floats(2); }},
      {"[associate_backward] expected cotangent of entropy with 4 entries or none, got 2",
       [](Call& c) { c.cotangents.entropy = c.floats(2); }},
      {"[associate_backward] expected beta > 0 for the cotangent of energy, got -1.000000 for head "
       "0",
       [](Call& c) {
         c.beta = {-1};
         c.cotangents.energy = c.floats(4);
       }},
      {"[associate_backward] expected no cotangent of energy with cosine similarity, whose update "
       "descends no energy; normalise the patterns and states and use the dot product",
       [](Call& c) {
         c.in.similarity = Similarity::kCosine;
         c.cotangents.energy = c.floats(4);
       },
       ErrorCode::kUnsupported},
      {"[associate_backward] expected saved lse with 4 entries, got 0; ask `associate` for it",
       [](Call& c) { c.saved.lse = {}; }},
      {"[associate_backward] expected saved entropy with 4 entries, got 0; ask `associate` for it",
       [](Call& c) { c.cotangents.entropy = c.floats(4); }},
      {"[associate_backward] expected saved state of shape [2, 2, 1], got [0, 1, 0]",
       [](Call& c) { c.cotangents.state = pattern_view(c.wide.data(), 2, 2, 1); }},
      {"[associate_backward] expected gradient of stored of shape [3, 2, 2], got [3, 2, 1]",
       [](Call& c) { c.gradients.stored.depth = 1; }},
      {"[associate_backward] expected gradient of states of shape [2, 2, 2], got [2, 1, 2]",
       [](Call& c) { c.gradients.states = mutable_view(c.wide.data(), 2, 1, 2); }},
      {"[associate_backward] expected gradient of projections of shape [3, 2, 1], got [3, 2, 2]",
       [](Call& c) { c.gradients.projections = mutable_view(c.wide.data(), 3, 2, 2); }},
      {"[associate_backward] expected no gradient of projections when none are given, got one; the "
       "gradient of stored holds both parts",
       [](Call& c) {
         c.in.projections = {};
         c.gradients.projections = mutable_view(c.wide.data(), 3, 2, 1);
       }},
      {"[associate_backward] expected gradient of beta with 1 entries or none, got 2",
       [](Call& c) { c.gradients.beta = c.floats(2); }}};
  for (const Misuse& misuse : misuses) {
    expect_error(misuse, [](Call& c) {
      associate_backward(c.in, c.saved, c.cotangents, c.gradients, c.options);
    });
  }
}

TEST(AssociateErrors, OfTargets) {
  std::string names;
  Call known;
  try {
    known.options.target = "abacus";
    associate(known.in, known.out, known.options);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(what.find("[associate] expected a target among "), 0u) << what;
    EXPECT_NE(what.find("reference, got abacus; leave it empty for the best one"),
              std::string::npos)
        << what;
    for (const std::string& name : associate_targets()) {
      EXPECT_NE(what.find(name), std::string::npos) << what;
    }
  }
  EXPECT_TRUE(known.untouched());
}

// Every compiled target that this CPU lacks (there may be none) says so, and why.
TEST(AssociateErrors, OfTargetsThatThisCpuCannotRun) {
  const auto runnable = associate_targets();
  Call call;
  std::string names;
  try {
    call.options.target = "abacus";
    associate(call.in, call.out, call.options);
  } catch (const Error& error) {
    const std::string what = error.what();
    const std::string before = "among ";
    const std::size_t begin = what.find(before) + before.size();
    names = what.substr(begin, what.find(", got abacus") - begin) + ", ";
  }
  for (std::size_t at = 0, comma; (comma = names.find(", ", at)) != std::string::npos;
       at = comma + 2) {
    const std::string name = names.substr(at, comma - at);
    if (std::find(runnable.begin(), runnable.end(), name) != runnable.end()) continue;
    const std::string start =
        "[associate] expected a CPU that runs the target " + name + ", got one where ";
    try {
      call.options.target = name;
      associate(call.in, call.out, call.options);
      ADD_FAILURE() << name << " is not runnable and yet it ran";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_EQ(std::string(error.what()).find(start), 0u) << error.what();
      EXPECT_GT(std::string(error.what()).size(), start.size()) << "no reason is given";
    }
  }
  EXPECT_TRUE(call.untouched());
}

TEST(AssociateErrors, OfPartials) {
  expect_error({"[associate_partials] expected softmax separation, got another; only softmax has "
                "mergeable partial states",
                [](Call& c) { c.in.separation = Separation::kSparsemax; }, ErrorCode::kUnsupported},
               [](Call& c) { (void)associate_partials<float>(c.in, c.options); });
  expect_error({"[associate_partials] expected one bag, got 2 bags; call once a bag",
                [](Call& c) {
                  c.stored_offsets = {0, 1, 3};
                  c.in.stored_offsets = c.stored_offsets;
                }},
               [](Call& c) { (void)associate_partials<float>(c.in, c.options); });

  Call call;
  const auto good = associate_partials<float>(call.in, call.options).at(0);
  const auto expect_merge_error = [&](const char* message,
                                      const std::function<void(Partials<float>&)>& spoil) {
    auto into = good, next = good;
    spoil(next);
    try {
      merge(into, next);
      ADD_FAILURE() << "nothing was thrown; expected: " << message;
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), message);
    }
    EXPECT_EQ(into.sum, good.sum);
  };
  expect_merge_error("[merge] expected partials of equal shape, got [2, 2, 1] and [4, 1, 1]",
                     [](auto& p) {
                       p.rows = 4;
                       p.heads = 1;
                     });
  expect_merge_error("[merge] expected next with sizes >= 0, got [-2, 2, 1]",
                     [](auto& p) { p.rows = -2; });
  expect_merge_error("[merge] expected next.acc with 8 entries, got 4",
                     [](auto& p) { p.depth = 2; });
  expect_merge_error("[merge] expected next.max with 4 entries, got 3",
                     [](auto& p) { p.max.pop_back(); });
  expect_merge_error("[merge] expected next.sum with 4 entries, got 3",
                     [](auto& p) { p.sum.pop_back(); });
  expect_merge_error("[merge] expected next.moment with 4 entries, got 3",
                     [](auto& p) { p.moment.pop_back(); });
  expect_merge_error("[merge] expected next.max_square_norm with 4 entries, got 3",
                     [](auto& p) { p.max_square_norm.pop_back(); });
  expect_merge_error("[merge] expected next.visible with 4 entries, got 3",
                     [](auto& p) { p.visible.pop_back(); });
  expect_merge_error("[merge] expected next.largest_index with 4 entries, got 3",
                     [](auto& p) { p.largest_index.pop_back(); });
}

TEST(AssociateErrors, OfFinish) {
  Call source;
  const auto good = associate_partials<float>(source.in, source.options).at(0);
  const std::vector<Misuse> misuses = {
      {"[finish] expected softmax separation, got another; only softmax has mergeable partial "
       "states",
       [](Call& c) { c.in.separation = Separation::kMax; }, ErrorCode::kUnsupported},
      {"[finish] expected no top, metastable_size or association, got one of them; partial states "
       "do "
       "not hold it: call `associate`",
       [](Call& c) { c.out.metastable_size = c.integers(4); }, ErrorCode::kUnsupported},
      {"[finish] expected states with the 2 rows of the partials, got 1",
       [](Call& c) { c.in.states.rows = 1; }},
      {"[finish] expected states with data, got a null pointer for shape [2, 2, 2]",
       [](Call& c) { c.in.states.data = nullptr; }},
      {"[finish] expected states with 1 or 2 heads, got 3; give one head to share it",
       [](Call& c) { c.in.states.heads = 3; }},
      {"[finish] expected states not in f64, got f64",
       [](Call& c) { c.in.states.dtype = DType::kF64; }},
      {"[finish] expected beta with 1 or 2 entries, got 0", [](Call& c) { c.in.beta = {}; }},
      {"[finish] expected active with 4 entries or none, got 1",
       [](Call& c) {
         c.active = {1};
         c.in.active = c.active;
       }},
      {"[finish] expected output state of shape [2, 2, 1], got [2, 2, 9]",
       [](Call& c) { c.out.state.depth = 9; }},
      {"[finish] expected output lse with 4 entries or none, got 1",
       [](Call& c) { c.out.lse = c.floats(1); }},
      {"[finish] expected output energy with 4 entries or none, got 1",
       [](Call& c) { c.out.energy = c.floats(1); }},
      {"[finish] expected output entropy with 4 entries or none, got 1",
       [](Call& c) { c.out.entropy = c.floats(1); }},
      {"[finish] expected output largest with 4 entries or none, got 1",
       [](Call& c) { c.out.largest = c.floats(1); }},
      {"[finish] expected output largest_index with 4 entries or none, got 1",
       [](Call& c) { c.out.largest_index = c.integers(1); }},
      {"[finish] expected beta > 0 for the energy, got 0.000000 for head 0", [](Call& c) {
         c.beta = {0};
         c.out.energy = c.floats(4);
       }}};
  for (const Misuse& misuse : misuses) {
    expect_error(misuse, [&](Call& c) { finish(good, c.in, c.out); });
  }
}

}  // namespace
}  // namespace hopfield
