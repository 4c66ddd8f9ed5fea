#ifndef HOPFIELD_SRC_CLI_THEORY_ANSWER_H_
#define HOPFIELD_SRC_CLI_THEORY_ANSWER_H_

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cli/theory_output.h"
#include "hopfield/report/plot.h"
#include "hopfield/theory/solver.h"

// What the commands of `theory` that solve equations share.
namespace hopfield::cli {

using Json = nlohmann::ordered_json;

void add_theory_dense(CLI::App& noun, Context& context);
void add_theory_multitask(CLI::App& noun, Context& context);

/// The report's fields, to be appended to an answer.
Json report_json(const theory::SolverReport& report);

/// Writes the answer as --json says; otherwise, and beside a file, prints "name value" lines. Says
/// the message of a report that did not converge on standard error. Returns kOk or kMissed.
int give_answer(const Json& answer, const std::string& json, const theory::SolverReport& report);

/// Throws unless a diagram is wanted somewhere and can be written there; to be called before long
/// work.
void check_diagram(const ResultPaths& paths);

/// One row per point, one column per quantity; cells of text are written as they are, numbers with
/// all their digits, NaN as nothing.
struct DataTable {
  std::vector<std::string> columns;
  std::vector<std::vector<Json>> rows;
};
/// JSON: "parameters" and "rows"; the page shows a short table beside the plot.
Findings diagram_findings(const report::Plot& plot, const DataTable& data, const Json& parameters,
                          const std::vector<std::string>& notes);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_THEORY_ANSWER_H_
