#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <functional>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/torch/nn/functional.h"
#include "hopfield/torch/nn/options.h"

namespace hopfield::nn {

namespace {

using Function = std::function<at::Tensor(const at::Tensor&)>;

const std::map<std::string, Function, std::less<>>& activations() {
  static const std::map<std::string, Function, std::less<>> table = {
      {"abs", [](const at::Tensor& x) { return at::abs(x); }},
      {"arctan", [](const at::Tensor& x) { return at::arctan(x); }},
      {"celu", [](const at::Tensor& x) { return at::celu(x); }},
      {"cos", [](const at::Tensor& x) { return at::cos(x); }},
      {"elu", [](const at::Tensor& x) { return at::elu(x); }},
      {"erf", [](const at::Tensor& x) { return at::erf(x); }},
      {"exp", [](const at::Tensor& x) { return at::exp(x); }},
      {"gelu", [](const at::Tensor& x) { return at::gelu(x); }},
      {"hardshrink", [](const at::Tensor& x) { return at::hardshrink(x); }},
      {"hardsigmoid", [](const at::Tensor& x) { return at::hardsigmoid(x); }},
      {"hardswish", [](const at::Tensor& x) { return at::hardswish(x); }},
      {"hardtanh", [](const at::Tensor& x) { return at::hardtanh(x); }},
      {"leaky_relu", [](const at::Tensor& x) { return at::leaky_relu(x); }},
      {"log_softmax", [](const at::Tensor& x) { return at::log_softmax(x, -1); }},
      {"logsigmoid", [](const at::Tensor& x) { return at::log_sigmoid(x); }},
      {"mish", [](const at::Tensor& x) { return at::mish(x); }},
      {"relu", [](const at::Tensor& x) { return at::relu(x); }},
      {"relu6", [](const at::Tensor& x) { return at::relu6(x); }},
      {"selu", [](const at::Tensor& x) { return at::selu(x); }},
      {"sigmoid", [](const at::Tensor& x) { return at::sigmoid(x); }},
      {"silu", [](const at::Tensor& x) { return at::silu(x); }},
      {"sin", [](const at::Tensor& x) { return at::sin(x); }},
      {"softmax", [](const at::Tensor& x) { return at::softmax(x, -1); }},
      {"softplus", [](const at::Tensor& x) { return at::softplus(x); }},
      {"softsign", [](const at::Tensor& x) { return x / (at::abs(x) + 1); }},
      {"square", [](const at::Tensor& x) { return at::square(x); }},
      {"tanh", [](const at::Tensor& x) { return at::tanh(x); }},
      {"tanhshrink", [](const at::Tensor& x) { return x - at::tanh(x); }},
  };
  return table;
}

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const auto& [name, function] : activations()) result.push_back(name);
    return result;
  }();
  return names;
}

namespace functional {

at::Tensor apply_activation(const at::Tensor& input, std::string_view name) {
  const auto found = activations().find(name);
  if (found == activations().end()) {
    std::ostringstream known;
    for (const std::string& one : activation_names()) known << ' ' << one;
    TORCH_CHECK(false, "[activation] expected one of", known.str(), ", got \"", std::string(name),
                "\"");
  }
  return found->second(input);
}

}  // namespace functional

}  // namespace hopfield::nn
