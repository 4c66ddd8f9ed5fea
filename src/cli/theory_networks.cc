#include "cli/theory_networks.h"

#include "cli/theory.h"

namespace hopfield::cli {

void add_theory_networks(CLI::App& noun, Context& context) {
  add_theory_energy(noun, context);
  add_theory_fixed_points(noun, context);
  add_theory_basins(noun, context);
  add_theory_capacity(noun, context);
  add_theory_retrieval_error(noun, context);
  add_theory_simulate(noun, context);
  add_theory_attention(noun, context);
}

}  // namespace hopfield::cli
