#ifndef HOPFIELD_SRC_CLI_MEMORY_CHANGE_H_
#define HOPFIELD_SRC_CLI_MEMORY_CHANGE_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/memory_answers.h"

// The commands of `hopfield memory` that change a memory or write another.
namespace hopfield::cli {

/// memory add, forget, update, compact, export and merge
void add_memory_changes(CLI::App& noun, Context& context);
void add_memory_forget(CLI::App& noun, Context& context);

/// "1 pattern", "2 patterns"
std::string patterns_text(std::int64_t count);

/// Tells what was done and what the memory holds now; `json` is what was done, for programs, and
/// goes to `target` (json_path).
int told(const std::string& path, const std::string& what, Json json, const std::string& target);

/// Where the JSON of --json goes. Errors: as check_output.
std::string json_target(const std::string& json, const std::vector<std::string>& files);

void add_memory_argument(CLI::App& command, std::string& memory);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_CHANGE_H_
