#include "hopfield/torch/ops/executor.h"

#include <ATen/Parallel.h>

namespace hopfield::ops {
namespace {

class AtenExecutor final : public Executor {
 public:
  int concurrency() const override { return at::in_parallel_region() ? 1 : at::get_num_threads(); }
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) task(i);
    });
  }
};

}  // namespace

Executor& aten_executor() {
  static AtenExecutor executor;
  return executor;
}

}  // namespace hopfield::ops
