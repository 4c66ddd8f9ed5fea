#ifndef HOPFIELD_TORCH_NN_STATE_DICT_H_
#define HOPFIELD_TORCH_NN_STATE_DICT_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

namespace hopfield::nn {

/// Parameters and buffers by name, in registration order: what PyTorch calls a state dict. The
/// tensors are the module's own.
using StateDict = std::vector<std::pair<std::string, at::Tensor>>;
StateDict state_dict(const torch::nn::Module& module);

/// Copies the tensors into the module's.
///
/// Layouts  where a HopfieldCore stores q/k/v weights packed and the given ones are separate, or
/// the other
///          way round, they are converted.
/// Scaling  a module with a stored beta (`scaling`) keeps its own where the given tensors have
/// none, as
///          those of the reference never do; the reverse is an unexpected tensor.
/// Errors   c10::Error naming each missing or unexpected tensor, or the tensor with the expected
/// and the
///          found shape. The module is unchanged then.
void load_state_dict(torch::nn::Module& module, const StateDict& tensors);

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_STATE_DICT_H_
