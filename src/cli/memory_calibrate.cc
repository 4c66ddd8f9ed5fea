#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_recall.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/ood.h"

namespace hopfield::cli {
namespace {

struct CalibrateArguments {
  std::string memory, held_back, known, output;
  BetaArguments beta;
  double rate = 0.01;
  bool force = false;
};

std::vector<double> energies_of(const store::MemoryFile& memory, const Rows& cues, double beta,
                                const Context& context) {
  std::vector<double> energies;
  for_cue_batches(cues, "measuring", context, [&](std::int64_t, const PatternView& states) {
    const std::vector<double> part =
        match_energies(memory, states, beta, context.stoppable_executor.get());
    energies.insert(energies.end(), part.begin(), part.end());
  });
  return energies;
}

int run_calibrate(const CalibrateArguments& a, const Context& context) {
  const double given_beta = parse_beta(a.beta.beta);
  check_new_output(a.output, {a.memory, a.held_back, a.known}, a.force);
  const store::MemoryFile memory = open_memory(a.memory);
  const Rows held_back = open_cues(a.held_back, memory);
  const Beta beta =
      choose_beta(given_beta, memory,
                  affordable_advice(memory, a.beta.expect, context.stoppable_executor.get()));
  const MatchThreshold threshold =
      calibrate_match(energies_of(memory, held_back, beta.value, context), a.rate);
  Json json = {{"format", "hopfield.threshold"},
               {"version", 1},
               {"num_patterns", memory.num_patterns()},
               {"depth", memory.depth()},
               {"beta", beta.value},
               {"beta_source", beta.source},
               {"energy", threshold.energy},
               {"false_recall", a.rate},
               {"false_recall_bound", threshold.false_recall_bound},
               {"num_held_back", threshold.num_held_back},
               {"hopfield", version()}};
  std::cout << std::setprecision(6) << "memory     " << memory.path() << ": "
            << memory.num_patterns() << " patterns of depth " << memory.depth() << "\n"
            << "beta       " << beta.value << " (" << beta.source << ")\n"
            << "threshold  energy below " << threshold.energy << " is a match; of "
            << threshold.num_held_back
            << " held-back cues, a new one like them matches with chance "
            << threshold.false_recall_bound << " at most\n";
  if (!a.known.empty()) {
    const std::vector<double> known =
        energies_of(memory, open_cues(a.known, memory), beta.value, context);
    const auto matched = std::count_if(known.begin(), known.end(),
                                       [&](double energy) { return threshold.matches(energy); });
    json["num_known"] = known.size();
    json["num_known_matched"] = matched;
    std::cout << "known      " << matched << " of " << known.size() << " match\n";
  }
  write_json(a.output, json);
  return kOk;
}

}  // namespace

std::vector<double> match_energies(const store::MemoryFile& memory, const PatternView& states,
                                   double beta, Executor* executor) {
  return distance_scores(memory.patterns(), states, beta, 1, executor).energy;
}

Threshold read_threshold(const std::string& path, const store::MemoryFile& memory) {
  const MemoryJson file(path, "threshold", "memory calibrate");
  Threshold threshold;
  threshold.beta = file.number("beta");
  threshold.match.energy = file.number("energy");
  threshold.match.false_recall_bound = file.number("false_recall_bound");
  threshold.match.num_held_back = static_cast<std::int64_t>(file.number("num_held_back"));
  if (!(threshold.beta > 0)) {
    file.damaged("expected beta > 0, got " + std::to_string(threshold.beta));
  }
  file.require_for(memory);
  return threshold;
}

void add_memory_calibrate(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<CalibrateArguments>();
  CLI::App& command = add_command(
      noun, context, "calibrate", "Find the energy above which a cue matches no pattern",
      {"hopfield memory calibrate memory.safetensors --held-back others.npy -o threshold.json",
       "hopfield memory calibrate memory.safetensors --held-back others.npy --known cue.npy "
       "--false-recall 0.1 --beta 8 -o threshold.json"},
      [a, &context] { return run_calibrate(*a, context); });
  command.add_option("memory", a->memory, "A memory")->type_name("FILE")->required();
  command
      .add_option("--held-back", a->held_back,
                  "Cues whose patterns are not stored, else like the cues to come (noise and gaps "
                  "included)")
      ->type_name("FILE")
      ->required();
  command
      .add_option("--known", a->known,
                  "Cues whose patterns are stored: tells how many of them will match")
      ->type_name("FILE");
  add_number(command, "--false-recall", a->rate,
             "Share of held-back cues that may match nevertheless", 1e-9, 0.999);
  add_beta(command, a->beta);
  command.add_option("-o,--output", a->output, "The threshold to write (JSON), for recall")
      ->type_name("FILE")
      ->required();
  add_force(command, a->force);
  add_threads(command, context);
}

}  // namespace hopfield::cli
