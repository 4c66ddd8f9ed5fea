// `hopfield theory`: every theorem a command.
#include "cli/theory.h"

#include "cli/nouns.h"

namespace hopfield::cli {

void add_theory(CLI::App& program, Context& context) {
  CLI::App& noun =
      add_noun(program, "theory", "Capacities, phase diagrams, energies of associative networks");
  add_theory_equations(noun, context);
  add_theory_networks(noun, context);
}

}  // namespace hopfield::cli
