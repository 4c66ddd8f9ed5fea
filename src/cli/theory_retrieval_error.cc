#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/theory_networks.h"
#include "cli/theory_studies.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;
using Points = std::vector<theory::RetrievalErrorPoint>;

/// What the points of one beta say together.
struct Summary {
  double beta = 0, error_median = 0, error_max = 0;
  double tightest = 0;  ///< largest error / bound
  std::int64_t num_points = 0, num_violations = 0;
};

std::vector<Summary> summaries(const Points& points, const std::vector<double>& betas) {
  std::vector<Summary> result;
  for (const double beta : betas) {
    Summary s;
    s.beta = beta;
    std::vector<double> errors;
    for (const auto& p : points) {
      if (p.beta != beta) continue;
      errors.push_back(p.error);
      s.num_violations += !p.holds;
      if (p.bound > 0) s.tightest = std::max(s.tightest, p.error / p.bound);
    }
    std::sort(errors.begin(), errors.end());
    s.num_points = static_cast<std::int64_t>(errors.size());
    s.error_median = errors[errors.size() / 2];
    s.error_max = errors.back();
    result.push_back(s);
  }
  return result;
}

/// Median over patterns of d ln(error) / d exponent between the two largest betas; NaN where
/// nothing says.
double slope_median(const Points& points, std::vector<double> betas) {
  std::sort(betas.begin(), betas.end());
  if (betas.size() < 2) return std::nan("");
  std::vector<const theory::RetrievalErrorPoint*> low, high;
  for (const auto& p : points) {
    if (p.beta == betas[betas.size() - 2]) low.push_back(&p);
    if (p.beta == betas.back()) high.push_back(&p);
  }
  std::vector<double> slopes;
  for (std::size_t i = 0; i < std::min(low.size(), high.size()); ++i) {
    const double rise = high[i]->exponent - low[i]->exponent;
    if (!(rise > 0 && low[i]->error > 0 && high[i]->error > 0)) continue;
    slopes.push_back(std::log(high[i]->error / low[i]->error) / rise);
  }
  std::sort(slopes.begin(), slopes.end());
  return slopes.empty() ? std::nan("") : slopes[slopes.size() / 2];
}

report::Plot plot_of(const Points& points, const std::vector<double>& betas) {
  report::Plot plot;
  plot.title = "Error after one update against separation";
  plot.x.label = "beta (Delta - 2 r M)";
  plot.y = {"|f(xi) - x|", report::Scale::kLog10, {}, {}};
  report::Series bound{"bound 2 (N-1) M exp(-x)", {}, {}, {}, report::Mark::kLine,
                       report::Tone::kMuted};
  std::vector<std::pair<double, double>> line;
  for (const auto& p : points) line.emplace_back(p.exponent, p.bound);
  std::sort(line.begin(), line.end());
  for (const auto& [x, y] : line) {
    bound.x.push_back(x);
    bound.y.push_back(y);
  }
  for (const double beta : betas) {
    report::Series series{"beta " + report::general(beta), {}, {}, {}, report::Mark::kPoints};
    for (const auto& p : points) {
      if (p.beta != beta) continue;
      series.x.push_back(p.exponent);
      series.y.push_back(p.error);
    }
    plot.series.push_back(std::move(series));
  }
  plot.series.push_back(std::move(bound));
  return plot;
}

report::Table table_of(const std::vector<Summary>& rows) {
  using report::Align;
  report::Table table({{"beta", Align::kRight},
                       {"median error", Align::kRight},
                       {"largest error", Align::kRight},
                       {"largest error/bound", Align::kRight},
                       {"points", Align::kRight},
                       {"beyond the bound", Align::kRight}});
  for (const Summary& s : rows) {
    table.add_row({report::general(s.beta), report::general(s.error_median),
                   report::general(s.error_max), report::general(s.tightest),
                   std::to_string(s.num_points), std::to_string(s.num_violations)});
  }
  return table;
}

}  // namespace

Findings study_retrieval_error(const RetrievalErrorArguments& a, const Context& context) {
  if (a.patterns.empty()) return study_retrieval_error(a, {}, "random unit vectors", context);
  return study_retrieval_error(a, read_pattern_table(a.patterns), a.patterns, context);
}

