#include "cli/theory.h"

namespace hopfield::cli {

void add_theory_networks(CLI::App& noun, Context& context) {
  (void)noun;
  (void)context;
}

}  // namespace hopfield::cli
