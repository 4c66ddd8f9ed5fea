#include "hopfield/base/executor.h"

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hopfield/base/error.h"
#include "support/thread_executor.h"

namespace hopfield {
namespace {

/// Every executor we have, and the tests' own.
std::vector<Executor*> executors() {
  static const std::unique_ptr<Executor> kOne = make_executor(1), kTwo = make_executor(2),
                                         kSeven = make_executor(7);
  static test::ShuffledThreads shuffled(7);
  return {&serial_executor(), &default_executor(), kOne.get(), kTwo.get(), kSeven.get(), &shuffled};
}

TEST(Executor, RunsEveryTaskOnce) {
  for (Executor* executor : executors()) {
    for (const std::int64_t count : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      executor->run(count, [&](std::int64_t i) { ++calls[static_cast<std::size_t>(i)]; });
      for (const auto& c : calls) EXPECT_EQ(c.load(), 1);
    }
  }
}

TEST(Executor, RethrowsATasksException) {
  for (Executor* executor : executors()) {
    try {
      executor->run(50, [](std::int64_t i) {
        if (i == 33) throw std::out_of_range("task 33");
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::out_of_range& error) {
      EXPECT_STREQ(error.what(), "task 33");
    }
    // It still works afterwards.
    std::atomic<int> sum{0};
    executor->run(10, [&](std::int64_t) { ++sum; });
    EXPECT_EQ(sum.load(), 10);
  }
}

TEST(Executor, MayBeNested) {
  for (Executor* executor : executors()) {
    std::atomic<int> sum{0};
    executor->run(5, [&](std::int64_t) { executor->run(7, [&](std::int64_t) { ++sum; }); });
    EXPECT_EQ(sum.load(), 35);
  }
}

TEST(Executor, SaysHowManyTasksRunAtOnce) {
  EXPECT_EQ(serial_executor().concurrency(), 1);
  EXPECT_GE(default_executor().concurrency(), 1);
  EXPECT_EQ(make_executor(3)->concurrency(), 3);
}

TEST(Executor, SerialKeepsTheOrder) {
  std::vector<std::int64_t> order;
  serial_executor().run(4, [&](std::int64_t i) { order.push_back(i); });
  EXPECT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST(Executor, NeedsAThread) {
  try {
    make_executor(0);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_STREQ(error.what(), "[make_executor] expected num_threads >= 1, got 0");
  }
}

}  // namespace
}  // namespace hopfield
