#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>

#include "cli/theory_networks.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/theory/continuous_network.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Arguments {
  NetworkChoice choice;
  theory::Simulation spins;
  std::int64_t patterns = 0;  // 0: from the load
  double load = 0.1;
  std::int64_t power = 4;
  std::string learning = "supervised", order = "asynchronous", separation = "softmax";
  double beta = 1, k = 1, distance = 0;
  std::int64_t seed = 0, replicas = 8;
  std::string sweep;
  ResultPaths paths;
};

/// One run, at one value of the swept parameter.
struct Outcome {
  Json parameters;
  std::vector<theory::Observable> observables;
  double value = 0;
};

std::int64_t whole(double value) {
  require(value == std::floor(value) && value >= 1 && value <= 1e8, "--sweep",
          "expected whole numbers from 1 to 1e8, got " + report::general(value, 17));
  return static_cast<std::int64_t>(value);
}

const std::map<std::string, void (*)(Arguments&, double)> kSwept = {
    {"load", [](Arguments& a, double x) { a.load = x; }},
    {"patterns", [](Arguments& a, double x) { a.patterns = whole(x); }},
    {"n", [](Arguments& a, double x) { a.spins.num_spins = whole(x); }},
    {"temperature", [](Arguments& a, double x) { a.spins.temperature = x; }},
    {"flipped", [](Arguments& a, double x) { a.spins.flipped = x; }},
    {"dilution", [](Arguments& a, double x) { a.spins.dilution = x; }},
    {"quality", [](Arguments& a, double x) { a.spins.quality = x; }},
    {"examples", [](Arguments& a, double x) { a.spins.num_examples = whole(x); }},
    {"beta", [](Arguments& a, double x) { a.beta = x; }},
    {"distance", [](Arguments& a, double x) { a.distance = x; }}};

struct Sweep {
  std::string name;
  std::vector<double> values;
};

double parse_number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size() && std::isfinite(value),
          "--sweep", "expected finite numbers, got '" + text + "'");
  return value;
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == by) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// NAME=FIRST:LAST:COUNT or NAME=VALUE,VALUE,...
Sweep parse_sweep(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string expected = "expected NAME=FIRST:LAST:COUNT or NAME=VALUE,VALUE,..., got ";
  require(equals != std::string::npos, "--sweep", expected + "'" + text + "'");
  Sweep sweep{text.substr(0, equals), {}};
  std::string names;
  for (const auto& [name, set] : kSwept) names += (names.empty() ? "" : ", ") + name;
  require(kSwept.contains(sweep.name), "--sweep",
          "expected one of " + names + ", got '" + sweep.name + "'");
  const std::string rest = text.substr(equals + 1);
  const std::vector<std::string> ends = split(rest, ':');
  if (ends.size() == 1) {
    for (const std::string& part : split(rest, ',')) sweep.values.push_back(parse_number(part));
    return sweep;
  }
  require(ends.size() == 3, "--sweep", expected + "'" + text + "'");
  const double first = parse_number(ends[0]), last = parse_number(ends[1]);
  const std::int64_t count = whole(parse_number(ends[2]));
  require(count >= 2 && count <= 10000, "--sweep",
          "expected 2 to 10000 values, got " + std::to_string(count));
  for (std::int64_t k = 0; k < count; ++k) {
    const double part = static_cast<double>(k) / static_cast<double>(count - 1);
    sweep.values.push_back(first + part * (last - first));
  }
  return sweep;
}

Outcome run_continuous(const Arguments& a, const theory::ReplicaOptions& options) {
  theory::ContinuousSimulation s;
  s.num_patterns = a.patterns > 0 ? a.patterns : 100;
  s.depth = a.spins.num_spins;
  s.beta = a.beta;
  s.k = a.k;
  s.distance = a.distance;
  s.separation = parse_separation(a.separation);
  return {{{"network", "continuous"},
           {"separation", a.separation},
           {"depth", s.depth},
           {"num_patterns", s.num_patterns},
           {"beta", s.beta},
           {"k", s.k},
           {"distance", s.distance}},
          theory::simulate(s, options),
          0};
}

