#include <cmath>
#include <memory>

#include "cli/theory_networks.h"
#include "cli/theory_studies.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/bounds.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/theory/capacity.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;
using Arguments = CapacityArguments;

/// One size: what was measured and what formulas say.
struct Point {
  std::int64_t size = 0;
  theory::CapacityEstimate measured;
  std::vector<theory::CapacityFormula> formulas;
};

std::vector<theory::CapacityFormula> continuous_formulas(const Arguments& a, std::int64_t depth) {
  std::vector<theory::CapacityFormula> formulas;
  formulas.push_back(
      {"association 1/2: 1 + e^kappa/A", theory::half_association_capacity(a.beta, a.k, depth)});
  formulas.push_back(
      {"all stored, exact tail, sharp ball",
       exact_tail_capacity(StorageCriterion::kSharp, a.beta, a.k, depth, a.failure)});
  formulas.push_back(
      {"all stored, exact tail, theorem's ball",
       exact_tail_capacity(StorageCriterion::kMaster, a.beta, a.k, depth, a.failure)});
  const GuaranteedCapacity theorem = guaranteed_capacity(a.beta, a.k, depth, a.failure);
  formulas.push_back(
      {"theorem: sqrt(p) c^((d-1)/4)", theorem.applies ? theorem.num_patterns : std::nan("")});
  return formulas;
}

