// Stores patterns in a file, opens it again and recalls them from damaged cues. Needs no LibTorch.
//
//   usage: memory FILE.safetensors
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include "hopfield/base/os.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"

namespace {

constexpr std::int64_t kPatterns = 1000, kDepth = 64, kCues = 100;

/// Rows of random -1 and +1.
std::vector<double> random_patterns() {
  std::mt19937 random(42);
  std::vector<double> numbers(kPatterns * kDepth);
  for (double& x : numbers) x = random() % 2 == 0 ? -1 : 1;
  return numbers;
}

void create(const std::string& path, const std::vector<double>& numbers) {
  hopfield::store::PatternSource source;
  source.num_patterns = kPatterns;
  source.depth = kDepth;
  source.rows = [&numbers](std::int64_t first, std::int64_t count) {
    return std::vector<double>(numbers.begin() + first * kDepth,
                               numbers.begin() + (first + count) * kDepth);
  };
  source.where = [](std::int64_t row, std::int64_t column) {
    return "row " + std::to_string(row) + ", column " + std::to_string(column);
  };
  hopfield::store::CreateMemoryOptions options;
  options.if_exists = hopfield::IfExists::kReplace;
  hopfield::store::create_memory(path, source, options);
}

/// Recalls the first patterns with their second half hidden; returns how many came back exactly.
int recall(const hopfield::store::MemoryFile& memory, double beta) {
  std::vector<float> cues(kCues * kDepth, 0.0f), states(cues.size());
  const auto* stored = static_cast<const float*>(memory.patterns().data);
  for (std::int64_t i = 0; i < kCues; ++i) {
    for (std::int64_t k = 0; k < kDepth / 2; ++k) {
      cues[static_cast<std::size_t>(i * kDepth + k)] = stored[i * kDepth + k];
    }
  }
  hopfield::Associations in;
  in.stored = memory.patterns();
  in.states = hopfield::pattern_view(cues.data(), kCues, kDepth);
  in.beta = {&beta, 1};
  const std::int64_t until_converged = -1;
  hopfield::UpdateOptions update;
  update.update_steps_max = {&until_converged, 1};
  hopfield::AssociateOutputs<float> out;
  out.state = hopfield::mutable_view(states.data(), kCues, kDepth);
  hopfield::retrieve(in, update, out);

  int exact = 0;
  for (std::int64_t i = 0; i < kCues; ++i) {
    bool same = true;
    for (std::int64_t k = 0; k < kDepth; ++k) {
      const float recalled = states[static_cast<std::size_t>(i * kDepth + k)];
      same = same && (recalled < 0 ? -1.0f : 1.0f) == stored[i * kDepth + k];
    }
    exact += same ? 1 : 0;
  }
  return exact;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string path = argc > 1 ? argv[1] : "example.safetensors";
    create(path, random_patterns());
    const hopfield::store::MemoryFile memory(path);
    memory.verify();
    hopfield::AdviceOptions expected;  // the damage that the recall has to stand
    expected.cue = hopfield::CueKind::kCovered;
    const double beta = hopfield::choose_beta(memory.patterns(), expected);
    const int exact = recall(memory, beta);
    std::printf(
        "%lld patterns of depth %lld in %s, beta %.3f: %d of %lld half-hidden patterns recalled\n",
        static_cast<long long>(memory.num_patterns()), static_cast<long long>(memory.depth()),
        path.c_str(), beta, exact, static_cast<long long>(kCues));
    return exact >= 95 ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
