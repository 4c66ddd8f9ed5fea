#include <algorithm>
#include <cmath>
#include <memory>

#include "cli/theory_networks.h"
#include "cli/theory_studies.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/theory/bound.h"
#include "hopfield/theory/fixed_points.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;
using Arguments = FixedPointsArguments;
using theory::FixedPointKind;

constexpr FixedPointKind kKinds[] = {FixedPointKind::kGlobal, FixedPointKind::kMetastable,
                                     FixedPointKind::kSingle};

/// A fixed point with the bounds on its Jacobian (none without softmax).
struct Point {
  theory::FixedPoint fixed;
  std::vector<theory::JacobianBound> bounds;
  bool minimum() const { return !(fixed.jacobian_norm >= 1); }
};

struct Row {
  double beta = 0;
  bool contraction = false;  ///< beta m_max^2 < 1: lemma A3 promises one fixed point
  std::vector<Point> points;
  std::int64_t num_unfinished = 0, num_broken = 0;

  std::int64_t count(FixedPointKind kind) const {
    return std::count_if(points.begin(), points.end(),
                         [&](const Point& p) { return p.minimum() && p.fixed.kind == kind; });
  }
};

/// Given ones, or from well below the certain global average to where single patterns rule.
std::vector<double> choose_betas(const Arguments& a, const theory::PatternGeometry& geometry) {
  if (!a.betas.empty()) return a.betas;
  const double spread = geometry.distance_to_mean_max;
  const double unit = spread > 0 ? 1 / (spread * spread) : 1.0;
  std::vector<double> betas;
  for (std::int64_t i = 0; i < a.num_betas; ++i) {
    const double t =
        static_cast<double>(i) / static_cast<double>(std::max<std::int64_t>(a.num_betas - 1, 1));
    betas.push_back(0.5 * unit * std::pow(100.0, t));
  }
  return betas;
}

Row find(const PatternTable& table, double beta, const Arguments& a,
         const theory::PatternGeometry& geometry, const Context& context) {
  const theory::ContinuousNetwork network(table.values, table.depth, beta,
                                          parse_separation(a.separation));
  theory::FixedPointOptions options;
  options.num_random = a.starts;
  options.seed = static_cast<std::uint64_t>(a.seed);
  options.eps = a.eps;
  options.executor = context.stoppable_executor.get();
  const theory::FixedPoints found = theory::find_fixed_points(network, options);
  Row row;
  row.beta = beta;
  row.num_unfinished = found.num_unfinished;
  const bool softmax = network.separation() == Separation::kSoftmax;
  const double m_max = geometry.distance_to_mean_max;
  row.contraction = softmax && beta * m_max * m_max < 1;
  row.num_broken += row.contraction && found.points.size() > 1;
  for (const theory::FixedPoint& fixed : found.points) {
    Point point{fixed, {}};
    if (softmax) {
      point.bounds = theory::jacobian_bounds(network, geometry, fixed.state);
      for (const theory::JacobianBound& bound : point.bounds) {
        // Both sides carry some S + d roundings; bounds that are attained need the room.
        row.num_broken += fixed.jacobian_norm > bound.value * (1 + 1e-10) + 1e-290;
      }
    }
    row.points.push_back(std::move(point));
  }
  return row;
}

Json json_of(const Row& row) {
  Json points = Json::array();
  for (const Point& p : row.points) {
    Json bounds = Json::object();
    for (const auto& bound : p.bounds) bounds[bound.name] = bound.value;
    points.push_back({{"kind", theory::fixed_point_name(p.fixed.kind)},
                      {"minimum", p.minimum()},
                      {"energy", p.fixed.energy},
                      {"largest", p.fixed.largest},
                      {"metastable_size", p.fixed.patterns.size()},
                      {"patterns", p.fixed.patterns},
                      {"jacobian_norm", p.fixed.jacobian_norm},
                      {"jacobian_bounds", bounds},
                      {"residual", p.fixed.residual},
                      {"num_starts", p.fixed.num_starts},
                      {"state", p.fixed.state}});
  }
  return {{"beta", row.beta},
          {"contraction", row.contraction},
          {"num_fixed_points", row.points.size()},
          {"num_global", row.count(FixedPointKind::kGlobal)},
          {"num_metastable", row.count(FixedPointKind::kMetastable)},
          {"num_single", row.count(FixedPointKind::kSingle)},
          {"num_unfinished", row.num_unfinished},
          {"num_bounds_broken", row.num_broken},
          {"fixed_points", points}};
}

