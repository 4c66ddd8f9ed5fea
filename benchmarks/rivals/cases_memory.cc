// Memories in files, mapped: one state against all patterns, beside one read of the same pages.

#include <ATen/ATen.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "benchmarks/rivals/cases.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/torch/ops/executor.h"

namespace hopfield::bench {
namespace {

constexpr std::int64_t kDepth = 64;

/// Where run.py wants files: it removes the folder in the end.
std::filesystem::path folder() {
  const char* given = std::getenv("HOPFIELD_BENCH_FOLDER");
  return given != nullptr ? given : std::filesystem::temp_directory_path();
}

/// Uniform numbers: how they are distributed does not matter here, how fast they come does.
void make_memory(const std::string& path, std::int64_t num_patterns) {
  const auto random = std::make_shared<std::minstd_rand>(1);
  store::PatternSource source;
  source.num_patterns = num_patterns;
  source.depth = kDepth;
  source.rows = [random](std::int64_t, std::int64_t count) {
    std::vector<double> rows(static_cast<std::size_t>(count * kDepth));
    for (double& x : rows) x = static_cast<double>((*random)()) * 0x1p-30 - 1;
    return rows;
  };
  source.where = [](std::int64_t row, std::int64_t) { return "row " + std::to_string(row); };
  store::CreateMemoryOptions options;
  options.if_exists = IfExists::kReplace;
  store::create_memory(path, source, options);
}

std::vector<Contender> open_memory(std::int64_t num_patterns) {
  const std::string path = (folder() / std::to_string(num_patterns)).concat(".safetensors");
  if (!std::filesystem::exists(path)) make_memory(path, num_patterns);
  const auto memory = std::make_shared<store::MemoryFile>(path);
  const PatternView patterns = memory->patterns();
  const at::Tensor state = at::randn({1, kDepth}), out = at::empty({1, kDepth});
  const auto beta = std::make_shared<std::vector<double>>(1, 0.125);
  const at::Tensor words = at::from_blob(const_cast<void*>(patterns.data), {num_patterns * kDepth});
  const auto bytes = static_cast<double>(words.nbytes());
  const auto recall = [=] {
    (void)memory;  // keeps the pages mapped
    Associations in;
    in.stored = patterns;
    in.states = pattern_view(state.const_data_ptr<float>(), 1, kDepth);
    in.beta = *beta;
    AssociateOutputs<float> result;
    result.state = mutable_view(out.mutable_data_ptr<float>(), 1, kDepth);
    AssociateOptions options;
    options.executor = &ops::aten_executor();
    associate(in, result, options);
    return at::Tensor();
  };
  const auto read = [=] {
    words.sum();
    return at::Tensor();
  };
  return {{"hopfield", recall, 0, bytes}, {"read", read, 0, bytes}};
}

}  // namespace

void add_memory_cases(std::vector<Case>& cases) {
  cases.push_back({"memory-file/1GiB", [] { return open_memory(std::int64_t{1} << 22); }});
  cases.push_back({"memory-file/S10000000", [] { return open_memory(10'000'000); }});
}

}  // namespace hopfield::bench
