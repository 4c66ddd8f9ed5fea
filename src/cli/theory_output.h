#ifndef HOPFIELD_SRC_CLI_THEORY_OUTPUT_H_
#define HOPFIELD_SRC_CLI_THEORY_OUTPUT_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/common.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/report/page.h"
#include "hopfield/report/picture.h"
#include "hopfield/report/plot.h"
#include "hopfield/report/table.h"
#include "hopfield/theory/simulate.h"

// What the commands of `theory` that run networks share.
namespace hopfield::cli {

/// --json[=FILE], --csv FILE and, with `pictures`, --report FILE and --svg FILE; empty: not wanted.
struct ResultPaths {
  std::string json, csv, report, svg;
};
void add_results(CLI::App& command, ResultPaths& paths, const std::string& csv_holds,
                 const std::string& svg_shows);
/// Throws if something cannot be written; to be called before long work.
void check_results(const ResultPaths& paths, const std::vector<std::string>& inputs = {});

/// A CSV: names, then rows of cells.
struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
/// The shortest text that reads back as the same number; empty for NaN.
std::string csv_number(double value);
std::string csv_number(std::int64_t value);

/// Writes what is wanted. `page` and `plot` are called only if needed.
void write_results(const ResultPaths& paths, const nlohmann::ordered_json& json,
                   const CsvTable& csv, const std::function<report::Page()>& page,
                   const std::function<report::Plot()>& plot);

/// A statement that a run put to the test.
struct Check {
  std::string statement;
  double value = 0;
  std::string expected;  ///< "<= 1e-12", "0.138 +- 0.0005"
  bool holds = false;
};
Check check_at_most(std::string statement, double value, double bound);
Check check_at_least(std::string statement, double value, double bound);
Check check_near(std::string statement, double value, double expected, double tolerance);

/// A numbered part of a page.
struct Exhibit {
  std::string name;  ///< of a file with its data, without ending
  std::variant<report::Plot, report::PictureGrid, report::Table> content;
  std::string caption;
};

/// All that a run of a command found: what is printed, written and checked.
struct Findings {
  std::string title, subtitle;  ///< of its page
  std::vector<Exhibit> exhibits;
  std::vector<std::pair<std::string, std::string>> facts;  ///< parameters, seed
  std::vector<std::string> notes;
  CsvTable csv;
  nlohmann::ordered_json json;
  std::vector<Check> checks;
  std::string text;  ///< for a terminal
};

/// CSV as it stands in a file.
std::string csv_text(const CsvTable& csv);

/// Exhibits, notes and facts, in this order.
void add_findings(report::Page& page, const Findings& findings);

/// Writes what is wanted (the picture is the first plot), prints the text unless JSON goes to
/// standard output, says which checks do not hold. Returns kOk or kMissed.
int give_findings(const ResultPaths& paths, const Findings& findings);

/// --seed N, --replicas N (or another name) and --threads N.
void add_replicas(CLI::App& command, Context& context, std::int64_t& seed, std::int64_t& replicas,
                  const std::string& name, const std::string& description);

/// Options of the library for a command's replicas; `progress` must outlive them.
theory::ReplicaOptions replica_options(const Context& context, std::int64_t seed,
                                       std::int64_t replicas, Progress& progress);

/// A list of numbers, comma-separated, each > 0.
CLI::Option* add_positive_list(CLI::App& command, const std::string& name,
                               std::vector<double>& values, const std::string& description);

/// --network and what chooses among its kinds.
struct NetworkChoice {
  std::string network = "classical", rule = "hebbian", terms = "all";
  theory::NetworkKind kind() const;  ///< not for "continuous"
  bool continuous() const { return network == "continuous"; }
};
void add_network(CLI::App& command, NetworkChoice& choice, const std::vector<std::string>& names);

/// Patterns as double: NPY [S, d], CSV or TSV. Errors: kIo, kCorruptData.
struct PatternTable {
  std::vector<double> values;  ///< [num_patterns, depth]
  std::int64_t num_patterns = 0, depth = 0;
};
PatternTable read_pattern_table(const std::string& path);

/// softmax, sparsemax, entmax15
CLI::Option* add_separation(CLI::App& command, std::string& name);
Separation parse_separation(const std::string& name);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_OUTPUT_H_
