#ifndef HOPFIELD_TESTS_OPS_ASSOCIATE_CASE_H_
#define HOPFIELD_TESTS_OPS_ASSOCIATE_CASE_H_

// The op table of `associate`: its axes, a sample in which every pair of values of two axes occurs,
// and the inputs of one case.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "support/memory_guards.h"

namespace hopfield::test {

enum AxisName : std::size_t {
  kStorage,
  kStored,
  kStates,
  kDepth,
  kProjectionDepth,
  kHeads,
  kBags,
  kMask,
  kLayout,
  kSeparation,
  kSimilarity,
  kData,
  kBlock,
  kActive,
  kBetas,
  kNumAxes
};

/// The values of each axis. Sizes: 0, 1, 2, lanes - 1, lanes, lanes + 1 and 4 lanes + 3 for 4, 8,
/// 16 and (bf16) 32 lanes, primes, several blocks.
struct Axes {
  std::vector<std::string> storage = {"f64", "f32", "bf16", "f16", "mixed"};
  std::vector<std::int64_t> stored = {0,  1,  2,  3,  5,  7,  8,   9,   15, 16,
                                      17, 19, 31, 33, 35, 67, 101, 131, 301};
  std::vector<std::int64_t> states = {0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 19, 37};
  std::vector<std::int64_t> depth = {0,  1,  2,  3,  5,  7,  8,  9,  15,
                                     16, 17, 19, 31, 33, 35, 64, 67, 101};
  std::vector<std::int64_t> projection_depth = {-1, 0, 1, 2, 7, 8, 9, 17, 35, 67};  // -1: tied
  std::vector<std::string> heads = {"one", "two", "three, stored shared", "three, states shared",
                                    "two, projections shared"};
  std::vector<std::string> bags = {"one", "ragged", "states shared", "stored shared"};
  std::vector<std::string> mask = {"none", "hidden stored",  "hidden", "hidden, shared",
                                   "bias", "bias with -inf", "all",    "blind rows"};
  std::vector<Layout> layout = {Layout::kDense, Layout::kPadded, Layout::kMisaligned,
                                Layout::kHeadMajor};
  std::vector<std::string> separation = {"softmax", "sparsemax", "entmax15", "top 1",
                                         "top 3",   "top all",   "max"};
  std::vector<Similarity> similarity = {Similarity::kDot, Similarity::kCosine,
                                        Similarity::kNegativeSquaredDistance};
  std::vector<std::string> data = {"normal", "peaked", "integers", "beta 0", "beta < 0"};
  std::vector<std::int64_t> block = {1, 7, 64, 4096};
  std::vector<std::string> active = {"all", "some"};
  std::vector<std::string> betas = {"one", "one a head"};

  std::vector<std::size_t> counts() const {
    return {storage.size(),    stored.size(), states.size(), depth.size(),  projection_depth.size(),
            heads.size(),      bags.size(),   mask.size(),   layout.size(), separation.size(),
            similarity.size(), data.size(),   block.size(),  active.size(), betas.size()};
  }
};

/// One value of every axis.
using Case = std::vector<std::size_t>;

/// Cases in which every pair of values of two axes occurs at least once (greedy: the best of some
/// random candidates, each forced to hold one pair still missing), then random ones up to `count`.
std::vector<Case> all_pairs(const std::vector<std::size_t>& counts, std::size_t count,
                            std::uint64_t seed);

/// Whether every pair occurs.
bool covers_all_pairs(const std::vector<std::size_t>& counts, const std::vector<Case>& cases);

/// The inputs of a case, each in a sea of NaN; patterns hidden from all are NaN themselves.
class AssociateProblem {
 public:
  AssociateProblem(const Case& which, std::uint64_t seed);
  AssociateProblem(const AssociateProblem&) = delete;
  AssociateProblem& operator=(const AssociateProblem&) = delete;

  const Associations& in() const { return in_; }
  bool f64() const { return f64_; }
  bool integers() const { return integers_; }
  bool energy() const { return energy_; }  ///< defined for this case
  std::int64_t block_size() const { return block_size_; }
  Layout layout() const { return layout_; }
  std::int64_t max_states() const { return max_states_; }  ///< in a bag
  std::int64_t max_stored() const { return max_stored_; }
  std::mt19937_64& random() { return random_; }
  std::string describe() const { return description_; }

 private:
  void make_bags(const std::string& kind, std::int64_t stored, std::int64_t states);
  void make_masks(const std::string& kind, std::int64_t num_bags, std::int64_t heads);

  std::mt19937_64 random_;
  std::string description_;
  Associations in_;
  PoisonedPatterns stored_, projections_, states_;
  std::vector<double> beta_;
  std::vector<std::int64_t> stored_offsets_, state_offsets_;
  std::vector<std::uint8_t> hidden_stored_, hidden_, active_;
  std::vector<float> bias_f32_;
  std::vector<double> bias_f64_;
  bool f64_ = false, integers_ = false, energy_ = true;
  std::int64_t block_size_ = 0, max_states_ = 0, max_stored_ = 0;
  Layout layout_ = Layout::kDense;
};

/// One bag of `in` as a problem of its own: its rows, masks and stored patterns by offset pointers
/// into what `in` points to.
Associations one_bag(const Associations& in, std::int64_t bag);

/// One row (state within the bag) of a one-bag problem.
Associations one_row(const Associations& bag, std::int64_t state);

/// The stored patterns [begin, end) of a one-bag problem.
Associations one_shard(const Associations& bag, std::int64_t begin, std::int64_t end);

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_OPS_ASSOCIATE_CASE_H_
