// Stores patterns in a file, adds some, forgets one, and recalls the others from damaged cues.
// Needs no LibTorch.
//
//   usage: memory FILE.safetensors
//
// Prints
//   added patterns 990 to 999
//   999 patterns of depth 64, beta 0.242: 100 of 100 half-hidden patterns recalled
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "hopfield/base/os.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_file.h"
#include "hopfield/store/memory_writer.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kPatterns = 1000, kDepth = 64, kCues = 100;

/// All but the last ten patterns at once, those ten later; then pattern 7 is forgotten.
void store_patterns(const std::string& path, const std::vector<float>& numbers) {
  hopfield::store::CreateMemoryOptions options;
  options.if_exists = hopfield::IfExists::kReplace;
  hopfield::store::create_memory(path, rows_of(numbers, kDepth, 0, kPatterns - 10), options);
  hopfield::store::MemoryWriter writer(path);  // each of its changes is durable when it returns
  const std::vector<std::string> ids =
      writer.add(rows_of(numbers, kDepth, kPatterns - 10, kPatterns));
  std::printf("added patterns %s to %s\n", ids.front().c_str(), ids.back().c_str());
  const std::vector<std::string> forgotten = {"7"};
  writer.forget(forgotten);
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
    store_patterns(path, random_patterns(kPatterns, kDepth, 42));
    hopfield::store::compact_memory(path);  // not needed, but then it is mapped instead of read
    const hopfield::store::MemoryFile memory(path);
    memory.verify();
    if (memory.num_patterns() != kPatterns - 1 || memory.find("7")) return EXIT_FAILURE;
    hopfield::AdviceOptions expected;  // the damage that the recall has to stand
    expected.cue = hopfield::CueKind::kCovered;
    const double beta = hopfield::choose_beta(memory.patterns(), expected);
    const int exact = recall(memory, beta);
    std::printf(
        "%lld patterns of depth %lld, beta %.3f: %d of %lld half-hidden patterns recalled\n",
        static_cast<long long>(memory.num_patterns()), static_cast<long long>(memory.depth()), beta,
        exact, static_cast<long long>(kCues));
    return exact >= 95 ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
