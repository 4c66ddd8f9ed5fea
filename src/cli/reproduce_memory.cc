// What the sections of `reproduce memory` share, and those about random patterns on the sphere and
// about the error of one update.
#include "cli/reproduce_memory.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/reproduce_compare.h"
#include "hopfield/memory/bounds.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/bound.h"
#include "hopfield/theory/capacity.h"

namespace hopfield::cli {

using report::Align;
using report::general;

std::vector<PictureSet> picture_sets(const ReproduceSettings& settings) {
  const std::vector<std::string> folders = data_folders(settings.data);
  const auto load = [&](PictureSet& set, const std::string& remedy,
                        const std::vector<std::string>& names, const auto& read) {
    std::vector<std::string> paths;
    try {
      for (const std::string& name : names) {
        paths.push_back(find_data_file(folders, {name + ".gz", name}, "reproduce memory", remedy));
      }
    } catch (const Error& error) {
      set.missing = error.what();
      return;
    }
    set.digits = read(paths);
  };
  std::vector<PictureSet> sets(2);
  sets[0].name = "digits";
  sets[0].title = "scikit-learn's digits";
  load(sets[0],

       "tools/fetch-demo-data takes it from the package scikit-learn; name the folder that holds "
       "digits/ with --data",
       {"digits/digits.csv"},
       [](const std::vector<std::string>& paths) { return read_digits(paths[0]); });
  sets[1].name = "mnist";
  sets[1].title = "MNIST";
  const std::size_t most = settings.quick ? 5000 : std::numeric_limits<std::size_t>::max();
  load(sets[1],
       "MNIST is published by Y. LeCun, C. Cortes and C. J. C. Burges at "
       "http://yann.lecun.com/exdb/mnist/; name the folder that holds mnist/ with --data",
       {"mnist/train-images-idx3-ubyte", "mnist/train-labels-idx1-ubyte"},
       [&](const std::vector<std::string>& paths) { return read_mnist(paths[0], paths[1], most); });
  return sets;
}

Study skipped_study(const PictureSet& set) {
  Findings skipped;
  skipped.title = set.title;
  skipped.notes = {"skipped: " + set.missing};
  skipped.json = {{"skipped", set.missing}};
  return {set.name, skipped};
}

namespace {

/// The points of a plot whose series have their points at the same places: a row a series.
report::Table rate_table(const report::Plot& plot, const std::string& x_name) {
  const report::Series& longest = *std::max_element(
      plot.series.begin(), plot.series.end(),
      [](const report::Series& a, const report::Series& b) { return a.x.size() < b.x.size(); });
  std::vector<report::Column> columns = {{plot.title + ", " + x_name}};
  for (const double x : longest.x) columns.push_back({general(x), Align::kRight});
  report::Table table(columns);
  for (const report::Series& series : plot.series) {
    std::vector<std::string> row = {series.name};
    for (const double y : series.y) row.push_back(report::fixed(y, 2));
    table.add_row(std::move(row));
  }
  return table;
}

}  // namespace

Findings recall_findings(const std::vector<RecallRow>& rows, const std::string& x_name,
                         const std::vector<report::Axis>& axes, const std::string& caption) {
  Findings found;
  const bool over_beta = x_name == "beta";  // then one column serves both
  found.csv.columns = {"damage", "method", x_name};
  if (!over_beta) found.csv.columns.push_back("beta");
  for (const char* name :
       {"num_cues", "num_identified", "num_exact", "exact_rate", "low", "high"}) {
    found.csv.columns.push_back(name);
  }
  std::vector<report::Plot> plots;
  for (const RecallRow& row : rows) {
    const double n = static_cast<double>(row.num_cues);
    const double rate = static_cast<double>(row.num_exact) / n;
    const auto interval = theory::probability_interval(row.num_exact, row.num_cues, 0.95);
    std::vector<std::string> cells = {csv_quoted(row.damage), csv_quoted(row.method),
                                      csv_number(row.x)};
    nlohmann::ordered_json json = {{"damage", row.damage}, {"method", row.method}, {x_name, row.x}};
    if (!over_beta) {
      cells.push_back(csv_number(row.beta));
      json["beta"] = row.beta;
    }
    for (const std::int64_t count : {row.num_cues, row.num_identified, row.num_exact}) {
      cells.push_back(csv_number(count));
    }
    for (const double value : {rate, interval.low, interval.high}) {
      cells.push_back(csv_number(value));
    }
    json.update({{"num_cues", row.num_cues},
                 {"num_identified", row.num_identified},
                 {"num_exact", row.num_exact},
                 {"exact_rate", rate},
                 {"low", interval.low},
                 {"high", interval.high}});
    found.csv.rows.push_back(std::move(cells));
    found.json["rows"].push_back(std::move(json));
    auto plot = std::find_if(plots.begin(), plots.end(),
                             [&](const report::Plot& p) { return p.title == row.damage; });
    if (plot == plots.end()) {
      plot = plots.insert(plot, report::Plot{row.damage,
                                             {},
                                             axes[plots.size() % axes.size()],
                                             {"share recalled exactly", {}, 0.0, 1.0},
                                             {}});
    }
    auto series = std::find_if(plot->series.begin(), plot->series.end(),
                               [&](const report::Series& s) { return s.name == row.method; });
    if (series == plot->series.end()) {
      series = plot->series.insert(
          series, report::Series{row.method, {}, {}, {}, report::Mark::kLineAndPoints});
      if (row.method == kNearest) series->tone = report::Tone::kMuted;  // there are six colours
    }
    series->x.push_back(row.x);
    series->y.push_back(rate);
    series->error.push_back(std::sqrt(rate * (1 - rate) / n));
  }
  for (std::size_t i = 0; i < plots.size(); ++i) {
    found.exhibits.push_back({"plot-" + std::to_string(i + 1), plots[i], caption});
  }
  for (const report::Plot& plot : plots) {
    found.exhibits.push_back({"table", rate_table(plot, x_name), "The same as numbers."});
  }
  return found;
}

namespace {

constexpr double kFailureChance = 0.001;

/// The smallest K at which theorem 3 speaks at all (K^2 is what c grows with).
double smallest_radius(std::int64_t depth) {
  double low = 0.1, high = 1e4;
  for (int i = 0; i < 60; ++i) {
    const double middle = std::sqrt(low * high);
    (guaranteed_capacity(1, middle, depth, kFailureChance).applies ? high : low) = middle;
  }
  return high;
}

struct SpherePoint {
  std::string series;
  std::int64_t depth = 0;
  double k = 0;
  theory::CapacityEstimate measured;
  GuaranteedCapacity theorem;
  double tail = 0, typical = 0;
};

SpherePoint measure_sphere(const std::string& series, std::int64_t depth, double k,
                           std::int64_t most, const ReproduceSettings& settings,
                           const Context& context) {
  SpherePoint point{series, depth, k, {}, {}, 0, 0};
  const std::int64_t trials = settings.quick ? 7 : 9;
  Progress progress("depth " + std::to_string(depth) + ", trial", trials);
  theory::RecallCapacityOptions options;
  options.k = k;
  options.depth = depth;
  options.num_patterns_max = most;
  options.trials = replica_options(context, settings.seed, trials, progress);
  point.measured = theory::measure_recall_capacity(options);
  point.theorem = guaranteed_capacity(1, k, depth, kFailureChance);
  point.tail = exact_tail_capacity(StorageCriterion::kSharp, 1, k, depth, kFailureChance);
  point.typical =
      std::exp(theory::log_half_capacity(k * k * static_cast<double>(depth - 1), depth));
  return point;
}

report::Plot sphere_plot(const std::vector<SpherePoint>& points, const std::string& series,
                         std::int64_t most) {
  report::Plot plot;
  plot.title = series;
  plot.x.label = "depth d";
  plot.y = {"number of patterns", report::Scale::kLog10, 0.8, {}};
  report::Series measured{"measured", {}, {}, {}, report::Mark::kLineAndPoints};
  report::Series tail{"exact tail, sharper ball", {}, {}}, theorem{"theorem 3", {}, {}};
  report::Series typical{"own association 1/2", {}, {}};
  for (const SpherePoint& p : points) {
    if (p.series != series) continue;
    const double d = static_cast<double>(p.depth);
    for (report::Series* s : {&measured, &tail, &theorem, &typical}) s->x.push_back(d);
    measured.y.push_back(p.measured.median);
    measured.error.push_back((p.measured.high - p.measured.low) / 2);
    tail.y.push_back(p.tail);
    theorem.y.push_back(p.theorem.applies ? p.theorem.num_patterns : std::nan(""));
    // Beyond the page: it would flatten the others.
    typical.y.push_back(p.typical <= 100 * static_cast<double>(most) ? p.typical : std::nan(""));
  }
  plot.series = {measured, tail};
  if (std::any_of(theorem.y.begin(), theorem.y.end(), [](double y) { return !std::isnan(y); })) {
    plot.series.push_back(theorem);
  }
  if (std::any_of(typical.y.begin(), typical.y.end(), [](double y) { return !std::isnan(y); })) {
    plot.series.push_back(typical);
  }
  return plot;
}

}  // namespace

Studies reproduce_sphere(const ReproduceSettings& settings, const Context& context) {
  const std::string unit = "K = 1", sure = "K where theorem 3 begins to speak";
  const std::int64_t most = settings.quick ? 2048 : 65536;
  std::vector<SpherePoint> points;
  for (std::int64_t depth = 8; depth <= (settings.quick ? 16 : 28);
       depth += settings.quick ? 4 : 2) {
    points.push_back(measure_sphere(unit, depth, 1, most, settings, context));
  }
  for (std::int64_t depth = 4; depth <= (settings.quick ? 6 : 14); depth += 2) {
    points.push_back(measure_sphere(sure, depth, smallest_radius(depth), most, settings, context));
  }
  Findings found;
  found.title = "Exponential capacity";
  found.subtitle = "random patterns on the sphere of radius K sqrt(d - 1), beta = 1";
  found.csv.columns = {"series", "depth",      "k",         "median",     "low",
                       "high",   "num_capped", "theorem_3", "exact_tail", "typical"};
  report::Table table({{"radius"},
                       {"d", Align::kRight},
                       {"K", Align::kRight},
                       {"measured", Align::kRight},
                       {"95 % interval", Align::kRight},
                       {"theorem 3", Align::kRight},
                       {"exact tail", Align::kRight},
                       {"own association 1/2", Align::kRight}});
  double below = 0, above = 0;
  for (const SpherePoint& p : points) {
    const bool capped = p.measured.median >= static_cast<double>(most);
    table.add_row({p.series, std::to_string(p.depth), general(p.k),
                   (capped ? "at least " : "") + general(p.measured.median, 6),
                   general(p.measured.low, 6) + " to " + general(p.measured.high, 6),
                   p.theorem.applies ? general(p.theorem.num_patterns) : "silent", general(p.tail),
                   general(p.typical)});
    found.csv.rows.push_back(
        {csv_quoted(p.series), csv_number(p.depth), csv_number(p.k), csv_number(p.measured.median),
         csv_number(p.measured.low), csv_number(p.measured.high), csv_number(p.measured.num_capped),
         csv_number(p.theorem.num_patterns), csv_number(p.tail), csv_number(p.typical)});
    found.json["points"].push_back({{"series", p.series},
                                    {"depth", p.depth},
                                    {"k", p.k},
                                    {"median", p.measured.median},
                                    {"low", p.measured.low},
                                    {"high", p.measured.high},
                                    {"num_capped", p.measured.num_capped},
                                    {"theorem_3", p.theorem.num_patterns},
                                    {"exact_tail", p.tail},
                                    {"typical", p.typical}});
    below += p.measured.median < std::min(p.tail, static_cast<double>(most)) ||
             p.measured.median < std::min(p.theorem.num_patterns, static_cast<double>(most));
    above += p.measured.median > p.typical;
  }
  for (const std::string& series : {unit, sure}) {
    found.exhibits.push_back({series == unit ? "unit" : "sure", sphere_plot(points, series, most),
                              "Medians over trials with half their interval each way."});
  }
  found.exhibits.push_back({"table", table, "The numbers of the pictures."});
  found.facts = {
      {"recalled",
       "99 % of the cues: the first 100 patterns (all, if there are fewer), each "
       "0.05 radii away from its pattern; updates until nothing moves; own association "
       "the largest and no component off by more than K/100"},
      {"limit", std::to_string(most) + " patterns; \"at least\" where it was met"},
      {"search", "the number doubles until too few are recalled, then the interval is halved"},
      {"theorem 3, exact tail",
       "all patterns stored with probability " + general(1 - kFailureChance)},
      {"seed", std::to_string(settings.seed)}};
  found.notes = {
      "At K = 1 theorem 3 is silent at these depths (its c is below what it needs). The second "
      "series takes the smallest K at which it speaks; then it promises two patterns.",
      "A pattern's own association is 1/2 at the typical number; exact recall asks for nearly all "
      "of it and must end before."};
  found.checks = {
      check_at_most("sphere: depths at which fewer are recalled than theorem 3 or the exact tail "
                    "promise",
                    below, 0),
      check_at_most("sphere: depths at which more are recalled than where the own association is "
                    "1/2",
                    above, 0)};
  return {{"sphere", std::move(found)}};
}

namespace {

/// Some pictures minus their mean, brought to length 1.
PatternTable centred_pictures(const PictureSet& set, std::int64_t count) {
  PatternTable table;
  table.depth = static_cast<std::int64_t>(set.digits.pixels());
  table.num_patterns = std::min(count, static_cast<std::int64_t>(set.digits.count()));
  const std::size_t d = set.digits.pixels(), n = static_cast<std::size_t>(table.num_patterns);
  table.values.assign(set.digits.ink.begin(),
                      set.digits.ink.begin() + static_cast<std::ptrdiff_t>(n * d));
  for (std::size_t k = 0; k < d; ++k) {
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += table.values[i * d + k] / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) table.values[i * d + k] -= mean;
  }
  for (std::size_t i = 0; i < n; ++i) {
    double square = 0;
    for (std::size_t k = i * d; k < (i + 1) * d; ++k) square += table.values[k] * table.values[k];
    if (square == 0) continue;
    for (std::size_t k = i * d; k < (i + 1) * d; ++k) table.values[k] /= std::sqrt(square);
  }
  return table;
}

}  // namespace

Studies reproduce_error_bound(const ReproduceSettings& settings, const Context& context) {
  RetrievalErrorArguments a;
  a.trials = settings.quick ? 2 : 16;
  a.seed = settings.seed;
  Studies studies = {{"error-random", study_retrieval_error(a, context)}};
  studies.back().findings.title += ": random patterns";
  for (const PictureSet& set : picture_sets(settings)) {
    stop_if_cancelled(context);
    if (!set.missing.empty()) {
      studies.push_back(skipped_study(set));
      continue;
    }
    a.trials = 1;
    a.betas = {16, 64, 256, 1024};
    a.options.distance = 0.01;  // pictures are nearer to each other than random patterns
    Findings found = study_retrieval_error(
        a, centred_pictures(set, settings.quick ? 64 : 256),
        set.title + ", first pictures, minus their mean, of length 1", context);
    found.title += ": " + set.title;
    found.facts.push_back({"pictures", "the first ones, minus their mean, of length 1"});
    for (Check& check : found.checks) check.statement += ", " + set.title;
    studies.push_back({"error-" + set.name, std::move(found)});
  }
  return studies;
}

}  // namespace hopfield::cli
