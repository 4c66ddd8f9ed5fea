#include "hopfield/torch/nn/options.h"

#include <ATen/ops/tensor.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <sstream>

namespace hopfield::nn {

namespace {

/// The entries of a 0-d or 1-d tensor of numbers, whatever its type and device.
template <class T>
std::vector<T> entries(const at::Tensor& tensor, c10::ScalarType type, const char* name) {
  TORCH_CHECK(tensor.defined(), "[HopfieldOptions] expected ", name,
              " as a tensor, got an undefined one");
  TORCH_CHECK(tensor.dim() <= 1, "[HopfieldOptions] expected ", name,
              " as a number or one number a head, got a tensor of shape ", tensor.sizes());
  const at::Tensor values = tensor.detach().to(at::kCPU, type).contiguous().reshape({-1});
  const T* data = values.const_data_ptr<T>();
  return std::vector<T>(data, data + values.numel());
}

}  // namespace

Compat compat_from_name(std::string_view name) {
  if (name.empty() || name == "none") return Compat::kNone;
  TORCH_CHECK(name == "hflayers-1.0.2", "[compat] expected \"none\" or \"hflayers-1.0.2\", got \"",
              std::string(name), "\"");
  return Compat::kHflayers_1_0_2;
}

std::string_view compat_name(Compat compat) {
  return compat == Compat::kNone ? "none" : "hflayers-1.0.2";
}

Scaling::Scaling(const std::vector<double>& per_head)
    : tensor_(at::tensor(per_head, at::kDouble)) {}

UpdateStepsMax::UpdateStepsMax(const at::Tensor& per_head) {
  TORCH_CHECK(!per_head.defined() || c10::isIntegralType(per_head.scalar_type(), false),
              "[HopfieldOptions] expected update_steps_max as integers, got a tensor of type ",
              per_head.scalar_type(), "; cast it to int64");
  values_ = entries<std::int64_t>(per_head, at::kLong, "update_steps_max");
}

UpdateStepsEps::UpdateStepsEps(const at::Tensor& per_head)
    : values_(entries<double>(per_head, at::kDouble, "update_steps_eps")) {}

HopfieldOptions HopfieldOptions::static_retrieval() {
  return HopfieldOptions()
      .stored_pattern_as_static(true)
      .state_pattern_as_static(true)
      .pattern_projection_as_static(true)
      .disable_out_projection(true)
      .normalize_inputs(false);
}

}  // namespace hopfield::nn
