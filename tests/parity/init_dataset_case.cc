// Initial weights after a seed, bit for bit; data sets, bit for bit.

#include <ATen/Functions.h>
#include <torch/utils.h>

#include <stdexcept>

#include "golden_case.h"
#include "hopfield/torch/nn/datasets.h"
#include "hopfield/torch/nn/hopfield.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/nn/transformer.h"
#include "sha256.h"

namespace hopfield::testing {

namespace {

using nlohmann::json;

std::shared_ptr<torch::nn::Module> build(const GoldenCase& golden) {
  const std::string cls = golden.text("cls");
  const json& kwargs = golden.meta.at("kwargs");
  const auto compat = nn::Compat::kHflayers_1_0_2;
  if (cls == "Hopfield") {
    return nn::Hopfield(options_from<nn::HopfieldOptions>(golden, kwargs, compat, false)).ptr();
  }
  if (cls == "HopfieldPooling") {
    return nn::HopfieldPooling(
               options_from<nn::HopfieldPoolingOptions>(golden, kwargs, compat, false))
        .ptr();
  }
  if (cls == "HopfieldLayer") {
    return nn::HopfieldLayer(options_from<nn::HopfieldLayerOptions>(golden, kwargs, compat, false))
        .ptr();
  }
  const auto inner = [&](const char* key) {
    return nn::Hopfield(
        options_from<nn::HopfieldOptions>(golden, golden.meta.at("sub").at(key), compat, false));
  };
  const auto options =
      nn::HopfieldTransformerOptions(kwargs.value("dim_feedforward", 2048)).compat(compat);
  if (cls == "HopfieldEncoderLayer")
    return nn::HopfieldEncoderLayer(inner("association"), options).ptr();
  if (cls == "HopfieldDecoderLayer") {
    nn::Hopfield self = inner("self");
    nn::Hopfield cross = inner("cross");
    return nn::HopfieldDecoderLayer(self, cross, options).ptr();
  }
  throw std::runtime_error("expected a class of the reference, got \"" + cls + "\"");
}

std::string digest(const at::Tensor& tensor) {
  const at::Tensor integers = tensor.to(at::kLong).contiguous();
  return sha256({static_cast<const std::byte*>(integers.const_data_ptr()), integers.nbytes()});
}

}  // namespace

Verdict run_init_case(const GoldenCase& golden) {
  Verdict verdict;
  torch::manual_seed(golden.meta.at("seed").get<std::uint64_t>());
  const auto module = build(golden);
  const at::Tensor next = at::rand({golden.at("next_rand").numel()});
  std::map<std::string, at::Tensor> ours;
  for (const auto& [name, tensor] : nn::state_dict(*module)) ours[name] = tensor;
  const nn::StateDict expected = golden.parameters();
  if (expected.empty()) verdict.fail("the case has no parameters");
  for (const auto& [name, tensor] : expected) {
    const auto found = ours.find(name);
    if (found == ours.end()) {
      verdict.fail(name + " is missing");
    } else if (!at::equal(found->second, tensor)) {
      verdict.fail(name + " differs");
    }
  }
  if (ours.size() != expected.size()) verdict.fail("the module has other parameters, too");
  if (!at::equal(next, golden.at("next_rand"))) verdict.fail("another number of draws");
  verdict.note = std::to_string(expected.size()) + " tensors bit-exact, next draws equal" +
                 (verdict.note.empty() ? "" : "; " + verdict.note);
  if (!verdict.passed) verdict.note = verdict.note.substr(verdict.note.find("; ") + 2);
  return verdict;
}

Verdict run_dataset_case(const GoldenCase& golden) {
  Verdict verdict;
  const std::string cls = golden.text("cls");
  const json& k = golden.meta.at("kwargs");
  at::Tensor data, targets, signals;
  std::int64_t high = -1;
  if (cls == "BitPatternSet") {
    nn::BitPatternSet set(
        k.at("num_bags").get<std::int64_t>(), k.at("num_instances").get<std::int64_t>(),
        k.at("num_signals").get<std::int64_t>(), k.value("num_signals_per_bag", 1),
        k.value("fraction_targets", 0.5), k.value("num_bits", 8), at::kFloat,
        k.value("seed_signals", 43), k.value("seed_data", 44));
    data = set.bags(), targets = set.targets(), signals = set.signals();
    high = set.num_targets_high();
  } else if (cls == "LatchSequenceSet") {
    nn::LatchSequenceSet set(k.at("num_samples").get<std::int64_t>(), k.value("num_instances", 20),
                             k.value("num_characters", 6), at::kFloat, k.value("seed", 43));
    data = set.samples(), targets = set.targets();
  } else {
    throw std::runtime_error("expected a data set of the reference, got \"" + cls + "\"");
  }
  int compared = 0;
  const auto same = [&](const char* name, const at::Tensor& ours) {
    if (!golden.has(name)) return;
    ++compared;
    if (!ours.defined() || !at::equal(ours.to(at::kByte), golden.at(name)))
      verdict.fail(std::string(name) + " differs");
  };
  same("data", data);
  same("target", targets);
  same("target_check", targets);
  same("signals", signals);
  const auto number = [&](const char* key, std::int64_t ours) {
    if (!golden.meta.contains(key)) return;
    ++compared;
    if (golden.meta.at(key).get<std::int64_t>() != ours)
      verdict.fail(std::string(key) + " differs");
  };
  number("sum_data", data.sum(at::kLong).item<std::int64_t>());
  number("sum_target", targets.sum(at::kLong).item<std::int64_t>());
  number("num_targets_high", high);
  const auto hash = [&](const char* key, const at::Tensor& ours) {
    if (!golden.meta.contains(key)) return;
    ++compared;
    if (golden.text(key) != digest(ours)) verdict.fail(std::string(key) + " differs");
  };
  hash("sha256_data_int64", data);
  hash("sha256_target_int64", targets);
  if (compared == 0) verdict.fail("the case has nothing to compare");
  if (verdict.passed) verdict.note = std::to_string(compared) + " checks, digests equal";
  return verdict;
}

}  // namespace hopfield::testing
