#ifndef HOPFIELD_SRC_CLI_THEORY_NETWORKS_H_
#define HOPFIELD_SRC_CLI_THEORY_NETWORKS_H_

#include <CLI/CLI.hpp>

#include "cli/common.h"

namespace hopfield::cli {

void add_theory_attention(CLI::App& noun, Context& context);
void add_theory_basins(CLI::App& noun, Context& context);
void add_theory_energy(CLI::App& noun, Context& context);
void add_theory_fixed_points(CLI::App& noun, Context& context);
void add_theory_capacity(CLI::App& noun, Context& context);
void add_theory_retrieval_error(CLI::App& noun, Context& context);
void add_theory_simulate(CLI::App& noun, Context& context);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_NETWORKS_H_
