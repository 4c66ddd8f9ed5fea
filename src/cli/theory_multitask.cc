#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/theory_answer.h"
#include "cli/theory_studies.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/multitask.h"

namespace hopfield::cli {
namespace {

using theory::MultitaskRegime;
using theory::MultitaskStart;

constexpr double kLargest = 1e9;  // of T and rho
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct MultitaskArguments {
  std::int64_t k = 3, examples = 1, points = 41;
  double dilution = 0.4, temperature = 0.05, rho = 0, quality = 1, theta = 0;
  std::string start = "hierarchical";
  bool diagram = false;
  CLI::Option* quality_given = nullptr;
  CLI::Option* theta_given = nullptr;
  ResultPaths output;
};

MultitaskStart start_of(const std::string& name) {
  return name == "parallel" ? MultitaskStart::kParallel : MultitaskStart::kHierarchical;
}

/// What holds for all temperatures at this K and d.
Json borders(int k, double dilution) {
  Json json = {{"d_c", theory::hierarchical_dilution_max(k)}, {"T_c", 1 - dilution}};
  json["T_sym"] = kNan;
  if (k < 2) return json;
  const theory::ParallelEdge edge = theory::parallel_edge(k, dilution);
  json["T_sym"] = edge.temperature;
  json["T_sym_message"] = edge.report.message;
  return json;
}

Json learning(const MultitaskArguments& a, double rho) {
  Json json = {{"rho", rho}, {"m_one_pattern", theory::learned_magnetisation(rho)}};
  if (a.theta_given->count() == 0) return json;
  json["theta"] = a.theta;
  json["m_wanted"] = std::erf(a.theta);
  json["rho_max"] = 1 / (2 * a.theta * a.theta);
  json["reached"] = rho <= 1 / (2 * a.theta * a.theta);
  if (a.quality_given->count() > 0) {
    json["examples_needed"] = theory::examples_needed(a.quality, a.theta);
  }
  // The same from the equations at this K, d and T, for m_1 >= (1 - d) erf(theta).
  const theory::LearningThreshold exact =
      theory::learning_threshold({static_cast<int>(a.k), a.dilution, a.temperature}, a.theta);
  Json threshold = {{"m_1_wanted", (1 - a.dilution) * std::erf(a.theta)}, {"rho_max", exact.rho}};
  if (a.quality_given->count() > 0) {
    threshold["examples_needed"] = theory::dataset_entropy(a.quality, 1) / exact.rho;
  }
  threshold.update(report_json(exact.report));
  json["all_patterns"] = threshold;
  return json;
}

double rho_of(const MultitaskArguments& a) {
  return a.quality_given->count() > 0
             ? theory::dataset_entropy(a.quality, static_cast<double>(a.examples))
             : a.rho;
}

int run_point(const MultitaskArguments& a) {
  check_output(json_path(a.output.json));
  require(a.output.csv.empty() && a.output.svg.empty() && a.output.report.empty(),
          "theory multitask", "expected --diagram with --csv, --svg or --report, got none");
  const double rho = rho_of(a);
  const theory::MultitaskParameters at = {static_cast<int>(a.k), a.dilution, a.temperature, rho};
  const theory::MultitaskState got = theory::solve_multitask(at, start_of(a.start));
  // Which of the two starts has the lower free energy.
  const bool parallel = a.start == "parallel";
  const theory::MultitaskState other = theory::solve_multitask(
      at, parallel ? MultitaskStart::kHierarchical : MultitaskStart::kParallel);
  constexpr double kSame = 1e-12;
  Json json = {{"k", a.k},
               {"dilution", a.dilution},
               {"temperature", a.temperature},
               {"rho", rho},
               {"start", a.start},
               {"m", got.m},
               {"n", got.n},
               {"loss", got.loss},
               {"energy", got.energy},
               {"free_energy", got.free_energy},
               {"regime", theory::multitask_regime_name(got.regime)},
               {"other_start_free_energy", other.free_energy},
               {"lowest_free_energy", got.free_energy <= other.free_energy + kSame},
               {"borders", borders(at.num_patterns, a.dilution)},
               {"learning", learning(a, rho)}};
  json.update(report_json(got.report));
  return give_answer(json, a.output.json, got.report);
}

struct GridPoint {
  double dilution = 0, temperature = 0;
  theory::MultitaskState state;
};

report::Plot diagram_plot(const MultitaskDiagramArguments& a, const std::vector<GridPoint>& grid) {
  report::Plot plot;
  plot.title = "Multitasking network, K = " + std::to_string(a.k) + ": regimes";
  plot.description =
      "Regime of the state that the hierarchical start reaches, against dilution and temperature" +
      std::string(a.rho > 0 ? ""
                            : ", with the onset T = 1 - d and the edge of the parallel regime");
  plot.x.label = "dilution d";
  plot.y.label = "temperature T";
  for (const MultitaskRegime regime : {MultitaskRegime::kHierarchical, MultitaskRegime::kMixed,
                                       MultitaskRegime::kParallel, MultitaskRegime::kParamagnet}) {
    report::Series series;
    series.name = std::string(theory::multitask_regime_name(regime));
    series.mark = report::Mark::kPoints;
    for (const GridPoint& point : grid) {
      if (point.state.regime != regime) continue;
      series.x.push_back(point.dilution);
      series.y.push_back(point.temperature);
    }
    if (!series.x.empty()) plot.series.push_back(series);
  }
  if (a.rho > 0) return plot;
  report::Series onset, edge;
  onset.name = "T_c = 1 - d";
  edge.name = "T_sym";
  onset.tone = report::Tone::kMuted;
  for (std::int64_t i = 0; i < a.points; ++i) {
    const double d = static_cast<double>(i) / static_cast<double>(a.points - 1);
    onset.x.push_back(d);
    onset.y.push_back(1 - d);
    if (a.k < 2) continue;
    const theory::ParallelEdge at = theory::parallel_edge(static_cast<int>(a.k), d);
    if (!at.report.converged) continue;
    edge.x.push_back(d);
    edge.y.push_back(at.temperature);
  }
  plot.series.push_back(onset);
  if (!edge.x.empty()) plot.series.push_back(edge);
  return plot;
}

}  // namespace

Findings study_multitask_diagram(const MultitaskDiagramArguments& a, const Context& context) {
  const std::int64_t rows = (a.points + 1) / 2;
  std::vector<GridPoint> grid(static_cast<std::size_t>(a.points * rows));
  context.stoppable_executor->run(a.points * rows, [&](std::int64_t i) {
    GridPoint& point = grid[static_cast<std::size_t>(i)];
    // Midpoints: neither d = 0 or 1 nor T = 0, where several states meet.
    point.dilution = (static_cast<double>(i / rows) + 0.5) / static_cast<double>(a.points);
    point.temperature = (static_cast<double>(i % rows) + 0.5) / static_cast<double>(rows);
    point.state = theory::solve_multitask(
        {static_cast<int>(a.k), point.dilution, point.temperature, a.rho}, start_of(a.start));
  });
  DataTable data;
  data.columns = {"dilution", "temperature", "regime", "free_energy", "converged"};
  for (std::int64_t mu = 1; mu <= a.k; ++mu) data.columns.push_back("m" + std::to_string(mu));
  for (const GridPoint& point : grid) {
    std::vector<Json> row = {point.dilution, point.temperature,
                             theory::multitask_regime_name(point.state.regime),
                             point.state.free_energy, point.state.report.converged};
    for (const double m : point.state.m) row.push_back(m);
    data.rows.push_back(row);
  }
  const Json parameters = {{"k", a.k},
                           {"rho", a.rho},
                           {"start", a.start},
                           {"d_c", theory::hierarchical_dilution_max(static_cast<int>(a.k))}};
  return diagram_findings(diagram_plot(a, grid), data, parameters,
                          {"d_c: the hierarchical state is self-consistent at T = 0 below it.",
                           "Equations, sources and check values: docs/math/multitask.md."});
}

void add_theory_multitask(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<MultitaskArguments>();
  CLI::App& command = add_command(
      noun, context, "multitask", "Diluted patterns recalled at once: magnetisations and regimes",
      {"hopfield theory multitask --k 3 --dilution 0.4 --temperature 0.05",
       "hopfield theory multitask --k 2 --dilution 0.3 --temperature 0.2 --rho 0.25 --json",
       "hopfield theory multitask --k 1 --dilution 0 --quality 0.3 --examples 20 --theta 0.7",
       "hopfield theory multitask --k 3 --diagram --points 21 --csv tasks.csv --svg tasks.svg"},
      [a, &context] {
        if (!a->diagram) return run_point(*a);
        check_diagram(a->output);
        return give_findings(
            a->output, study_multitask_diagram({a->k, a->points, rho_of(*a), a->start}, context));
      });
  add_whole_number(command, "--k", a->k,
                   "Number of patterns; below T = 0.001 at most 12, with "
                   "noisy examples 8",
                   1, 100);
  add_number(command, "--dilution", a->dilution, "Share of zeros in a pattern", 0, 1);
  add_number(command, "--temperature", a->temperature, "Temperature", 0, kLargest);
  CLI::Option* rho =
      add_number(command, "--rho", a->rho, "Data-set entropy (1 - r^2)/(M r^2)", 0, kLargest);
  a->quality_given = add_number(command, "--quality", a->quality,
                                "r of the noisy examples; with --examples it gives rho", 1e-6, 1);
  a->quality_given->excludes(rho);
  add_whole_number(command, "--examples", a->examples, "M, noisy examples of each pattern", 1)
      ->needs(a->quality_given);
  a->theta_given = add_number(command, "--theta", a->theta,
                              "Learning threshold: is m >= erf(theta) reached?", 1e-6, 5);
  command.add_option("--start", a->start, "State that the iteration starts from")
      ->check(CLI::IsMember({"hierarchical", "parallel"}))
      ->type_name("hierarchical|parallel")
      ->capture_default_str();
  command.add_flag("--diagram", a->diagram, "All dilutions and temperatures instead of one");
  add_whole_number(command, "--points", a->points, "Dilutions in the diagram", 2, 1000);
  add_results(command, a->output, "the data, one point a row", "the diagram");
  add_threads(command, context);
}

}  // namespace hopfield::cli