Outcome run_spins(const Arguments& a, const theory::ReplicaOptions& options) {
  theory::Simulation s = a.spins;
  s.kind = a.choice.kind();
  s.power = static_cast<int>(a.power);
  s.num_patterns = a.patterns > 0
                       ? a.patterns
                       : theory::num_patterns_at_load(s.kind, a.load, s.num_spins, s.power);
  s.learning =
      a.learning == "supervised" ? theory::Learning::kSupervised : theory::Learning::kUnsupervised;
  s.order = a.order == "synchronous" ? theory::UpdateOrder::kSynchronous
                                     : theory::UpdateOrder::kAsynchronous;
  const bool dense = a.choice.network == "dense", multitask = a.choice.network == "multitask";
  Json parameters = {{"network", a.choice.network},
                     {"kind", theory::network_name(s.kind)},
                     {"num_spins", s.num_spins},
                     {"num_patterns", s.num_patterns}};
  if (dense) parameters["power"] = s.power;
  if (multitask) {
    parameters["dilution"] = s.dilution;
    parameters["num_examples"] = s.num_examples;
    if (s.num_examples > 0) {
      parameters["quality"] = s.quality;
      parameters["learning"] = a.learning;
    }
  }
  parameters["temperature"] = s.temperature;
  parameters["flipped"] = s.flipped;
  if (s.temperature == 0) parameters["order"] = a.order;
  parameters["sweeps"] = s.sweeps;
  if (s.temperature > 0) parameters["discard"] = s.discard;
  return {parameters, theory::simulate(s, options), 0};
}

Json json_of(const Outcome& outcome) {
  Json json = outcome.parameters, values;
  for (const theory::Observable& o : outcome.observables) {
    values[o.name] = {{"mean", o.estimate.mean},
                      {"standard_error", o.estimate.standard_error},
                      {"theory", o.theory},
                      {"z", o.z()}};
  }
  json["observables"] = values;
  return json;
}

report::Table table_of(const std::vector<Outcome>& outcomes, const Sweep& sweep) {
  using report::Align;
  std::vector<report::Column> columns = {{"observable", Align::kLeft},
                                         {"mean", Align::kRight},
                                         {"standard error", Align::kRight},
                                         {"theory", Align::kRight},
                                         {"z", Align::kRight}};
  if (!sweep.name.empty()) columns.insert(columns.begin(), {sweep.name, Align::kRight});
  report::Table table(columns);
  for (const Outcome& outcome : outcomes) {
    for (const theory::Observable& o : outcome.observables) {
      std::vector<std::string> cells = {o.name, report::general(o.estimate.mean, 6),
                                        report::general(o.estimate.standard_error, 3),
                                        report::general(o.theory, 6), report::general(o.z(), 3)};
      if (!sweep.name.empty()) cells.insert(cells.begin(), report::general(outcome.value, 6));
      table.add_row(cells);
    }
  }
  return table;
}

CsvTable csv_of(const std::vector<Outcome>& outcomes, const Sweep& sweep) {
  CsvTable csv{{"observable", "mean", "standard_error", "theory", "z"}, {}};
  if (!sweep.name.empty()) csv.columns.insert(csv.columns.begin(), sweep.name);
  for (const Outcome& outcome : outcomes) {
    for (const theory::Observable& o : outcome.observables) {
      std::vector<std::string> cells = {o.name, csv_number(o.estimate.mean),
                                        csv_number(o.estimate.standard_error), csv_number(o.theory),
                                        csv_number(o.z())};
      if (!sweep.name.empty()) cells.insert(cells.begin(), csv_number(outcome.value));
      csv.rows.push_back(cells);
    }
  }
  return csv;
}

