#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "cli/theory_networks.h"
#include "cli/theory_studies.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/theory/fixed_points.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Arguments = BasinsArguments;

/// Where the rays start and where they go; a direction of length 0 is left out.
struct Rays {
  std::vector<double> origin, directions;
  bool has_rival = false, has_mean = false;
};

/// One inverse temperature. A radius without meaning is NaN, one beyond the reach infinite.
struct Row {
  double beta = 0;
  double rival = kNan, mean = kNan, random_least = kNan, random_median = kNan;
  double separation = 0;
  double certified_master = kNan, certified_sharp = kNan;  // a pattern
  theory::MetastableCertificate group;                     // a group
  double certified = 0;                                    // the largest
  bool holds = true;
};

class Measurement {
 public:
  Measurement(const Arguments& a, const PatternTable& table, const Context& context)
      : a_(a), table_(table), options_(a.options) {
    options_.executor = context.stoppable_executor.get();
    require(a.pattern < table.num_patterns, "--pattern",
            "expected a pattern below " + std::to_string(table.num_patterns) + ", got " +
                std::to_string(a.pattern));
    rays_ = make_rays();
  }

  Row at(double beta) const {
    const theory::ContinuousNetwork network(table_.values, table_.depth, beta);
    Row row;
    row.beta = beta;
    std::vector<double> radii;
    if (a_.group.empty()) {
      const theory::Basin basin =
          theory::measure_basin(network, a_.pattern, rays_.directions, options_);
      radii = basin.radii;
      row.separation = basin.separation;
      row.certified_master = basin.certified_master;
      row.certified_sharp = basin.certified_sharp;
      row.certified = std::max(basin.certified_master, basin.certified_sharp);
      row.holds = basin.holds;
    } else {
      row.group = theory::certify_metastable(network, a_.group, options_);
      radii = theory::measure_basin(network, rays_.origin, rays_.directions, options_).radii;
      row.separation = row.group.separation;
      row.certified = row.group.holds ? row.group.radius : 0;
      row.holds = !row.group.holds || (row.group.converged && row.group.distance <= row.certified);
      for (const double radius : radii) row.holds = row.holds && radius >= row.certified;
    }
    std::size_t next = 0;
    if (rays_.has_rival) row.rival = radii[next++];
    if (rays_.has_mean) row.mean = radii[next++];
    radii.erase(radii.begin(), radii.begin() + static_cast<std::ptrdiff_t>(next));
    std::sort(radii.begin(), radii.end());
    if (!radii.empty()) {
      row.random_least = radii.front();
      row.random_median = radii[radii.size() / 2];
    }
    return row;
  }

 private:
  std::vector<double> row(std::int64_t i) const {
    const auto first = table_.values.begin() + i * table_.depth;
    return {first, first + table_.depth};
  }

  bool in_origin(std::int64_t i) const {
    return a_.group.empty() ? i == a_.pattern
                            : std::find(a_.group.begin(), a_.group.end(), i) != a_.group.end();
  }

  /// Appends the way from the origin to `end`; false if they are the same.
  bool add_way(const std::vector<double>& end, Rays& rays) const {
    std::vector<double> way = end;
    for (std::size_t c = 0; c < way.size(); ++c) way[c] -= rays.origin[c];
    const bool moves = std::any_of(way.begin(), way.end(), [](double x) { return x != 0; });
    if (moves) rays.directions.insert(rays.directions.end(), way.begin(), way.end());
    return moves;
  }

  Rays make_rays() const {
    Rays rays;
    const theory::ContinuousNetwork any(table_.values, table_.depth, 1);
    rays.origin = a_.group.empty() ? row(a_.pattern)
                                   : theory::certify_metastable(any, a_.group, options_).mean;
    std::vector<double> mean(rays.origin.size(), 0), rival;
    double nearest = std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < table_.num_patterns; ++i) {
      const std::vector<double> x = row(i);
      double square = 0;
      for (std::size_t c = 0; c < x.size(); ++c) {
        mean[c] += x[c] / static_cast<double>(table_.num_patterns);
        square += (x[c] - rays.origin[c]) * (x[c] - rays.origin[c]);
      }
      if (in_origin(i) || square >= nearest) continue;
      nearest = square;
      rival = x;
    }
    rays.has_rival = !rival.empty() && add_way(rival, rays);
    rays.has_mean = add_way(mean, rays);
    theory::RandomStream random(static_cast<std::uint64_t>(a_.seed), 1);
    for (std::int64_t k = 0; k < a_.num_random; ++k) {
      const std::vector<double> u = random.on_sphere(table_.depth, 1);
      rays.directions.insert(rays.directions.end(), u.begin(), u.end());
    }
    return rays;
  }

  const Arguments& a_;
  const PatternTable& table_;
  theory::BasinOptions options_;
  Rays rays_;
};

