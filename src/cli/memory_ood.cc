#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/memory_recall.h"
#include "cli/theory_output.h"
#include "hopfield/base/version.h"
#include "hopfield/memory/ood.h"
#include "hopfield/report/format.h"
#include "hopfield/report/roc.h"
#include "hopfield/report/table.h"

namespace hopfield::cli {
namespace {

struct OodArguments {
  QuestionPaths paths;
  std::string outside, output, json, beta = "auto";
  std::int64_t neighbours = 10, seed = 0;
};

struct NamedScore {
  const char* name;
  std::vector<double> DistanceScores::*values;
};
constexpr std::array<NamedScore, 3> kScores = {{{"energy", &DistanceScores::energy},
                                                {"weighted", &DistanceScores::weighted},
                                                {"nearest", &DistanceScores::nearest}}};

DistanceScores score_all(const store::MemoryFile& memory, const Rows& cues, double beta,
                         const OodArguments& a, const Context& context) {
  DistanceScores all;
  const auto add = [&](std::int64_t, const PatternView& states) {
    const DistanceScores part = distance_scores(memory.patterns(), states, beta, a.neighbours,
                                                context.stoppable_executor.get());
    for (const NamedScore& score : kScores) {
      std::vector<double>& values = all.*score.values;
      values.insert(values.end(), (part.*score.values).begin(), (part.*score.values).end());
    }
  };
  for_cue_batches(cues, "scoring", context, add);
  return all;
}

Beta choose_likely_beta(const OodArguments& a, const store::MemoryFile& memory,
                        const Context& context) {
  const double given = parse_beta(a.beta);
  if (given > 0) return {given, "given"};
  constexpr double kProducts = 2e9;  // a pass; some twenty are made
  const double row =
      static_cast<double>(memory.num_patterns()) * static_cast<double>(memory.depth());
  LikelyBetaOptions options;
  options.num_sampled = static_cast<std::int64_t>(std::clamp(kProducts / row, 16.0, 1024.0));
  options.seed = static_cast<std::uint64_t>(a.seed);
  options.executor = context.stoppable_executor.get();
  return {likely_beta(memory.patterns(), options), "likelihood"};
}

std::string csv_lines(const DistanceScores& scores, int outside) {
  std::string text;
  for (std::size_t i = 0; i < scores.energy.size(); ++i) {
    text += std::to_string(outside) + "," + std::to_string(i);
    for (const NamedScore& score : kScores) {
      text += ',';
      text += csv_number((scores.*score.values)[i]);
    }
    text += '\n';
  }
  return text;
}

/// AUROC and FPR95 of each score, as JSON.
Json evaluate(const DistanceScores& inside, const DistanceScores& outside, std::int64_t seed) {
  Json rates = Json::array();
  for (const NamedScore& score : kScores) {
    std::vector<double> both = inside.*score.values;
    std::vector<int> labels(both.size(), 0);
    both.insert(both.end(), (outside.*score.values).begin(), (outside.*score.values).end());
    labels.resize(both.size(), 1);
    const double auc = report::roc_auc(both, labels);
    const report::Interval interval =
        report::auc_interval(auc, report::auc_influence(both, labels));
    const Rate rate = false_rate_at_95(inside.*score.values, outside.*score.values,
                                       static_cast<std::uint64_t>(seed));
    rates.push_back({{"score", score.name},
                     {"auroc", auc},
                     {"auroc_low", interval.low},
                     {"auroc_high", interval.high},
                     {"fpr95", rate.value},
                     {"fpr95_low", rate.low},
                     {"fpr95_high", rate.high}});
  }
  return rates;
}

void print_rates(const Json& rates) {
  report::Table table({{"score", report::Align::kLeft},
                       {"AUROC", report::Align::kRight},
                       {"95 % interval", report::Align::kRight},
                       {"FPR95", report::Align::kRight},
                       {"95 % interval", report::Align::kRight}});
  const auto text = [](const Json& value) { return report::fixed(value.get<double>(), 3); };
  for (const Json& rate : rates) {
    table.add_row({rate["score"].get<std::string>(), text(rate["auroc"]),
                   text(rate["auroc_low"]) + " to " + text(rate["auroc_high"]), text(rate["fpr95"]),
                   text(rate["fpr95_low"]) + " to " + text(rate["fpr95_high"])});
  }
  std::cout << "\n" << table.text();
}

int run_ood(const OodArguments& a, const Context& context) {
  (void)parse_beta(a.beta);
  const std::string target = json_path(a.json);
  for (const std::string& path : {a.output, target}) {
    check_output(path, {a.paths.memory, a.paths.cue, a.outside});
  }
  const store::MemoryFile memory = open_memory(a.paths.memory);
  const Rows cues = open_cues(a.paths.cue, memory, Missing::kRefuse, a.paths.tensor);
  const bool labelled = !a.outside.empty();
  const Rows others = labelled ? open_cues(a.outside, memory) : Rows();
  const Beta beta = choose_likely_beta(a, memory, context);
  const DistanceScores inside = score_all(memory, cues, beta.value, a, context);
  const DistanceScores outside =
      labelled ? score_all(memory, others, beta.value, a, context) : DistanceScores();
  Json json = {{"memory", a.paths.memory},
               {"num_patterns", memory.num_patterns()},
               {"depth", memory.depth()},
               {"beta", beta.value},
               {"beta_source", beta.source},
               {"neighbours", a.neighbours},
               {"num_cues", inside.energy.size()},
               {"num_outside", outside.energy.size()},
               {"seed", a.seed},
               {"hopfield", version()}};
  if (labelled) json["rates"] = evaluate(inside, outside, a.seed);
  if (!a.output.empty()) {
    LineOutput output(a.output);
    output.write("outside,row,energy,weighted,nearest\n" + csv_lines(inside, 0) +
                 csv_lines(outside, 1));
    output.commit();
  }
  if (!target.empty()) write_json(target, json);
  if (target == "-" || a.output == "-") return kOk;
  std::cout << std::setprecision(4) << "memory   " << memory.path() << ": " << memory.num_patterns()
            << " patterns of depth " << memory.depth() << "\n"
            << "beta     " << beta.value << " (" << beta.source << ")\n"
            << "cues     " << inside.energy.size();
  if (labelled) std::cout << " inside, " << outside.energy.size() << " outside";
  std::cout << "\n";
  if (labelled) print_rates(json["rates"]);
  return kOk;
}

}  // namespace

void add_memory_ood(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<OodArguments>();
  CLI::App& command = add_command(
      noun, context, "ood", "Score how far cues lie outside of what is stored",
      {"hopfield memory ood memory.safetensors --cue cue.npy -o scores.csv",
       "hopfield memory ood memory.safetensors --cue cue.npy --outside others.npy",
       "hopfield memory ood memory.safetensors --cue cue.npy --outside others.npy --beta 2 --json"},
      [a, &context] { return run_ood(*a, context); });
  add_question(command, a->paths, "States to score");
  command
      .add_option("--outside", a->outside,
                  "States known to lie outside; those of --cue then count as inside, and AUROC and "
                  "FPR95 are told")
      ->type_name("FILE");
  command
      .add_option(
          "--beta", a->beta,
          "Inverse temperature > 0, one over the variance around each pattern; 'auto' makes "
          "held-out patterns most likely")
      ->type_name("B|auto")
      ->capture_default_str();
  add_whole_number(command, "--neighbours", a->neighbours,
                   "Score 'nearest' is the distance to so manyth nearest pattern", 1);
  add_whole_number(command, "--seed", a->seed, "Of sampled patterns and of the FPR95 interval", 0);
  command
      .add_option("-o,--output", a->output,
                  "Write the scores of all states (CSV); larger is further outside; - prints them")
      ->type_name("FILE");
  add_json_flag(command, a->json);
  add_threads(command, context);
}

}  // namespace hopfield::cli
