// Stands in for libFuzzer: runs the target on each file of a folder, then on damaged copies of it,
// always the same ones. usage: fuzz_TARGET FOLDER
#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

#include "fuzz/target.h"

namespace {

using Input = std::vector<std::uint8_t>;
constexpr int kCopies = 300;

void run(const Input& input) {
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

/// One to four of: a flipped bit, a byte of all ones, a cut, bytes repeated.
Input damaged(Input input, std::mt19937& random) {
  for (auto left = 1 + random() % 4; left > 0 && !input.empty(); --left) {
    const std::size_t at = random() % input.size();
    switch (random() % 4) {
      case 0:
        input[at] = static_cast<std::uint8_t>(input[at] ^ (1u << random() % 8));
        break;
      case 1:
        input[at] = 0xFF;
        break;
      case 2:
        input.resize(at);
        break;
      default: {
        const Input part(input.begin() + static_cast<std::ptrdiff_t>(at),
                         input.begin() + static_cast<std::ptrdiff_t>(
                                             std::min(at + random() % 16, input.size())));
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), part.begin(), part.end());
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::filesystem::path> files;
    for (int i = 1; i < argc; ++i) {
      for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    run({});
    for (const std::filesystem::path& path : files) {
      std::ifstream file(path, std::ios::binary);
      const Input input{std::istreambuf_iterator<char>(file), {}};
      std::mt19937 random(1);
      run(input);
      for (int copy = 0; copy < kCopies; ++copy) run(damaged(input, random));
    }
    std::printf("%zu files, %d damaged copies of each\n", files.size(), kCopies);
    return files.empty() ? 1 : 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
