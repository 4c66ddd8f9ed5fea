// Section of `reproduce theory` about dense networks: equations beside simulations.
#include <algorithm>
#include <cmath>

#include "cli/reproduce_compare.h"
#include "cli/reproduce_sections.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/dense.h"

namespace hopfield::cli {
namespace {

using report::general;
using theory::Ansatz;
using theory::Branch;

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

}  // namespace hopfield::cli
