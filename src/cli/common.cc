#include "cli/common.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

#include "hopfield/base/os.h"
#include "hopfield/base/text.h"
#include "hopfield/base/version.h"

namespace hopfield::cli {
namespace {

constexpr const char* kExitStatusHelp =
    "Exit status: 0 ok, 1 failure (missing file, full disk, ...), 2 wrong command line, 3 bad "
    "data,\n"
    "4 not converged or threshold missed, 5 out of memory, 130 interrupted.";

void print_error(const std::string& message) {
  std::cout.flush();
  std::cerr << "hopfield: error: " << message << std::endl;
}

/// The command that was being parsed, with its full name.
const CLI::App& deepest(const CLI::App& program) {
  const CLI::App* app = &program;
  for (;;) {
    const std::vector<CLI::App*> chosen = app->get_subcommands();
    if (chosen.empty()) return *app;
    app = chosen.back();
  }
}

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : full_name(*parent) + " " + app.get_name();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string guess = closest_name(word, candidates);
  return guess.empty() ? "" : "; did you mean '" + guess + "'?";
}

/// Says what is wrong with a command line, first things first: an unknown command or option
/// explains most other complaints.
std::string usage_message(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App& app = deepest(program);
  const std::vector<std::string> rest = program.remaining(true);
  const std::vector<std::string> commands = command_names(app);
  if (!commands.empty() && !rest.empty() && !rest[0].starts_with('-')) {
    return "unknown command '" + rest[0] + "'" + did_you_mean(rest[0], commands);
  }
  for (const std::string& word : rest) {
    if (word.size() < 2 || word[0] != '-') continue;
    const std::string name = word.substr(0, word.find('='));
    return "unknown option '" + name + "'" + did_you_mean(name, option_names(app));
  }
  if (!commands.empty()) {
    std::string list;
    for (const std::string& name : commands) list += (list.empty() ? "" : ", ") + name;
    return "expected a command, got none; there are: " + list;
  }
  if (!rest.empty() && dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    return "unexpected argument '" + rest[0] + "'";
  }
  return error.what();
}

class StoppableExecutor final : public Executor {
 public:
  StoppableExecutor(Executor& threads, const Context& context)
      : threads_(threads), context_(context) {}
  int concurrency() const override { return threads_.concurrency(); }
  void run(std::int64_t count, const std::function<void(std::int64_t)>& task) override {
    threads_.run(count, [&](std::int64_t i) {
      stop_if_cancelled(context_);
      task(i);
    });
  }

 private:
  Executor& threads_;
  const Context& context_;
};

int run_selected(Context& context) {
  context.stoppable_executor = std::make_unique<StoppableExecutor>(
      context.executor() != nullptr ? *context.executor() : default_executor(), context);
  const int status = context.selected ? context.selected() : static_cast<int>(kOk);
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0) {
    fail(ErrorCode::kIo, "write", "cannot write the standard output; is the disk full?");
  }
  return status;
}

int run_guarded(CLI::App& program, Context& context, int argc, char** argv) {
  try {
    program.parse(argc, argv);
    return run_selected(context);
  } catch (const CLI::CallForHelp&) {
    std::cout << program.help() << std::flush;
    return kOk;
  } catch (const CLI::CallForVersion&) {
    std::cout << "hopfield " << version() << std::endl;
    return kOk;
  } catch (const CLI::ParseError& error) {
    print_error(usage_message(program, error) + "\nTry '" + full_name(deepest(program)) +
                " --help'.");
    return kUsage;
  } catch (const Error& error) {
    print_error(error.what());
    return exit_status(error.code());
  } catch (const std::bad_alloc&) {
    print_error("out of memory; give it less at a time or use a machine with more");
    return kLimit;
  } catch (const std::exception& error) {
    print_error(std::string(error.what()) + "; this is a defect of hopfield, please report it");
    return kFailure;
  }
}

/// CLI11's help, with long descriptions broken into lines.
class WrappedHelp : public CLI::Formatter {
 public:
  WrappedHelp() { column_width(kColumn); }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return entry(make_option_name(option, is_positional) + make_option_opts(option),
                 make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return entry(command->get_display_name(true), command->get_description());
  }

