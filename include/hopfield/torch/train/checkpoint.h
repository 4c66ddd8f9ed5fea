#ifndef HOPFIELD_TORCH_TRAIN_CHECKPOINT_H_
#define HOPFIELD_TORCH_TRAIN_CHECKPOINT_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <map>
#include <string>

#include "hopfield/store/safetensors.h"
#include "hopfield/torch/nn/hopfield.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/nn/state_dict.h"

namespace hopfield::train {

/// A copy of one tensor of a safetensors file, on the CPU, in the type it is stored in.
at::Tensor to_tensor(const store::SafetensorsFile& file, const store::TensorEntry& entry);

/// All tensors of a file, in its order.
nn::StateDict read_tensors(const std::string& path);

/// What a module checkpoint holds: one safetensors file, weights as tensors, the rest as metadata.
struct Checkpoint {
  std::string kind;    ///< "Hopfield", "HopfieldPooling", "HopfieldLayer" or the caller's own word
  std::string config;  ///< the module's options as a JSON object
  nn::StateDict tensors;
  std::map<std::string, std::string> metadata;  ///< further entries, the caller's
};

/// Writes the file whole or not at all: a temporary file, made durable, then renamed.
/// Errors: hopfield::Error kIo (the old file is then still there), kUnsupported for a tensor type
/// that safetensors does not have.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);

/// Errors: kIo; kCorruptData for anything that is no checkpoint.
Checkpoint read_checkpoint(const std::string& path);

/// Saves weights and options of a layer in one file.
void save(const nn::Hopfield& module, const std::string& path);
void save(const nn::HopfieldPooling& module, const std::string& path);
void save(const nn::HopfieldLayer& module, const std::string& path);

/// Builds the layer anew from such a file. On the CPU, in the type it was built with.
/// Errors: kCorruptData naming file and tensor, with expected and found shape.
nn::Hopfield load_hopfield(const std::string& path);
nn::HopfieldPooling load_hopfield_pooling(const std::string& path);
nn::HopfieldLayer load_hopfield_layer(const std::string& path);

/// Fills any module from any safetensors file with its tensors, for example the state dict of a
/// reference layer saved by Python's safetensors package; packed and separate layouts convert.
/// Errors: kCorruptData as above; the module is unchanged then.
void load_weights(torch::nn::Module& module, const std::string& path);

}  // namespace hopfield::train

#endif  // HOPFIELD_TORCH_TRAIN_CHECKPOINT_H_
