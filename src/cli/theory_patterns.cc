#include "cli/theory_patterns.h"

#include "hopfield/theory/fixed_points.h"

namespace hopfield::cli {

void add_patterns(CLI::App& command, PatternChoice& choice) {
  CLI::Option* file = command
                          .add_option("--patterns", choice.file,
                                      "Patterns, one a row (NPY, CSV, TSV), instead of drawn ones")
                          ->type_name("FILE");
  command.add_option("--draw", choice.draw, "How patterns are drawn")
      ->check(CLI::IsMember({"gaussian", "orthonormal"}))
      ->type_name("gaussian|orthonormal")
      ->capture_default_str()
      ->excludes(file);
  add_whole_number(command, "--n", choice.num_patterns, "How many", 1, 20000)->excludes(file);
  add_whole_number(command, "--depth", choice.depth, "Their depth", 1, 100000)->excludes(file);
  add_number(command, "--scale", choice.scale, "Factor on the drawn numbers", 1e-6, 1e6)
      ->excludes(file);
}

PatternTable choose_patterns(const PatternChoice& choice, std::int64_t seed) {
  if (!choice.file.empty()) return read_pattern_table(choice.file);
  PatternTable table{{}, choice.num_patterns, choice.depth};
  if (choice.draw == "orthonormal") {
    require(choice.num_patterns <= choice.depth, "--draw",
            "expected at most as many orthonormal patterns as their depth, got " +
                std::to_string(choice.num_patterns) + " of depth " + std::to_string(choice.depth));
    table.values.assign(static_cast<std::size_t>(choice.num_patterns * choice.depth), 0.0);
    for (std::int64_t i = 0; i < choice.num_patterns; ++i) {
      table.values[static_cast<std::size_t>(i * choice.depth + i)] = choice.scale;
    }
    return table;
  }
  theory::RandomStream random(static_cast<std::uint64_t>(seed), 0);
  table.values = theory::gaussian_patterns(choice.num_patterns, choice.depth, choice.scale, random);
  return table;
}

}  // namespace hopfield::cli
