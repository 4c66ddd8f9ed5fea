#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/theory_networks.h"
#include "cli/theory_studies.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/theory/landscape.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;
using Arguments = EnergyArguments;

/// Energies against updates (or sweeps), one series a start, and the largest rise in them.
struct Traces {
  std::vector<std::vector<double>> energies;
  double rise_max = 0, tolerance = 0;
  bool ok() const { return rise_max <= tolerance; }
};

/// Energies carry roundings of their own size; the sheet's promise is 1e-12 of it.
double tolerance_of(const std::vector<std::vector<double>>& energies, double at_least) {
  double size = std::max(1.0, at_least);
  for (const auto& trace : energies) {
    for (const double e : trace) size = std::max(size, std::abs(e));
  }
  return 1e-12 * size;
}

report::Plot trace_plot(const Traces& traces, const std::string& step) {
  report::Plot plot;
  plot.title = "Energy along updates";
  plot.x.label = step;
  plot.y.label = "energy";
  bool positive = true;
  for (const auto& trace : traces.energies) {
    for (const double e : trace) positive = positive && e > 0;
  }
  if (positive) plot.y.scale = report::Scale::kLog10;  // the first update makes most of the way
  constexpr std::size_t kFew = 12;  // more lines are told apart better without their points
  for (std::size_t i = 0; i < traces.energies.size(); ++i) {
    report::Series series;
    series.mark =
        traces.energies.size() > kFew ? report::Mark::kLine : report::Mark::kLineAndPoints;
    for (std::size_t t = 0; t < traces.energies[i].size(); ++t) {
      series.x.push_back(static_cast<double>(t));
      series.y.push_back(traces.energies[i][t]);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

std::string text_of(const Traces& traces, std::int64_t seed) {
  return std::to_string(traces.energies.size()) + " descents, largest rise of the energy " +
         report::general(traces.rise_max, 3) + " (rounding allows " +
         report::general(traces.tolerance, 3) + "); seed " + std::to_string(seed) + "\n";
}

// --- networks of spins

Findings study_spins(const Arguments& a, const Context& context) {
  theory::Simulation s;
  s.kind = a.choice.kind();
  s.num_spins = a.num_spins;
  s.num_patterns = a.num_patterns;
  s.power = static_cast<int>(a.power);
  Progress progress("descents", a.starts);
  Traces traces;
  traces.energies = theory::replicate(
      replica_options(context, a.seed, a.starts, progress), [&](theory::RandomStream& random) {
        const theory::SpinPatterns patterns =
            theory::random_patterns(s.num_patterns, s.num_spins, 0, random);
        const auto network = theory::make_network(s, patterns, random);
        const auto start = theory::damaged(patterns.row(0), a.flipped, random);
        return theory::retrieve(*network, start, theory::UpdateOrder::kAsynchronous, a.steps,
                                random)
            .energies;
      });
  Findings found;
  found.csv.columns = {"start", "sweep", "energy"};
  traces.rise_max = -INFINITY;
  for (std::size_t i = 0; i < traces.energies.size(); ++i) {
    const std::vector<double>& e = traces.energies[i];
    for (std::size_t t = 0; t < e.size(); ++t) {
      found.csv.rows.push_back({std::to_string(i), std::to_string(t), csv_number(e[t])});
      if (t > 0) traces.rise_max = std::max(traces.rise_max, e[t] - e[t - 1]);
    }
  }
  traces.tolerance = tolerance_of(traces.energies, 0);
  const std::string kind(theory::network_name(s.kind));
  found.title = "Energy of asynchronous updates";
  found.subtitle = kind + " network";
  found.json = {{"network", a.choice.network},
                {"kind", kind},
                {"num_spins", s.num_spins},
                {"num_patterns", s.num_patterns},
                {"flipped", a.flipped},
                {"starts", a.starts},
                {"seed", a.seed},
                {"energy_rise_max", traces.rise_max},
                {"tolerance", traces.tolerance},
                {"energy_never_rose", traces.ok()},
                {"energies", traces.energies},
                {"hopfield", version()}};
  found.exhibits = {
      {"traces", trace_plot(traces, "sweep"), "One line a start; no sweep raises the energy."}};
  found.facts = {{"network", kind},
                 {"spins", std::to_string(s.num_spins)},
                 {"patterns", std::to_string(s.num_patterns)},
                 {"wrong spins of a start", report::general(a.flipped)},
                 {"seed", std::to_string(a.seed)}};
  found.checks = {check_at_most("largest rise of the energy in a sweep, " + kind + " network",
                                traces.rise_max, traces.tolerance)};
  found.text = text_of(traces, a.seed);
  return found;
}

// --- the continuous network

/// What is computed about one landscape.
struct Scene {
  theory::Descent descent;
  Traces traces;
  theory::EnergyLine line;
  std::unique_ptr<theory::Landscape> plane;  ///< depth 2 only
};

Scene compute(const Arguments& a, const theory::ContinuousNetwork& network,
              const Context& context) {
  Scene scene;
  Executor* executor = context.stoppable_executor.get();
  theory::RandomStream random(static_cast<std::uint64_t>(a.seed), 1);
  const std::vector<double> starts =
      theory::gaussian_patterns(a.starts, network.depth(), network.norm_max(), random);
  scene.descent = theory::descend(network, starts, a.steps, executor);
  for (std::int64_t i = 0; i < a.starts; ++i) {
    std::vector<double> trace;
    for (const auto& energies : scene.descent.energies) {
      trace.push_back(energies[static_cast<std::size_t>(i)]);
    }
    scene.traces.energies.push_back(std::move(trace));
  }
  // The balance E_{t+1} - E_t + |step|^2/2 <= 0 says more than "no rise".
  scene.traces.rise_max = scene.descent.balance_max;
  scene.traces.tolerance =
      tolerance_of(scene.traces.energies, network.norm_max() * network.norm_max());
  const std::vector<double> origin(static_cast<std::size_t>(network.depth()), 0.0);
  const bool pair = network.num_patterns() > 1;
  scene.line = theory::energy_line(network, network.pattern(0),
                                   pair ? network.pattern(1) : std::span<const double>(origin),
                                   a.side, 0.5, executor);
  if (network.depth() == 2) {
    theory::FixedPointOptions options;
    options.executor = executor;
    scene.plane = std::make_unique<theory::Landscape>(
        theory::landscape(network, theory::window_around(network, a.side), options));
  }
  return scene;
}

report::Plot line_plot(const Scene& scene) {
  report::Plot plot;
  plot.title = "Energy on the line through two patterns";
  plot.x.label = "t: 0 first pattern, 1 second (or origin)";
  plot.y.label = "energy";
  plot.series.push_back({"", scene.line.t, scene.line.energy});
  return plot;
}

report::Plot plane_plot(const Scene& scene, const theory::ContinuousNetwork& network) {
  report::Plot plot;
  plot.title = "Descents in the plane";
  plot.x.label = "xi_1";
  plot.y.label = "xi_2";
  plot.square = true;
  report::Series stored{"stored patterns", {}, {}, {}, report::Mark::kPoints};
  for (std::int64_t i = 0; i < network.num_patterns(); ++i) {
    stored.x.push_back(network.pattern(i)[0]);
    stored.y.push_back(network.pattern(i)[1]);
  }
  report::Series minima{"fixed points", {}, {}, {}, report::Mark::kPoints};
  for (const theory::FixedPoint& p : scene.plane->fixed_points.points) {
    minima.x.push_back(p.state[0]);
    minima.y.push_back(p.state[1]);
  }
  plot.series = {stored, minima};
  for (std::int64_t i = 0; i < scene.descent.num_states; ++i) {
    report::Series way;
    way.tone = report::Tone::kMuted;
    for (const auto& states : scene.descent.states) {
      way.x.push_back(states[static_cast<std::size_t>(2 * i)]);
      way.y.push_back(states[static_cast<std::size_t>(2 * i + 1)]);
    }
    plot.series.push_back(std::move(way));
  }
  return plot;
}

report::PictureGrid plane_pictures(const theory::Landscape& plane) {
  const auto [low, high] = std::minmax_element(plane.energy.begin(), plane.energy.end());
  const double range = *high > *low ? *high - *low : 1.0;
  const double count = static_cast<double>(plane.fixed_points.points.size());
  report::Picture energy{
      static_cast<int>(plane.window.width), static_cast<int>(plane.window.height), {}};
  report::Picture basins = energy;
  for (std::size_t i = 0; i < plane.energy.size(); ++i) {
    // The root shows the valleys, which are shallow beside the walls.
    energy.pixels.push_back(static_cast<float>(1 - std::sqrt((plane.energy[i] - *low) / range)));
    const double basin = static_cast<double>(plane.basin[i]);
    basins.pixels.push_back(plane.basin[i] < 0 ? std::nanf("")
                                               : static_cast<float>((basin + 0.5) / count));
  }
  report::PictureGrid grid;
  grid.column_titles = {"energy (dark: low)", "basins (one grey a fixed point)"};
  report::PictureGrid::Row row{"", {}};
  row.cells.push_back({std::move(energy)});
  row.cells.push_back({std::move(basins)});
  grid.rows.push_back(std::move(row));
  grid.picture_width = 320;
  return grid;
}

CsvTable csv_of(const Scene& scene) {
  if (!scene.plane) {
    CsvTable csv{{"t", "energy", "slope"}, {}};
    for (std::size_t i = 0; i < scene.line.t.size(); ++i) {
      csv.rows.push_back({csv_number(scene.line.t[i]), csv_number(scene.line.energy[i]),
                          csv_number(scene.line.slope[i])});
    }
    return csv;
  }
  CsvTable csv{{"x", "y", "energy", "basin", "steps"}, {}};
  const theory::Landscape& plane = *scene.plane;
  for (std::size_t i = 0; i < plane.energy.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    csv.rows.push_back({csv_number(plane.window.x(at % plane.window.width)),
                        csv_number(plane.window.y(at / plane.window.width)),
                        csv_number(plane.energy[i]), csv_number(plane.basin[i]),
                        csv_number(plane.steps[i])});
  }
  return csv;
}

Json json_of(const Arguments& a, const theory::ContinuousNetwork& network, const Scene& scene) {
  Json json = {{"network", "continuous"},
               {"separation", a.separation},
               {"num_patterns", network.num_patterns()},
               {"depth", network.depth()},
               {"beta", network.beta()},
               {"starts", a.starts},
               {"steps", a.steps},
               {"seed", a.seed},
               {"energy_rise_max", scene.descent.rise_max},
               {"balance_max", scene.descent.balance_max},
               {"tolerance", scene.traces.tolerance},
               {"energy_never_rose", scene.traces.ok()},
               {"energies", scene.traces.energies}};
  if (scene.plane) {
    const theory::Landscape& plane = *scene.plane;
    Json list = Json::array();
    for (std::size_t k = 0; k < plane.fixed_points.points.size(); ++k) {
      const theory::FixedPoint& p = plane.fixed_points.points[k];
      const auto points =
          std::count(plane.basin.begin(), plane.basin.end(), static_cast<std::int64_t>(k));
      list.push_back({{"state", p.state},
                      {"energy", p.energy},
                      {"kind", theory::fixed_point_name(p.kind)},
                      {"jacobian_norm", p.jacobian_norm},
                      {"basin_fraction",
                       static_cast<double>(points) / static_cast<double>(plane.basin.size())}});
    }
    json["fixed_points"] = list;
  }
  json["hopfield"] = version();
  return json;
}

/// Lemma A1: E >= 0, and E <= min(ln(N)/beta + M^2/2, 2 M^2) in the hull of the patterns, where
/// every state is after one update.
std::vector<Check> bound_checks(const theory::ContinuousNetwork& network, const Traces& traces,
                                const std::string& where) {
  double lowest = INFINITY, highest = -INFINITY;
  for (const auto& trace : traces.energies) {
    lowest = std::min(lowest, *std::min_element(trace.begin(), trace.end()));
    highest = std::max(highest, *std::max_element(trace.begin() + 1, trace.end()));
  }
  const double square = network.norm_max() * network.norm_max();
  const double bound =
      std::min(std::log(static_cast<double>(network.num_patterns())) / network.beta() + square / 2,
               2 * square);
  return {check_at_least("lowest energy (lemma A1)" + where, lowest, -traces.tolerance),
          check_at_most("highest energy after an update (lemma A1)" + where, highest,
                        bound + traces.tolerance)};
}

std::string fixed_point_text(const Scene& scene) {
  report::Table fixed({{"fixed point", report::Align::kLeft},
                       {"energy", report::Align::kRight},
                       {"kind", report::Align::kLeft}});
  for (const theory::FixedPoint& p : scene.plane->fixed_points.points) {
    fixed.add_row({"(" + report::general(p.state[0]) + ", " + report::general(p.state[1]) + ")",
                   report::general(p.energy), std::string(theory::fixed_point_name(p.kind))});
  }
  return fixed.text();
}

Findings study_continuous(const Arguments& a, const Context& context) {
  PatternTable table{{}, a.num_patterns, a.depth};
  if (a.patterns.empty()) {
    theory::RandomStream random(static_cast<std::uint64_t>(a.seed), 0);
    table.values = theory::gaussian_patterns(a.num_patterns, a.depth, 1, random);
  } else {
    table = read_pattern_table(a.patterns);
  }
  const theory::ContinuousNetwork network(table.values, table.depth, a.beta,
                                          parse_separation(a.separation));
  const Scene scene = compute(a, network, context);
  stop_if_cancelled(context);
  Findings found;
  found.title = "Energy landscape";
  const std::string size = "d = " + std::to_string(network.depth()) +
                           ", N = " + std::to_string(network.num_patterns()) +
                           ", beta = " + report::general(network.beta());
  found.subtitle = "Continuous network, " + size + ", every update goes downhill";
  if (scene.plane) {
    found.exhibits = {
        {"plane", plane_pictures(*scene.plane), "The plane around the stored patterns."},
        {"descents", plane_plot(scene, network), "Random starts and where updates take them."}};
    found.text = fixed_point_text(scene);
  }
  found.exhibits.push_back({"line", line_plot(scene), "A cut through the landscape."});
  found.exhibits.push_back({"traces", trace_plot(scene.traces, "update"), "One line a start."});
  found.facts = {{"patterns", std::to_string(network.num_patterns())},
                 {"depth", std::to_string(network.depth())},
                 {"beta", report::general(network.beta())},
                 {"separation", a.separation},
                 {"largest E' - E + |step|^2/2", report::general(scene.descent.balance_max, 3)},
                 {"seed", std::to_string(a.seed)}};
  found.csv = csv_of(scene);
  found.json = json_of(a, network, scene);
  const std::string where = ", " + size;
  found.checks = {check_at_most("largest E' - E + |step|^2/2 of an update" + where,
                                scene.traces.rise_max, scene.traces.tolerance)};
  if (network.separation() == Separation::kSoftmax) {
    for (Check& check : bound_checks(network, scene.traces, where)) {
      found.checks.push_back(std::move(check));
    }
  }
  found.text += text_of(scene.traces, a.seed);
  return found;
}

}  // namespace

Findings study_energy(const EnergyArguments& a, const Context& context) {
  if (a.choice.continuous()) return study_continuous(a, context);
  require(a.patterns.empty(), "--patterns",
          "expected patterns from a file for the continuous network only");
  return study_spins(a, context);
}

void add_theory_energy(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(
      noun, context, "energy", "Energy landscapes, descents and basins (exit 4 if an energy rose)",
      {"hopfield theory energy --report landscape.html",
       "hopfield theory energy --depth 1 --csv line.csv",
       "hopfield theory energy --separation sparsemax --beta 2 --json",
       "hopfield theory energy --network classical --n 200 --patterns-count 20 --svg descent.svg"},
      [a, &context] {
        check_results(a->paths, {a->patterns});
        return give_findings(a->paths, study_energy(*a, context));
      });
  add_network(command, a->choice, {"continuous", "classical", "dense", "exponential"});
  CLI::Option* patterns =
      command
          .add_option("--patterns", a->patterns,
                      "continuous: patterns, one a row (NPY, CSV, TSV), instead of Gaussian ones")
          ->type_name("FILE");
  add_whole_number(command, "--patterns-count", a->num_patterns, "Random patterns", 1, 1'000'000)
      ->excludes(patterns);
  add_whole_number(command, "--depth", a->depth,
                   "continuous: 2 gives pictures of the plane, any other the line through two "
                   "patterns",
                   1, 100'000)
      ->excludes(patterns);
  add_number(command, "--beta", a->beta, "continuous: inverse temperature", 1e-12, 1e12);
  add_separation(command, a->separation);
  add_whole_number(command, "--side", a->side, "Points a side of the picture, and on the line", 2,
                   2000);
  add_whole_number(command, "--n", a->num_spins, "Networks of spins: spins", 2, 1'000'000);
  add_whole_number(command, "--power", a->power, "dense: the power n or P", 2, 100);
  add_number(command, "--flipped", a->flipped, "Networks of spins: wrong spins of the start", 0, 1);
  add_whole_number(command, "--starts", a->starts, "Descents", 1, 1'000'000);
  add_whole_number(command, "--steps", a->steps, "Updates or, at most, sweeps of a descent", 1,
                   1'000'000);
  add_whole_number(command, "--seed", a->seed, "Seed of patterns and starts", 0);
  add_threads(command, context);
  add_results(command, a->paths, "the landscape (x, y, energy, basin), the line, or the traces",
              "descents in the plane, the line, or the traces");
}

}  // namespace hopfield::cli
