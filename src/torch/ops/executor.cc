#include "hopfield/torch/ops/executor.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace hopfield::ops {
namespace {

class AtenExecutor final : public Executor {
 public:
  int concurrency() const override { return at::in_parallel_region() ? 1 : at::get_num_threads(); }

  /// Threads take runs of neighbouring tasks, the shorter the fewer are left: equal shares would
  /// wait for the thread whose core is slowest or busy elsewhere.
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    const std::int64_t threads = std::min<std::int64_t>(concurrency(), count);
    std::atomic<std::int64_t> next{0};
    at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
      for (std::int64_t begin = next.load(); begin < count;) {
        const std::int64_t taken = std::max<std::int64_t>(1, (count - begin) / (2 * threads));
        if (!next.compare_exchange_weak(begin, begin + taken)) continue;
        for (std::int64_t i = begin; i < begin + taken; ++i) task(i);
        begin = next.load();
      }
    });
  }
};

}  // namespace

Executor& aten_executor() {
  static AtenExecutor executor;
  return executor;
}

}  // namespace hopfield::ops
