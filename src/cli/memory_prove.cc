#include "cli/memory_prove.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ranges>
#include <span>
#include <unordered_map>

#include "cli/memory_answers.h"
#include "hopfield/memory/retrieve.h"
#include "hopfield/store/memory_writer.h"
#include "memory/seeded.h"

namespace hopfield::cli {
namespace {

// Of each kind. Files with the same bytes recall the same; cues only show it, and each of them
// takes 18 passes over all patterns (two files, three betas, three updates).
constexpr std::int64_t kMostCues = 256;
constexpr std::int64_t kUpdates = 3, kTop = 10;
constexpr std::uint64_t kSeed = 0;

class RemovedAtEnd {
 public:
  explicit RemovedAtEnd(std::string path) : path_(std::move(path)) {}
  RemovedAtEnd(const RemovedAtEnd&) = delete;
  ~RemovedAtEnd() { std::remove(path_.c_str()); }

 private:
  std::string path_;
};

std::string bytes_of(std::span<const double> numbers) {
  return {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()};
}

/// Everything that an association tells about each cue.
struct Recalled {
  std::vector<float> state, value, energy, lse, entropy, top;
  std::vector<std::int64_t> top_index, size;
};

Recalled recall(const store::MemoryFile& memory, const std::vector<float>& cues, double beta) {
  const std::int64_t depth = memory.depth();
  const std::int64_t num_cues = std::ssize(cues) / depth;
  const auto n = static_cast<std::size_t>(num_cues);
  Recalled all;
  for (std::vector<float>* numbers : {&all.energy, &all.lse, &all.entropy}) numbers->resize(n);
  all.size.resize(n);
  AssociateOutputs<float> out;
  out.energy = all.energy;
  out.lse = all.lse;
  out.entropy = all.entropy;
  out.metastable_size = all.size;
  out.num_top = std::min(kTop, memory.num_patterns());
  all.top.resize(n * static_cast<std::size_t>(out.num_top));
  all.top_index.resize(all.top.size());
  out.top = all.top;
  out.top_index = all.top_index;
  Associations in;
  in.stored = memory.patterns();
  in.projections = memory.values();
  in.states = pattern_view(cues.data(), num_cues, depth);
  in.beta = {&beta, 1};
  const std::int64_t read_depth = memory.has_values() ? memory.values_depth() : depth;
  all.value.resize(n * static_cast<std::size_t>(read_depth));
  out.state = mutable_view(all.value.data(), num_cues, read_depth);
  all.state.resize(cues.size());
  RetrieveReport<float> report;
  report.final_state = mutable_view(all.state.data(), num_cues, depth);
  constexpr std::int64_t kSteps = kUpdates - 1;  // the last association updates, too
  UpdateOptions update;
  update.update_steps_max = {&kSteps, 1};
  retrieve(in, update, out, report);
  return all;
}

/// How many cues differ in a bit.
std::int64_t num_different(const Recalled& a, const Recalled& b) {
  const std::size_t num_cues = a.size.size();
  const auto equal = [num_cues](const auto& x, const auto& y, std::size_t cue) {
    if (x.size() != y.size()) return false;
    const std::size_t row = x.size() / num_cues;
    return std::memcmp(x.data() + cue * row, y.data() + cue * row, row * sizeof x[0]) == 0;
  };
  std::int64_t count = 0;
  for (std::size_t cue = 0; cue < num_cues; ++cue) {
    const bool same = equal(a.state, b.state, cue) && equal(a.value, b.value, cue) &&
                      equal(a.energy, b.energy, cue) && equal(a.lse, b.lse, cue) &&
                      equal(a.entropy, b.entropy, cue) && equal(a.top, b.top, cue) &&
                      equal(a.top_index, b.top_index, cue) && equal(a.size, b.size, cue);
    count += same ? 0 : 1;
  }
  return count;
}

/// Calls see(first, numbers) for all rows of a source, some at a time.
template <class See>
void for_rows(const store::PatternSource& source, const See& see) {
  for (std::int64_t first = 0; first < source.num_patterns; first += kCueBatch) {
    see(first, source.rows(first, std::min(kCueBatch, source.num_patterns - first)));
  }
}

void find_twins(const store::MemoryFile& before, const std::vector<std::int64_t>& forgotten,
                const store::MemoryFile& after, ForgetProof& proof) {
  const store::PatternSource old = store::pattern_source(before);
  std::unordered_multimap<std::string, std::int64_t> gone;
  for (const std::int64_t pattern : forgotten) {
    gone.emplace(bytes_of(old.rows(pattern, 1)), pattern);
  }
  const auto depth = static_cast<std::size_t>(after.depth());
  for_rows(store::pattern_source(after), [&](std::int64_t first, const auto& numbers) {
    for (std::size_t i = 0; i * depth < numbers.size(); ++i) {
      const auto found = gone.equal_range(bytes_of(std::span(numbers).subspan(i * depth, depth)));
      for (auto it = found.first; it != found.second; ++it) {
        proof.twins.emplace_back(before.id(it->second),
                                 after.id(first + static_cast<std::int64_t>(i)));
      }
    }
  });
}

/// Forgotten patterns, then random ones of about the length of those that stay.
std::vector<float> cues_of(const store::MemoryFile& before,
                           const std::vector<std::int64_t>& forgotten, double square_norm,
                           ForgetProof& proof) {
  const store::PatternSource old = store::pattern_source(before);
  std::vector<float> cues;
  proof.num_forgotten_cues = std::min(kMostCues, std::ssize(forgotten));
  for (std::int64_t i = 0; i < proof.num_forgotten_cues; ++i) {
    for (const double x : old.rows(forgotten[static_cast<std::size_t>(i)], 1)) {
      cues.push_back(static_cast<float>(x));
    }
  }
  proof.num_random_cues = kMostCues;
  proof.seed = kSeed;
  internal::Seeded random(kSeed);
  const double scale = std::sqrt(square_norm / static_cast<double>(old.depth));
  for (std::int64_t i = 0; i < kMostCues * old.depth; ++i) {
    cues.push_back(static_cast<float>(scale * random.normal()));
  }
  return cues;
}

/// Mean squared length of the first patterns; 1 if they have none.
double mean_square_norm(const store::MemoryFile& memory) {
  const std::int64_t count = std::min(kMostCues, memory.num_patterns());
  double sum = 0;
  for (const double x : store::pattern_source(memory).rows(0, count)) sum += x * x;
  return sum > 0 ? sum / static_cast<double>(count) : 1;
}

}  // namespace

ForgetProof prove_forgotten(const std::string& path, store::MemoryFile before,
                            const std::vector<std::int64_t>& forgotten) {
  ForgetProof proof;
  store::compact_memory(path);
  const store::MemoryFile after(path);
  find_twins(before, forgotten, after, proof);
  const double square_norm = mean_square_norm(after);
  const std::vector<float> cues = cues_of(before, forgotten, square_norm, proof);

  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < before.num_patterns(); ++i) {
    if (!std::binary_search(forgotten.begin(), forgotten.end(), i)) kept.push_back(i);
  }
  before.restrict_to(kept);
  const std::string fresh_path = fresh_memory_path(path);
  store::copy_memory(before, fresh_path);
  const RemovedAtEnd removed(fresh_path);
  {
    const MappedFile file(path), fresh(fresh_path);
    proof.file_bytes = file.bytes().size();
    proof.file_is_fresh = std::ranges::equal(file.bytes(), fresh.bytes());
  }
  const store::MemoryFile fresh(fresh_path);
  proof.updates = kUpdates;
  if (fresh.num_patterns() == 0 || after.num_patterns() == 0) return proof;
  // From an average of many patterns to a single one.
  for (const double sharpness : {1.0, 10.0, 100.0}) {
    proof.betas.push_back(sharpness / square_norm);
    proof.num_different += num_different(recall(after, cues, proof.betas.back()),
                                         recall(fresh, cues, proof.betas.back()));
  }
  return proof;
}

}  // namespace hopfield::cli
