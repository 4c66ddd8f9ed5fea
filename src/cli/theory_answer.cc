#include "cli/theory_answer.h"

#include <iomanip>
#include <iostream>

#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::cli {
namespace {

std::string shown(const Json& value) {
  if (value.is_number_float()) return report::general(value.get<double>(), 10);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::string text;
    for (const Json& entry : value) text += (text.empty() ? "" : ", ") + shown(entry);
    return text;
  }
  return value.dump();
}

void print_lines(const Json& answer, const std::string& prefix) {
  constexpr int kWidth = 30;
  for (const auto& [key, value] : answer.items()) {
    if (value.is_object()) {
      print_lines(value, prefix + key + ".");
    } else if (!(value.is_string() && value.get<std::string>().empty())) {
      std::cout << std::left << std::setw(kWidth) << prefix + key << " " << shown(value) << "\n";
    }
  }
}

std::string csv_cell(const Json& cell) {
  if (cell.is_string()) return cell.get<std::string>();
  return cell.is_number_float() ? csv_number(cell.get<double>()) : cell.dump();
}

report::Table point_table(const DataTable& data) {
  std::vector<report::Column> columns;
  for (const std::string& name : data.columns) columns.push_back({name, report::Align::kRight});
  report::Table table(columns);
  for (const std::vector<Json>& row : data.rows) {
    std::vector<std::string> cells;
    for (const Json& cell : row) {
      cells.push_back(cell.is_number_float() ? report::general(cell.get<double>(), 6)
                                             : shown(cell));
    }
    table.add_row(cells);
  }
  return table;
}

}  // namespace

Json report_json(const theory::SolverReport& report) {
  return {{"converged", report.converged},
          {"iterations", report.iterations},
          {"residual", report.residual},
          {"message", report.message}};
}

int give_answer(const Json& answer, const std::string& json, const theory::SolverReport& report) {
  const std::string target = json_path(json);
  if (!target.empty()) write_json(target, answer);
  if (target != "-") print_lines(answer, "");
  if (report.converged) return kOk;
  note("not converged: " + report.message);
  return kMissed;
}

void check_diagram(const ResultPaths& paths) {
  check_results(paths);
  require(!(paths.csv.empty() && paths.svg.empty() && paths.report.empty() && paths.json.empty()),
          "theory", "expected --csv, --svg, --report or --json, got none of them");
}

Findings diagram_findings(const report::Plot& plot, const DataTable& data, const Json& parameters,
                          const std::vector<std::string>& notes) {
  Findings found;
  found.title = plot.title;
  found.exhibits = {{"diagram", plot, plot.description + "."}};
  constexpr std::size_t kShort = 100;  // a longer table is no help to readers
  if (data.rows.size() <= kShort) {
    found.exhibits.push_back({"points", point_table(data), "All points of the picture."});
  }
  for (const auto& [key, value] : parameters.items()) found.facts.emplace_back(key, shown(value));
  found.notes = notes;
  found.csv.columns = data.columns;
  Json rows = Json::array();
  for (const std::vector<Json>& row : data.rows) {
    Json entry;
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < row.size(); ++i) {
      entry[data.columns[i]] = row[i];
      cells.push_back(csv_cell(row[i]));
    }
    rows.push_back(entry);
    found.csv.rows.push_back(cells);
  }
  found.json = {{"parameters", parameters}, {"rows", rows}};
  return found;
}

}  // namespace hopfield::cli
