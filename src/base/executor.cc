#include "hopfield/base/executor.h"

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <atomic>
#include <memory>
#include <mutex>

#include "hopfield/base/error.h"

namespace hopfield {
namespace {

class SerialExecutor final : public Executor {
 public:
  int concurrency() const override { return 1; }
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    for (std::int64_t i = 0; i < count; ++i) task(i);
  }
};

/// Lets oneTBB start as many threads as were asked for: its own limit is the number of cores, and
/// it prints a warning beyond. A lower limit that the program set itself stays in force.
void allow_threads(int num_threads) {
  static std::mutex mutex;
  static std::unique_ptr<oneapi::tbb::global_control> allowed;
  static int limit = oneapi::tbb::info::default_concurrency();
  const std::lock_guard lock(mutex);
  if (num_threads <= limit) return;
  auto wider = std::make_unique<oneapi::tbb::global_control>(
      oneapi::tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(num_threads));
  allowed = std::move(wider);
  limit = num_threads;
}

class TbbExecutor final : public Executor {
 public:
  explicit TbbExecutor(int num_threads) : arena_(num_threads) {}
  int concurrency() const override { return arena_.max_concurrency(); }
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    if (count <= 0) return;
    if (count == 1) return task(0);
    // oneTBB orders the caller before its tasks and the tasks before the return, but in a library
    // that thread sanitizers do not see into; these two say the same where they can.
    std::atomic<bool> begun{false};
    std::atomic<std::int64_t> ended{0};
    begun.store(true, std::memory_order_release);
    arena_.execute([&] {
      oneapi::tbb::parallel_for(
          std::int64_t{0}, count,
          [&](std::int64_t i) {
            (void)begun.load(std::memory_order_acquire);
            task(i);
            ended.fetch_add(1, std::memory_order_release);
          },
          oneapi::tbb::simple_partitioner{});
    });
    (void)ended.load(std::memory_order_acquire);
  }

 private:
  oneapi::tbb::task_arena arena_;
};

}  // namespace

Executor& serial_executor() {
  static SerialExecutor executor;
  return executor;
}

Executor& default_executor() {
  static TbbExecutor executor(oneapi::tbb::task_arena::automatic);
  return executor;
}

std::unique_ptr<Executor> make_executor(int num_threads) {
  require(num_threads >= 1, "make_executor",
          "expected num_threads >= 1, got " + std::to_string(num_threads));
  allow_threads(num_threads);
  return std::make_unique<TbbExecutor>(num_threads);
}

}  // namespace hopfield
