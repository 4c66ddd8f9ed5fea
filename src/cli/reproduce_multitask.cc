// Section of `reproduce theory` about multitasking networks: equations beside simulations.
#include <algorithm>
#include <cmath>
#include <functional>

#include "cli/reproduce_compare.h"
#include "cli/reproduce_sections.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/multitask.h"

namespace hopfield::cli {
namespace {

using report::general;

Findings study_multitask_values() {
  std::vector<Known> numbers;
  const auto add = [&](const theory::MultitaskParameters& at, const std::vector<double>& m,
                       const std::vector<double>& n = {}) {
    const theory::MultitaskState got = theory::solve_multitask(at);
    std::string name = ", K = " + std::to_string(at.num_patterns) +
                       ", d = " + general(at.dilution) + ", T = " + general(at.temperature);
    if (at.rho > 0) name += ", rho = " + general(at.rho);
    for (std::size_t k = 0; k < m.size(); ++k) {
      numbers.push_back({"m_" + std::to_string(k + 1) + name, got.m[k], m[k], 5.1e-5});
    }
    for (std::size_t k = 0; k < n.size(); ++k) {
      numbers.push_back({"n_" + std::to_string(k + 1) + name, got.n[k], n[k], 5.1e-6});
    }
  };
  add({3, 0.2, 0.1}, {0.8, 0.1425, 0});
  add({3, 0.4, 0.05}, {0.6, 0.2396, 0.0916});
  add({3, 0.7, 0.1}, {0.2313, 0.2313, 0.1958});
  add({3, 0.7, 0.2}, {0.17353, 0.17353, 0.17353});
  add({3, 0.9, 0.05}, {0.08529, 0.08529, 0.08529});
  add({2, 0.3, 0.2}, {0.69835, 0.08597});
  add({1, 0, 0.1, 0.5}, {0.83577}, {0.69776});
  add({1, 0, 0.1, 1}, {0.67688}, {0.58036});
  add({2, 0.3, 0.2, 0.25}, {0.57143, 0.25269}, {0.51879, 0.24353});
  add({3, 0.8, 0.08, 0.2}, {0.14389, 0.14389, 0.14389}, {0.13409, 0.13409, 0.13409});
  const auto number = [&](const std::string& name, double value, double expected,
                          double tolerance) {
    numbers.push_back({name, value, expected, tolerance});
  };
  number("d_c, K = 3 (golden ratio)", theory::hierarchical_dilution_max(3),
         (std::sqrt(5.0) - 1) / 2, 1e-12);
  number("d_c, K = 4", theory::hierarchical_dilution_max(4), 0.5436890, 1e-7);
  number("d_c, K = 5", theory::hierarchical_dilution_max(5), 0.5187901, 1e-7);
  number("T_sym, K = 3, d = 0.7", theory::parallel_edge(3, 0.7).temperature, 0.10498, 1e-5);
  number("T_sym, K = 5, d = 0.8", theory::parallel_edge(5, 0.8).temperature, 0.056845, 1e-6);
  number("m of one pattern at T = 0, rho = 1: erf(1/sqrt 2)", theory::learned_magnetisation(1),
         std::erf(std::sqrt(0.5)), 1e-12);
  return compare_known("Magnetisations and borders", "of the self-consistency equations",
                       "solutions of the multitasking network", numbers);
}

theory::Simulation multitask_simulation(int k, double dilution, double temperature,
                                        const ReproduceSettings& settings) {
  theory::Simulation s;
  s.kind = theory::NetworkKind::kMultitask;
  s.num_spins = settings.quick ? 4000 : 20000;
  s.num_patterns = k;
  s.dilution = dilution;
  s.temperature = temperature;
  return s;
}

std::vector<std::pair<std::string, std::string>> multitask_facts(
    const theory::Simulation& s, std::int64_t replicas, const ReproduceSettings& settings) {
  return {{"spins N", std::to_string(s.num_spins)},
          {"patterns K", std::to_string(s.num_patterns)},
          {"repetitions", std::to_string(replicas)},
          {"sweeps", std::to_string(s.sweeps) + " of Glauber dynamics, the first " +
                         std::to_string(s.discard) + " not counted"},
          {"seed", std::to_string(settings.seed)}};
}

/// |m_mu|, largest first, as simulations report them.
std::vector<double> sorted_magnetisations(const theory::MultitaskParameters& at) {
  const theory::MultitaskState got = theory::solve_multitask(at);
  std::vector<double> m;
  for (const double value : got.m) {
    m.push_back(got.report.converged ? std::abs(value) : std::nan(""));
  }
  std::sort(m.begin(), m.end(), std::greater<>());
  return m;
}

/// Magnetisations of K = 3 patterns against dilution or temperature.
Findings study_multitask_scan(bool over_dilution, const ReproduceSettings& settings,
                              const Context& context) {
  constexpr int kPatterns = 3;
  constexpr double kTemperature = 0.05, kDilution = 0.3;
  const auto at = [&](double x) {
    return theory::MultitaskParameters{kPatterns, over_dilution ? x : kDilution,
                                       over_dilution ? kTemperature : x, 0};
  };
  report::Plot plot;
  plot.title = over_dilution ? "Three tasks against dilution, T = 0.05"
                             : "Three tasks against temperature, d = 0.3";
  plot.x.label = over_dilution ? "dilution d" : "temperature T";
  plot.y.label = "|m|, largest first";
  const double low = 0.01, high = over_dilution ? 0.94 : 0.85;
  for (int mu = 0; mu < kPatterns; ++mu) {
    plot.series.push_back(curve("m_" + std::to_string(mu + 1), low, high, 120, [&](double x) {
      return sorted_magnetisations(at(x))[static_cast<std::size_t>(mu)];
    }));
  }
  const std::int64_t replicas = settings.quick ? 8 : 16;
  std::vector<Compared> points;
  for (int i = 1; i <= 8; ++i) {
    // Not at T = 1 - d, where the magnetisations vanish like a root.
    const double x = over_dilution ? i / 10.0 : (i - 0.5) / 10;
    stop_if_cancelled(context);
    const theory::MultitaskParameters here = at(x);
    const auto observables =
        run_simulation(multitask_simulation(kPatterns, here.dilution, here.temperature, settings),
                       settings, context, replicas);
    const std::vector<double> m = sorted_magnetisations(here);
    for (std::size_t mu = 0; mu < m.size(); ++mu) {
      const std::string index = std::to_string(mu + 1);
      points.push_back({"m_" + index, x, m[mu], estimate_of(observables, "overlap_" + index)});
    }
  }
  Findings found =
      compare_simulated(std::move(plot), over_dilution ? "dilution" : "temperature", points);
  found.title = over_dilution ? "Several patterns at once, against dilution"
                              : "Several patterns at once, against temperature";
  const theory::Simulation plan =
      multitask_simulation(kPatterns, kDilution, kTemperature, settings);
  found.facts = multitask_facts(plan, replicas, settings);
  found.notes = {
      "Simulated magnetisations are sorted by size: random overlaps of some 1/sqrt N lift those "
      "that theory puts at 0 and part those that it makes equal."};
  // Where a magnetisation sets in, what 1/sqrt N disturbs grows to some N^(-1/4).
  found.checks = {check_at_most(
      std::string("largest |simulated - theory| of three tasks against ") +
          (over_dilution ? "dilution" : "temperature"),
      largest_difference(points), std::pow(static_cast<double>(plan.num_spins), -0.25))};
  return found;
}

/// The cost function H/N against each pattern's loss, as the temperature rises.
Findings study_cost_against_loss(const ReproduceSettings& settings, const Context& context) {
  constexpr int kPatterns = 3;
  constexpr double kDilution = 0.3;
  const auto at = [](double temperature) {
    return theory::solve_multitask({kPatterns, kDilution, temperature, 0});
  };
  report::Plot plot;
  plot.title = "Cost against loss, K = 3, d = 0.3, T from 0 to 1 - d";
  plot.x.label = "loss L = (1/2N) sum (xi - sigma)^2";
  plot.y.label = "cost H/N";
  constexpr int kPieces = 60;
  std::vector<theory::MultitaskState> way;
  for (int i = 1; i <= kPieces; ++i) way.push_back(at((1 - kDilution) * i / kPieces));
  const auto name_of = [](std::size_t mu) { return "L_" + std::to_string(mu + 1); };
  for (std::size_t mu = 0; mu < kPatterns; ++mu) {
    report::Series series{name_of(mu), {}, {}};
    for (const theory::MultitaskState& state : way) {
      series.x.push_back(state.loss[mu]);
      series.y.push_back(state.energy);
    }
    plot.series.push_back(std::move(series));
  }
  const std::int64_t replicas = settings.quick ? 8 : 16;
  const theory::Simulation plan = multitask_simulation(kPatterns, kDilution, 0, settings);
  std::vector<Compared> points;
  double apart = 0;
  for (const double temperature : {0.1, 0.2, 0.3, 0.4, 0.5}) {
    stop_if_cancelled(context);
    theory::Simulation simulation = plan;
    simulation.temperature = temperature;
    const auto observables = run_simulation(simulation, settings, context, replicas);
    const theory::MultitaskState state = at(temperature);
    for (std::size_t mu = 0; mu < kPatterns; ++mu) {
      const double overlap = estimate_of(observables, "overlap_" + std::to_string(mu + 1)).mean;
      points.push_back({name_of(mu), 1 - kDilution / 2 - overlap, state.energy,
                        estimate_of(observables, "energy")});
    }
    apart = std::max(apart, std::abs(points.back().measured.mean - state.energy));
  }
  Findings found = compare_simulated(std::move(plot), "loss", points);
  found.title = "Loss and cost";
  found.subtitle = "lowering the cost lowers the product of a pattern's loss and its mirror's";
  found.facts = multitask_facts(plan, replicas, settings);
  found.facts.push_back({"simulated at T", "0.1, 0.2, 0.3, 0.4, 0.5"});
  found.notes = {
      "H/N = -1/2 sum [(1 - d/2)^2 - L (2 - d - L)]: the best loss is d/2, without any overlap it "
      "is 1 - d/2 (docs/math/multitask.md)."};
  // Energies are sums of squares of magnetisations that 1/sqrt N disturbs.
  found.checks = {check_at_most("largest |simulated - theory| of the cost H/N", apart,
                                2 / std::sqrt(static_cast<double>(plan.num_spins)))};
  return found;
}

/// One pattern learned from M noisy examples of quality r.
Findings study_learning(const ReproduceSettings& settings, const Context& context) {
  constexpr double kQuality = 0.3, kTemperature = 0.1;
  const auto theory_at = [&](double num_examples) {
    return theory::solve_multitask(
               {1, 0, kTemperature, theory::dataset_entropy(kQuality, num_examples)})
        .m[0];
  };
  report::Plot plot;
  plot.title = "Learning one pattern from noisy examples, r = 0.3, T = 0.1";
  plot.x = {"examples M", report::Scale::kLog10, {}, {}};
  plot.y.label = "overlap m with the pattern";
  report::Series equations = curve("equations", std::log10(3.0), std::log10(300.0), 80,
                                   [&](double x) { return theory_at(std::pow(10, x)); });
  report::Series cold =
      curve("T = 0: erf(1/sqrt(2 rho))", std::log10(3.0), std::log10(300.0), 80, [&](double x) {
        return theory::learned_magnetisation(theory::dataset_entropy(kQuality, std::pow(10, x)));
      });
  cold.tone = report::Tone::kMuted;
  for (report::Series* series : {&equations, &cold}) {
    for (double& x : series->x) x = std::pow(10, x);
    plot.series.push_back(std::move(*series));
  }
  const std::int64_t replicas = settings.quick ? 8 : 16;
  theory::Simulation s = multitask_simulation(1, 0, kTemperature, settings);
  s.quality = kQuality;
  std::vector<Compared> points;
  for (const theory::Learning learning :
       {theory::Learning::kSupervised, theory::Learning::kUnsupervised}) {
    const bool told = learning == theory::Learning::kSupervised;
    s.learning = learning;
    for (const std::int64_t num_examples : {10, 20, 40, 80, 160}) {
      stop_if_cancelled(context);
      s.num_examples = num_examples;
      const double m = static_cast<double>(num_examples);
      points.push_back({told ? "supervised" : "unsupervised", m, theory_at(m),
                        estimate_of(run_simulation(s, settings, context, replicas), "overlap_1")});
    }
  }
  Findings found = compare_simulated(std::move(plot), "examples", points);
  found.title = "Learning from examples";
  found.subtitle = "supervised and unsupervised obey the same equations";
  found.facts = multitask_facts(s, replicas, settings);
  found.facts.push_back({"quality r", general(kQuality)});
  const double needed = theory::examples_needed(kQuality, std::sqrt(0.5));
  found.facts.push_back({"M for m >= erf(1/sqrt 2) at T = 0", general(needed)});
  double apart = 0;
  const std::size_t half = points.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    apart = std::max(apart, std::abs(points[i].measured.mean - points[half + i].measured.mean));
  }
  // The central limit behind the equations: M = 10 examples make a lattice, not a Gaussian.
  found.checks = {check_at_most("largest |simulated - theory| of learning from examples",
                                largest_difference(points), 0.06),
                  check_at_most("largest |supervised - unsupervised|, simulated", apart, 0.03)};
  return found;
}

}  // namespace

Studies reproduce_multitask(const ReproduceSettings& settings, const Context& context) {
  Studies studies = {{"multitask-values", study_multitask_values()}};
  for (const std::int64_t k : {2, 3, 5}) {
    stop_if_cancelled(context);
    if (settings.quick && k != 3) continue;
    studies.push_back(
        {"multitask-diagram-k" + std::to_string(k),
         study_multitask_diagram({k, settings.quick ? 21 : 41, 0, "hierarchical"}, context)});
  }
  studies.push_back({"multitask-dilution", study_multitask_scan(true, settings, context)});
  studies.push_back({"multitask-temperature", study_multitask_scan(false, settings, context)});
  studies.push_back({"multitask-cost", study_cost_against_loss(settings, context)});
  studies.push_back({"multitask-learning", study_learning(settings, context)});
  return studies;
}

}  // namespace hopfield::cli
