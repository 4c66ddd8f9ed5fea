#include "cli/memory_partial.h"

#include <algorithm>
#include <bit>
#include <iomanip>
#include <iostream>
#include <span>
#include <sstream>
#include <utility>

#include "cli/memory_recall_output.h"
#include "cli/partial_file.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/shards.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::cli {
namespace {

/// Both were asked the same.
void require_alike(const Partial& a, const ShardAnswer& x, const Partial& b, const ShardAnswer& y) {
  const auto same = [&](const std::string& what, const std::string& in_a, const std::string& in_b) {
    if (in_a == in_b) return;
    fail(ErrorCode::kCorruptData, "partial",
         "expected '" + a.path + "' and '" + b.path + "' to be asked with the same " + what +
             ", got " + in_a + " and " + in_b + "; recall from both shards anew");
  };
  const auto number = [](std::int64_t value) { return std::to_string(value); };
  same("depth", number(x.depth), number(y.depth));
  same("beta", a.beta, b.beta);
  same("similarity", a.similarity, b.similarity);
  same("readout", a.what, b.what);
  same("depth of the readout", number(x.blocks.front().depth), number(y.blocks.front().depth));
  same("number of cues", number(x.blocks.front().rows), number(y.blocks.front().rows));
  same("cues", "some", x.states == y.states ? "some" : "others");
}

/// No pattern of one memory is counted twice.
void require_disjoint(const Partial& a, const Partial& b) {
  if (a.memory != b.memory) return;
  std::int64_t in_both = 0;
  for (std::size_t i = 0; i < std::min(a.rows.size(), b.rows.size()); ++i) {
    in_both += std::popcount(static_cast<std::uint8_t>(a.rows[i] & b.rows[i]));
  }
  if (in_both == 0) return;
  fail(ErrorCode::kCorruptData, "partial",
       "expected '" + a.path + "' and '" + b.path + "' to be of different patterns, got " +
           std::to_string(in_both) +
           " patterns of one memory in both; leave one of them out, or recall one of them anew");
}

RecallHead head_of(const MergePartialsArguments& a, const Partial& file, const ShardAnswer& asked,
                   const WholeAnswer& whole) {
  RecallHead head;
  head.what = file.what;
  head.readout_depth = asked.blocks.front().depth;
  head.num_top = whole.num_top;
  head.output = a.output;
  head.json_path = a.json;
  head.json = {{"merged", a.partials},
               {"num_patterns", whole.num_patterns},
               {"depth", asked.depth},
               {"what", file.what},
               {"similarity", file.similarity},
               {"beta", asked.beta},
               {"updates", 1},
               {"hopfield", version()}};
  std::ostringstream text;
  text << std::setprecision(4) << "merged   " << a.partials.size()
       << " partial results: " << whole.num_patterns << " patterns of depth " << asked.depth << "\n"
       << "beta     " << asked.beta
       << (asked.similarity == Similarity::kDot ? "" : ", similarity " + file.similarity) << "\n"
       << "updates  1\n";
  head.text = text.str();
  return head;
}

/// The name of the pattern that a shard calls `index`, among the largest of cue t.
const std::string& id_of(const Partial& file, const ShardAnswer& shard, std::int64_t t,
                         std::int64_t index) {
  const auto first = shard.top_index.begin() + t * shard.num_top;
  const auto at = std::find(first, first + shard.num_top, index);
  return file.top_ids[static_cast<std::size_t>(at - shard.top_index.begin())];
}

std::vector<RecallAnswer> answers_of(const std::vector<Partial>& files,
                                     const std::vector<ShardAnswer>& shards,
                                     const WholeAnswer& whole) {
  std::vector<std::int64_t> patterns_before = {0};
  for (const ShardAnswer& shard : shards) {
    patterns_before.push_back(patterns_before.back() + shard.num_patterns);
  }
  const auto depth = static_cast<std::size_t>(shards.front().blocks.front().depth);
  const auto num_top = static_cast<std::size_t>(whole.num_top);
  std::vector<RecallAnswer> answers;
  for (std::size_t i = 0; i < whole.lse.size(); ++i) {
    RecallAnswer answer;
    answer.cue = static_cast<std::int64_t>(i);
    answer.updates = 1;
    answer.stop = reason_name(StopReason::kStepLimit);
    if (!whole.energy.empty()) answer.energy = short_number(whole.energy[i]);
    answer.energy_cue = answer.energy;  // the only association was that of the cue itself
    answer.lse = short_number(whole.lse[i]);
    answer.entropy = short_number(whole.entropy[i]);
    if (whole.metastable_size[i] >= 0) {
      answer.metastable_size = whole.metastable_size[i];
      answer.regime = regime_name(regime(whole.metastable_size[i], whole.num_patterns));
    }
    for (std::size_t j = i * num_top; j < (i + 1) * num_top; ++j) {
      const auto shard = static_cast<std::size_t>(whole.top_shard[j]);
      const std::int64_t index = patterns_before[shard] + whole.top_index[j];
      answer.top.push_back({files[shard].top_ids.empty() ? std::to_string(index)
                                                         : id_of(files[shard], shards[shard],
                                                                 answer.cue, whole.top_index[j]),
                            index,
                            short_number(static_cast<float>(whole.top_weight[j])),
                            {}});
    }
    answer.readout = std::span(whole.state).subspan(i * depth, depth);
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace

int run_partial(const RecallArguments& a, const Context& context) {
  const double beta = parse_beta(a.beta.beta);
  require(a.output.empty() && a.json.empty(), "--partial",
          "expected neither --output nor --json, which are for memory merge, got one of them");
  require(a.threshold.empty(), "--partial",
          "expected no --threshold, which belongs to the energies of a whole memory, got one");
  require(a.updates == "1", "--partial",
          "expected --updates 1, got " + a.updates +
              "; the states that memory merge writes are the cues of the next update");
  require(beta > 0, "--partial", "expected a number as --beta, the same for all shards, got auto");
  check_output(a.partial, {a.paths.memory, a.paths.cue});
  const store::MemoryFile memory = open_memory(a.paths.memory, a.paths.where);
  const bool values = reads_values(a, memory);
  if (a.verify) memory.verify();
  std::vector<float> states;
  for_cue_batches(open_cues(a.paths.cue, memory, Missing::kRefuse, a.paths.tensor), "reading",
                  context, [&states](std::int64_t, const PatternView& batch) {
                    const auto* numbers = static_cast<const float*>(batch.data);
                    states.insert(states.end(), numbers, numbers + batch.rows * batch.depth);
                  });
  SearchOptions options;
  options.similarity = parse_similarity(a.similarity);
  options.num_top = a.top;
  options.executor = context.stoppable_executor.get();
  const std::int64_t num_cues = std::ssize(states) / memory.depth();
  if (num_cues == 0) {
    fail(ErrorCode::kCorruptData, "--partial",
         "'" + a.paths.cue + "': expected at least one cue, got none");
  }
  const ShardAnswer answer =
      ask_shard(memory.patterns(), values ? memory.values() : PatternView(),
                pattern_view(states.data(), num_cues, memory.depth()), beta, options);
  Partial partial;
  partial.path = a.partial;
  partial.what = values ? "values" : "state";
  partial.similarity = a.similarity;
  partial.beta = csv_number(beta);
  partial.memory = memory.fingerprint();
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    add_row(partial.rows, memory.position(i));
  }
  if (memory.has_ids()) {
    for (const std::int64_t index : answer.top_index) partial.top_ids.push_back(memory.id(index));
  }
  write_partial(partial, answer);
  std::cout << a.partial << ": " << num_cues << " cues, " << memory.num_patterns()
            << " patterns of depth " << memory.depth() << ", " << answer.num_top
            << " largest associations a cue\n";
  return kOk;
}

bool is_partial(const std::string& path) {
  try {
    return is_partial(store::SafetensorsFile(path, store::Tail::kAllow));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIo) throw;
    return false;  // whoever reads it as a memory says what is wrong
  }
}

int run_merge_partials(const MergePartialsArguments& a) {
  check_recall_output(a.output, a.json, a.partials);
  std::vector<Partial> files;
  std::vector<ShardAnswer> shards;
  for (const std::string& path : a.partials) {
    ShardAnswer& shard = shards.emplace_back();
    Partial file = read_partial(store::SafetensorsFile(path), shard);
    shard.similarity = parse_similarity(file.similarity);
    require_alike(files.empty() ? file : files.front(), shards.front(), file, shard);
    for (const Partial& earlier : files) require_disjoint(earlier, file);
    files.push_back(std::move(file));
  }
  const std::int64_t known = known_top(shards);
  const WholeAnswer whole = merge_shards(shards, std::min(a.top, known));
  if (whole.num_top < std::min(a.top, whole.num_patterns)) {
    note("the shards tell " + std::to_string(known) + " of the " + std::to_string(a.top) +
         " largest associations that --top wants; recall with --top " + std::to_string(a.top));
  }
  RecallOutput output(head_of(a, files.front(), shards.front(), whole));
  output.add(answers_of(files, shards, whole), whole.state);
  output.finish(nullptr);
  return kOk;
}

}  // namespace hopfield::cli
