// The program `hopfield-torch`: the commands that need LibTorch. `hopfield` starts it in its own
// place, so to users it is `hopfield`, too. Add a noun, or a
// command of a noun that `hopfield` has, here, in nouns.h, CMakeLists.txt and in
// kTorchCommands of main.cc.
#include "cli/common.h"
#include "cli/nouns.h"

int main(int argc, char** argv) {
  using namespace hopfield::cli;
  return run_program(argc, argv,
                     []([[maybe_unused]] CLI::App& program, [[maybe_unused]] Context& context) {
                       add_mil(program, context);
                       add_reproduce_mil(program, context);
                       add_demo(program, context);
                     });
}
