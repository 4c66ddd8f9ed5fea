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

constexpr std::int64_t kNeighbours = 10;

/// What makes a detector.
struct FitArguments {
  std::string memory, inside, output, beta = "auto";
  std::int64_t neighbours = kNeighbours, seed = 0;
  bool force = false;
};

struct ScoreArguments {
  QuestionPaths paths;
  std::string detector, outside, output, json;
  FitArguments fit;  ///< without a detector
};

struct NamedScore {
  const char* name;
  std::vector<double> DistanceScores::*values;
};
constexpr std::array<NamedScore, 3> kScores = {{{"energy", &DistanceScores::energy},
                                                {"weighted", &DistanceScores::weighted},
                                                {"nearest", &DistanceScores::nearest}}};

/// Scores and what they mean.
struct Detector {
  Beta beta;
  std::int64_t neighbours = kNeighbours, seed = 0, num_inside = 0;
  std::array<ScoreQuantiles, kScores.size()> quantiles;
};

DistanceScores score_all(const store::MemoryFile& memory, const Rows& cues, double beta,
                         std::int64_t neighbours, const Context& context) {
  DistanceScores all;
  const auto add = [&](std::int64_t, const PatternView& states) {
    const DistanceScores part = distance_scores(memory.patterns(), states, beta, neighbours,
                                                context.stoppable_executor.get());
    for (const NamedScore& score : kScores) {
      std::vector<double>& values = all.*score.values;
      values.insert(values.end(), (part.*score.values).begin(), (part.*score.values).end());
    }
  };
  for_cue_batches(cues, "scoring", context, add);
  return all;
}

Detector fit(const FitArguments& a, const store::MemoryFile& memory, const Context& context) {
  constexpr double kProducts = 2e9;  // a pass; some twenty are made
  const double row =
      static_cast<double>(memory.num_patterns()) * static_cast<double>(memory.depth());
  HeldOutOptions options;
  options.num_sampled = static_cast<std::int64_t>(std::clamp(kProducts / row, 16.0, 1024.0));
  options.seed = static_cast<std::uint64_t>(a.seed);
  options.executor = context.stoppable_executor.get();
  Detector detector;
  detector.neighbours = a.neighbours;
  detector.seed = a.seed;
  const double given = parse_beta(a.beta);
  detector.beta = given > 0 ? Beta{given, "given"}
                            : Beta{likely_beta(memory.patterns(), options), "likelihood"};
  const DistanceScores inside =
      a.inside.empty()
          ? held_out_scores(memory.patterns(), detector.beta.value, a.neighbours, options)
          : score_all(memory, open_cues(a.inside, memory), detector.beta.value, a.neighbours,
                      context);
  detector.num_inside = std::ssize(inside.energy);
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    detector.quantiles[i] = score_quantiles(inside.*kScores[i].values);
  }
  return detector;
}

Json to_json(const Detector& detector, const store::MemoryFile& memory) {
  Json thresholds, quantiles;
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    thresholds[kScores[i].name] = detector.quantiles[i].threshold();
    quantiles[kScores[i].name] = detector.quantiles[i].at_percent;
  }
  return {{"format", "hopfield.detector"},
          {"version", 1},
          {"num_patterns", memory.num_patterns()},
          {"depth", memory.depth()},
          {"beta", detector.beta.value},
          {"beta_source", detector.beta.source},
          {"neighbours", detector.neighbours},
          {"seed", detector.seed},
          {"num_inside", detector.num_inside},
          {"thresholds", thresholds},
          {"quantiles", quantiles},
          {"hopfield", version()}};
}

Detector read_detector(const std::string& path, const store::MemoryFile& memory) {
  const MemoryJson file(path, "detector", "memory ood fit");
  file.require_for(memory);
  Detector detector;
  detector.beta = {file.number("beta"), "detector"};
  detector.neighbours = static_cast<std::int64_t>(file.number("neighbours"));
  detector.num_inside = static_cast<std::int64_t>(file.number("num_inside"));
  detector.seed = static_cast<std::int64_t>(file.number("seed"));
  if (!(detector.beta.value > 0) || detector.neighbours < 1) {
    file.damaged("expected beta > 0 and neighbours >= 1, got less");
  }
  const Json& quantiles = file.json().value("quantiles", Json());
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    const Json one = quantiles.is_object() ? quantiles.value(kScores[i].name, Json()) : Json();
    const bool numbers =
        one.is_array() && one.size() == 101 &&
        std::all_of(one.begin(), one.end(), [](const Json& x) { return x.is_number(); });
    if (numbers) detector.quantiles[i].at_percent = one.get<std::vector<double>>();
    const std::vector<double>& ascending = detector.quantiles[i].at_percent;
    if (!numbers || !std::is_sorted(ascending.begin(), ascending.end())) {
      file.damaged(std::string("expected 101 ascending quantiles of '") + kScores[i].name +
                   "', got others");
    }
  }
  return detector;
}