Json json_of(const Row& row, bool group) {
  Json json = {{"beta", row.beta},
               {"separation", row.separation},
               {"towards_rival", row.rival},
               {"towards_mean", row.mean},
               {"random_smallest", row.random_least},
               {"random_median", row.random_median}};
  if (group) {
    json["m_max"] = row.group.spread;
    json["contraction"] = row.group.contraction;
    json["separation_needed"] = row.group.needed;
    json["ball"] = row.group.radius;
    json["certified"] = row.group.holds;
    json["mean"] = row.group.mean;
    json["fixed_point"] = row.group.fixed_point;
    json["fixed_point_distance"] = row.group.distance;
    json["fixed_point_converged"] = row.group.converged;
  } else {
    json["certified_master"] = row.certified_master;
    json["certified_sharp"] = row.certified_sharp;
  }
  json["certified_radius"] = row.certified;
  json["holds"] = row.holds;
  return json;
}

/// The columns that a CSV and a table of this kind share: name and value.
std::vector<std::pair<std::string, double>> cells_of(const Row& row, bool group) {
  std::vector<std::pair<std::string, double>> cells = {{"beta", row.beta},
                                                       {"separation", row.separation},
                                                       {"towards rival", row.rival},
                                                       {"towards mean", row.mean},
                                                       {"random, smallest", row.random_least},
                                                       {"random, median", row.random_median}};
  if (group) {
    cells.emplace_back("separation needed", row.group.needed);
    cells.emplace_back("fixed point's distance", row.group.distance);
    cells.emplace_back("certified 1/(beta m_max)", row.certified);
  } else {
    cells.emplace_back("certified 1/(beta N M)", row.certified_master);
    cells.emplace_back("certified 1/(2 beta M)", row.certified_sharp);
  }
  return cells;
}

report::Table table_of(const std::vector<Row>& rows, bool group) {
  std::vector<report::Column> columns;
  for (const auto& [name, value] : cells_of(rows.front(), group)) {
    columns.push_back({name, report::Align::kRight});
  }
  columns.push_back({"holds", report::Align::kLeft});
  report::Table table(columns);
  for (const Row& row : rows) {
    std::vector<std::string> cells;
    for (const auto& [name, value] : cells_of(row, group)) {
      cells.push_back(report::general(value, 6));
    }
    cells.emplace_back(row.holds ? "yes" : "NO");
    table.add_row(cells);
  }
  return table;
}

CsvTable csv_of(const std::vector<Row>& rows, bool group) {
  CsvTable csv;
  for (const auto& [name, value] : cells_of(rows.front(), group)) {
    csv.columns.push_back(csv_cell(name));
  }
  csv.columns.emplace_back("holds");
  for (const Row& row : rows) {
    std::vector<std::string> cells;
    for (const auto& [name, value] : cells_of(row, group)) cells.push_back(csv_number(value));
    cells.emplace_back(row.holds ? "1" : "0");
    csv.rows.push_back(cells);
  }
  return csv;
}

report::Plot plot_of(const std::vector<Row>& rows, bool group) {
  report::Plot plot;
  plot.title = group ? "Basin around the mean of a group" : "Basin of a pattern";
  plot.description =
      "Measured distance at which the basin ends, along several directions, and the radius of the "
      "certified ball, against beta.";
  plot.x = {"inverse temperature beta", report::Scale::kLog10, {}, {}};
  plot.y = {"radius", report::Scale::kLog10, {}, {}};
  constexpr std::size_t kFirst = 2;  // beta and separation are no radii
  for (std::size_t k = kFirst; k < cells_of(rows.front(), group).size(); ++k) {
    report::Series series;
    series.mark = report::Mark::kLineAndPoints;
    for (const Row& row : rows) {
      const auto [name, value] = cells_of(row, group)[k];
      series.name = name;
      if (!(value > 0 && std::isfinite(value))) continue;  // no such radius
      series.x.push_back(row.beta);
      series.y.push_back(value);
    }
    const bool radius = series.name != "separation needed" && !series.x.empty();
    if (radius) plot.series.push_back(std::move(series));
  }
  return plot;
}

}  // namespace