 private:
  static constexpr std::size_t kColumn = 32, kWidth = 100;

  static std::string entry(const std::string& name, const std::string& description) {
    std::string text = "  " + name;
    std::size_t used = text.size();
    const auto next_line = [&] {
      text += "\n" + std::string(kColumn, ' ');
      used = kColumn;
    };
    if (used + 2 > kColumn) {
      next_line();
    } else {
      text.append(kColumn - used, ' ');
      used = kColumn;
    }
    std::istringstream words(description);
    for (std::string word; words >> word;) {
      if (used > kColumn && used + 1 + word.size() > kWidth) next_line();
      if (used > kColumn) text += ' ';
      text += word;
      used += word.size() + 1;
    }
    return text + "\n";
  }
};

template <class T>
std::string bounds_text(T low, T high, T lowest, T highest) {
  std::ostringstream text;
  if (low > lowest && high < highest) {
    text << "from " << low << " to " << high;
  } else if (low > lowest) {
    text << ">= " << low;
  } else {
    text << "<= " << high;
  }
  return text.str();
}

/// Accepts numbers within bounds.
template <class T>
CLI::Validator bounded(T low, T high, const char* kind) {
  const std::string expected =
      std::string("expected ") + kind + " " +
      bounds_text(low, high, std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max());
  const auto check = [low, high, expected](const std::string& text) -> std::string {
    T number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    // Written so that NaN is outside.
    if (whole && number >= low && number <= high) return "";
    return expected + ", got '" + text + "'";
  };
  return CLI::Validator(check, "");
}

}  // namespace

ExitStatus exit_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return kUsage;
    case ErrorCode::kCorruptData:
      return kBadData;
    case ErrorCode::kOutOfMemory:
      return kLimit;
    case ErrorCode::kNotConverged:
      return kMissed;
    case ErrorCode::kCancelled:
      return kInterrupted;
    case ErrorCode::kIo:
    case ErrorCode::kUnsupported:
    case ErrorCode::kInternal:
      return kFailure;
  }
  return kFailure;
}

void stop_if_cancelled(const Context& context) {
  if (context.cancelled && context.cancelled()) {
    fail(ErrorCode::kCancelled, "program", "interrupted; nothing was written");
  }
}

CLI::App& add_noun(CLI::App& program, const std::string& name, const std::string& description) {
  CLI::App& noun = *program.add_subcommand(name, description);
  noun.require_subcommand(1);
  return noun;
}

CLI::App& add_command(CLI::App& noun, Context& context, const std::string& name,
                      const std::string& description, const std::vector<std::string>& examples,
                      std::function<int()> run) {
  CLI::App& command = *noun.add_subcommand(name, description);
  std::string footer = examples.size() == 1 ? "Example:\n" : "Examples:\n";
  for (const std::string& example : examples) footer += "  " + example + "\n";
  command.footer(footer);
  command.callback([&context, run = std::move(run)] { context.selected = run; });
  return command;
}

void add_threads(CLI::App& command, Context& context) {
  command
      .add_option_function<std::int64_t>(
          "--threads",
          [&context](const std::int64_t& count) {
            context.owned_executor = make_executor(static_cast<int>(count));
          },
          "Threads to use, at most 4096 (default: all); results do not depend on it")
      ->type_name("N")
      ->check(bounded<std::int64_t>(1, 4096, "a whole number"));
}

CLI::Option* add_number(CLI::App& command, const std::string& name, double& value,
                        const std::string& description, double low, double high) {
  return command.add_option(name, value, description)
      ->capture_default_str()
      ->type_name("N")
      ->check(bounded(low, high, "a number"));
}

CLI::Option* add_whole_number(CLI::App& command, const std::string& name, std::int64_t& value,
                              const std::string& description, std::int64_t low, std::int64_t high) {
  return command.add_option(name, value, description)
      ->capture_default_str()
      ->type_name("N")
      ->check(bounded(low, high, "a whole number"));
}

double parse_number(std::string_view option, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && std::isfinite(value), option,
          "expected a number, got '" + std::string(text) + "'");
  return value;
}

