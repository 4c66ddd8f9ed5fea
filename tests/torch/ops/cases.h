#ifndef HOPFIELD_TESTS_TORCH_OPS_CASES_H_
#define HOPFIELD_TESTS_TORCH_OPS_CASES_H_

// The table of retrieve cases, and gradients by torch and by central differences.

#include <ATen/core/Tensor.h>

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::ops::testing {

/// Which form of the inputs.
enum class Form {
  kDense,
  kSharedStored,       // stored [1, S, H, d]
  kSharedStates,       // states [1, L, H, d]
  kSharedHeads,        // stored [B, S, 1, d]
  kSharedProjections,  // stored [B, S, H, d], projections [1, S, H, dv]
  kRagged,             // both ragged, one bag without patterns, one without states
  kRaggedStates,       // states ragged, stored [1, S, H, d]
  kRaggedStored,       // stored ragged, states [L, H, d] shared
  kRaggedUniform,      // stored ragged, states [B, L, H, d]
};

struct Settings {
  std::string name;
  Form form = Form::kDense;
  Similarity similarity = Similarity::kDot;
  Separation separation = Separation::kSoftmax;
  bool projections = true;
  bool beta_per_head = true;
  char mask = 0;  // 0, 'b'ool, 'f'loating, 'r'ow hidden completely
  bool hidden_stored = false;
  std::vector<std::int64_t> updates = {0};
  double eps = 1e-12;
  StopCriterion criterion = StopCriterion::kAssociation;
};

std::ostream& operator<<(std::ostream& out, const Settings& settings);

/// Inputs of one call. `leaves` are what may have a gradient: states, stored, [projections], beta,
/// [mask]; set_leaves puts others in their place.
struct Case {
  at::Tensor states, stored;
  RetrieveOptions options;

  std::vector<at::Tensor> leaves() const;
  Case with_leaves(const std::vector<at::Tensor>& leaves) const;
  Case to(at::ScalarType type) const;
};

/// Depends on the settings only: the seed is fixed.
Case make_case(const Settings& settings);

/// Every form, separation, similarity, mask and way to update.
std::vector<Settings> all_settings();

using Retrieve = RetrieveResult (*)(const at::Tensor&, const at::Tensor&, const RetrieveOptions&);

/// Which outputs the scalar `loss_of` weighs (by fixed numbers): of state, lse, energy, entropy.
struct Weighs {
  bool state = true, lse = true, energy = true, entropy = true;
};
/// Infinite outputs (rows that see nothing) count 0.
at::Tensor loss_of(const RetrieveResult& result, const Weighs& weighs = {});

/// Gradient of the loss with respect to the leaves, by torch.
std::vector<at::Tensor> gradients_of(Retrieve retrieve, const Case& inputs,
                                     const Weighs& weighs = {});

/// The same by central differences in double: (f(x + h) - f(x - h)) / 2h for every element.
std::vector<at::Tensor> differences_of(const std::function<double(const Case&)>& f,
                                       const Case& inputs, double h = 1e-5);

/// Largest |a - b|; infinite where one has NaN or an infinity that the other has not.
double distance(const at::Tensor& a, const at::Tensor& b);

}  // namespace hopfield::ops::testing

#endif  // HOPFIELD_TESTS_TORCH_OPS_CASES_H_