/// Observables whose name begins with `kind`: measured with error bars, theory as lines.
report::Plot plot_of(const std::vector<Outcome>& outcomes, const Sweep& sweep,
                     const std::string& kind) {
  report::Plot plot;
  plot.title = outcomes.front().parameters["network"].get<std::string>() + " network: " + kind;
  plot.description = kind + " against " + sweep.name +
                     ": mean and standard error over the replicas; theory where it is known.";
  plot.x.label = sweep.name;
  plot.y.label = kind;
  for (std::size_t k = 0; k < outcomes.front().observables.size(); ++k) {
    const std::string name = outcomes.front().observables[k].name;
    if (!name.starts_with(kind)) continue;
    report::Series measured{name, {}, {}, {}, report::Mark::kPoints};
    report::Series line{name + ", theory", {}, {}};
    for (const Outcome& outcome : outcomes) {
      if (k >= outcome.observables.size()) continue;  // fewer patterns there
      const theory::Observable& o = outcome.observables[k];
      const double error = o.estimate.standard_error;
      measured.x.push_back(outcome.value);
      measured.y.push_back(o.estimate.mean);
      measured.error.push_back(std::isfinite(error) ? error : 0);
      if (!std::isfinite(o.theory)) continue;
      line.x.push_back(outcome.value);
      line.y.push_back(o.theory);
    }
    plot.series.push_back(measured);
    if (!line.x.empty()) plot.series.push_back(line);
  }
  return plot;
}

/// Parameters that are the same in all runs.
Json common_parameters(const std::vector<Outcome>& outcomes) {
  Json common = Json::object();
  for (const auto& entry : outcomes.front().parameters.items()) {
    const bool same = std::all_of(outcomes.begin(), outcomes.end(), [&](const Outcome& outcome) {
      return outcome.parameters[entry.key()] == entry.value();
    });
    if (same) common[entry.key()] = entry.value();
  }
  return common;
}

