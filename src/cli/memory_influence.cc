#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_recall.h"
#include "hopfield/memory/influence.h"

namespace hopfield::cli {
namespace {

constexpr std::int64_t kShown = 20;  // cues in the table

struct InfluenceArguments {
  QuestionPaths paths;
  BetaArguments beta;
  std::string output;
  std::int64_t top = 3;
};

std::string json_line(const store::MemoryFile& memory, std::int64_t cue, const Influence& found,
                      std::size_t t) {
  Json patterns = Json::array();
  const auto k = static_cast<std::size_t>(found.num_top);
  for (std::size_t i = t * k; i < (t + 1) * k; ++i) {
    patterns.push_back({{"id", memory.id(found.index[i])},
                        {"index", found.index[i]},
                        {"weight", found.weight[i]},
                        {"state_shift", found.state_shift[i]},
                        {"energy_rise", found.energy_rise[i]}});
  }
  return Json({{"cue", cue}, {"patterns", std::move(patterns)}}).dump() + "\n";
}

void print(const store::MemoryFile& memory, std::int64_t cue, const Influence& found,
           std::size_t t) {
  if (cue == 0) std::cout << "   cue        weight   state shift   energy rise  id\n";
  const auto k = static_cast<std::size_t>(found.num_top);
  for (std::size_t i = t * k; i < (t + 1) * k; ++i) {
    std::cout << std::setw(6) << cue << std::setw(14) << found.weight[i] << std::setw(14)
              << found.state_shift[i] << std::setw(14) << found.energy_rise[i] << "  "
              << memory.id(found.index[i]) << "\n";
  }
}

int run_influence(const InfluenceArguments& a, const Context& context) {
  const double given_beta = parse_beta(a.beta.beta);
  check_output(a.output, {a.paths.memory, a.paths.cue});
  const store::MemoryFile memory = open_memory(a.paths.memory);
  const Rows cues = open_cues(a.paths.cue, memory, Missing::kRefuse, a.paths.tensor);
  const Beta beta =
      choose_beta(given_beta, memory,
                  affordable_advice(memory, a.beta.expect, context.stoppable_executor.get()));
  std::unique_ptr<LineOutput> output;
  if (!a.output.empty()) output = std::make_unique<LineOutput>(a.output);
  if (output == nullptr) {
    std::cout << std::setprecision(4) << "memory   " << memory.path() << ": "
              << memory.num_patterns() << " patterns of depth " << memory.depth() << "\n"
              << "beta     " << beta.value << " (" << beta.source << ")\n\n";
  }
  const auto answer = [&](std::int64_t first, PatternView states) {
    if (output == nullptr) states.rows = std::min(states.rows, kShown - first);
    if (states.rows <= 0) return;
    const Influence found =
        influence(memory.patterns(), states, beta.value, std::min(a.top, memory.num_patterns()),
                  context.stoppable_executor.get());
    for (std::int64_t t = 0; t < states.rows; ++t) {
      const auto row = static_cast<std::size_t>(t);
      if (output != nullptr) {
        output->write(json_line(memory, first + t, found, row));
      } else {
        print(memory, first + t, found, row);
      }
    }
  };
  const std::int64_t num_cues = for_cue_batches(cues, "answering", context, answer);
  if (output != nullptr) {
    output->commit();
  } else if (num_cues > kShown) {
    std::cout << "   ... " << num_cues - kShown << " more; -o FILE has them all\n";
  }
  return kOk;
}

}  // namespace

void add_memory_influence(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<InfluenceArguments>();
  CLI::App& command = add_command(
      noun, context, "influence", "Tell what would change for a cue if a pattern were forgotten",
      {"hopfield memory influence memory.safetensors --cue cue.npy",
       "hopfield memory influence memory.safetensors --cue cue.npy --top 5 --beta 8 -o -"},
      [a, &context] { return run_influence(*a, context); });
  add_question(command, a->paths, "States");
  add_whole_number(command, "--top", a->top,
                   "How many patterns a cue, those with the largest associations", 1);
  add_beta(command, a->beta);
  command.add_option("-o,--output", a->output, "Write all cues as JSON lines; - prints them")
      ->type_name("FILE");
  add_threads(command, context);
}

}  // namespace hopfield::cli