Findings study_basins(const BasinsArguments& a, const Context& context) {
  const PatternTable table = choose_patterns(a.patterns, a.seed);
  const bool group = !a.group.empty();
  const Measurement measurement(a, table, context);
  std::vector<Row> rows;
  {
    Progress progress("beta", static_cast<std::int64_t>(a.betas.size()));
    for (const double beta : a.betas) {
      stop_if_cancelled(context);
      progress.update(static_cast<std::int64_t>(rows.size()));
      rows.push_back(measurement.at(beta));
    }
  }
  Json list = Json::array();
  std::int64_t broken = 0;
  for (const Row& row : rows) {
    list.push_back(json_of(row, group));
    broken += !row.holds;
  }
  const report::Table summary = table_of(rows, group);
  Findings found;
  const report::Plot plot = plot_of(rows, group);
  found.title = plot.title;
  found.subtitle = "measured beside what is certified";
  found.exhibits = {
      {"radii", plot, "A radius beyond the reach, or none, is left out."},
      {"table", summary, "0: the criterion's inequality fails. inf: no end up to the reach."}};
  found.facts = {{"patterns", std::to_string(table.num_patterns) + ", " + a.patterns.name()},
                 {"depth", std::to_string(table.depth)},
                 {"random directions", std::to_string(a.num_random)},
                 {"bisection", "to " + report::general(a.options.tolerance) + " M"},
                 {"reach", report::general(a.options.radius_max) + " M"},
                 {"seed", std::to_string(a.seed)}};
  found.notes = {"Formulas and sources: docs/math/landscape.md."};
  found.csv = csv_of(rows, group);
  found.json = {{"patterns", a.patterns.name()},
                {"num_patterns", table.num_patterns},
                {"depth", table.depth},
                {"pattern", group ? Json() : Json(a.pattern)},
                {"group", a.group},
                {"radius_max", a.options.radius_max},
                {"tolerance", a.options.tolerance},
                {"random_directions", a.num_random},
                {"seed", a.seed},
                {"num_broken", broken},
                {"betas", list},
                {"hopfield", version()}};
  found.checks = {check_at_most("betas at which a measured radius is below a certified one",
                                static_cast<double>(broken), 0)};
  found.text = summary.text();
  return found;
}

void add_theory_basins(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(
      noun, context, "basins",
      "Measured basins beside the certified radii (exit 4 if one is smaller)",
      {"hopfield theory basins", "hopfield theory basins --beta 4,8,16 --json",
       "hopfield theory basins --draw gaussian --n 20 --depth 32 --pattern 3 --beta 1,2,4 --report "
       "basins.html",
       "hopfield theory basins --draw gaussian --n 4 --depth 8 --group 0,1,2,3 --beta 0.02,0.05"},
      [a, &context] {
        check_results(a->paths, {a->patterns.file});
        return give_findings(a->paths, study_basins(*a, context));
      });
  add_patterns(command, a->patterns);
  add_positive_list(command, "--beta", a->betas, "Inverse temperatures");
  CLI::Option* pattern =
      add_whole_number(command, "--pattern", a->pattern, "Whose basin, counted from 0", 0);
  command
      .add_option("--group", a->group,
                  "Instead: similar patterns; the basin around their mean, beside lemmas A8 to A12")
      ->delimiter(',')
      ->type_name("I,...")
      ->excludes(pattern);
  add_whole_number(command, "--random", a->num_random,
                   "Random directions besides the nearest rival and the mean", 0, 100'000);
  add_number(command, "--reach", a->options.radius_max, "How far to look, in units of M", 1e-6,
             1e6);
  add_number(command, "--tolerance", a->options.tolerance, "Of a radius, in units of M", 1e-12, 1);
  add_whole_number(command, "--seed", a->seed, "Seed of patterns and directions", 0);
  add_threads(command, context);
  add_results(command, a->paths, "one row a beta", "the radii against beta");
}

}  // namespace hopfield::cli