Findings study_retrieval_error(const RetrievalErrorArguments& a, const PatternTable& patterns,
                               const std::string& name, const Context& context) {
  Progress progress("trial", a.trials);
  theory::RetrievalErrorOptions options = a.options;
  options.trials = replica_options(context, a.seed, a.trials, progress);
  Points points;
  if (patterns.num_patterns == 0) {
    points = theory::measure_retrieval_errors(options, a.betas);
  } else {
    options.num_patterns = patterns.num_patterns;
    options.depth = patterns.depth;
    points = theory::measure_retrieval_errors(options, a.betas, patterns.values);
  }
  const std::vector<Summary> rows = summaries(points, a.betas);
  std::int64_t violations = 0;
  Json list = Json::array();
  for (const Summary& s : rows) {
    violations += s.num_violations;
    list.push_back({{"beta", s.beta},
                    {"error_median", s.error_median},
                    {"error_max", s.error_max},
                    {"error_to_bound_max", s.tightest},
                    {"num_points", s.num_points},
                    {"num_violations", s.num_violations}});
  }
  const double slope = slope_median(points, a.betas);
  Findings found;
  found.title = "Retrieval error after one update";
  found.subtitle = "arXiv:2008.02217, theorem 5: every point lies below the line";
  found.json = {{"patterns", name},
                {"num_patterns", options.num_patterns},
                {"depth", options.depth},
                {"distance", options.distance},
                {"trials", a.trials},
                {"seed", a.seed},
                {"num_points", points.size()},
                {"num_violations", violations},
                {"slope_median", slope},
                {"betas", list},
                {"hopfield", version()}};
  found.csv.columns = {"beta", "trial", "pattern", "separation", "exponent", "error", "bound"};
  for (const auto& p : points) {
    found.csv.rows.push_back({csv_number(p.beta), csv_number(p.trial), csv_number(p.pattern),
                              csv_number(p.separation), csv_number(p.exponent), csv_number(p.error),
                              csv_number(p.bound)});
  }
  const report::Table table = table_of(rows);
  found.exhibits = {{"errors", plot_of(points, a.betas), "One point a pattern, cue and beta."},
                    {"table", table, "The same by beta."}};
  found.facts = {{"patterns", std::to_string(options.num_patterns)},
                 {"depth", std::to_string(options.depth)},
                 {"distance r", report::general(options.distance)},
                 {"trials", std::to_string(a.trials)},
                 {"median slope of ln(error), largest betas", report::general(slope)},
                 {"seed", std::to_string(a.seed)}};
  found.checks = {
      check_at_most("points beyond the bound of theorem 5, of " + std::to_string(points.size()),
                    static_cast<double>(violations), 0)};
  found.text = table.text() + std::to_string(points.size()) + " points, " +
               std::to_string(violations) + " beyond the bound; seed " + std::to_string(a.seed) +
               "\n";
  return found;
}

void add_theory_retrieval_error(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<RetrievalErrorArguments>();
  CLI::App& command = add_command(
      noun, context, "retrieval-error",
      "Error after one update against separation, beside the theorem's bound (exit 4 if broken)",
      {"hopfield theory retrieval-error", "hopfield theory retrieval-error --json --csv points.csv",
       "hopfield theory retrieval-error --n 100 --depth 128 --distance 0.1 --beta 4,16,64 --report "
       "error.html"},
      [a, &context] {
        check_results(a->paths, {a->patterns});
        return give_findings(a->paths, study_retrieval_error(*a, context));
      });
  CLI::Option* patterns =
      command
          .add_option("--patterns", a->patterns,
                      "Patterns, one a row (NPY, CSV, TSV), instead of random unit vectors")
          ->type_name("FILE");
  add_whole_number(command, "--n", a->options.num_patterns, "Random patterns", 2, 1'000'000)
      ->excludes(patterns);
  add_whole_number(command, "--depth", a->options.depth, "Their depth", 1, 1'000'000)
      ->excludes(patterns);
  add_number(command, "--distance", a->options.distance, "Of the cue from its pattern: r", 0, 1e9);
  add_positive_list(command, "--beta", a->betas, "Inverse temperatures");
  add_replicas(command, context, a->seed, a->trials, "--trials",
               "Draws of the patterns, one cue a pattern each");
  add_results(command, a->paths, "the points", "error against separation");
}

}  // namespace hopfield::cli
