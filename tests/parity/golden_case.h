#ifndef HOPFIELD_TESTS_PARITY_GOLDEN_CASE_H_
#define HOPFIELD_TESTS_PARITY_GOLDEN_CASE_H_

#include <ATen/core/Tensor.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hopfield/torch/nn/options.h"
#include "hopfield/torch/nn/state_dict.h"

namespace hopfield::testing {

/// One golden file: metadata and tensors by name. See golden/hflayers/README.md.
struct GoldenCase {
  std::string id;
  nlohmann::json meta;
  std::map<std::string, at::Tensor> tensors;

  /// Throws std::runtime_error if the file is no case.
  static GoldenCase read(const std::string& path);

  bool has(const std::string& name) const { return tensors.count(name) > 0; }
  const at::Tensor& at(const std::string& name) const;
  std::string text(const char* key) const;
  /// Tensors "param.<key>" without the prefix, in the file's order.
  nn::StateDict parameters() const;
};

/// Reference keyword arguments -> our options. `scaling_grad` makes a scaling tensor require grad.
template <class Options>
Options options_from(const GoldenCase& golden, const nlohmann::json& kwargs, nn::Compat compat,
                     bool scaling_grad);

/// scaling, update_steps_max and update_steps_eps as a call gives them.
nn::Scaling scaling_from(const GoldenCase& golden, const nlohmann::json& kwargs);
nn::UpdateStepsMax steps_max_from(const GoldenCase& golden, const nlohmann::json& kwargs);
nn::UpdateStepsEps steps_eps_from(const GoldenCase& golden, const nlohmann::json& kwargs);

/// What one case came to.
struct Verdict {
  bool passed = true;
  std::string note;               ///< one line
  bool default_compared = false;  ///< default mode was held against the reference's output
  bool default_apart = false;     ///< default mode rightly differs, see note
  void fail(const std::string& why);
};

Verdict run_module_case(const GoldenCase& golden);
Verdict run_init_case(const GoldenCase& golden);
Verdict run_dataset_case(const GoldenCase& golden);

}  // namespace hopfield::testing

#endif  // HOPFIELD_TESTS_PARITY_GOLDEN_CASE_H_
