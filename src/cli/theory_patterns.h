#ifndef HOPFIELD_SRC_CLI_THEORY_PATTERNS_H_
#define HOPFIELD_SRC_CLI_THEORY_PATTERNS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cli/theory_output.h"

namespace hopfield::cli {

/// --patterns FILE, or --draw, --n, --depth, --scale and the command's --seed.
struct PatternChoice {
  std::string file, draw = "gaussian";
  std::int64_t num_patterns = 5, depth = 6;
  double scale = 1;
  /// The file, or how they are drawn.
  const std::string& name() const { return file.empty() ? draw : file; }
};
void add_patterns(CLI::App& command, PatternChoice& choice);
PatternTable choose_patterns(const PatternChoice& choice, std::int64_t seed);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_PATTERNS_H_