void check_output(const std::string& path, const std::vector<std::string>& inputs) {
  if (path.empty() || path == "-") return;
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (!is_folder(folder)) {
    fail(
        ErrorCode::kIo, "write",
        "cannot write '" + path + "': the folder '" + folder + "' does not exist; create it first");
  }
  require(!is_folder(path), "write", "expected a file to write, got the folder '" + path + "'");
  for (const std::string& input : inputs) {
    require(path != input && !same_file(path, input), "write",
            "expected an output that is no input and no other output, got '" + path +
                "' for both; choose another name");
  }
}

void check_outputs(const std::vector<std::string>& paths, std::vector<std::string> inputs) {
  for (const std::string& path : paths) {
    check_output(path, inputs);
    inputs.push_back(path);
  }
}

void check_new_output(const std::string& path, const std::vector<std::string>& inputs, bool force) {
  check_output(path, inputs);
  if (!force && path_exists(path)) {
    fail(ErrorCode::kIo, "write",
         "cannot write '" + path + "': the file exists; give --force to replace it");
  }
}

void add_force(CLI::App& command, bool& force) {
  command.add_flag("--force", force, "Replace the output if it exists");
}

std::vector<std::string> data_folders(std::vector<std::string> given) {
  if (const char* named = std::getenv("HOPFIELD_DATA"); named != nullptr && *named != 0) {
    given.emplace_back(named);
  }
  given.emplace_back("../shared/data");
  return given;
}

std::string find_data_file(const std::vector<std::string>& folders,
                           const std::vector<std::string>& names, const std::string& op,
                           const std::string& remedy) {
  for (const std::string& folder : folders) {
    for (const std::string& name : names) {
      const std::string path = folder + "/" + name;
      if (path_exists(path)) return path;
    }
  }
  const auto listed = [](const std::vector<std::string>& all, const char* between) {
    std::string list;
    for (const std::string& one : all) list += (list.empty() ? "" : between) + one;
    return list;
  };
  fail(ErrorCode::kIo, op,
       "expected " + listed(names, " or ") + " in one of " + listed(folders, ", ") +
           ", got none; " + remedy);
}

std::string csv_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + "\"";
}

std::string csv_cell(std::string_view text) {
  const bool plain = text.find_first_of(",\"") == std::string_view::npos &&
                     !text.starts_with(' ') && !text.ends_with(' ');
  return plain ? std::string(text) : csv_quoted(text);
}

void add_json_flag(CLI::App& command, std::string& json) {
  command.add_flag("--json", json, "Print JSON; --json=FILE writes it");
}

std::string json_path(const std::string& json) {
  return json == "true" ? "-" : json;  // the parser's value of a flag without one
}

void write_json(const std::string& path, const nlohmann::ordered_json& json) {
  const std::string text = json.dump(2) + "\n";
  if (path == "-") {
    std::cout << text << std::flush;
  } else {
    atomic_write_file(path, text);
  }
}

Progress::Progress(std::string label, std::int64_t total)
    : label_(std::move(label)), total_(total), shown_(stderr_is_terminal()) {}

Progress::~Progress() {
  if (drawn_) std::cerr << "\r\x1b[K" << std::flush;
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (!shown_) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && done != total_ && now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  drawn_ = true;
  std::cerr << "\r\x1b[K" << label_ << " " << done;
  if (total_ >= 0) std::cerr << "/" << total_;
  if (!note.empty()) std::cerr << "  " << note;
  std::cerr << std::flush;
}

void note(const std::string& message) {
  std::cout.flush();
  std::cerr << "hopfield: " << message << std::endl;
}

int run_program(int argc, char** argv,
                const std::function<void(CLI::App&, Context&)>& add_commands) {
  install_interrupt_flag();
  Context context;
  context.cancelled = interrupted;
  CLI::App program("Associative memory: store patterns, recall them, learn over bags of them.",
                   "hopfield");
  program.set_version_flag("--version", std::string("hopfield ") + version(),
                           "Print the version and exit");
  program.formatter(std::make_shared<WrappedHelp>());
  program.require_subcommand(1);
  program.footer(kExitStatusHelp);
  add_commands(program, context);
  return run_guarded(program, context, argc, argv);
}

}  // namespace hopfield::cli
