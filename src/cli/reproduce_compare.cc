#include "cli/reproduce_compare.h"

#include <algorithm>
#include <cmath>

#include "hopfield/report/format.h"
#include "hopfield/report/table.h"

namespace hopfield::cli {

using report::Align;
using report::general;

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
    // NaN is worst and stays.
    if (!std::isnan(worst) && !(difference / known.tolerance <= worst)) {
      worst = difference / known.tolerance;
    }
    table.add_row({known.name, general(known.value, 10), general(known.expected, 10),
                   general(difference, 2), general(known.tolerance, 2)});
    found.csv.rows.push_back({csv_quoted(known.name), csv_number(known.value),
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
    found.csv.rows.push_back({csv_quoted(p.series), csv_number(p.x), csv_number(p.theory),
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

report::Series curve(const std::string& name, double low, double high, int num_pieces,
                     const std::function<double(double)>& y) {
  report::Series series{name, {}, {}};
  for (int i = 0; i <= num_pieces; ++i) {
    series.x.push_back(low + (high - low) * i / num_pieces);
    series.y.push_back(y(series.x.back()));
  }
  return series;
}

}  // namespace hopfield::cli
