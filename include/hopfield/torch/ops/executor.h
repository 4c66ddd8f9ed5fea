#ifndef HOPFIELD_TORCH_OPS_EXECUTOR_H_
#define HOPFIELD_TORCH_OPS_EXECUTOR_H_

#include "hopfield/base/executor.h"

namespace hopfield::ops {

/// The executor over at::parallel_for that the torch layer hands to the core, so that one process
/// has one pool of threads (torch::set_num_threads governs it). Lives as long as the program.
Executor& aten_executor();

}  // namespace hopfield::ops

#endif  // HOPFIELD_TORCH_OPS_EXECUTOR_H_
