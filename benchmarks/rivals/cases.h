#ifndef HOPFIELD_BENCHMARKS_RIVALS_CASES_H_
#define HOPFIELD_BENCHMARKS_RIVALS_CASES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hopfield::bench {

/// Something that can be timed. Two contenders are compared by the work they do a second, which is
/// the plain ratio of times where the work is equal.
struct Contender {
  std::string name;
  /// Does the work once. What it returns is compared with the first contender's, if both give a
  /// tensor.
  std::function<at::Tensor()> call;
  double flops = 0;  ///< of products, a call
  double bytes = 0;  ///< of patterns, a call
};

/// Contenders over the same data, made when the case is opened.
struct Case {
  std::string name;
  std::function<std::vector<Contender>()> open;
  double tolerance = 1e-3;  ///< of results, relative to the largest number
  bool first_call = true;   ///< call everything once on opening, to compare and to warm up
};

/// Log-normal bag sizes, cut to [least, most]; the first is `most`, so that the padding is what it
/// is for the largest possible bag.
std::vector<std::int64_t> bag_sizes(std::int64_t bags, double median, double spread,
                                    std::int64_t least, std::int64_t most);

void add_forward_cases(std::vector<Case>& cases);  ///< one association, its parts, its limits
void add_layer_cases(std::vector<Case>& cases);    ///< forward and backward, bags, updates, layers
void add_core_cases(std::vector<Case>& cases);     ///< calls of the core without tensors
void add_memory_cases(std::vector<Case>& cases);   ///< memories in files
void add_mil_cases(std::vector<Case>& cases);      ///< training steps over bags

}  // namespace hopfield::bench

#endif  // HOPFIELD_BENCHMARKS_RIVALS_CASES_H_
