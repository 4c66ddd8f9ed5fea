#include <memory>

#include "cli/memory_recall.h"

namespace hopfield::cli {

void add_memory_complete(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RecallArguments>();
  a->complete = true;
  CLI::App& command = add_command(
      noun, context, "complete", "Fill in what is missing in cues; what is known stays as it is",
      {"hopfield memory complete memory.safetensors --cue gaps.csv",
       "hopfield memory complete memory.safetensors --cue cue.npy --mask mask.npy -o whole.npy",
       "hopfield memory complete memory.safetensors --cue gaps.csv --beta 8 --updates 1"},
      [a, &context] { return run_recall(*a, context); });
  add_question(command, a->paths, "Cues with NaN (or an empty cell) where a number is missing");
  command
      .add_option("--mask", a->mask,
                  "Not 0 where a number is missing: one row for all cues or one a cue (NPY, CSV, "
                  "TSV)")
      ->type_name("FILE");
  command
      .add_option(
          "--beta", a->beta.beta,
          "Inverse temperature > 0: large takes the nearest pattern, small averages; 'auto' "
          "measures which one fills in the gaps of these cues in stored patterns")
      ->type_name("B|auto")
      ->capture_default_str();
  add_recall_options(command, context, *a);
}

}  // namespace hopfield::cli
