#ifndef HOPFIELD_BASE_EXECUTOR_H_
#define HOPFIELD_BASE_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <memory>

namespace hopfield {

/// Where work runs. The library never starts threads of its own accord except through the default
/// executor; a caller with a pool injects it here. Results never depend on the executor.
class Executor {
 public:
  virtual ~Executor() = default;

  /// How many tasks may run at the same time, >= 1.
  virtual int concurrency() const = 0;

  /// Calls task(i) once for every i in [0, count), in any order, on any threads, and returns when
  /// all are done. The first exception of a task is rethrown here. Nested calls are legal.
  virtual void run(std::int64_t count, const std::function<void(std::int64_t)>& task) = 0;
};

/// Runs everything on the calling thread, in order.
Executor& serial_executor();

/// oneTBB with as many threads as the machine has. Lives as long as the program.
Executor& default_executor();

/// oneTBB limited to `num_threads` (>= 1) threads. Errors: kInvalidArgument.
std::unique_ptr<Executor> make_executor(int num_threads);

}  // namespace hopfield

#endif  // HOPFIELD_BASE_EXECUTOR_H_
