#include "cli/theory_output.h"

#include <cmath>
#include <iomanip>
#include <iostream>

#include "hopfield/base/os.h"
#include "hopfield/report/format.h"
#include "hopfield/report/page.h"

namespace hopfield::cli {
namespace {

std::string target_of(const std::string& json) {
  return json == "true" ? "-" : json;
}

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

std::string csv_text(const DataTable& data) {
  std::string text;
  const auto add_line = [&text](const auto& cells, const auto& cell_text) {
    bool first = true;
    for (const auto& cell : cells) {
      if (!first) text += ",";
      text += cell_text(cell);
      first = false;
    }
    text += "\n";
  };
  add_line(data.columns, [](const std::string& cell) { return cell; });
  for (const std::vector<Json>& row : data.rows) {
    add_line(row, [](const Json& cell) -> std::string {
      if (cell.is_string()) return cell.get<std::string>();
      if (cell.is_number_float() && !std::isfinite(cell.get<double>())) return "";
      return cell.dump();
    });
  }
  return text;
}

}  // namespace

void add_json(CLI::App& command, std::string& json) {
  command.add_flag("--json", json, "Print JSON with all digits; --json=FILE writes it");
}

Json report_json(const theory::SolverReport& report) {
  return {{"converged", report.converged},
          {"iterations", report.iterations},
          {"residual", report.residual},
          {"message", report.message}};
}

int give_answer(const Json& answer, const std::string& json, const theory::SolverReport& report) {
  const std::string target = target_of(json);
  if (!target.empty()) write_json(target, answer);
  if (target != "-") print_lines(answer, "");
  if (report.converged) return kOk;
  note("not converged: " + report.message);
  return kMissed;
}

void add_diagram_output(CLI::App& command, DiagramOutput& output) {
  command.add_option("--csv", output.csv, "Write the data, one point a row")->type_name("FILE");
  command.add_option("--svg", output.svg, "Write the picture")->type_name("FILE");
  command.add_option("--html", output.html, "Write a page with picture and data")
      ->type_name("FILE");
  add_json(command, output.json);
}

void check_diagram_output(const DiagramOutput& output) {
  for (const std::string& path : {output.csv, output.svg, output.html, target_of(output.json)}) {
    check_output(path);
  }
  require(!(output.csv.empty() && output.svg.empty() && output.html.empty() && output.json.empty()),
          "theory", "expected --csv, --svg, --html or --json, got none of them");
}

void write_diagram(const DiagramOutput& output, const report::Plot& plot, const DataTable& data,
                   const Json& parameters, const std::vector<std::string>& notes) {
  if (!output.csv.empty()) atomic_write_file(output.csv, csv_text(data));
  if (!output.svg.empty()) atomic_write_file(output.svg, report::standalone_svg(plot));
  if (!output.html.empty()) {
    report::Page page(plot.title);
    std::vector<std::pair<std::string, std::string>> facts;
    for (const auto& [key, value] : parameters.items()) facts.emplace_back(key, shown(value));
    page.facts(facts).plot(plot, plot.description).list(notes);
    std::vector<report::Column> columns;
    for (const std::string& name : data.columns) {
      columns.push_back({name, report::Align::kRight});
    }
    report::Table table(columns);
    for (const std::vector<Json>& row : data.rows) {
      std::vector<std::string> cells;
      for (const Json& cell : row) {
        cells.push_back(cell.is_number_float() ? report::general(cell.get<double>(), 6)
                                               : shown(cell));
      }
      table.add_row(cells);
    }
    page.table(table, "All points of the picture").write(output.html);
  }
  const std::string target = target_of(output.json);
  if (target.empty()) return;
  Json rows = Json::array();
  for (const std::vector<Json>& row : data.rows) {
    Json entry;
    for (std::size_t i = 0; i < row.size(); ++i) entry[data.columns[i]] = row[i];
    rows.push_back(entry);
  }
  write_json(target, {{"parameters", parameters}, {"rows", rows}});
}

}  // namespace hopfield::cli
