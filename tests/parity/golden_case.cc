#include "golden_case.h"

#include <ATen/Functions.h>

#include <stdexcept>

#include "hopfield/store/safetensors.h"
#include "hopfield/torch/train/checkpoint.h"

namespace hopfield::testing {

namespace {

using nlohmann::json;

template <class T>
std::vector<T> list_of(const GoldenCase& golden, const json& value, at::ScalarType type) {
  if (value.is_object()) {
    const at::Tensor flat =
        golden.at(value.at("tensor").get<std::string>()).to(type).reshape({-1}).contiguous();
    const T* data = flat.const_data_ptr<T>();
    return std::vector<T>(data, data + flat.numel());
  }
  return {value.get<T>()};
}

}  // namespace

GoldenCase GoldenCase::read(const std::string& path) {
  const store::SafetensorsFile file(path);
  const auto found = file.metadata().find("case");
  if (found == file.metadata().end())
    throw std::runtime_error(path + ": expected metadata \"case\", found none");
  GoldenCase golden;
  golden.meta = json::parse(found->second);
  golden.id = golden.meta.at("id").get<std::string>();
  for (const store::TensorEntry& entry : file.tensors()) {
    golden.tensors.emplace(entry.name, train::to_tensor(file, entry));
  }
  return golden;
}

const at::Tensor& GoldenCase::at(const std::string& name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end())
    throw std::runtime_error("expected a tensor " + name + ", found none");
  return found->second;
}

std::string GoldenCase::text(const char* key) const {
  const auto found = meta.find(key);
  return found == meta.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

nn::StateDict GoldenCase::parameters() const {
  const std::string prefix = "param.";
  nn::StateDict result;
  for (const auto& [name, tensor] : tensors) {
    if (name.rfind(prefix, 0) == 0) result.emplace_back(name.substr(prefix.size()), tensor);
  }
  return result;
}

nn::Scaling scaling_from(const GoldenCase& golden, const json& kwargs) {
  if (!kwargs.contains("scaling") || kwargs.at("scaling").is_null()) return {};
  const json& value = kwargs.at("scaling");
  if (value.is_object()) return nn::Scaling(golden.at(value.at("tensor").get<std::string>()));
  return nn::Scaling(value.get<double>());
}

nn::UpdateStepsMax steps_max_from(const GoldenCase& golden, const json& kwargs) {
  if (!kwargs.contains("update_steps_max")) return {};
  if (kwargs.at("update_steps_max").is_null()) return std::nullopt;
  return list_of<std::int64_t>(golden, kwargs.at("update_steps_max"), at::kLong);
}

nn::UpdateStepsEps steps_eps_from(const GoldenCase& golden, const json& kwargs) {
  if (!kwargs.contains("update_steps_eps")) return {};
  return list_of<double>(golden, kwargs.at("update_steps_eps"), at::kDouble);
}

template <class Options>
Options options_from(const GoldenCase& golden, const json& kwargs, nn::Compat compat,
                     bool scaling_grad) {
  json ours = kwargs.is_null() ? json::object() : kwargs;
  for (const char* key : {"scaling", "update_steps_max", "update_steps_eps"}) ours.erase(key);
  if (ours.contains("association_activation") && ours.at("association_activation").is_null()) {
    ours["association_activation"] = "";
  }
  Options options = Options::from_json(ours.dump());
  nn::Scaling scaling = scaling_from(golden, kwargs);
  if (scaling.is_tensor() && scaling_grad)
    scaling = nn::Scaling(scaling.tensor().clone().requires_grad_());
  options.scaling(scaling);
  options.update_steps_max(steps_max_from(golden, kwargs));
  options.update_steps_eps(steps_eps_from(golden, kwargs));
  options.compat(compat);
  return options;
}

template nn::HopfieldOptions options_from(const GoldenCase&, const json&, nn::Compat, bool);
template nn::HopfieldPoolingOptions options_from(const GoldenCase&, const json&, nn::Compat, bool);
template nn::HopfieldLayerOptions options_from(const GoldenCase&, const json&, nn::Compat, bool);

void Verdict::fail(const std::string& why) {
  passed = false;
  note += (note.empty() ? "" : "; ") + why;
}

}  // namespace hopfield::testing
