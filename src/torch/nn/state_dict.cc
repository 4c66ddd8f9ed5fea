#include "hopfield/torch/nn/state_dict.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <map>
#include <sstream>

#include "hopfield/torch/nn/core.h"

namespace hopfield::nn {

namespace {

using ByName = std::map<std::string, at::Tensor>;

/// q, k, v weights of a core that stores them separately, from rows of a packed one.
void unpack(ByName& given, const std::string& prefix, const HopfieldCoreImpl& core) {
  const std::string packed_name = prefix + "in_proj_weight";
  const at::Tensor packed = given.at(packed_name);
  TORCH_CHECK(!core.options.value_as_connected(), "[load_state_dict] expected ", prefix,
              "k_proj_weight and v_proj_weight of a connected projection, found the packed ",
              packed_name, " of an ordinary one");
  std::int64_t rows = 0;
  for (const at::Tensor* weight : {&core.q_proj_weight, &core.k_proj_weight, &core.v_proj_weight}) {
    if (weight->defined()) rows += weight->size(0);
  }
  TORCH_CHECK(packed.dim() == 2 && packed.size(0) == rows, "[load_state_dict] expected ",
              packed_name, " with ", rows,
              " rows to cut into q_, k_ and v_proj_weight, found shape ", packed.sizes());
  std::int64_t at_row = 0;
  for (const auto& [name, weight] : {std::pair{"q_proj_weight", &core.q_proj_weight},
                                     {"k_proj_weight", &core.k_proj_weight},
                                     {"v_proj_weight", &core.v_proj_weight}}) {
    if (!weight->defined()) continue;
    given[prefix + name] = packed.narrow(0, at_row, weight->size(0));
    at_row += weight->size(0);
  }
  given.erase(packed_name);
}

/// The reverse.
void pack(ByName& given, const std::string& prefix) {
  std::vector<at::Tensor> parts;
  for (const char* name : {"q_proj_weight", "k_proj_weight", "v_proj_weight"}) {
    const auto found = given.find(prefix + name);
    if (found == given.end()) continue;
    TORCH_CHECK(
        found->second.dim() == 2 && (parts.empty() || parts[0].size(1) == found->second.size(1)),
        "[load_state_dict] expected ", prefix, name,
        " of the depth of the others, to be packed into ", prefix, "in_proj_weight, found shape ",
        found->second.sizes());
    parts.push_back(found->second);
    given.erase(found);
  }
  given[prefix + "in_proj_weight"] = at::cat(parts, 0);
}

bool has_any_separate(const ByName& given, const std::string& prefix) {
  return given.count(prefix + "q_proj_weight") + given.count(prefix + "k_proj_weight") +
             given.count(prefix + "v_proj_weight") >
         0;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

StateDict state_dict(const torch::nn::Module& module) {
  StateDict result;
  for (const auto& item : module.named_parameters(/*recurse=*/false))
    result.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers(/*recurse=*/false))
    result.emplace_back(item.key(), item.value());
  for (const auto& child : module.named_children()) {
    if (!child.value()) continue;
    for (auto& [name, tensor] : state_dict(*child.value()))
      result.emplace_back(child.key() + "." + name, tensor);
  }
  return result;
}

void load_state_dict(torch::nn::Module& module, const StateDict& tensors) {
  const at::NoGradGuard no_grad;
  ByName given;
  for (const auto& [name, tensor] : tensors) {
    TORCH_CHECK(given.emplace(name, tensor).second,
                "[load_state_dict] expected each tensor once, found ", name, " twice");
  }
  for (const auto& item : module.named_modules("", /*include_self=*/true)) {
    const auto* core = dynamic_cast<const HopfieldCoreImpl*>(item.value().get());
    if (core == nullptr) continue;
    const std::string prefix = item.key().empty() ? "" : item.key() + ".";
    if (core->in_proj_weight.defined() && has_any_separate(given, prefix)) pack(given, prefix);
    if (!core->packed() && given.count(prefix + "in_proj_weight") > 0) unpack(given, prefix, *core);
  }

  const StateDict own = state_dict(module);
  std::ostringstream missing, unexpected;
  std::map<std::string, bool> known;
  for (const auto& [name, tensor] : own) {
    known[name] = true;
    const auto found = given.find(name);
    if (found == given.end()) {
      if (name != "scaling" && !ends_with(name, ".scaling")) missing << ' ' << name;
      continue;
    }
    TORCH_CHECK(found->second.sizes() == tensor.sizes(), "[load_state_dict] expected ", name,
                " of shape ", tensor.sizes(), ", found ", found->second.sizes());
  }
  for (const auto& [name, tensor] : given) {
    if (known.count(name) == 0) unexpected << ' ' << name;
  }
  TORCH_CHECK(missing.str().empty() && unexpected.str().empty(),
              "[load_state_dict] expected exactly the module's tensors",
              missing.str().empty() ? "" : ", missing:", missing.str(),
              unexpected.str().empty() ? "" : ", unexpected:", unexpected.str());
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    if (found != given.end()) at::Tensor(tensor).copy_(found->second);
  }
}

}  // namespace hopfield::nn
