#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/theory_answer.h"
#include "cli/theory_studies.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/dense.h"

namespace hopfield::cli {
namespace {

using theory::Ansatz;
using theory::Branch;

const std::map<std::string, Ansatz> kAnsatz = {{"rs", Ansatz::kReplicaSymmetric},
                                               {"1rsb", Ansatz::kOneStep}};
const std::map<std::string, Branch> kBranch = {{"retrieval", Branch::kRetrieval},
                                               {"glass", Branch::kGlass},
                                               {"paramagnet", Branch::kParamagnet}};
using Line = theory::LinePoint (*)(int, double);

const std::map<std::string, Line> kLines = {{"spinodal", theory::spinodal_temperature},
                                            {"re-entry", theory::reentry_temperature},
                                            {"crossing", theory::crossing_temperature},
                                            {"stability", theory::stability_temperature},
                                            {"static-glass", theory::static_glass_temperature},
                                            {"dynamic-glass", theory::dynamic_glass_temperature}};

constexpr double kLargest = 1e9;  // of gamma and T

struct DenseArguments {
  std::int64_t p = 4;
  double gamma = 0, temperature = 0;
  std::string ansatz = "rs", branch = "retrieval", line, json;
  bool critical = false;
  CLI::Option* gamma_given = nullptr;
};

int run_critical(const DenseArguments& a) {
  require(a.temperature == 0, "theory dense",
          "expected --temperature 0 with --critical, got " + report::general(a.temperature));
  const int p = static_cast<int>(a.p);
  const Ansatz ansatz = kAnsatz.at(a.ansatz);
  const theory::CriticalLoad edge = theory::critical_load(p, ansatz);
  const theory::CriticalLoad ground = theory::ground_state_load(p, ansatz);
  Json json;
  json["p"] = a.p;
  json["ansatz"] = a.ansatz;
  json["temperature"] = 0.0;
  json["gamma_c"] = edge.gamma;
  json["m"] = edge.m;
  json["x"] = edge.x;
  json["q1"] = edge.q1;
  json["y"] = edge.y;
  // K = (2 gamma / P!) N^(P-1).
  json["patterns_per_n_power"] = 2 * edge.gamma / std::tgamma(static_cast<double>(p) + 1);
  json["gamma_ground_state"] = ground.gamma;
  json["ground_state"] = report_json(ground.report);
  json.update(report_json(edge.report));
  return give_answer(json, a.json, edge.report);
}

int run_line(const DenseArguments& a) {
  const theory::LinePoint point = kLines.at(a.line)(static_cast<int>(a.p), a.gamma);
  Json json;
  json["p"] = a.p;
  json["gamma"] = a.gamma;
  json["line"] = a.line;
  json["temperature"] = point.temperature;
  json["m"] = point.m;
  json["q"] = point.q;
  json.update(report_json(point.report));
  return give_answer(json, a.json, point.report);
}

Json decomposition_json(const DenseArguments& a) {
  const theory::GlassParts parts =
      theory::decompose_glass({static_cast<int>(a.p), a.gamma, a.temperature});
  return {{"hard", parts.hard},     {"hard_beta", parts.hard_beta},     {"hard_q", parts.hard_q},
          {"soft", parts.soft},     {"soft_beta", parts.soft_beta},     {"soft_p", parts.soft_p},
          {"offset", parts.offset}, {"residual", parts.report.residual}};
}

int run_dense(const DenseArguments& a) {
  check_output(json_path(a.json));
  if (a.critical) return run_critical(a);
  require(a.gamma_given->count() > 0, "theory dense",
          "expected a load, got none; give --gamma, or --critical for the largest one");
  if (!a.line.empty()) return run_line(a);
  const theory::DenseState got = theory::solve_dense(
      {static_cast<int>(a.p), a.gamma, a.temperature}, kAnsatz.at(a.ansatz), kBranch.at(a.branch));
  Json json;
  json["p"] = a.p;
  json["gamma"] = a.gamma;
  json["temperature"] = a.temperature;
  json["ansatz"] = a.ansatz;
  json["branch"] = a.branch;
  json["m"] = got.m;
  if (a.ansatz == "rs" || got.collapsed) json["q"] = got.q2;
  json["q1"] = got.q1;
  json["q2"] = got.q2;
  json["theta"] = got.theta;
  json["y"] = got.y;
  json["susceptibility"] = got.susceptibility;
  if (a.p == 2) json["r"] = got.r;
  json["A"] = got.a;
  json["free_energy"] = got.free_energy;
  json["replicon"] = got.replicon;
  json["stable"] = got.report.converged && got.replicon > 0;
  json["collapsed"] = got.collapsed;
  if (a.branch == "glass" && a.ansatz == "rs" && a.gamma > 0 && a.temperature > 0) {
    json["decomposition"] = decomposition_json(a);
  }
  json.update(report_json(got.report));
  return give_answer(json, a.json, got.report);
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

void add_dense(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<DenseArguments>();
  CLI::App& command = add_command(
      noun, context, "dense", "Replica equations of the dense network with P-spin interactions",
      {"hopfield theory dense --p 4 --gamma 0.2 --temperature 0.3",
       "hopfield theory dense --p 4 --gamma 0.38 --temperature 0.05 --ansatz 1rsb --json",
       "hopfield theory dense --p 2 --gamma 0.1 --temperature 0.5 --branch glass",
       "hopfield theory dense --p 4 --temperature 0 --critical --ansatz 1rsb",
       "hopfield theory dense --p 4 --gamma 0.2 --line spinodal"},
      [a] { return run_dense(*a); });
  add_whole_number(command, "--p", a->p, "P, spins in one interaction: even", 2, 100);
  a->gamma_given =
      add_number(command, "--gamma", a->gamma, "Load: K = (2 gamma / P!) N^(P-1)", 0, kLargest);
  add_number(command, "--temperature", a->temperature, "Temperature", 0, kLargest);
  command.add_option("--ansatz", a->ansatz, "Replica-symmetric, or one step of breaking")
      ->check(CLI::IsMember(names_of(kAnsatz)))
      ->type_name("rs|1rsb")
      ->capture_default_str();
  command.add_option("--branch", a->branch, "Which solution")
      ->check(CLI::IsMember(names_of(kBranch)))
      ->type_name("retrieval|glass|paramagnet")
      ->capture_default_str();
  CLI::Option* critical = command.add_flag(
      "--critical", a->critical, "The largest load with a retrieval state at T = 0 instead");
  command
      .add_option("--line", a->line,
                  "A temperature instead, at this load: end of retrieval (spinodal), its least "
                  "temperature (re-entry), equal free energies (crossing), loss of stability, or "
                  "onset of the glass")
      ->check(CLI::IsMember(names_of(kLines)))
      ->type_name("LINE")
      ->excludes(critical);
  add_json_flag(command, a->json);
}

}  // namespace

Findings study_dense_diagram(const DenseDiagramArguments& a, const Context& context) {
  const int p = static_cast<int>(a.p);
  const theory::CriticalLoad edge = theory::critical_load(p, Ansatz::kReplicaSymmetric);
  const theory::CriticalLoad broken = theory::critical_load(p, Ansatz::kOneStep);
  const theory::CriticalLoad ground = theory::ground_state_load(p, Ansatz::kReplicaSymmetric);
  const double end = theory::largest_load(p);
  const std::vector<std::string> lines = {"spinodal",  "re-entry",     "crossing",
                                          "stability", "static-glass", "dynamic-glass"};
  const auto count = static_cast<std::size_t>(a.points);
  std::vector<std::vector<double>> temperature(lines.size(), std::vector<double>(count));
  std::vector<double> gamma(count);
  for (std::size_t i = 0; i < count; ++i) {
    gamma[i] = end * static_cast<double>(i) / static_cast<double>(count - 1);
  }
  context.stoppable_executor->run(a.points, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    for (std::size_t k = 0; k < lines.size(); ++k) {
      const theory::LinePoint point = kLines.at(lines[k])(p, gamma[at]);
      temperature[k][at] =
          point.report.converged ? point.temperature : std::numeric_limits<double>::quiet_NaN();
    }
  });
  DataTable data;
  data.columns = {"gamma"};
  for (const std::string& line : lines) data.columns.push_back(line);
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Json> row = {gamma[i]};
    for (const std::vector<double>& line : temperature) row.push_back(line[i]);
    data.rows.push_back(row);
  }
  report::Plot plot;
  plot.title = "Dense network, P = " + std::to_string(p) + ": phase diagram";
  plot.description =
      "Temperatures against load: replica-symmetric retrieval ends (spinodal) and, beyond its "
      "largest load at T = 0, begins (re-entry); equal free energies of retrieval and its rival "
      "(crossing), retrieval unstable against replica symmetry breaking below (stability), onset "
      "of "
      "the glass. Point: with one step of breaking retrieval reaches T = 0 up to here";
  plot.x.label = p == 2 ? "load alpha = K / N" : "load gamma, K = (2 gamma / P!) N^(P-1)";
  plot.y.label = "temperature T";
  plot.y.min = 0;
  for (std::size_t k = 0; k < lines.size(); ++k) {
    bool any = false;
    for (const double t : temperature[k]) any = any || std::isfinite(t);
    if (any) plot.series.push_back({lines[k], gamma, temperature[k]});
  }
  plot.series.push_back(
      {"largest load at T = 0, one step", {broken.gamma}, {0}, {}, report::Mark::kPoints});
  const Json parameters = {{"p", a.p},
                           {"gamma_c_rs", edge.gamma},
                           {"gamma_c_1rsb", broken.gamma},
                           {"gamma_end", end},
                           {"gamma_ground_state_rs", ground.gamma}};
  return diagram_findings(plot, data, parameters,
                          {"Where a line is absent at a load its cell is empty.",
                           "Equations, sources and check values: docs/math/dense.md."});
}

namespace {

void add_diagram(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<DenseDiagramArguments>();
  CLI::App& command = add_command(
      noun, context, "dense-diagram", "Phase diagram of the dense network: lines T(gamma)",
      {"hopfield theory dense-diagram --p 4 --points 11 --csv dense4.csv --svg dense4.svg",
       "hopfield theory dense-diagram --p 2 --points 11 --report dense2.html"},
      [a, &context] {
        check_diagram(a->paths);
        return give_findings(a->paths, study_dense_diagram(*a, context));
      });
  add_whole_number(command, "--p", a->p, "P, even", 2, 100);
  add_whole_number(command, "--points", a->points, "Loads from 0 to the largest one", 2, 100'000);
  add_results(command, a->paths, "the data, one point a row", "the diagram");
  add_threads(command, context);
}

}  // namespace

void add_theory_dense(CLI::App& noun, Context& context) {
  add_dense(noun, context);
  add_diagram(noun, context);
}

}  // namespace hopfield::cli
