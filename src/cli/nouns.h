#ifndef HOPFIELD_SRC_CLI_NOUNS_H_
#define HOPFIELD_SRC_CLI_NOUNS_H_

#include <CLI/CLI.hpp>

#include "cli/common.h"

// One function a noun, each in the file of its name. To add a noun: write NOUN.cc, list it in
// CMakeLists.txt, call its function in main.cc (no tensors) or torch_main.cc (tensors; then also
// name it in kTorchCommands of main.cc).
namespace hopfield::cli {

/// What both programs say about `reproduce mil`.
inline constexpr const char* kReproduceMilText =
    "Five sets of bags, five repetitions: our models, baselines, published figures (exit 4 if a "
    "goal is missed)";

void add_memory(CLI::App& program, Context& context);         // memory.cc, in `hopfield`
void add_theory(CLI::App& program, Context& context);         // theory.cc, in `hopfield`
void add_reproduce(CLI::App& program, Context& context);      // reproduce.cc, in `hopfield`
void add_mil(CLI::App& program, Context& context);            // mil.cc, in `hopfield-torch`
void add_reproduce_mil(CLI::App& program, Context& context);  // reproduce_mil.cc, likewise
void add_demo(CLI::App& program, Context& context);           // demo.cc, in `hopfield-torch`

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_NOUNS_H_
