#ifndef HOPFIELD_TESTS_TORCH_NN_NN_TESTING_H_
#define HOPFIELD_TESTS_TORCH_NN_NN_TESTING_H_

#include <ATen/Functions.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/utils.h>

#include <string>

#include "hopfield/torch/nn/hopfield.h"

namespace hopfield::testing {

/// Every test draws from this seed; a failing message names it.
constexpr std::uint64_t kSeed = 20240611;

class NnTest : public ::testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(kSeed);
    RecordProperty("seed", static_cast<int>(kSeed));
  }
};

inline at::Tensor normal(at::IntArrayRef sizes) {
  return at::randn(sizes, at::kDouble);
}

inline at::Tensor offsets_of(std::vector<std::int64_t> offsets) {
  return at::tensor(offsets, at::kLong);
}

/// Weights of standard deviation 0.5, so that associations are far from uniform.
inline void enliven(torch::nn::Module& module) {
  const at::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    if (item.key() == "scaling" || item.key() == "hopfield.scaling") continue;
    item.value().copy_(
        at::randn(item.value().sizes(), item.value().options().requires_grad(false)) * 0.5);
  }
}

inline double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0 && a.sizes() == b.sizes()) return 0;
  return (a.detach() - b.detach()).abs().max().item<double>();
}

inline ::testing::AssertionResult near(const at::Tensor& found, const at::Tensor& expected,
                                       double tolerance = 1e-11) {
  if (!found.defined()) return ::testing::AssertionFailure() << "undefined";
  if (found.sizes() != expected.sizes()) {
    return ::testing::AssertionFailure()
           << "shape " << found.sizes() << ", expected " << expected.sizes();
  }
  const double difference = largest_difference(found, expected);
  if (difference <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "differs by " << difference << " (seed " << kSeed << ")";
}

/// The message of the exception that `action` throws, or "".
template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

inline ::testing::AssertionResult holds(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << text << "\" does not hold \"" << part << "\"";
}

/// Options of a double-precision Hopfield over two heads.
inline nn::HopfieldOptions small(std::int64_t input_size = 6, std::int64_t heads = 2) {
  return nn::HopfieldOptions(input_size).num_heads(heads).dtype(at::kDouble);
}

template <class Module>
Module lively(Module module) {
  enliven(*module);
  module->eval();
  return module;
}

}  // namespace hopfield::testing

#endif  // HOPFIELD_TESTS_TORCH_NN_NN_TESTING_H_
