#include "hopfield/memory/shards.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "hopfield/base/error.h"
#include "memory/pattern_rows.h"

namespace hopfield {
namespace {

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

std::int64_t num_states(const ShardAnswer& shard) {
  return shard.blocks.front().rows;
}

void check_shards(std::span<const ShardAnswer> shards) {
  static constexpr std::string_view kOp = "merge_shards";
  require(!shards.empty(), kOp, "expected at least one shard, got none");
  const ShardAnswer& first = shards.front();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const ShardAnswer& shard = shards[i];
    const auto same = [i](bool holds, const char* what) {
      require(holds, kOp,
              std::string("expected shards asked with the same ") + what +
                  ", got another one in shard " + std::to_string(i) + " than in shard 0");
    };
    require(!shard.blocks.empty(), kOp,
            "expected shards with patterns, got none in shard " + std::to_string(i));
    same(shard.depth == first.depth, "depth");
    same(shard.beta == first.beta, "beta");
    same(shard.similarity == first.similarity, "similarity");
    same(shard.states == first.states, "states");
    same(shard.blocks.front().depth == first.blocks.front().depth, "depth of the readout");
  }
}

/// An association of the whole.
struct Hit {
  double similarity = 0;
  std::int64_t shard = 0, index = 0;
};

/// The `count` largest of state t, the best first; of equals the first pattern.
std::vector<Hit> largest(std::span<const ShardAnswer> shards, std::int64_t t, std::int64_t count) {
  std::vector<Hit> hits;
  for (std::size_t s = 0; s < shards.size(); ++s) {
    const std::int64_t k = shards[s].num_top;
    for (std::int64_t i = t * k; i < (t + 1) * k; ++i) {
      hits.push_back({shards[s].top_similarity[index(i)], static_cast<std::int64_t>(s),
                      shards[s].top_index[index(i)]});
    }
  }
  std::stable_sort(hits.begin(), hits.end(),
                   [](const Hit& a, const Hit& b) { return a.similarity > b.similarity; });
  hits.resize(index(count));
  return hits;
}

Partials<float> merge_blocks(std::span<const ShardAnswer> shards) {
  Partials<float> whole = shards.front().blocks.front();
  for (std::size_t s = 0; s < shards.size(); ++s) {
    for (std::size_t b = s == 0 ? 1 : 0; b < shards[s].blocks.size(); ++b) {
      merge(whole, shards[s].blocks[b]);
    }
  }
  return whole;
}

void finish_whole(const ShardAnswer& asked, const Partials<float>& partials, WholeAnswer& whole) {
  whole.lse.resize(index(partials.rows));
  whole.entropy = whole.lse;
  whole.state.resize(index(partials.rows * partials.depth));
  Associations in;
  in.states = pattern_view(asked.states.data(), partials.rows, asked.depth);
  in.beta = {&asked.beta, 1};
  in.similarity = asked.similarity;
  AssociateOutputs<float> out;
  out.state = mutable_view(whole.state.data(), partials.rows, partials.depth);
  out.lse = whole.lse;
  out.entropy = whole.entropy;
  if (asked.similarity != Similarity::kCosine) {
    whole.energy.resize(whole.lse.size());
    out.energy = whole.energy;
  }
  finish(partials, in, out);
}

}  // namespace

ShardAnswer ask_shard(const PatternView& stored, const PatternView& projections,
                      const PatternView& states, double beta, const SearchOptions& options) {
  require(beta > 0, "ask_shard", "expected beta > 0, got " + std::to_string(beta));
  SearchResult found = search(stored, states, beta, options);
  Associations in;
  in.stored = stored;
  in.projections = projections;
  in.states = states;
  in.beta = {&beta, 1};
  in.similarity = options.similarity;
  AssociateOptions associate;
  associate.executor = options.executor;
  ShardAnswer answer;
  answer.blocks = associate_partials<float>(in, associate);
  answer.num_patterns = stored.rows;
  answer.depth = stored.depth;
  answer.beta = beta;
  answer.similarity = options.similarity;
  answer.states.resize(index(states.rows * states.depth));
  for (std::int64_t t = 0; t < states.rows; ++t) {
    internal::load_row(states, t, 0, answer.states.data() + t * states.depth);
  }
  answer.num_top = found.num_top;
  answer.top_index = std::move(found.index);
  answer.top_similarity = std::move(found.similarity);
  return answer;
}

std::int64_t known_top(std::span<const ShardAnswer> shards) {
  std::int64_t all = 0, fewest = -1;
  for (const ShardAnswer& shard : shards) {
    all += shard.num_patterns;
    if (shard.num_top == shard.num_patterns) continue;
    fewest = fewest < 0 ? shard.num_top : std::min(fewest, shard.num_top);
  }
  return fewest < 0 ? all : fewest;
}

WholeAnswer merge_shards(std::span<const ShardAnswer> shards, std::int64_t num_top) {
  constexpr double kMass = 0.9;
  check_shards(shards);
  const std::int64_t known = known_top(shards);
  require(num_top >= 1 && num_top <= known, "merge_shards",
          "expected num_top from 1 to " + std::to_string(known) +
              ", the fewest that a shard kept, got " + std::to_string(num_top));
  WholeAnswer whole;
  for (const ShardAnswer& shard : shards) whole.num_patterns += shard.num_patterns;
  whole.num_top = num_top;
  finish_whole(shards.front(), merge_blocks(shards), whole);
  for (std::int64_t t = 0; t < num_states(shards.front()); ++t) {
    const auto lse = static_cast<double>(whole.lse[index(t)]);
    double held = 0;
    std::int64_t size = -1, rank = 0;
    for (const Hit& hit : largest(shards, t, known)) {
      const double weight = std::exp(shards.front().beta * hit.similarity - lse);
      held += weight;
      ++rank;
      if (size < 0 && held >= kMass) size = rank;
      if (rank > num_top) continue;
      whole.top_shard.push_back(hit.shard);
      whole.top_index.push_back(hit.index);
      whole.top_weight.push_back(weight);
    }
    // All patterns hold all of the mass, whatever rounding says.
    whole.metastable_size.push_back(size < 0 && known == whole.num_patterns ? known : size);
  }
  return whole;
}

}  // namespace hopfield
