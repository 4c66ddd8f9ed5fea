#ifndef HOPFIELD_SRC_CLI_MEMORY_RECALL_H_
#define HOPFIELD_SRC_CLI_MEMORY_RECALL_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/memory_answers.h"
#include "hopfield/memory/match.h"
#include "hopfield/store/memory_file.h"

namespace hopfield::cli {

// The commands of `hopfield memory` that ask a memory and leave it as it is, each in the file of
// its name.
void add_memory_recall(CLI::App& noun, Context& context);
void add_memory_complete(CLI::App& noun, Context& context);
void add_memory_search(CLI::App& noun, Context& context);
void add_memory_calibrate(CLI::App& noun, Context& context);
void add_memory_ood(CLI::App& noun, Context& context);
void add_memory_dedup(CLI::App& noun, Context& context);
void add_memory_influence(CLI::App& noun, Context& context);
void add_memory_advise(CLI::App& noun, Context& context);

/// What `calibrate` wrote: energies count at this beta.
struct Threshold {
  double beta = 0;
  MatchThreshold match;
};
/// Errors: kIo; kCorruptData if it is no threshold, or one for another memory.
Threshold read_threshold(const std::string& path, const store::MemoryFile& memory);

/// What a threshold is compared with: the score `energy` of `ood` (hopfield/memory/ood.h) of each
/// state. It is the energy of `recall` where patterns have one norm, and, unlike that one, lowest
/// at the patterns where they have not.
std::vector<double> match_energies(const store::MemoryFile& memory, const PatternView& states,
                                   double beta, Executor* executor);

/// Arguments of `recall` and of `complete`.
struct RecallArguments {
  QuestionPaths paths;
  BetaArguments beta;
  std::string output, json, what, updates = "converge";
  double eps = 1e-4;
  std::int64_t cap = 10000, top = 3;
  bool verify = false;

  bool complete = false;
  std::string threshold;           ///< of recall
  std::string similarity = "dot";  ///< of recall
  std::string partial;             ///< of recall: what this shard says goes here
  std::string mask;  ///< of complete: which coordinates are missing, beside the NaN ones
};

/// --updates and all that follows it.
void add_recall_options(CLI::App& command, Context& context, RecallArguments& arguments);
int run_recall(const RecallArguments& arguments, const Context& context);
/// Whether values are read out instead of states. Errors: kInvalidArgument if --what wants values
/// that are not there.
bool reads_values(const RecallArguments& arguments, const store::MemoryFile& memory);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_RECALL_H_
