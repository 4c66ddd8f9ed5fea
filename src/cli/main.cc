// The program `hopfield`. It never links LibTorch, so that commands which need no tensors start at
// once; the others live in `hopfield-torch`, which takes this program's place when asked for.
#include <array>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/common.h"
#include "cli/nouns.h"
#include "hopfield/base/os.h"

namespace hopfield::cli {
namespace {

struct TorchCommand {
  const char* noun;
  const char* command;  ///< empty: all of the noun
  const char* description;
};

/// What `hopfield-torch` does (torch_main.cc), with the descriptions for --help.
constexpr std::array kTorchCommands = {
    TorchCommand{"mil", "", "Multiple-instance learning: classify bags of instances"},
    TorchCommand{"demo", "", "Bags classified, pictures restored: one HTML page"},
    TorchCommand{"reproduce", "mil", kReproduceMilText},
};

bool is_torch_command(const std::vector<std::string>& arguments) {
  for (const TorchCommand& known : kTorchCommands) {
    const std::string_view command = known.command;
    if (arguments.size() < 2 || arguments[1] != known.noun) continue;
    if (command.empty() || (arguments.size() > 2 && arguments[2] == command)) return true;
  }
  return false;
}

/// For --help of the program and of the noun.
void name_torch_commands(CLI::App& program) {
  for (const TorchCommand& known : kTorchCommands) {
    if (*known.command == 0) {
      program.add_subcommand(known.noun, known.description);
    } else {
      program.get_subcommand(known.noun)->add_subcommand(known.command, known.description);
    }
  }
}

/// Beside this program, or where an installation puts it.
std::string find_torch_program() {
  const std::string self = executable_path();
  const std::string folder = self.substr(0, self.rfind('/') + 1);
  for (const char* place : {"hopfield-torch", "../libexec/hopfield-torch"}) {
    if (is_executable(folder + place)) return folder + place;
  }
  return "";
}

int run_torch_program(const std::vector<std::string>& arguments) {
  const std::string path = find_torch_program();
  try {
    if (path.empty()) {
      fail(ErrorCode::kUnsupported, "hopfield " + arguments[1],
           "expected the program hopfield-torch beside hopfield, got none: this build is without "
           "LibTorch; configure with -DHOPFIELD_TORCH=ON and build again");
    }
    replace_process(path, arguments);
  } catch (const Error& error) {
    std::cerr << "hopfield: error: " << error.what() << std::endl;
    return exit_status(error.code());
  }
}

}  // namespace
}  // namespace hopfield::cli

int main(int argc, char** argv) {
  using namespace hopfield::cli;
  const std::vector<std::string> arguments(argv, argv + argc);
  if (is_torch_command(arguments)) return run_torch_program(arguments);
  return run_program(argc, argv, [](CLI::App& program, Context& context) {
    add_memory(program, context);
    add_theory(program, context);
    add_reproduce(program, context);
    name_torch_commands(program);
  });
}
