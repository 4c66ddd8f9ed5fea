#include "cli/theory_output.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>

#include "hopfield/base/os.h"
#include "hopfield/report/format.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/npy.h"

namespace hopfield::cli {

void add_results(CLI::App& command, ResultPaths& paths, const std::string& csv_holds,
                 const std::string& svg_shows) {
  add_json_flag(command, paths.json);
  command.add_option("--csv", paths.csv, "Write " + csv_holds)->type_name("FILE");
  if (svg_shows.empty()) return;
  command.add_option("--report", paths.report, "Write a page (HTML) with all pictures")
      ->type_name("FILE");
  command.add_option("--svg", paths.svg, "Write a picture: " + svg_shows)->type_name("FILE");
}

void check_results(const ResultPaths& paths, const std::vector<std::string>& inputs) {
  check_outputs({json_path(paths.json), paths.csv, paths.report, paths.svg}, inputs);
}

std::string csv_number(double value) {
  if (std::isnan(value)) return "";
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string csv_number(std::int64_t value) {
  return std::to_string(value);
}

void write_results(const ResultPaths& paths, const nlohmann::ordered_json& json,
                   const CsvTable& csv, const std::function<report::Page()>& page,
                   const std::function<report::Plot()>& plot) {
  if (!paths.csv.empty()) atomic_write_file(paths.csv, csv_text(csv));
  if (!paths.report.empty()) page().write(paths.report);
  if (!paths.svg.empty()) atomic_write_file(paths.svg, report::standalone_svg(plot()));
  if (!paths.json.empty()) write_json(json_path(paths.json), json);
}

std::string csv_text(const CsvTable& csv) {
  std::string text;
  const auto add = [&text](const std::vector<std::string>& cells) {
    for (std::size_t k = 0; k < cells.size(); ++k) text += (k == 0 ? "" : ",") + cells[k];
    text += '\n';
  };
  add(csv.columns);
  for (const auto& row : csv.rows) add(row);
  return text;
}

// Written so that NaN does not hold.
Check check_at_most(std::string statement, double value, double bound) {
  return {std::move(statement), value, "<= " + report::general(bound, 6), value <= bound};
}

Check check_at_least(std::string statement, double value, double bound) {
  return {std::move(statement), value, ">= " + report::general(bound, 6), value >= bound};
}

Check check_near(std::string statement, double value, double expected, double tolerance) {
  return {std::move(statement), value,
          report::general(expected, 10) + " +- " + report::general(tolerance, 2),
          std::abs(value - expected) <= tolerance};
}

void add_findings(report::Page& page, const Findings& findings) {
  for (const Exhibit& exhibit : findings.exhibits) {
    if (const auto* plot = std::get_if<report::Plot>(&exhibit.content)) {
      page.begin_row().plot(*plot, exhibit.caption);  // plots that follow stand beside it
      continue;
    }
    page.end_row();
    if (const auto* grid = std::get_if<report::PictureGrid>(&exhibit.content)) {
      page.pictures(*grid, exhibit.caption);
    } else {
      page.table(std::get<report::Table>(exhibit.content), exhibit.caption);
    }
  }
  page.end_row();
  if (!findings.notes.empty()) page.list(findings.notes);
  page.facts(findings.facts);
}

int give_findings(const ResultPaths& paths, const Findings& findings) {
  const auto page = [&] {
    report::Page result(findings.title, findings.subtitle);
    add_findings(result, findings);
    return result;
  };
  const auto plot = [&] {
    for (const Exhibit& exhibit : findings.exhibits) {
      if (const auto* found = std::get_if<report::Plot>(&exhibit.content)) return *found;
    }
    return report::Plot{};
  };
  write_results(paths, findings.json, findings.csv, page, plot);
  if (json_path(paths.json) != "-") std::cout << findings.text;
  bool all = true;
  for (const Check& check : findings.checks) {
    if (check.holds) continue;
    all = false;
    note("does not hold: " + check.statement + ": " + report::general(check.value, 6) +
         ", expected " + check.expected);
  }
  return all ? kOk : kMissed;
}

void add_replicas(CLI::App& command, Context& context, std::int64_t& seed, std::int64_t& replicas,
                  const std::string& name, const std::string& description) {
  add_whole_number(command, "--seed", seed, "Seed of all random numbers", 0);
  add_whole_number(command, name, replicas, description, 1, 10'000'000);
  add_threads(command, context);
}

theory::ReplicaOptions replica_options(const Context& context, std::int64_t seed,
                                       std::int64_t replicas, Progress& progress) {
  theory::ReplicaOptions options;
  options.num_replicas = replicas;
  options.seed = static_cast<std::uint64_t>(seed);
  options.executor = context.stoppable_executor.get();
  options.cancelled = context.cancelled;
  options.progress = [&progress](std::int64_t done) { progress.update(done); };
  return options;
}

CLI::Option* add_positive_list(CLI::App& command, const std::string& name,
                               std::vector<double>& values, const std::string& description) {
  const auto check = [](const std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (whole && value > 0 && std::isfinite(value)) return "";
    return "expected numbers > 0, separated by commas, got '" + text + "'";
  };
  return command.add_option(name, values, description)
      ->delimiter(',')
      ->type_name("N,...")
      ->check(CLI::Validator(check, ""))
      ->capture_default_str();
}

theory::NetworkKind NetworkChoice::kind() const {
  using theory::NetworkKind;
  if (network == "dense") {
    return terms == "all" ? NetworkKind::kPolynomial : NetworkKind::kPSpin;
  }
  if (network == "exponential") return NetworkKind::kExponential;
  if (network == "multitask") return NetworkKind::kMultitask;
  if (rule == "pseudo-inverse") return NetworkKind::kPseudoInverse;
  return rule == "storkey" ? NetworkKind::kStorkey : NetworkKind::kHebbian;
}

void add_network(CLI::App& command, NetworkChoice& choice, const std::vector<std::string>& names) {
  command.add_option("--network", choice.network, "Which network")
      ->check(CLI::IsMember(names))
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--rule", choice.rule, "classical: how it learns")
      ->check(CLI::IsMember({"hebbian", "pseudo-inverse", "storkey"}))
      ->type_name("hebbian|pseudo-inverse|storkey")
      ->capture_default_str();
  command
      .add_option("--terms", choice.terms,
                  "dense: products over all index tuples (Krotov, Hopfield) or over distinct "
                  "indices (replica theory)")
      ->check(CLI::IsMember({"all", "distinct"}))
      ->type_name("all|distinct")
      ->capture_default_str();
}

PatternTable read_pattern_table(const std::string& path) {
  PatternTable table;
  if (path.ends_with(".npy")) {
    const store::NpyFile file(path);
    if (file.shape().size() != 2) {
      fail(ErrorCode::kCorruptData, "patterns",
           "'" + path + "': expected numbers of shape [rows, depth], got " +
               std::to_string(file.shape().size()) + " dimensions");
    }
    table.num_patterns = file.shape()[0];
    table.depth = file.shape()[1];
    table.values = file.read<double>();
  } else {
    store::CsvMatrix matrix = store::read_csv_matrix(path);
    table.num_patterns = matrix.rows;
    table.depth = static_cast<std::int64_t>(matrix.columns.size());
    table.values = std::move(matrix.values);
  }
  if (table.num_patterns < 1 || table.depth < 1) {
    fail(ErrorCode::kCorruptData, "patterns",
         "'" + path + "': expected at least one pattern, got none");
  }
  for (std::size_t i = 0; i < table.values.size(); ++i) {
    if (std::isfinite(table.values[i])) continue;
    const auto at = static_cast<std::int64_t>(i);
    fail(ErrorCode::kCorruptData, "patterns",
         "'" + path + "', row " + std::to_string(at / table.depth) + ", column " +
             std::to_string(at % table.depth) + " (counted from 0): expected a finite number");
  }
  return table;
}

CLI::Option* add_separation(CLI::App& command, std::string& name) {
  return command.add_option("--separation", name, "How scores become associations")
      ->check(CLI::IsMember({"softmax", "sparsemax", "entmax15"}))
      ->type_name("softmax|sparsemax|entmax15")
      ->capture_default_str();
}

Separation parse_separation(const std::string& name) {
  if (name == "sparsemax") return Separation::kSparsemax;
  return name == "entmax15" ? Separation::kEntmax15 : Separation::kSoftmax;
}

}  // namespace hopfield::cli
