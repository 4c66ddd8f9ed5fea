#include <cmath>
#include <limits>
#include <memory>
#include <string>

#include "cli/theory.h"
#include "cli/theory_answer.h"
#include "hopfield/memory/bounds.h"
#include "hopfield/theory/bound.h"
#include "hopfield/theory/problem.h"

namespace hopfield::cli {
namespace {

// The widest range in which squares of a parameter still are numbers.
constexpr double kTiny = 1e-150, kHuge = 1e150;

struct ProblemArguments {
  theory::ProblemParameters at;
  std::string json;
};

int run_problem(const ProblemArguments& a) {
  check_output(json_path(a.json));
  const theory::ProblemAnswer got = theory::solve_problem(a.at);
  Json json = {{"d", a.at.depth},
               {"n", a.at.num_patterns},
               {"beta", a.at.beta},
               {"norm_max", got.norm_max},
               {"m_max", got.distance_to_mean_max},
               {"separation_min", got.separation_min},
               {"energy_0", got.energy_first},
               {"energy_1", got.energy_second},
               {"energy_end", got.energy_end},
               {"v_update", got.v_update},
               {"jacobian_norm_0", got.jacobian_first},
               {"jacobian_bounds",
                {{"softmax", got.bounds.softmax},
                 {"half", got.bounds.half},
                 {"spread", got.bounds.spread},
                 {"diameter", got.bounds.diameter},
                 {"concentration", got.bounds.concentration},
                 {"ball", got.bounds.ball},
                 {"peaked", got.bounds.peaked},
                 {"group", got.bounds.group}}},
               {"steps", got.steps},
               {"norm_end", got.norm_end},
               {"association_max", got.association_max},
               {"jacobian_norm_end", got.jacobian_end},
               {"contraction", got.contraction},
               {"metastable_size_0", got.metastable_first},
               {"metastable_size_end", got.metastable_end},
               {"gradient_norm", got.gradient_norm},
               {"gradient_sum", got.gradient_sum},
               {"gradient_beta", got.gradient_beta},
               {"fixed_points", got.num_fixed_points}};
  json.update(report_json(got.report));
  return give_answer(json, a.json, got.report);
}

void add_problem(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<ProblemArguments>();
  CLI::App& command = add_command(noun, context, "problem",
                                  "The portable test problem: energies, fixed point, gradients",
                                  {"hopfield theory problem --d 6 --n 5 --beta 1",
                                   "hopfield theory problem --d 8 --n 12 --beta 0.25 --json"},
                                  [a] { return run_problem(*a); });
  add_whole_number(command, "--d", a->at.depth, "Depth of the patterns", 1);
  add_whole_number(command, "--n", a->at.num_patterns, "Number of patterns", 1);
  add_number(command, "--beta", a->at.beta, "Inverse temperature", kTiny, kHuge);
  add_json_flag(command, a->json);
}

struct BoundArguments {
  double beta = 1, k = 3, p = 0.001;
  std::int64_t depth = 20;
  std::string json;
};

Json criterion_json(const BoundArguments& a, StorageCriterion criterion) {
  const double norm = a.k * std::sqrt(static_cast<double>(a.depth - 1));
  const double n = exact_tail_capacity(criterion, a.beta, a.k, a.depth, a.p);
  Json json = {{"num_patterns", n}};
  const double none = std::numeric_limits<double>::quiet_NaN();
  json["separation_needed"] = n < 2 ? none : separation_needed(criterion, a.beta, n, norm);
  json["certified_radius"] = certified_radius(criterion, a.beta, n, norm);
  return json;
}

int run_bound(const BoundArguments& a) {
  check_output(json_path(a.json));
  const GuaranteedCapacity theorem = guaranteed_capacity(a.beta, a.k, a.depth, a.p);
  const double depth = static_cast<double>(a.depth);
  const double kappa = a.beta * a.k * a.k * (depth - 1);
  const double log_half = theory::log_half_capacity(kappa, a.depth);
  theory::SolverReport report;
  report.converged = true;
  report.residual = std::abs(theorem.a * theorem.c + theorem.c * std::log(theorem.c) - theorem.b);
  if (!theorem.applies) report.message = "theorem 3 is silent here: c < c_min";
  Json json = {{"beta", a.beta},
               {"k", a.k},
               {"d", a.depth},
               {"p", a.p},
               {"a", theorem.a},
               {"b", theorem.b},
               {"a_plus_ln_b", theorem.a + std::log(theorem.b)},
               {"c", theorem.c},
               {"c_without_lambert", theory::capacity_base_without_lambert(theorem.a, theorem.b)},
               {"c_min", theorem.c_min},
               {"applies", theorem.applies},
               {"guaranteed_n", theorem.num_patterns},
               {"exact_tail_master", criterion_json(a, StorageCriterion::kMaster)},
               {"exact_tail_sharp", criterion_json(a, StorageCriterion::kSharp)},
               {"log_half_n", log_half},
               {"half_n", std::exp(log_half)},
               {"half_exponent", theory::half_capacity_exponent(kappa / depth)}};
  json.update(report_json(report));
  return give_answer(json, a.json, report);
}

void add_bound(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<BoundArguments>();
  CLI::App& command = add_command(
      noun, context, "bound", "How many random patterns are stored: the theorem and sharper bounds",
      {"hopfield theory bound --beta 1 --k 3 --d 20 --p 0.001",
       "hopfield theory bound --beta 1 --k 1 --d 75 --p 0.001 --json"},
      [a] { return run_bound(*a); });
  add_number(command, "--beta", a->beta, "Inverse temperature", 1e-6, 1e6);
  add_number(command, "--k", a->k, "Patterns lie on the sphere of radius k sqrt(d - 1)", 1e-3, 1e3);
  add_whole_number(command, "--d", a->depth, "Depth of the patterns", 2, 1'000'000);
  add_number(command, "--p", a->p, "Probability of failure", 1e-300, 1);
  add_json_flag(command, a->json);
}

struct SolvableArguments {
  std::int64_t num_patterns = 8;
  double b = 0;
  std::string json;
};

int run_solvable(const SolvableArguments& a, bool with_b) {
  check_output(json_path(a.json));
  const double n = static_cast<double>(a.num_patterns);
  Json json = {{"n", a.num_patterns}};
  if (a.num_patterns == 2) {
    json["b_single"] = 1.0;
  } else {
    const theory::OrthogonalPatterns edges = theory::orthogonal_patterns(n);
    json["b_single"] = edges.b_single;
    json["q_single"] = edges.q_single;
    json["b_equal"] = edges.b_equal;
    json["b_uniform"] = edges.b_uniform;
  }
  theory::SolverReport report;
  report.converged = true;
  if (with_b) {
    json["b"] = a.b;
    if (a.num_patterns == 2) {
      json["s"] = theory::antipodal_fixed_point(a.b);
    } else {
      const double q = theory::orthogonal_association(n, a.b);
      json["q"] = q;
      report.converged = std::isfinite(q);
      if (!report.converged) report.message = "no state near one pattern below b_single";
    }
  }
  json.update(report_json(report));
  return give_answer(json, a.json, report);
}

void add_solvable(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<SolvableArguments>();
  const auto b = std::make_shared<CLI::Option*>(nullptr);
  CLI::App& command = add_command(
      noun, context, "solvable", "Exactly solvable networks: orthogonal patterns, or x and -x",
      {"hopfield theory solvable --n 8", "hopfield theory solvable --n 8 --b 4.5 --json",
       "hopfield theory solvable --n 2 --b 1.352"},
      [a, b] { return run_solvable(*a, (*b)->count() > 0); });
  add_whole_number(command, "--n", a->num_patterns,
                   "Number of orthogonal patterns; 2 means the pair x, -x", 2, 1'000'000'000);
  *b = add_number(command, "--b", a->b, "beta M^2; also solve for the state there", kTiny, kHuge);
  add_json_flag(command, a->json);
}

}  // namespace

void add_theory_equations(CLI::App& noun, Context& context) {
  add_problem(noun, context);
  add_bound(noun, context);
  add_solvable(noun, context);
  add_theory_dense(noun, context);
  add_theory_multitask(noun, context);
}

}  // namespace hopfield::cli
