#ifndef HOPFIELD_TESTS_SUPPORT_THREAD_EXECUTOR_H_
#define HOPFIELD_TESTS_SUPPORT_THREAD_EXECUTOR_H_

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "hopfield/base/executor.h"

namespace hopfield::test {

/// `num_threads` real threads, however few cores there are, that take the tasks in a shuffled
/// order: an executor as unhelpful as the contract allows.
class ShuffledThreads final : public Executor {
 public:
  explicit ShuffledThreads(int num_threads) : num_threads_(num_threads) {}
  int concurrency() const override { return num_threads_; }
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    std::vector<std::int64_t> order(static_cast<std::size_t>(std::max<std::int64_t>(0, count)));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    std::mt19937 random(7);
    std::shuffle(order.begin(), order.end(), random);
    std::atomic<std::size_t> next{0};
    std::exception_ptr error;
    std::mutex mutex;
    const auto work = [&] {
      for (std::size_t i = next++; i < order.size(); i = next++) {
        try {
          task(order[i]);
        } catch (...) {
          const std::lock_guard<std::mutex> lock(mutex);
          if (!error) error = std::current_exception();
        }
      }
    };
    std::vector<std::thread> threads;
    for (int i = 1; i < num_threads_ && static_cast<std::size_t>(i) < order.size(); ++i) {
      threads.emplace_back(work);
    }
    work();
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
  }

 private:
  int num_threads_;
};

}  // namespace hopfield::test

#endif  // HOPFIELD_TESTS_SUPPORT_THREAD_EXECUTOR_H_
