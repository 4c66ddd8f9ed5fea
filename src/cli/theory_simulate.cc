#include <cmath>
#include <iostream>
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
  ResultPaths paths;
};

struct Outcome {
  Json parameters;
  std::vector<theory::Observable> observables;
};

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
          theory::simulate(s, options)};
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
  return {parameters, theory::simulate(s, options)};
}

int run(const Arguments& a, const Context& context) {
  check_results(a.paths);
  Progress progress("simulating", a.replicas);
  const theory::ReplicaOptions options = replica_options(context, a.seed, a.replicas, progress);
  const Outcome outcome =
      a.choice.continuous() ? run_continuous(a, options) : run_spins(a, options);
  Json json = outcome.parameters;
  json["replicas"] = a.replicas;
  json["seed"] = a.seed;
  Json values;
  CsvTable csv{{"observable", "mean", "standard_error"}, {}};
  report::Table table({{"observable", report::Align::kLeft},
                       {"mean", report::Align::kRight},
                       {"standard error", report::Align::kRight}});
  for (const theory::Observable& o : outcome.observables) {
    const theory::Estimate& e = o.estimate;
    values[o.name] = {{"mean", e.mean}, {"standard_error", e.standard_error}};
    csv.rows.push_back({o.name, csv_number(e.mean), csv_number(e.standard_error)});
    table.add_row({o.name, report::general(e.mean, 6), report::general(e.standard_error, 3)});
  }
  json["observables"] = values;
  json["hopfield"] = version();
  write_results(a.paths, json, csv, {}, {});
  if (json_path(a.paths.json) != "-") {
    for (const auto& [name, value] : outcome.parameters.items()) {
      std::cout << name << " " << (value.is_string() ? value.get<std::string>() : value.dump())
                << "\n";
    }
    std::cout << "replicas " << a.replicas << ", seed " << a.seed << "\n\n" << table.text();
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
  add_results(command, a->paths, "means and standard errors as CSV", "");
}

}  // namespace hopfield::cli
