// Recalls from patterns that lie in two places: each place answers for its own, and the answers are
// merged. The commands recall --partial and merge. Needs no LibTorch.
//
//   usage: memory_shards
//
// Prints
//   cue 0: pattern 5 of shard 0, association 0.98, metastable size 1
//   cue 1: pattern 904 of shard 1, association 0.97, metastable size 1
//   merged states equal those of one memory bit for bit: yes
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/shards.h"
#include "random_patterns.h"

namespace {

constexpr std::int64_t kDepth = 64, kCues = 2;
// Shards of whole blocks give the bits of one memory, others the same up to rounding.
constexpr std::int64_t kFirst = hopfield::AssociateOptions().block_size, kSecond = 1000;

hopfield::PatternView rows(const std::vector<float>& patterns, std::int64_t first,
                           std::int64_t count) {
  return hopfield::pattern_view(patterns.data() + first * kDepth, count, kDepth);
}

}  // namespace

int main() {
  try {
    const double beta = 0.5;
    const std::vector<float> patterns = random_patterns(kFirst + kSecond, kDepth, 1);
    std::vector<float> cues(static_cast<std::size_t>(kCues * kDepth));
    for (std::int64_t k = 0; k < kDepth / 2; ++k) {  // the second half stays 0
      cues[static_cast<std::size_t>(k)] = patterns[static_cast<std::size_t>(5 * kDepth + k)];
      cues[static_cast<std::size_t>(kDepth + k)] =
          patterns[static_cast<std::size_t>((kFirst + 904) * kDepth + k)];
    }
    const auto states = hopfield::pattern_view(cues.data(), kCues, kDepth);

    // Each of these may run in another process; only the answers travel.
    const std::vector<hopfield::ShardAnswer> answers = {
        hopfield::ask_shard(rows(patterns, 0, kFirst), {}, states, beta),
        hopfield::ask_shard(rows(patterns, kFirst, kSecond), {}, states, beta)};
    const hopfield::WholeAnswer whole = hopfield::merge_shards(answers, 1);
    for (std::size_t t = 0; t < kCues; ++t) {
      std::printf("cue %zu: pattern %lld of shard %lld, association %.2f, metastable size %lld\n",
                  t, static_cast<long long>(whole.top_index[t]),
                  static_cast<long long>(whole.top_shard[t]), whole.top_weight[t],
                  static_cast<long long>(whole.metastable_size[t]));
    }

    std::vector<float> recalled(cues.size());
    hopfield::Associations in;
    in.stored = rows(patterns, 0, kFirst + kSecond);
    in.states = states;
    in.beta = {&beta, 1};
    hopfield::AssociateOutputs<float> out;
    out.state = hopfield::mutable_view(recalled.data(), kCues, kDepth);
    hopfield::associate(in, out);
    std::printf("merged states equal those of one memory bit for bit: %s\n",
                whole.state == recalled ? "yes" : "no");
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
