// Joins two memories and writes the result as an array for NumPy: the commands merge and export.
// Needs no LibTorch.
//
//   usage: memory_merge FOLDER
//
// Prints
//   merged 3 and 2 patterns into 5: a b c a-2 d
//   exported f32 [5, 16]
//   read back: the same numbers
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "hopfield/store/memory_file.h"
#include "hopfield/store/memory_writer.h"
#include "hopfield/store/npy.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kDepth = 16;

std::int64_t create(const std::string& path, const std::vector<std::string>& ids,
                    std::uint32_t seed) {
  const auto count = static_cast<std::int64_t>(ids.size());
  const std::vector<float> numbers = random_patterns(count, kDepth, seed);
  hopfield::store::CreateMemoryOptions options;
  options.ids = ids;
  options.if_exists = hopfield::IfExists::kReplace;
  hopfield::store::create_memory(path, rows_of(numbers, kDepth, 0, count), options);
  return count;
}

/// The patterns lie in memory row after row, as an NPY file has them.
std::span<const float> numbers_of(const hopfield::store::MemoryFile& memory) {
  return {static_cast<const float*>(memory.patterns().data),
          static_cast<std::size_t>(memory.num_patterns() * memory.depth())};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string folder = argc > 1 ? argv[1] : ".";
    const std::vector<std::string> parts = {folder + "/first.safetensors",
                                            folder + "/second.safetensors"};
    const std::int64_t first = create(parts[0], {"a", "b", "c"}, 1);
    const std::int64_t second = create(parts[1], {"a", "d"}, 2);

    hopfield::store::MergeOptions options;
    options.rename = true;  // both have an "a": without this they are refused
    options.if_exists = hopfield::IfExists::kReplace;
    hopfield::store::merge_memories(folder + "/both.safetensors", parts, options);
    const hopfield::store::MemoryFile both(folder + "/both.safetensors");
    std::printf("merged %lld and %lld patterns into %lld:", static_cast<long long>(first),
                static_cast<long long>(second), static_cast<long long>(both.num_patterns()));
    for (const std::string& id : both.ids()) std::printf(" %s", id.c_str());
    std::printf("\n");

    const std::int64_t shape[] = {both.num_patterns(), both.depth()};
    hopfield::store::write_npy<float>(folder + "/both.npy", numbers_of(both), shape);
    std::printf("exported f32 [%lld, %lld]\n", static_cast<long long>(shape[0]),
                static_cast<long long>(shape[1]));
    const std::vector<float> read = hopfield::store::NpyFile(folder + "/both.npy").read<float>();
    const bool same = std::ranges::equal(read, numbers_of(both));
    std::printf("read back: %s\n", same ? "the same numbers" : "OTHER numbers");
    return same ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