std::string csv_lines(const DistanceScores& scores, const Detector& detector, int outside) {
  std::string text;
  for (std::size_t row = 0; row < scores.energy.size(); ++row) {
    text += std::to_string(outside) + "," + std::to_string(row);
    for (const NamedScore& score : kScores) {
      text += ',';
      text += csv_number((scores.*score.values)[row]);
    }
    for (std::size_t i = 0; i < kScores.size(); ++i) {
      text += ',';
      text += csv_number(detector.quantiles[i].share_further((scores.*kScores[i].values)[row]));
    }
    text += '\n';
  }
  return text;
}

/// How many scores lie beyond each threshold.
Json count_beyond(const DistanceScores& scores, const Detector& detector) {
  Json counts;
  for (std::size_t i = 0; i < kScores.size(); ++i) {
    const std::vector<double>& values = scores.*kScores[i].values;
    counts[kScores[i].name] = std::count_if(
        values.begin(), values.end(),
        [limit = detector.quantiles[i].threshold()](double score) { return score > limit; });
  }
  return counts;
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

/// Beyond the thresholds: how many cues, and how many states known to lie outside.
void print_beyond(const Json& json) {
  const bool labelled = json.contains("rates");
  std::vector<report::Column> columns = {{"score", report::Align::kLeft},
                                         {"threshold", report::Align::kRight},
                                         {"cues beyond", report::Align::kRight}};
  if (labelled) columns.push_back({"outside beyond", report::Align::kRight});
  report::Table table(columns);
  for (const NamedScore& score : kScores) {
    std::vector<std::string> row = {score.name,
                                    report::general(json["thresholds"][score.name].get<double>()),
                                    json["beyond"][score.name].dump()};
    if (labelled) row.push_back(json["outside_beyond"][score.name].dump());
    table.add_row(row);
  }
  std::cout << "\n" << table.text();
}

void print_head(const store::MemoryFile& memory, const Detector& detector) {
  std::cout << std::setprecision(4) << "memory   " << memory.path() << ": " << memory.num_patterns()
            << " patterns of depth " << memory.depth() << "\n"
            << "beta     " << detector.beta.value << " (" << detector.beta.source << ")\n";
}

int run_fit(const FitArguments& a, const Context& context) {
  (void)parse_beta(a.beta);
  check_new_output(a.output, {a.memory, a.inside}, a.force);
  const store::MemoryFile memory = open_memory(a.memory);
  const Detector detector = fit(a, memory, context);
  write_json(a.output, to_json(detector, memory));
  print_head(memory, detector);
  std::cout << "inside   " << detector.num_inside
            << (a.inside.empty() ? " held-out patterns" : " states")
            << "; 95 % of them have energy <= " << detector.quantiles[0].threshold()
            << ", weighted <= " << detector.quantiles[1].threshold()
            << ", nearest <= " << detector.quantiles[2].threshold() << "\n";
  return kOk;
}

int run_score(const ScoreArguments& a, const Context& context) {
  (void)parse_beta(a.fit.beta);
  const std::string target = json_path(a.json);
  check_outputs({a.output, target}, {a.paths.memory, a.paths.cue, a.outside, a.detector});
  const store::MemoryFile memory = open_memory(a.paths.memory);
  const Rows cues = open_cues(a.paths.cue, memory, Missing::kRefuse, a.paths.tensor);
  const bool labelled = !a.outside.empty();
  const Rows others = labelled ? open_cues(a.outside, memory) : Rows();
  const Detector detector =
      a.detector.empty() ? fit(a.fit, memory, context) : read_detector(a.detector, memory);
  const auto scores = [&](const Rows& rows) {
    return score_all(memory, rows, detector.beta.value, detector.neighbours, context);
  };
  const DistanceScores inside = scores(cues);
  const DistanceScores outside = labelled ? scores(others) : DistanceScores();
  Json json = {{"memory", a.paths.memory},
               {"num_patterns", memory.num_patterns()},
               {"depth", memory.depth()},
               {"detector", a.detector.empty() ? Json(nullptr) : Json(a.detector)},
               {"beta", detector.beta.value},
               {"beta_source", detector.beta.source},
               {"neighbours", detector.neighbours},
               {"num_inside", detector.num_inside},
               {"thresholds", to_json(detector, memory)["thresholds"]},
               {"num_cues", inside.energy.size()},
               {"beyond", count_beyond(inside, detector)},
               {"num_outside", outside.energy.size()},
               {"seed", detector.seed},
               {"hopfield", version()}};
  if (labelled) {
    json["outside_beyond"] = count_beyond(outside, detector);
    json["rates"] = evaluate(inside, outside, detector.seed);
  }
  if (!a.output.empty()) {
    LineOutput output(a.output);
    output.write("outside,row,energy,weighted,nearest,energy_share,weighted_share,nearest_share\n" +
                 csv_lines(inside, detector, 0) + csv_lines(outside, detector, 1));
    output.commit();
  }
  if (!target.empty()) write_json(target, json);
  if (target == "-" || a.output == "-") return kOk;
  print_head(memory, detector);
  std::cout << "cues     " << inside.energy.size();
  if (labelled) std::cout << " inside, " << outside.energy.size() << " outside";
  std::cout << "\n";
  print_beyond(json);
  if (labelled) print_rates(json["rates"]);
  return kOk;
}

/// --beta, --neighbours and --seed.
std::vector<CLI::Option*> add_fit_options(CLI::App& command, FitArguments& a) {
  CLI::Option* beta =
      command
          .add_option(
              "--beta", a.beta,
              "Inverse temperature > 0, one over the variance around each pattern; 'auto' makes "
              "held-out patterns most likely")
          ->type_name("B|auto")
          ->capture_default_str();
  CLI::Option* neighbours =
      add_whole_number(command, "--neighbours", a.neighbours,
                       "Score 'nearest' is the distance to so manyth nearest pattern", 1);
  CLI::Option* seed = add_whole_number(command, "--seed", a.seed,
                                       "Of sampled patterns and of the FPR95 interval", 0);
  return {beta, neighbours, seed};
}

void add_fit(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<FitArguments>();
  CLI::App& command = add_command(noun, context, "fit",
                                  "Learn how far what belongs to a memory lies from its patterns",
                                  {"hopfield memory ood fit memory.safetensors -o detector.json",
                                   "hopfield memory ood fit memory.safetensors --inside cue.npy "
                                   "--neighbours 3 -o detector.json"},
                                  [a, &context] { return run_fit(*a, context); });
  command.add_option("memory", a->memory, "A memory")->type_name("FILE")->required();
  command
      .add_option("--inside", a->inside,
                  "States that lie inside and are not stored [default: stored patterns, each held "
                  "out in turn, 16 to 1024 of them]")
      ->type_name("FILE");
  add_fit_options(command, *a);
  command.add_option("-o,--output", a->output, "The detector to write (JSON), for ood score")
      ->type_name("FILE")
      ->required();
  add_force(command, a->force);
  add_threads(command, context);
}

void add_score(CLI::App& noun, Context& context) {
  const auto a = std::make_shared<ScoreArguments>();
  CLI::App& command = add_command(
      noun, context, "score", "Score how far cues lie outside of what is stored",
      {"hopfield memory ood score memory.safetensors --cue cue.npy -o scores.csv",
       "hopfield memory ood score memory.safetensors --cue cue.npy --detector detector.json",
       "hopfield memory ood score memory.safetensors --cue cue.npy --outside others.npy --beta 2 "
       "--json"},
      [a, &context] { return run_score(*a, context); });
  add_question(command, a->paths, "States to score");
  CLI::Option* detector =
      command
          .add_option("--detector", a->detector,
                      "What ood fit wrote [default: fit to held-out patterns on the way]")
          ->type_name("FILE");
  for (CLI::Option* option : add_fit_options(command, a->fit)) detector->excludes(option);
  command
      .add_option("--outside", a->outside,
                  "States known to lie outside; those of --cue then count as inside, and AUROC and "
                  "FPR95 are told")
      ->type_name("FILE");
  command
      .add_option("-o,--output", a->output,
                  "Write the scores of all states (CSV), larger is further outside, and the share "
                  "of what is inside that lies further outside still; - prints them")
      ->type_name("FILE");
  add_json_flag(command, a->json);
  add_threads(command, context);
}

}  // namespace

void add_memory_ood(CLI::App& noun, Context& context) {
  CLI::App& ood = add_noun(noun, "ood", "Tell how far states lie outside of what is stored");
  add_fit(ood, context);
  add_score(ood, context);
}

}  // namespace hopfield::cli
