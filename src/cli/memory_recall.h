#ifndef HOPFIELD_SRC_CLI_MEMORY_RECALL_H_
#define HOPFIELD_SRC_CLI_MEMORY_RECALL_H_

#include <CLI/CLI.hpp>

#include "cli/common.h"

namespace hopfield::cli {

/// `hopfield memory recall`
void add_memory_recall(CLI::App& noun, Context& context);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_RECALL_H_
