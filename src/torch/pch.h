// Precompiled for torch targets only; every file still includes what it uses.
#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/library.h>
#include <torch/nn.h>
#include <torch/optim.h>
#include <torch/types.h>
