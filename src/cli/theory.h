#ifndef HOPFIELD_SRC_CLI_THEORY_H_
#define HOPFIELD_SRC_CLI_THEORY_H_

#include <CLI/CLI.hpp>

#include "cli/common.h"

namespace hopfield::cli {

/// The commands of `theory` that solve: problem, bound, dense, multitask.
void add_theory_equations(CLI::App& noun, Context& context);
/// The commands of `theory` that run networks: energy, fixed-points, basins, capacity,
/// retrieval-error, simulate, attention.
void add_theory_networks(CLI::App& noun, Context& context);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_H_
