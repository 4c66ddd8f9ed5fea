#ifndef HOPFIELD_APPS_MIL_OPTIMIZER_H_
#define HOPFIELD_APPS_MIL_OPTIMIZER_H_

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>
#include <torch/optim/adamw.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hopfield::mil {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// AdamW over all parameters of a network. They move into two buffers, weights (two dimensions or
/// more, which decay) and others (which do not), and so do their gradients: a step is a few
/// operations on each buffer, whatever the number of parameters. Numbers are independent of each
/// other, so the bits are those of AdamW tensor by tensor.
///
/// Shares the parameters' memory with the network, which must not get other parameters meanwhile.
class FlatAdamW {
 public:
  FlatAdamW(torch::nn::Module& net, double learning_rate, double weight_decay);

  void set_learning_rate(double rate);
  void zero_grad();
  void step() { optimizer_->step(); }

  /// Adds adam_steps.NAME, adam_mean.NAME and adam_square.NAME of every parameter; nothing before
  /// the first step.
  void save(NamedTensors& tensors) const;

  /// Goes on from there; `find` gives the tensor with a name and shape.
  void restore(const std::function<at::Tensor(const std::string&, at::IntArrayRef)>& find);

 private:
  /// Where a parameter lies.
  struct Part {
    std::string name;
    std::vector<std::int64_t> sizes;
    std::int64_t begin = 0;

    at::Tensor of(const at::Tensor& buffer) const;
  };
  struct Buffer {
    std::vector<Part> parts;
    at::Tensor values;  // its grad() holds the gradients
  };

  std::vector<Buffer> buffers_;
  std::unique_ptr<torch::optim::AdamW> optimizer_;
};

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_OPTIMIZER_H_