Point measure(const Arguments& a, std::int64_t size, const theory::ReplicaOptions& trials) {
  Point point;
  point.size = size;
  if (a.choice.continuous()) {
    point.formulas = continuous_formulas(a, size);
    point.measured = theory::measure_continuous_capacity(a.beta, a.k, size, a.patterns_max, trials,
                                                         a.confidence);
    return point;
  }
  theory::CapacityOptions options;
  options.kind = a.choice.kind();
  options.num_spins = size;
  options.power = static_cast<int>(a.power);
  options.criterion =
      a.stored_if == "stable" ? theory::StoredIf::kStable : theory::StoredIf::kRetrieved;
  options.flipped = a.flipped;
  options.overlap_min = a.overlap;
  options.num_patterns_max = std::min(a.patterns_max, 2'000'000'000 / size);
  options.trials = trials;
  options.confidence = a.confidence;
  point.formulas = theory::capacity_formulas(options);
  point.measured = theory::measure_capacity(options);
  return point;
}

/// With what tells networks of one kind apart: "polynomial, power 3".
std::string name_of(const Arguments& a) {
  if (a.choice.continuous()) return "continuous";
  std::string name(theory::network_name(a.choice.kind()));
  if (a.choice.network == "dense") name += ", power " + std::to_string(a.power);
  return name;
}

report::Plot plot_of(const Arguments& a, const std::vector<Point>& points) {
  report::Plot plot;
  plot.title = "Storage capacity: " + name_of(a);
  plot.x.label = a.choice.continuous() ? "depth d" : "spins N";
  plot.y = {"patterns", report::Scale::kLog10, {}, {}};
  report::Series measured{"measured median", {}, {}, {}, report::Mark::kPoints};
  for (const Point& p : points) {
    measured.x.push_back(static_cast<double>(p.size));
    measured.y.push_back(p.measured.median);
    measured.error.push_back(0.5 * (p.measured.high - p.measured.low));
  }
  plot.series.push_back(std::move(measured));
  for (std::size_t f = 0; f < points[0].formulas.size(); ++f) {
    report::Series series{points[0].formulas[f].name, {}, {}};
    for (const Point& p : points) {
      series.x.push_back(static_cast<double>(p.size));
      series.y.push_back(p.formulas[f].num_patterns);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Json json_of(const Arguments& a, const std::vector<Point>& points) {
  Json json = {{"network", a.choice.network}};
  if (a.choice.continuous()) {
    json["beta"] = a.beta;
    json["k"] = a.k;
    json["failure_probability"] = a.failure;
    json["stored_if"] = "association >= 1/2";
  } else {
    json["kind"] = theory::network_name(a.choice.kind());
    if (a.choice.network == "dense") json["power"] = a.power;
    json["stored_if"] = a.stored_if;
    if (a.stored_if == "retrieved") {
      json["flipped"] = a.flipped;
      json["overlap_min"] = a.overlap;
    }
  }
  json["trials"] = a.trials;
  json["confidence"] = a.confidence;
  json["seed"] = a.seed;
  Json list = Json::array();
  for (const Point& p : points) {
    Json formulas;
    for (const auto& f : p.formulas) formulas[f.name] = f.num_patterns;
    list.push_back({{a.choice.continuous() ? "depth" : "num_spins", p.size},
                    {"median", p.measured.median},
                    {"low", p.measured.low},
                    {"high", p.measured.high},
                    {"num_capped", p.measured.num_capped},
                    {"formulas", formulas}});
  }
  json["points"] = list;
  json["hopfield"] = version();
  return json;
}

CsvTable csv_of(const std::vector<Point>& points) {
  CsvTable csv{{"size", "median", "low", "high", "capped"}, {}};
  for (const auto& f : points[0].formulas) csv.columns.push_back(csv_quoted(f.name));
  for (const Point& p : points) {
    std::vector<std::string> row = {csv_number(p.size), csv_number(p.measured.median),
                                    csv_number(p.measured.low), csv_number(p.measured.high),
                                    csv_number(p.measured.num_capped)};
    for (const auto& f : p.formulas) row.push_back(csv_number(f.num_patterns));
    csv.rows.push_back(std::move(row));
  }
  return csv;
}

report::Table table_of(const Arguments& a, const std::vector<Point>& points) {
  using report::Align;
  std::vector<report::Column> columns = {
      {a.choice.continuous() ? "depth" : "spins", Align::kRight},
      {"median", Align::kRight},
      {report::general(100 * a.confidence) + " % interval", Align::kRight}};
  for (const auto& f : points[0].formulas) columns.push_back({f.name, Align::kRight});
  report::Table table(columns);
  for (const Point& p : points) {
    std::vector<std::string> row = {
        std::to_string(p.size), report::general(p.measured.median, 6),
        report::general(p.measured.low, 6) + " to " + report::general(p.measured.high, 6)};
    for (const auto& f : p.formulas) row.push_back(report::general(f.num_patterns, 5));
    table.add_row(std::move(row));
  }
  return table;
}

std::vector<std::pair<std::string, std::string>> facts_of(const Arguments& a) {
  std::vector<std::pair<std::string, std::string>> facts = {{"network", name_of(a)}};
  if (a.choice.continuous()) {
    facts.push_back({"stored", "association of the own pattern >= 1/2"});
    facts.push_back({"beta, K, p", report::general(a.beta) + ", " + report::general(a.k) + ", " +
                                       report::general(a.failure)});
  } else if (a.stored_if == "stable") {
    facts.push_back({"stored", "no spin of the pattern changes"});
  } else {
    facts.push_back({"stored", "overlap >= " + report::general(a.overlap) + " after updates from " +
                                   report::general(100 * a.flipped) + " % wrong spins"});
  }
  facts.push_back({"trials", std::to_string(a.trials)});
  facts.push_back({"seed", std::to_string(a.seed)});
  return facts;
}

}  // namespace

Findings study_capacity(const CapacityArguments& a, const Context& context) {
  std::vector<Point> points;
  std::int64_t capped = 0;
  for (const double size : a.sizes) {
    require(size == std::floor(size) && size >= 2 && size <= 1e8, "--n",
            "expected whole numbers from 2 to 1e8, got " + report::general(size));
    Progress progress("size " + report::general(size) + ", trial", a.trials);
    points.push_back(measure(a, static_cast<std::int64_t>(size),
                             replica_options(context, a.seed, a.trials, progress)));
    capped += points.back().measured.num_capped;
  }
  Findings found;
  found.title = "Storage capacity";
  found.subtitle =
      name_of(a) + " network" + (a.stored_if == "retrieved" ? ", patterns retrieved" : "");
  found.exhibits = {
      {"medians", plot_of(a, points),
       "Median over trials, bars of half its interval each way (table: its ends), and formulas."},
      {"table", table_of(a, points), "The numbers of the picture."}};
  found.facts = facts_of(a);
  found.csv = csv_of(points);
  found.json = json_of(a, points);
  found.text = table_of(a, points).text() + std::to_string(a.trials) + " trials a size, seed " +
               std::to_string(a.seed) + "\n";
  if (capped > 0) {
    found.text += std::to_string(capped) + " trials stored all --patterns-max patterns; raise it\n";
  }
  return found;
}

void add_theory_capacity(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(
      noun, context, "capacity", "Largest storable number of patterns, beside the formulas",
      {"hopfield theory capacity --network classical --n 50,100,200 --csv capacity.csv",
       "hopfield theory capacity --network classical --stored-if retrieved --n 300 --trials 9",
       "hopfield theory capacity --network dense --power 3 --n 20,30,40 --svg capacity.svg",
       "hopfield theory capacity --network exponential --n 8,12,16 --json",
       "hopfield theory capacity --network continuous --n 4,6,8,10 --report capacity.html"},
      [a, &context] {
        check_results(a->paths);
        return give_findings(a->paths, study_capacity(*a, context));
      });
  add_network(command, a->choice, {"classical", "dense", "exponential", "continuous"});
  add_positive_list(command, "--n", a->sizes, "Numbers of spins; continuous: depths");
  add_whole_number(command, "--power", a->power, "dense: the power n or P", 2, 100);
  command
      .add_option("--stored-if", a->stored_if,
                  "Networks of spins: a pattern is stored if no update changes it, or if it is "
                  "retrieved from a damaged start")
      ->check(CLI::IsMember({"stable", "retrieved"}))
      ->type_name("stable|retrieved")
      ->capture_default_str();
  add_number(command, "--flipped", a->flipped, "retrieved: wrong spins of the start", 0, 1);
  add_number(command, "--overlap", a->overlap, "retrieved: least final overlap", 0.01, 1);
  add_number(command, "--beta", a->beta, "continuous: inverse temperature", 1e-12, 1e12);
  add_number(command, "--k", a->k, "continuous: patterns have length k sqrt(depth - 1)", 1e-6, 1e6);
  add_number(command, "--failure", a->failure, "continuous: failure probability of the formulas",
             1e-300, 1);
  add_whole_number(command, "--patterns-max", a->patterns_max, "Where a trial stops counting", 1,
                   1'000'000'000);
  add_number(command, "--confidence", a->confidence, "Of the interval of the median", 0.5, 0.9999);
  add_replicas(command, context, a->seed, a->trials, "--trials", "Trials a size");
  add_results(command, a->paths, "the measured numbers and formulas", "capacity against size");
}

}  // namespace hopfield::cli
