#ifndef HOPFIELD_SRC_CLI_COMMON_H_
#define HOPFIELD_SRC_CLI_COMMON_H_

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/base/executor.h"

// What the program's commands share. A noun ("memory", "mil") is one file: it parses, calls the
// library, prints and returns an exit status; no logic of its own.
namespace hopfield::cli {

/// The program's exit statuses; docs/howto/exit-status.md explains them to users.
enum ExitStatus : int {
  kOk = 0,
  kFailure = 1,        ///< the system refused (missing file, full disk), or our own fault
  kUsage = 2,          ///< the command line is wrong
  kBadData = 3,        ///< an input file does not hold what it should
  kMissed = 4,         ///< not converged, or a threshold missed
  kLimit = 5,          ///< out of memory or another limit
  kInterrupted = 130,  ///< SIGINT or SIGTERM
};

ExitStatus exit_status(ErrorCode code);

/// What a command needs of its surroundings.
struct Context {
  /// Whether the user wants out; give it to library calls that take a `cancelled` callback, and
  /// test it between the steps of a long command (see `stop_if_cancelled`).
  std::function<bool()> cancelled;

  /// Set by --threads (add_threads), null for the default.
  std::unique_ptr<Executor> owned_executor;
  Executor* executor() const { return owned_executor.get(); }

  /// The same threads, but work on them ends with kCancelled soon after the user wanted out: for
  /// library calls that take no `cancelled` callback. Set by run_program, never null in a command.
  std::unique_ptr<Executor> stoppable_executor;

  /// The command that the command line chose; run_program runs it.
  std::function<int()> selected;
};

/// Throws kCancelled if context.cancelled().
void stop_if_cancelled(const Context& context);

/// Adds a noun that only has commands below it.
CLI::App& add_noun(CLI::App& program, const std::string& name, const std::string& description);

/// Adds a command; `run` returns the exit status and may throw. `examples` are complete command
/// lines, one a line, shown at the end of --help; tests run them.
CLI::App& add_command(CLI::App& noun, Context& context, const std::string& name,
                      const std::string& description, const std::vector<std::string>& examples,
                      std::function<int()> run);

/// --threads N
void add_threads(CLI::App& command, Context& context);

/// A number option whose values must lie in [low, high]; errors say so.
CLI::Option* add_number(CLI::App& command, const std::string& name, double& value,
                        const std::string& description, double low, double high);
CLI::Option* add_whole_number(CLI::App& command, const std::string& name, std::int64_t& value,
                              const std::string& description, std::int64_t low,
                              std::int64_t high = std::numeric_limits<std::int64_t>::max());

/// Parses a command line value; kInvalidArgument "[option] expected ..., got ..." otherwise.
double parse_number(std::string_view option, std::string_view text);

/// To be called before long work: throws kIo if the folder of `path` does not exist,
/// kInvalidArgument if `path` is a folder or names one of the inputs. An empty path and "-" pass.
void check_output(const std::string& path, const std::vector<std::string>& inputs = {});
/// As check_output, for each of several outputs; none may be another one either.
void check_outputs(const std::vector<std::string>& paths, std::vector<std::string> inputs = {});

/// As check_output, for what a user keeps: also throws kIo if `path` exists, unless `force`.
void check_new_output(const std::string& path, const std::vector<std::string>& inputs, bool force);

/// --force, which check_new_output advises.
void add_force(CLI::App& command, bool& force);

/// Folders to search for data: those of --data, then $HOPFIELD_DATA, then ../shared/data.
std::vector<std::string> data_folders(std::vector<std::string> given);
/// FOLDER/NAME, the first that exists; earlier folders first, then earlier names. Errors: kIo
/// naming `op`, names and folders, and `remedy`.
std::string find_data_file(const std::vector<std::string>& folders,
                           const std::vector<std::string>& names, const std::string& op,
                           const std::string& remedy);

/// A cell of a CSV: in quotes, or only where it must be (a comma, a quote, blanks at an end).
std::string csv_quoted(std::string_view text);
std::string csv_cell(std::string_view text);

/// --json prints, --json=FILE writes. `json` becomes what json_path understands.
void add_json_flag(CLI::App& command, std::string& json);
/// "" (not wanted), "-" (standard output) or a file.
std::string json_path(const std::string& json);

/// Writes JSON with two spaces of indentation and a final line end; "-" is standard output. Keys
/// keep their order; NaN and infinities become null.
void write_json(const std::string& path, const nlohmann::ordered_json& json);

/// A line on standard error that counts, only if that is a terminal; gone when destroyed. A
/// negative total is not known.
class Progress {
 public:
  Progress(std::string label, std::int64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();
  /// `note` follows the numbers, such as "AUC 0.93".
  void update(std::int64_t done, const std::string& note = "");

 private:
  std::string label_;
  std::int64_t total_;
  bool shown_ = false, drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

/// Prints a line on standard error that starts with "hopfield: ".
void note(const std::string& message);

/// The whole life of a program: options --help and --version, the commands that `add_commands`
/// adds, signals, errors as "hopfield: error: ..." on standard error, exit status.
int run_program(int argc, char** argv,
                const std::function<void(CLI::App&, Context&)>& add_commands);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_COMMON_H_