report::Page page_of(const Arguments& a, const std::vector<Outcome>& outcomes, const Sweep& sweep) {
  report::Page page("Simulated networks", "Means over independent replicas, beside theory");
  std::vector<std::string> kinds;
  for (const theory::Observable& o : outcomes.front().observables) {
    const std::string kind = o.name.starts_with("overlap") ? "overlap" : o.name;
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  for (const std::string& kind : kinds) {
    if (!sweep.name.empty()) page.plot(plot_of(outcomes, sweep, kind));
  }
  page.table(table_of(outcomes, sweep),
             "Theory is that of an infinite network; z = (mean - theory) / standard error.");
  std::vector<std::pair<std::string, std::string>> facts;
  const Json common = common_parameters(outcomes);
  for (const auto& [name, value] : common.items()) {
    facts.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  facts.emplace_back("replicas", std::to_string(a.replicas));
  facts.emplace_back("seed", std::to_string(a.seed));
  page.facts(facts);
  return page;
}

int run(const Arguments& a, const Context& context) {
  check_results(a.paths);
  const Sweep sweep = a.sweep.empty() ? Sweep{"", {0}} : parse_sweep(a.sweep);
  require(!sweep.name.empty() || a.paths.svg.empty(), "theory simulate",
          "expected --sweep with --svg, got a single run");
  require(sweep.name != "load" || a.patterns == 0, "theory simulate",
          "expected no --patterns with --sweep load, got " + std::to_string(a.patterns));
  Progress progress("simulating", a.replicas * static_cast<std::int64_t>(sweep.values.size()));
  std::vector<Outcome> outcomes;
  for (const double value : sweep.values) {
    Arguments here = a;
    if (!sweep.name.empty()) kSwept.at(sweep.name)(here, value);
    theory::ReplicaOptions options = replica_options(context, a.seed, a.replicas, progress);
    const std::int64_t before = a.replicas * static_cast<std::int64_t>(outcomes.size());
    options.progress = [&](std::int64_t done) { progress.update(before + done); };
    outcomes.push_back(a.choice.continuous() ? run_continuous(here, options)
                                             : run_spins(here, options));
    outcomes.back().value = value;
  }
  Json json;
  if (sweep.name.empty()) {
    json = json_of(outcomes.front());
  } else {
    json["sweep"] = sweep.name;
    json["points"] = Json::array();
    for (const Outcome& outcome : outcomes) {
      Json point = {{"value", outcome.value}};
      point.update(json_of(outcome));
      json["points"].push_back(point);
    }
  }
  json["replicas"] = a.replicas;
  json["seed"] = a.seed;
  json["hopfield"] = version();
  write_results(
      a.paths, json, csv_of(outcomes, sweep), [&] { return page_of(a, outcomes, sweep); },
      [&] { return plot_of(outcomes, sweep, a.choice.continuous() ? "largest" : "overlap"); });
  if (json_path(a.paths.json) != "-") {
    const Json common = common_parameters(outcomes);
    for (const auto& [name, value] : common.items()) {
      std::cout << name << " " << (value.is_string() ? value.get<std::string>() : value.dump())
                << "\n";
    }
    std::cout << "replicas " << a.replicas << ", seed " << a.seed << "\n\n"
              << table_of(outcomes, sweep).text();
  }
  return kOk;
}

}  // namespace

void add_theory_simulate(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(
      noun, context, "simulate", "Run a network of random patterns: means, standard errors",
      {"hopfield theory simulate --network classical --n 1000 --load 0.1 --json",
       "hopfield theory simulate --network dense --terms distinct --power 4 --n 64 --load 0.1 "
       "--temperature 0.3 --sweeps 40",
       "hopfield theory simulate --network exponential --n 40 --load 0.17 --flipped 0.2 --sweeps 1 "
       "--order synchronous --replicas 100",
       "hopfield theory simulate --network multitask --n 4000 --patterns 3 --dilution 0.3 "
       "--temperature 0.05",
       "hopfield theory simulate --n 500 --sweep load=0.05:0.2:4 --csv loads.csv --svg loads.svg",
       "hopfield theory simulate --network continuous --n 16 --patterns 1000 --beta 1 --distance "
       "1"},
      [a, &context] { return run(*a, context); });
  add_network(command, a->choice, {"classical", "dense", "exponential", "multitask", "continuous"});
  add_whole_number(command, "--n", a->spins.num_spins, "Spins; continuous: depth of the patterns",
                   2, 100'000'000);
  CLI::Option* patterns =
      command.add_option("--patterns", a->patterns, "How many patterns")->type_name("N");
  patterns->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000'000}));
  add_number(command, "--load", a->load,
             "Instead of --patterns: alpha of alpha N (classical), alpha N^(n-1) (dense, all), "
             "gamma of 2 gamma/P! N^(P-1) (dense, distinct), exp(alpha N) + 1 (exponential)",
             0, 1e9)
      ->excludes(patterns);
  add_whole_number(command, "--power", a->power, "dense: the power n or P", 2, 100);
  add_number(command, "--dilution", a->spins.dilution,
             "multitask: probability that a pattern says nothing about a spin", 0, 1);
  add_whole_number(command, "--examples", a->spins.num_examples,
                   "multitask: learn from so many noisy examples a pattern; 0: from the patterns",
                   0, 32767);
  add_number(command, "--quality", a->spins.quality, "multitask: r, how good the examples are",
             1e-6, 1);
  command
      .add_option("--learning", a->learning, "multitask: which examples belong together is told")
      ->check(CLI::IsMember({"supervised", "unsupervised"}))
      ->type_name("supervised|unsupervised")
      ->capture_default_str();
  add_number(command, "--temperature", a->spins.temperature,
             "0: update until nothing changes; > 0: Glauber dynamics", 0, 1e6);
  add_number(command, "--flipped", a->spins.flipped, "Fraction of spins that the start has wrong",
             0, 1);
  command.add_option("--order", a->order, "At temperature 0")
      ->check(CLI::IsMember({"asynchronous", "synchronous"}))
      ->type_name("asynchronous|synchronous")
      ->capture_default_str();
  add_whole_number(command, "--sweeps", a->spins.sweeps, "Sweeps, at most or exactly", 1);
  add_whole_number(command, "--discard", a->spins.discard,
                   "Glauber: first sweeps that are not counted", 0);
  add_number(command, "--beta", a->beta, "continuous: inverse temperature", 1e-12, 1e12);
  add_number(command, "--k", a->k, "continuous: patterns have length k sqrt(depth - 1)", 1e-6, 1e6);
  add_number(command, "--distance", a->distance, "continuous: of the cue from its pattern", 0, 1e9);
  add_separation(command, a->separation);
  add_replicas(command, context, a->seed, a->replicas, "--replicas", "Independent repetitions");
  command
      .add_option("--sweep", a->sweep,
                  "One parameter over many values, NAME=FIRST:LAST:COUNT or NAME=VALUE,VALUE,...: "
                  "load, patterns, n, temperature, flipped, dilution, quality, examples, beta, "
                  "distance")
      ->type_name("NAME=...");
  add_results(command, a->paths, "means and standard errors as CSV",
              "the overlaps against the swept parameter");
}

}  // namespace hopfield::cli
