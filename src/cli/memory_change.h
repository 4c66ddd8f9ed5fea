#ifndef HOPFIELD_SRC_CLI_MEMORY_CHANGE_H_
#define HOPFIELD_SRC_CLI_MEMORY_CHANGE_H_

#include <CLI/CLI.hpp>

#include "cli/common.h"

namespace hopfield::cli {

/// memory add, forget, update, compact, export and merge
void add_memory_changes(CLI::App& noun, Context& context);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_CHANGE_H_
