#ifndef HOPFIELD_SRC_CLI_MEMORY_PARTIAL_H_
#define HOPFIELD_SRC_CLI_MEMORY_PARTIAL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/memory_recall.h"

// Recall from a memory in several files; docs/formats/partial.md.
namespace hopfield::cli {

/// `recall --partial`: writes what one shard says about the cues.
int run_partial(const RecallArguments& arguments, const Context& context);

/// Whether a file is what run_partial wrote. Errors: kIo.
bool is_partial(const std::string& path);

struct MergePartialsArguments {
  std::vector<std::string> partials;
  std::string output, json;  ///< empty: not wanted; "-": standard output
  std::int64_t top = 3;
};
/// `merge` of such files: tells what one recall from all shards tells.
int run_merge_partials(const MergePartialsArguments& arguments);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_PARTIAL_H_
