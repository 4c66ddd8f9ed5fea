#include "hopfield/torch/train/checkpoint.h"

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "hopfield/base/error.h"

namespace hopfield::train {

namespace {

constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "hopfield-module-1";
constexpr const char* kKindKey = "kind";
constexpr const char* kConfigKey = "config";

constexpr std::pair<store::TensorType, at::ScalarType> kTypes[] = {
    {store::TensorType::kBool, at::kBool}, {store::TensorType::kU8, at::kByte},
    {store::TensorType::kI8, at::kChar},   {store::TensorType::kI16, at::kShort},
    {store::TensorType::kF16, at::kHalf},  {store::TensorType::kBF16, at::kBFloat16},
    {store::TensorType::kI32, at::kInt},   {store::TensorType::kF32, at::kFloat},
    {store::TensorType::kI64, at::kLong},  {store::TensorType::kF64, at::kDouble},
};

template <class Module>
Module load(const std::string& path, const std::string& kind) {
  const Checkpoint checkpoint = read_checkpoint(path);
  if (checkpoint.kind != kind) {
    fail(ErrorCode::kCorruptData, "load",
         path + ": expected a saved " + kind + ", got a " +
             (checkpoint.kind.empty() ? "file without a kind" : checkpoint.kind));
  }
  try {
    using Options = decltype(std::declval<Module>()->options);
    Module module{Options::from_json(checkpoint.config)};
    nn::load_state_dict(*module, checkpoint.tensors);
    return module;
  } catch (const c10::Error& error) {
    fail(ErrorCode::kCorruptData, "load", path + ": " + error.what_without_backtrace());
  }
}

}  // namespace

at::Tensor to_tensor(const store::SafetensorsFile& file, const store::TensorEntry& entry) {
  for (const auto& [stored, type] : kTypes) {
    if (stored != entry.type) continue;
    at::Tensor tensor = at::empty(entry.shape, type);
    const std::span<const std::byte> bytes = file.bytes(entry);
    if (!bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), bytes.data(), bytes.size());
    return tensor;
  }
  fail(ErrorCode::kUnsupported, "to_tensor",
       file.path() + ": expected a type that torch has, got " +
           std::string(store::tensor_type_name(entry.type)) + " of tensor " + entry.name);
}

nn::StateDict read_tensors(const std::string& path) {
  const store::SafetensorsFile file(path);
  nn::StateDict tensors;
  for (const store::TensorEntry& entry : file.tensors())
    tensors.emplace_back(entry.name, to_tensor(file, entry));
  return tensors;
}

void write_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  std::vector<at::Tensor> alive;
  std::vector<store::TensorData> data;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    alive.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& one = alive.back();
    const std::pair<store::TensorType, at::ScalarType>* found = nullptr;
    for (const auto& pair : kTypes) {
      if (pair.second == one.scalar_type()) found = &pair;
    }
    if (found == nullptr) {
      fail(ErrorCode::kUnsupported, "write_checkpoint",
           "expected a type that safetensors has, got " +
               std::string(c10::toString(one.scalar_type())) + " of tensor " + name);
    }
    data.push_back({name,
                    found->first,
                    one.sizes().vec(),
                    {static_cast<const std::byte*>(one.const_data_ptr()), one.nbytes()}});
  }
  std::map<std::string, std::string> metadata = checkpoint.metadata;
  metadata[kFormatKey] = kFormat;
  metadata[kKindKey] = checkpoint.kind;
  metadata[kConfigKey] = checkpoint.config;
  store::write_safetensors(path, data, metadata);
}

Checkpoint read_checkpoint(const std::string& path) {
  const store::SafetensorsFile file(path);
  Checkpoint checkpoint;
  checkpoint.metadata = file.metadata();
  const auto take = [&](const char* key) {
    const auto found = checkpoint.metadata.find(key);
    if (found == checkpoint.metadata.end()) {
      fail(ErrorCode::kCorruptData, "read_checkpoint",
           path + ": expected a module checkpoint, found no metadata \"" + key + "\"");
    }
    std::string value = found->second;
    checkpoint.metadata.erase(found);
    return value;
  };
  const std::string format = take(kFormatKey);
  if (format != kFormat) {
    fail(ErrorCode::kCorruptData, "read_checkpoint",
         path + ": expected format " + kFormat + ", got \"" + format + "\"");
  }
  checkpoint.kind = take(kKindKey);
  checkpoint.config = take(kConfigKey);
  for (const store::TensorEntry& entry : file.tensors()) {
    checkpoint.tensors.emplace_back(entry.name, to_tensor(file, entry));
  }
  return checkpoint;
}

void save(const nn::Hopfield& module, const std::string& path) {
  write_checkpoint(path, {"Hopfield", module->options.to_json(), nn::state_dict(*module), {}});
}

void save(const nn::HopfieldPooling& module, const std::string& path) {
  write_checkpoint(path,
                   {"HopfieldPooling", module->options.to_json(), nn::state_dict(*module), {}});
}

void save(const nn::HopfieldLayer& module, const std::string& path) {
  write_checkpoint(path, {"HopfieldLayer", module->options.to_json(), nn::state_dict(*module), {}});
}

nn::Hopfield load_hopfield(const std::string& path) {
  return load<nn::Hopfield>(path, "Hopfield");
}

nn::HopfieldPooling load_hopfield_pooling(const std::string& path) {
  return load<nn::HopfieldPooling>(path, "HopfieldPooling");
}

nn::HopfieldLayer load_hopfield_layer(const std::string& path) {
  return load<nn::HopfieldLayer>(path, "HopfieldLayer");
}

void load_weights(torch::nn::Module& module, const std::string& path) {
  const nn::StateDict tensors = read_tensors(path);
  try {
    nn::load_state_dict(module, tensors);
  } catch (const c10::Error& error) {
    fail(ErrorCode::kCorruptData, "load_weights", path + ": " + error.what_without_backtrace());
  }
}

}  // namespace hopfield::train
