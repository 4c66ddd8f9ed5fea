// Sections of `reproduce theory` about dense and multitasking networks: equations beside
// simulations.
#include <algorithm>
#include <cmath>
#include <functional>

#include "cli/reproduce_sections.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/dense.h"
#include "hopfield/theory/multitask.h"
#include "hopfield/theory/simulate.h"

namespace hopfield::cli {
namespace {

using report::Align;
using report::general;
using theory::Ansatz;
using theory::Branch;
using theory::MultitaskStart;

// --- numbers beside those of an independent computation

/// A computed number and what it should be.
struct Known {
  std::string name;
  double value, expected, tolerance;
};

/// One row a number; one check for all.
Findings compare_known(const std::string& title, const std::string& subtitle,
                       const std::string& statement, const std::vector<Known>& numbers) {
  Findings found;
  found.title = title;
  found.subtitle = subtitle;
  found.csv.columns = {"quantity", "value", "expected", "tolerance"};
  report::Table table({{"quantity"},
                       {"value", Align::kRight},
                       {"expected", Align::kRight},
                       {"difference", Align::kRight},
                       {"allowed", Align::kRight}});
  double worst = 0;
  for (const Known& known : numbers) {
    const double difference = std::abs(known.value - known.expected);
    // Written so that NaN is worst.
    if (!(difference / known.tolerance <= worst)) worst = difference / known.tolerance;
    table.add_row({known.name, general(known.value, 10), general(known.expected, 10),
                   general(difference, 2), general(known.tolerance, 2)});
    found.csv.rows.push_back({"\"" + known.name + "\"", csv_number(known.value),
                              csv_number(known.expected), csv_number(known.tolerance)});
    found.json[known.name] = known.value;
  }
  found.exhibits = {{"table", table,
                     "Expected: published, or computed by another program; allowed: what their "
                     "printed digits leave."}};
  found.checks = {check_at_most(
      statement + ", " + std::to_string(numbers.size()) + " numbers: largest difference / allowed",
      worst, 1)};
  return found;
}

// --- simulations beside theory

/// A simulated mean beside the number that theory gives.
struct Compared {
  std::string series;
  double x = 0, theory = 0;
  theory::Estimate measured;
};

/// Curves of theory, points of simulations, and a table with z-scores.
Findings compare_simulated(report::Plot plot, const std::string& x_name,
                           const std::vector<Compared>& points) {
  Findings found;
  found.csv.columns = {"series", x_name, "theory", "mean", "standard_error", "z"};
  report::Table table({{"series"},
                       {x_name, Align::kRight},
                       {"theory", Align::kRight},
                       {"mean", Align::kRight},
                       {"standard error", Align::kRight},
                       {"difference", Align::kRight},
                       {"z-score", Align::kRight}});
  for (const Compared& p : points) {
    const double difference = p.measured.mean - p.theory;
    // A standard error of 0 (every repetition gave the same) leaves no score.
    const double z =
        p.measured.standard_error > 0 ? difference / p.measured.standard_error : std::nan("");
    table.add_row({p.series, general(p.x), general(p.theory, 5), general(p.measured.mean, 5),
                   general(p.measured.standard_error, 2), general(difference, 2), general(z, 3)});
    found.csv.rows.push_back({"\"" + p.series + "\"", csv_number(p.x), csv_number(p.theory),
                              csv_number(p.measured.mean), csv_number(p.measured.standard_error),
                              csv_number(z)});
    found.json["points"].push_back({{"series", p.series},
                                    {x_name, p.x},
                                    {"theory", p.theory},
                                    {"mean", p.measured.mean},
                                    {"standard_error", p.measured.standard_error},
                                    {"z", z}});
    const std::string name = p.series + ", simulated";
    auto at = std::find_if(plot.series.begin(), plot.series.end(),
                           [&](const report::Series& s) { return s.name == name; });
    if (at == plot.series.end()) {
      at = plot.series.insert(at, report::Series{name, {}, {}, {}, report::Mark::kPoints});
    }
    at->x.push_back(p.x);
    at->y.push_back(p.measured.mean);
    at->error.push_back(p.measured.standard_error);
  }
  found.exhibits = {
      {"curves", std::move(plot), "Lines: equations. Points: Monte Carlo, with standard errors."},
      {"table", table,
       "z-score: difference over standard error. It counts sampling only: a finite network differs "
       "from the limit by some 1/N or 1/sqrt N, which many repetitions resolve."}};
  return found;
}

/// Over the points where theory has a value.
double largest_difference(const std::vector<Compared>& points) {
  double worst = 0;
  for (const Compared& p : points) {
    if (std::isfinite(p.theory)) worst = std::max(worst, std::abs(p.measured.mean - p.theory));
  }
  return worst;
}

std::vector<theory::Observable> run_simulation(const theory::Simulation& simulation,
                                               const ReproduceSettings& settings,
                                               const Context& context, std::int64_t replicas) {
  Progress progress("simulating", replicas);
  return theory::simulate(simulation, replica_options(context, settings.seed, replicas, progress));
}

theory::Estimate estimate_of(const std::vector<theory::Observable>& observables,
                             const std::string& name) {
  for (const theory::Observable& o : observables) {
    if (o.name == name) return o.estimate;
  }
  fail(ErrorCode::kInternal, "reproduce", "no observable " + name);
}

/// y(x) on even steps; NaN leaves a gap.
report::Series curve(const std::string& name, double low, double high, int num_pieces,
                     const std::function<double(double)>& y) {
  report::Series series{name, {}, {}};
  for (int i = 0; i <= num_pieces; ++i) {
    series.x.push_back(low + (high - low) * i / num_pieces);
    series.y.push_back(y(series.x.back()));
  }
  return series;
}

// --- dense networks

Findings study_loads() {
  std::vector<Known> numbers;
  const auto add = [&](const std::string& name, double value, double expected, double tolerance) {
    numbers.push_back({name, value, expected, tolerance});
  };
  const Ansatz rs = Ansatz::kReplicaSymmetric, broken = Ansatz::kOneStep;
  add("alpha_c, P = 2, RS (Amit, Gutfreund, Sompolinsky: 0.138)",
      theory::critical_load(2, rs).gamma, 0.1379055665, 1e-9);
  add("gamma_c, P = 4, RS", theory::critical_load(4, rs).gamma, 0.3957202384, 1e-9);
  add("gamma_c, P = 6, RS", theory::critical_load(6, rs).gamma, 0.4730386097, 1e-9);
  add("m at alpha_c, P = 2, RS", theory::critical_load(2, rs).m, 0.967417, 1e-6);
  add("m at gamma_c, P = 4, RS", theory::critical_load(4, rs).m, 0.917922, 1e-6);
  add("alpha_c, P = 2, one step (literature)", theory::critical_load(2, broken).gamma, 0.138186,
      2e-6);
  add("gamma_c, P = 4, one step", theory::critical_load(4, broken).gamma, 0.4583, 1e-4);
  add("gamma_c, P = 6, one step", theory::critical_load(6, broken).gamma, 0.5277, 1e-4);
  add("ground state below, P = 2, RS (AGS: 0.051)", theory::ground_state_load(2, rs).gamma,
      0.0518543, 1e-6);
  add("ground state below, P = 4, one step", theory::ground_state_load(4, broken).gamma, 0.37979,
      1e-5);
  add("ground state below, P = 6, one step", theory::ground_state_load(6, broken).gamma, 0.36381,
      1e-5);
  return compare_known("Largest loads at T = 0",
                       "K = (2 gamma / P!) N^(P-1) patterns, replica-symmetric and one "
                       "step of breaking",
                       "largest loads of dense networks", numbers);
}

Findings study_solutions() {
  std::vector<Known> numbers;
  const auto rs = [&](int p, double gamma, double t, double m, double q, double a) {
    const theory::DenseState got =
        theory::solve_dense({p, gamma, t}, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
    const std::string at =
        ", P = " + std::to_string(p) + ", load " + general(gamma) + ", T = " + general(t) + ", RS";
    numbers.push_back({"m" + at, got.m, m, 1e-7});
    numbers.push_back({"q" + at, got.q2, q, 1e-7});
    numbers.push_back({"A" + at, got.a, a, 1e-8});
  };
  rs(4, 0.05, 0.5, 0.9984679, 0.9969470, 1.00075617);
  rs(4, 0.2, 0.3, 0.9959084, 0.9944833, 1.66943598);
  rs(4, 0.3, 0.2, 0.9852948, 0.9896375, 2.51698255);
  rs(4, 0.3, 0.3, 0.9816345, 0.9816345, 1.68170285);
  rs(2, 0.05, 0.5, 0.9041061, 0.8333580, 1.08402757);
  rs(2, 0.1, 0.2, 0.9890852, 0.9844171, 2.75520328);
  const theory::DenseState broken =
      theory::solve_dense({4, 0.38, 0.05}, Ansatz::kOneStep, Branch::kRetrieval);
  const std::string at = ", P = 4, load 0.38, T = 0.05, one step";
  numbers.push_back({"theta" + at, broken.theta, 0.2415, 5e-4});
  numbers.push_back({"m" + at, broken.m, 0.96052, 1e-5});
  numbers.push_back({"q1" + at, broken.q1, 0.98424, 1e-5});
  numbers.push_back({"q2" + at, broken.q2, 0.99768, 1e-5});
  const std::vector<std::pair<double, double>> spinodals = {
      {0.05, 0.9598}, {0.1, 0.9270}, {0.2, 0.8571}, {0.3, 0.7770}};
  for (const auto& [gamma, t] : spinodals) {
    numbers.push_back({"end of retrieval T_R, P = 4, load " + general(gamma),
                       theory::spinodal_temperature(4, gamma).temperature, t, 2e-4});
  }
  numbers.push_back({"equal free energies, P = 4, load 0.1",
                     theory::crossing_temperature(4, 0.1).temperature, 0.674582, 1e-6});
  numbers.push_back({"T_AT of retrieval, P = 4, load 0.3",
                     theory::stability_temperature(4, 0.3).temperature, 0.05537, 1e-5});
  numbers.push_back({"T_AT of retrieval, P = 4, load 0.38",
                     theory::stability_temperature(4, 0.38).temperature, 0.15898, 1e-5});
  numbers.push_back({"static glass T_s, P = 4, load 1",
                     theory::static_glass_temperature(4, 1).temperature, 0.61687, 2e-5});
  numbers.push_back({"dynamic glass T_d, P = 4, load 1",
                     theory::dynamic_glass_temperature(4, 1).temperature, 0.6784, 1e-4});
  return compare_known("Solutions at finite temperature", "magnetisation, overlaps, free energy",
                       "solutions of the dense network", numbers);
}

double dense_overlap(int p, double load, double temperature) {
  const theory::DenseState got =
      theory::solve_dense({p, load, temperature}, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
  return got.report.converged ? got.m : std::nan("");
}

theory::Simulation dense_simulation(int p, double load, double temperature, std::int64_t spins) {
  theory::Simulation s;
  s.kind = p == 2 ? theory::NetworkKind::kHebbian : theory::NetworkKind::kPSpin;
  s.power = p;
  s.num_spins = spins;
  s.num_patterns = theory::num_patterns_at_load(s.kind, load, spins, p);
  s.temperature = temperature;
  return s;
}

/// Overlap with the recalled pattern against temperature.
Findings study_temperature(int p, const std::vector<double>& loads, double highest,
                           std::int64_t spins, std::int64_t replicas,
                           const ReproduceSettings& settings, const Context& context) {
  report::Plot plot;
  plot.title = "Retrieval, P = " + std::to_string(p) + ", N = " + std::to_string(spins);
  plot.x.label = "temperature T";
  plot.y.label = "overlap m";
  const std::string load_name = p == 2 ? "alpha " : "gamma ";
  std::vector<Compared> points;
  std::string crossings;
  for (const double load : loads) {
    const std::string name = load_name + general(load);
    crossings += (crossings.empty() ? "" : ", ") + name +
                 ": T = " + general(theory::crossing_temperature(p, load).temperature);
    const double end = theory::spinodal_temperature(p, load).temperature;
    plot.series.push_back(curve(name, 0.005, end * (1 - 1e-9), 100,
                                [&](double t) { return dense_overlap(p, load, t); }));
    for (int i = 1; i / 10.0 < std::min(highest, end); ++i) {
      const double t = i / 10.0;
      stop_if_cancelled(context);
      const auto observables =
          run_simulation(dense_simulation(p, load, t, spins), settings, context, replicas);
      points.push_back({name, t, dense_overlap(p, load, t), estimate_of(observables, "overlap")});
    }
  }
  Findings found = compare_simulated(std::move(plot), "temperature", points);
  found.title = "Monte Carlo beside the replica-symmetric equations, P = " + std::to_string(p);
  found.facts = {{"spins N", std::to_string(spins)},
                 {"repetitions", std::to_string(replicas)},
                 {"sweeps", "50 of Glauber dynamics from the pattern, the first 15 not counted"},
                 {"seed", std::to_string(settings.seed)}};
  std::vector<Compared> cold;
  for (const Compared& point : points) {
    if (point.x < 0.35) cold.push_back(point);
  }
  found.notes = {"Retrieval is metastable above the temperature of equal free energies (" +
                 crossings +
                 "). The equations follow it to its end, where small networks have long left it."};
  // Small networks lose the pattern in some repetitions, as their barriers are finite.
  found.checks = {check_at_most(
      "largest |simulated - theory| of the overlap, P = " + std::to_string(p) + ", T <= 0.3",
      largest_difference(cold), 0.05)};
  return found;
}

/// m of P = 2 at T = 0 if its noise had the hard part alone, r = q.
double hard_part_overlap(double alpha) {
  double m = 1;
  constexpr int kSteps = 2000;
  for (int i = 0; i < kSteps; ++i) m = std::erf(m / std::sqrt(2 * alpha));
  return m;
}

/// The decomposition statement of arXiv:2111.12997.
Findings study_decomposition(const ReproduceSettings& settings, const Context& context) {
  const std::int64_t spins = settings.quick ? 1000 : 4000, replicas = settings.quick ? 16 : 32;
  const double edge = theory::critical_load(2, Ansatz::kReplicaSymmetric).gamma;
  report::Plot plot;
  plot.title = "P = 2 at T = 0: what the soft part of the noise does";
  plot.x.label = "load alpha = K / N";
  plot.y.label = "overlap m";
  plot.series.push_back(curve("hard and soft part (AGS)", 0.005, edge * (1 - 1e-9), 60,
                              [&](double alpha) { return dense_overlap(2, alpha, 0); }));
  plot.series.push_back(curve("hard part alone", 0.005, 0.3, 60, hard_part_overlap));
  std::vector<Compared> points;
  for (const double alpha : {0.05, 0.08, 0.1, 0.12, 0.2, 0.25, 0.3}) {
    stop_if_cancelled(context);
    theory::Simulation s = dense_simulation(2, alpha, 0, spins);
    s.sweeps = 200;
    const auto observables = run_simulation(s, settings, context, replicas);
    points.push_back({"P = 2", alpha, alpha < edge ? dense_overlap(2, alpha, 0) : std::nan(""),
                      estimate_of(observables, "overlap")});
  }
  Findings found = compare_simulated(std::move(plot), "alpha", points);
  found.title = "Decomposition of the noise";
  found.subtitle = "P = 2: a hard and a soft spin glass; P > 2: the hard one alone";
  found.facts = {{"spins N", std::to_string(spins)},
                 {"repetitions", std::to_string(replicas)},
                 {"dynamics", "asynchronous updates from the pattern until nothing changes"},
                 {"seed", std::to_string(settings.seed)}};
  found.notes = {
      "At P = 2 the noise on a spin has the strength alpha r, r = q/(1 - b(1-q))^2: q is the hard "
      "part, what the denominator adds the soft one. At P > 2 the strength is gamma (P/2) q^(P-1), "
      "without a denominator.",
      "With the hard part alone retrieval would last to alpha = 2/pi = 0.637; the networks lose "
      "it where both parts say so. Beyond alpha_c no theory value stands in the table."};
  const theory::DenseState at =
      theory::solve_dense({2, 0.1, 0}, Ansatz::kReplicaSymmetric, Branch::kRetrieval);
  found.json["r_over_q_at_alpha_0.1"] = at.r / at.q2;
  found.checks = {
      check_at_least("soft part of the noise: r/q at P = 2, alpha = 0.1, T = 0", at.r / at.q2, 1),
      check_at_most("|simulated - AGS| of the overlap at alpha = 0.05",
                    std::abs(points.front().measured.mean - points.front().theory), 0.005),
      check_at_most("simulated overlap at alpha = 0.2, where the hard part alone gives " +
                        general(hard_part_overlap(0.2), 3),
                    points[4].measured.mean, 0.7)};
  return found;
}

// --- multitasking networks

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

Studies reproduce_dense(const ReproduceSettings& settings, const Context& context) {
  Studies studies = {{"dense-loads", study_loads()}, {"dense-solutions", study_solutions()}};
  for (const std::int64_t p : {2, 4, 6, 8}) {
    stop_if_cancelled(context);
    studies.push_back({"dense-diagram-p" + std::to_string(p),
                       study_dense_diagram({p, settings.quick ? 17 : 33, {}}, context)});
  }
  const std::int64_t replicas = settings.quick ? 16 : 32;
  studies.push_back(
      {"dense-simulated-p2", study_temperature(2, {0.03, 0.05}, 0.55, settings.quick ? 1000 : 4000,
                                               replicas, settings, context)});
  studies.push_back(
      {"dense-simulated-p4", study_temperature(4, {0.05, 0.1, 0.2}, 0.85, settings.quick ? 80 : 100,
                                               replicas, settings, context)});
  studies.push_back({"dense-decomposition", study_decomposition(settings, context)});
  return studies;
}

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
  studies.push_back({"multitask-learning", study_learning(settings, context)});
  return studies;
}

/// Says why where the data is not there.
Studies reproduce_attention(const ReproduceSettings& settings, const Context& context) {
  AttentionArguments a;
  a.data = settings.data;
  try {
    return {{"attention", study_attention(a, context)}};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo) throw;
    Findings skipped;
    skipped.title = "One layer, four classifiers";
    skipped.notes = {std::string("skipped: ") + error.what()};
    skipped.json = {{"skipped", error.what()}};
    return {{"attention", skipped}};
  }
}

}  // namespace hopfield::cli