report::Plot count_plot(const std::vector<Row>& rows) {
  report::Plot plot;
  plot.title = "Minima of the energy against beta";
  plot.x = {"beta", report::Scale::kLog10, {}, {}};
  plot.y.label = "minima found";
  for (const FixedPointKind kind : kKinds) {
    report::Series series{
        std::string(theory::fixed_point_name(kind)), {}, {}, {}, report::Mark::kLineAndPoints};
    for (const Row& row : rows) {
      series.x.push_back(row.beta);
      series.y.push_back(static_cast<double>(row.count(kind)));
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

report::Plot association_plot(const std::vector<Row>& rows) {
  report::Plot plot;
  plot.title = "Largest association at the minima";
  plot.x = {"beta", report::Scale::kLog10, {}, {}};
  plot.y = {"largest association", report::Scale::kLinear, 0, 1.02};
  for (const FixedPointKind kind : kKinds) {
    report::Series series{
        std::string(theory::fixed_point_name(kind)), {}, {}, {}, report::Mark::kPoints};
    for (const Row& row : rows) {
      for (const Point& p : row.points) {
        if (!p.minimum() || p.fixed.kind != kind) continue;
        series.x.push_back(row.beta);
        series.y.push_back(p.fixed.largest);
      }
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

/// At the fixed point of lowest energy.
report::Plot jacobian_plot(const std::vector<Row>& rows) {
  report::Plot plot;
  plot.title = "Spectral norm of the Jacobian at the lowest minimum";
  plot.x = {"beta", report::Scale::kLog10, {}, {}};
  plot.y = {"|J|", report::Scale::kLog10, {}, {}};
  report::Series measured{"measured", {}, {}, {}, report::Mark::kLineAndPoints};
  std::vector<report::Series> bounds;
  for (const Row& row : rows) {
    if (row.points.empty()) continue;
    const Point& lowest = row.points.front();
    measured.x.push_back(row.beta);
    measured.y.push_back(lowest.fixed.jacobian_norm);
    bounds.resize(lowest.bounds.size());
    for (std::size_t k = 0; k < bounds.size(); ++k) {
      bounds[k].name = lowest.bounds[k].name;
      bounds[k].x.push_back(row.beta);
      bounds[k].y.push_back(lowest.bounds[k].value);
    }
  }
  plot.series.push_back(std::move(measured));
  for (report::Series& bound : bounds) plot.series.push_back(std::move(bound));
  return plot;
}

report::Table table_of(const std::vector<Row>& rows) {
  using report::Align;
  report::Table table({{"beta", Align::kRight},
                       {"fixed points", Align::kRight},
                       {"global", Align::kRight},
                       {"metastable", Align::kRight},
                       {"single", Align::kRight},
                       {"largest |J| of a minimum", Align::kRight},
                       {"contraction everywhere", Align::kLeft}});
  for (const Row& row : rows) {
    double norm = std::nan("");
    for (const Point& p : row.points) {
      if (p.minimum()) norm = std::fmax(norm, p.fixed.jacobian_norm);
    }
    table.add_row({report::general(row.beta), std::to_string(row.points.size()),
                   std::to_string(row.count(FixedPointKind::kGlobal)),
                   std::to_string(row.count(FixedPointKind::kMetastable)),
                   std::to_string(row.count(FixedPointKind::kSingle)), report::general(norm),
                   row.contraction ? "yes" : "not certain"});
  }
  return table;
}

CsvTable csv_of(const std::vector<Row>& rows) {
  CsvTable csv{{"beta", "kind", "minimum", "energy", "largest", "metastable_size", "jacobian_norm",
                "starts"},
               {}};
  for (const Row& row : rows) {
    for (const Point& p : row.points) {
      csv.rows.push_back({csv_number(row.beta), std::string(theory::fixed_point_name(p.fixed.kind)),
                          p.minimum() ? "1" : "0", csv_number(p.fixed.energy),
                          csv_number(p.fixed.largest), std::to_string(p.fixed.patterns.size()),
                          csv_number(p.fixed.jacobian_norm), csv_number(p.fixed.num_starts)});
    }
  }
  return csv;
}

// --- orthonormal patterns, whose phases are known exactly

bool solvable(const Arguments& a) {
  return a.patterns.file.empty() && a.patterns.draw == "orthonormal" &&
         a.patterns.num_patterns >= 3 && a.separation == "softmax";
}

/// The exact curves, beside the points of association_plot.
void add_exact_curves(report::Plot& plot, const Arguments& a, const std::vector<Row>& rows) {
  const double n = static_cast<double>(a.patterns.num_patterns),
               square = a.patterns.scale * a.patterns.scale;
  const theory::OrthogonalPatterns exact = theory::orthogonal_patterns(n);
  double low = rows.front().beta, high = low;
  for (const Row& row : rows) {
    low = std::min(low, row.beta);
    high = std::max(high, row.beta);
  }
  report::Series single{"exact, near one pattern", {}, {}};
  constexpr int kPieces = 200;
  const double from = std::max(low, exact.b_single / square);
  for (int i = 0; i <= kPieces && from <= high; ++i) {
    const double beta = from * std::pow(high / from, static_cast<double>(i) / kPieces);
    single.x.push_back(beta);
    single.y.push_back(theory::orthogonal_association(n, std::max(beta * square, exact.b_single)));
  }
  const double end = std::min(high, exact.b_uniform / square);
  report::Series uniform{"exact, uniform state 1/N", {low, std::max(low, end)}, {1 / n, 1 / n}};
  report::Series equal{"equal energies", {}, {}, {}, report::Mark::kLine, report::Tone::kMuted};
  equal.x.assign(2, exact.b_equal / square);
  equal.y = {0, 1};
  for (report::Series* series : {&single, &uniform, &equal}) {
    plot.series.push_back(std::move(*series));
  }
}

/// Which minima there are, which is the lowest, and where they lie.
std::vector<Check> exact_checks(const Arguments& a, const std::vector<Row>& rows) {
  const double n = static_cast<double>(a.patterns.num_patterns),
               square = a.patterns.scale * a.patterns.scale;
  const theory::OrthogonalPatterns exact = theory::orthogonal_patterns(n);
  double wrong_rows = 0, error_max = 0;
  for (const Row& row : rows) {
    const double b = row.beta * square;
    const double q = theory::orthogonal_association(n, b);  // NaN below b_single
    std::int64_t num_single = 0, num_uniform = 0;
    for (const Point& p : row.points) {
      if (!p.minimum()) continue;
      const double to_single = std::abs(p.fixed.largest - q);
      const double to_uniform = std::abs(p.fixed.largest - 1 / n);
      (to_single < to_uniform ? num_single : num_uniform) += 1;
      error_max = std::max(error_max, std::fmin(to_single, to_uniform));
    }
    const bool single_lowest = row.points.front().fixed.largest > 1.5 / n;
    wrong_rows += num_single != (b >= exact.b_single ? a.patterns.num_patterns : 0) ||
                  num_uniform != (b < exact.b_uniform ? 1 : 0) ||
                  single_lowest != (b > exact.b_equal);
  }
  // The updates stop at steps below eps; where they contract slowly the way left is some 1e4 times
  // as long.
  return {check_at_most("betas whose minima, or the lowest of them, differ from the exact phases",
                        wrong_rows, 0),
          check_at_most("largest |p_1 - exact| of the minima, orthonormal patterns", error_max,
                        1e4 * a.eps)};
}

// --- all together

std::vector<Exhibit> exhibits_of(const Arguments& a, const std::vector<Row>& rows) {
  report::Plot associations = association_plot(rows);
  if (solvable(a)) add_exact_curves(associations, a, rows);
  std::vector<Exhibit> exhibits = {
      {"minima", count_plot(rows), "Minima found from many starts, by kind."},
      {"associations", std::move(associations), "One point a minimum."}};
  if (a.separation == "softmax") {
    exhibits.push_back({"jacobian", jacobian_plot(rows),
                        "Power iteration beside the bounds; below 1 it contracts."});
  }
  exhibits.push_back({"summary", table_of(rows), "The same in numbers."});
  return exhibits;
}

}  // namespace

Findings study_fixed_points(const FixedPointsArguments& a, const Context& context) {
  const PatternTable table = choose_patterns(a.patterns, a.seed);
  require(table.num_patterns <= 20000, "fixed-points",
          "expected at most 20000 patterns (all pairs are compared), got " +
              std::to_string(table.num_patterns));
  const theory::ContinuousNetwork any(table.values, table.depth, 1);
  const theory::PatternGeometry geometry = theory::pattern_geometry(any);
  const std::vector<double> betas = choose_betas(a, geometry);
  std::vector<Row> rows;
  {
    Progress progress("beta", static_cast<std::int64_t>(betas.size()));
    for (const double beta : betas) {
      stop_if_cancelled(context);
      progress.update(static_cast<std::int64_t>(rows.size()));
      rows.push_back(find(table, beta, a, geometry, context));
    }
  }
  std::int64_t broken = 0, unfinished = 0;
  Json list = Json::array();
  for (const Row& row : rows) {
    broken += row.num_broken;
    unfinished += row.num_unfinished;
    list.push_back(json_of(row));
  }
  Findings found;
  found.title = "Fixed points against beta";
  found.subtitle = std::to_string(table.num_patterns) +
                   " patterns, d = " + std::to_string(table.depth) +
                   ": global average, metastable, single";
  found.exhibits = exhibits_of(a, rows);
  found.facts = {{"patterns", std::to_string(table.num_patterns)},
                 {"depth", std::to_string(table.depth)},
                 {"drawn", a.patterns.name()},
                 {"M", report::general(geometry.norm_max)},
                 {"m_max", report::general(geometry.distance_to_mean_max)},
                 {"random starts", std::to_string(a.starts)},
                 {"seed", std::to_string(a.seed)}};
  found.csv = csv_of(rows);
  found.json = {{"patterns", a.patterns.name()},
                {"num_patterns", table.num_patterns},
                {"depth", table.depth},
                {"separation", a.separation},
                {"norm_max", geometry.norm_max},
                {"distance_to_mean_max", geometry.distance_to_mean_max},
                {"spectral_norm", geometry.spectral_norm},
                {"diameter", geometry.diameter},
                {"seed", a.seed},
                {"num_bounds_broken", broken},
                {"num_unfinished", unfinished},
                {"betas", list},
                {"hopfield", version()}};
  found.checks = {check_at_most(
      "broken: bounds on |J|, one fixed point below beta = 1/m_max^2 (lemma A3); N = " +
          std::to_string(table.num_patterns) + ", d = " + std::to_string(table.depth),
      static_cast<double>(broken), 0)};
  if (solvable(a)) {
    for (Check& check : exact_checks(a, rows)) found.checks.push_back(std::move(check));
  }
  found.text = table_of(rows).text();
  if (unfinished > 0) {
    found.text +=
        std::to_string(unfinished) + " starts still moved after all updates and are left out\n";
  }
  return found;
}

void add_theory_fixed_points(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(
      noun, context, "fixed-points",
      "All minima found from many starts, classified, against beta (exit 4 if a bound is broken)",
      {"hopfield theory fixed-points", "hopfield theory fixed-points --n 12 --depth 8 --json",
       "hopfield theory fixed-points --draw orthonormal --n 8 --depth 8 --beta 3,4.5,6,9 --report "
       "phases.html"},
      [a, &context] {
        check_results(a->paths, {a->patterns.file});
        return give_findings(a->paths, study_fixed_points(*a, context));
      });
  add_patterns(command, a->patterns);
  CLI::Option* betas = add_positive_list(
      command, "--beta", a->betas,
      "Inverse temperatures; default: --num-betas from 0.5 to 50 times 1/m_max^2");
  add_whole_number(command, "--num-betas", a->num_betas, "How many", 1, 1000)->excludes(betas);
  add_separation(command, a->separation);
  add_whole_number(command, "--starts", a->starts, "Random starts besides the patterns", 0,
                   1'000'000);
  add_number(command, "--eps", a->eps, "A state that moves by less, relative to M, has arrived",
             1e-16, 0.1);
  add_whole_number(command, "--seed", a->seed, "Seed of patterns and starts", 0);
  add_threads(command, context);
  add_results(command, a->paths, "one row a fixed point", "number of minima against beta");
}

}  // namespace hopfield::cli
