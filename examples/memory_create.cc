// Creates a memory of named patterns, looks at it, and lets `verify` find a damaged byte: the
// commands create, stat and verify. Needs no LibTorch.
//
//   usage: memory_create FILE.safetensors
//
// Prints
//   5 patterns of depth 32, bf16, format version 1, 0 tombstones
//   first: red, last: red again
//   norms 5.65685 to 5.65685, 1 duplicate
//   red again (4) equals red (0)
//   verified
//   after one flipped byte: CorruptData
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/base/os.h"
#include "hopfield/memory/advice.h"
#include "hopfield/store/memory_file.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 5, kDepth = 32;

void create(const std::string& path) {
  std::vector<float> numbers = random_patterns(kPatterns, kDepth, 1);
  std::copy_n(numbers.begin(), kDepth, numbers.end() - kDepth);  // the last repeats the first
  const std::vector<std::string> ids = {"red", "green", "blue", "white", "red again"};
  hopfield::store::CreateMemoryOptions options;
  options.dtype = hopfield::DType::kBF16;  // half the space; -1 and +1 lose nothing
  options.ids = ids;
  options.if_exists = hopfield::IfExists::kReplace;
  hopfield::store::create_memory(path, rows_of(numbers, kDepth, 0, kPatterns), options);
}

void look(const hopfield::store::MemoryFile& memory) {
  std::printf("%lld patterns of depth %lld, %s, format version %lld, %lld tombstones\n",
              static_cast<long long>(memory.num_patterns()), static_cast<long long>(memory.depth()),
              std::string(hopfield::dtype_name(memory.dtype())).c_str(),
              static_cast<long long>(memory.version()),
              static_cast<long long>(memory.tombstones()));
  std::printf("first: %s, last: %s\n", memory.id(0).c_str(),
              memory.id(memory.num_patterns() - 1).c_str());
  const hopfield::PatternStatistics found = hopfield::pattern_statistics(memory.patterns());
  std::printf("norms %g to %g, %lld duplicate\n", found.norm_min, found.norm_max,
              static_cast<long long>(found.num_duplicates));
  for (std::size_t i = 0; i < found.duplicate.size(); ++i) {
    std::printf("%s (%lld) equals %s (%lld)\n", memory.id(found.duplicate[i]).c_str(),
                static_cast<long long>(found.duplicate[i]),
                memory.id(found.duplicate_of[i]).c_str(),
                static_cast<long long>(found.duplicate_of[i]));
  }
}

/// What verify says of a copy whose last byte, which belongs to a tensor, has one bit flipped.
hopfield::ErrorCode verify_damaged(const std::string& path) {
  const hopfield::MappedFile file(path);
  std::vector<std::byte> bytes(file.bytes().begin(), file.bytes().end());
  bytes.back() ^= std::byte{1};
  try {
    hopfield::store::MemoryFile(bytes, "the damaged copy").verify();
  } catch (const hopfield::Error& error) {
    return error.code();
  }
  throw std::runtime_error("expected verify to find the damage");
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string path = argc > 1 ? argv[1] : "colours.safetensors";
    create(path);
    const hopfield::store::MemoryFile memory(path);
    look(memory);
    memory.verify();  // reads every byte and throws if one is not as it was written
    std::printf("verified\n");
    std::printf("after one flipped byte: %s\n",
                std::string(hopfield::error_code_name(verify_damaged(path))).c_str());
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
