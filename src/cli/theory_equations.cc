#include "cli/theory.h"

namespace hopfield::cli {

void add_theory_equations(CLI::App& noun, Context& context) {
  (void)noun;
  (void)context;
}

}  // namespace hopfield::cli
