#include "hopfield/torch/ops/executor.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace hopfield::ops {
namespace {

/// Threads of torch while a test runs.
class NumThreads {
 public:
  explicit NumThreads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~NumThreads() { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST(AtenExecutor, RunsTasksAtTheSameTimeOnTorchsThreads) {
  const NumThreads threads(2);
  EXPECT_EQ(aten_executor().concurrency(), 2);
  // Each task waits for the other: one thread alone would wait until the time is over.
  std::atomic<int> arrived = 0;
  std::atomic<bool> met = true;
  aten_executor().run(2, [&](std::int64_t) {
    ++arrived;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (arrived < 2 && met) {
      if (std::chrono::steady_clock::now() > end) met = false;
      std::this_thread::yield();
    }
  });
  EXPECT_TRUE(met);
}

TEST(AtenExecutor, RunsEveryTaskOnce) {
  const NumThreads threads(2);
  std::atomic<int> counts[100] = {};
  aten_executor().run(100, [&](std::int64_t i) { ++counts[i]; });
  for (const auto& count : counts) EXPECT_EQ(count, 1);
}

TEST(AtenExecutor, RunsOnTheCallingThreadInsideOfATask) {
  const NumThreads threads(2);
  aten_executor().run(2, [&](std::int64_t) {
    EXPECT_EQ(aten_executor().concurrency(), 1);
    const auto self = std::this_thread::get_id();
    aten_executor().run(4, [&](std::int64_t) { EXPECT_EQ(std::this_thread::get_id(), self); });
  });
}

}  // namespace
}  // namespace hopfield::ops
