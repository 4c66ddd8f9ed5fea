// hopfield demo: bags classified, pictures restored, one page.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/common.h"
#include "cli/demo_digits.h"
#include "cli/demo_page.h"
#include "cli/nouns.h"
#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/cv.h"
#include "hopfield/apps/mil/folds.h"
#include "hopfield/base/error.h"
#include "hopfield/base/os.h"

namespace hopfield::cli {
namespace {

constexpr const char* kBagsFile = "mil/elephant.csv.gz";
constexpr const char* kFoldsFile = "mil/elephant_folds.csv";
constexpr const char* kDigitsFile = "digits/digits.csv.gz";
constexpr const char* kRepetition = "skl0";

struct DemoOptions {
  std::vector<std::string> data;
  std::string report_path, json_path;
  std::int64_t seed = 0;
  std::int64_t epochs = 0;  ///< 0: the default of `mil cv`
  std::int64_t num_threads = 0;
};

/// The first folder with all of `files`; empty if none has.
std::string folder_with(const std::vector<std::string>& folders,
                        const std::vector<std::string>& files) {
  for (const std::string& folder : folders) {
    if (std::all_of(files.begin(), files.end(),
                    [&](const std::string& file) { return path_exists(folder + "/" + file); })) {
      return folder;
    }
  }
  return "";
}

std::string found_file(const std::vector<std::string>& folders, const std::string& file) {
  return find_data_file(folders, {file}, "demo",
                        "run tools/fetch-demo-data, or name a folder that has it with --data");
}

/// Whether these are the test folds skl0 of the published experiments on Elephant, by their FNV-1a
/// hash.
bool are_published_folds(const std::vector<int>& folds) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const int fold : folds) hash = (hash ^ static_cast<std::uint64_t>(fold)) * 0x100000001b3u;
  return folds.size() == 200 && hash == 0xeda162d540eabed3u;
}

BagsResult classify_bags(const DemoOptions& options, const std::vector<std::string>& folders,
                         const Context& context) {
  BagsResult result;
  const std::string both = folder_with(folders, {kBagsFile, kFoldsFile});
  const std::string path = both.empty() ? found_file(folders, kBagsFile) : both + "/" + kBagsFile;
  const mil::Bags bags = mil::read_csv_bags(path);
  mil::check_labels(bags);
  std::vector<mil::Repetition> repetitions;
  if (both.empty()) {
    constexpr int kNumFolds = 10;
    const auto seed = static_cast<std::uint64_t>(options.seed);
    repetitions.push_back(
        mil::stratified_folds(bags.labels, kNumFolds, seed, "own" + std::to_string(seed)));
    result.folds_origin = "made by this program, stratified, seed " + std::to_string(seed);
  } else {
    const std::string name = kRepetition;
    repetitions = mil::read_folds(both + "/" + kFoldsFile, bags, std::span(&name, 1));
    result.folds_origin = both + "/" + kFoldsFile;
    result.published_folds = are_published_folds(repetitions.front().fold);
  }
  mil::CvOptions cv;
  cv.seed = static_cast<std::uint64_t>(options.seed);
  cv.num_threads = static_cast<int>(options.num_threads);
  if (options.epochs > 0) cv.train.epochs = options.epochs;
  cv.baselines.insert(cv.baselines.begin(), mil::Pooling::kStoredBags);
  std::unique_ptr<Progress> progress;
  mil::Control control;
  control.cancelled = context.cancelled;
  control.progress = [&](std::int64_t done, std::int64_t total, const std::string& what) {
    if (!progress) progress = std::make_unique<Progress>("bags", total);
    progress->update(done, what);
  };
  result.cv = mil::cross_validate(bags, repetitions, cv, control);
  return result;
}

double fraction_exact(const Restoration& restoration) {
  return static_cast<double>(restoration.num_exact) / static_cast<double>(restoration.exact.size());
}

/// The first picture of each digit; the two that one update restored worst; all recalls that
/// failed, up to four.
std::vector<std::size_t> choose_examples(const Digits& digits, const Restoration& settled,
                                         const Restoration& one_update) {
  std::vector<std::size_t> examples;
  const auto add = [&](std::size_t i) {
    if (std::find(examples.begin(), examples.end(), i) == examples.end()) examples.push_back(i);
  };
  for (int label = 0; label < 10; ++label) {
    const auto first = std::find(digits.label.begin(), digits.label.end(), label);
    if (first != digits.label.end()) add(static_cast<std::size_t>(first - digits.label.begin()));
  }
  std::vector<std::size_t> by_error(digits.count());
  for (std::size_t i = 0; i < by_error.size(); ++i) by_error[i] = i;
  std::stable_sort(by_error.begin(), by_error.end(), [&](std::size_t a, std::size_t b) {
    return one_update.largest_error[a] > one_update.largest_error[b];
  });
  for (std::size_t k = 0; k < std::min<std::size_t>(2, by_error.size()); ++k) add(by_error[k]);
  for (std::size_t i = 0, failed = 0; i < digits.count() && failed < 4; ++i) {
    if (settled.exact[i]) continue;
    add(i);
    ++failed;
  }
  return examples;
}

DigitsResult restore_digits(const DemoOptions& options, const std::string& path,
                            const Context& context) {
  const auto seed = static_cast<std::uint64_t>(options.seed);
  DigitsResult result;
  result.digits = read_digits(path);
  result.hidden_rows = result.digits.side / 2;
  const auto run = [&](RestoreMethod method, double beta, bool iterate, int hidden_rows) {
    return restore(result.digits, {.method = method,
                                   .hidden_rows = hidden_rows,
                                   .beta = beta,
                                   .iterate = iterate,
                                   .executor = context.executor(),
                                   .check_cancelled = [&] { stop_if_cancelled(context); }});
  };
  const auto beta_for = [&](RestoreMethod method) {
    stop_if_cancelled(context);
    return beta_from_patterns(result.digits, method, result.hidden_rows, seed, context.executor());
  };
  const double known = beta_for(RestoreMethod::kKnownPart);
  const double centred = beta_for(RestoreMethod::kCentred);
  const double unit = beta_for(RestoreMethod::kUnit);
  const auto add_run = [&](RestoreMethod method, double beta, bool iterate,
                           const std::string& suffix) {
    result.runs.push_back({std::string(restore_method_title(method)) + suffix, method, beta,
                           iterate, run(method, beta, iterate, result.hidden_rows)});
  };
  add_run(RestoreMethod::kKnownPart, known, true, "");
  add_run(RestoreMethod::kKnownPart, known, false, ", one update");
  add_run(RestoreMethod::kCentred, centred, true, "");
  add_run(RestoreMethod::kUnit, unit, true, "");
  add_run(RestoreMethod::kNearest, 0, true, "");

  Progress progress("pictures", 11 + 7);
  std::int64_t done = 0;
  result.over_beta = {
      {"unknown left out", {}, {}}, {"one update", {}, {}}, {"unknown = mean, length 1", {}, {}}};
  for (int power = 0; power <= 10; ++power) {
    const double beta = std::ldexp(1.0, power);
    const Restoration restorations[] = {
        run(RestoreMethod::kKnownPart, beta, true, result.hidden_rows),
        run(RestoreMethod::kKnownPart, beta, false, result.hidden_rows),
        run(RestoreMethod::kUnit, beta, true, result.hidden_rows)};
    for (std::size_t c = 0; c < std::size(restorations); ++c) {
      result.over_beta[c].x.push_back(beta);
      result.over_beta[c].fraction.push_back(fraction_exact(restorations[c]));
    }
    progress.update(++done);
  }
  result.over_hidden_rows = {{"unknown left out", {}, {}},
                             {"unknown = mean, length 1", {}, {}},
                             {"nearest neighbour", {}, {}}};
  for (int hidden = 1; hidden < result.digits.side; ++hidden) {
    const Restoration restorations[] = {run(RestoreMethod::kKnownPart, known, true, hidden),
                                        run(RestoreMethod::kUnit, unit, true, hidden),
                                        run(RestoreMethod::kNearest, 0, true, hidden)};
    for (std::size_t c = 0; c < std::size(restorations); ++c) {
      result.over_hidden_rows[c].x.push_back(hidden);
      result.over_hidden_rows[c].fraction.push_back(fraction_exact(restorations[c]));
    }
    progress.update(++done);
  }
  result.examples = choose_examples(result.digits, result.runs[0].result, result.runs[1].result);
  for (const double beta : {known, known / 8}) {
    constexpr std::size_t kNumEnergies = 9;
    result.traces.push_back({beta, kNumEnergies,
                             energy_trace(result.digits, result.examples, result.hidden_rows, beta,
                                          kNumEnergies, context.executor())});
  }
  return result;
}

/// The command line again, with what was given.
std::string command_line(const DemoOptions& options) {
  std::string command = "hopfield demo";
  for (const std::string& folder : options.data) command += " --data " + folder;
  if (options.seed != 0) command += " --seed " + std::to_string(options.seed);
  if (options.num_threads != 0) command += " --threads " + std::to_string(options.num_threads);
  if (options.epochs != 0) command += " --epochs " + std::to_string(options.epochs);
  if (!options.report_path.empty()) command += " --report " + options.report_path;
  if (!options.json_path.empty()) command += " --json " + options.json_path;
  return command;
}

int run_demo(const DemoOptions& options, const Context& context) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  double last = 0;
  DemoResult result;
  const auto lap = [&](const std::string& name) {
    const double now = std::chrono::duration<double>(Clock::now() - start).count();
    result.times.emplace_back(name, now - last);
    last = now;
  };
  const std::vector<std::string> folders = data_folders(options.data);
  const std::string digits_path = found_file(folders, kDigitsFile);  // before the long part
  check_outputs({options.report_path, options.json_path}, {digits_path});
  result.seed = static_cast<std::uint64_t>(options.seed);
  result.command = command_line(options);
  result.bags = classify_bags(options, folders, context);
  lap("bags");
  stop_if_cancelled(context);
  result.digits = restore_digits(options, digits_path, context);
  lap("pictures");
  result.times.emplace_back("in all", last);
  stop_if_cancelled(context);
  const bool json_to_terminal = options.json_path == "-";
  if (!json_to_terminal) std::cout << demo_text(result);
  if (!options.json_path.empty()) write_json(options.json_path, demo_json(result));
  if (!options.report_path.empty()) {
    demo_page(result).write(options.report_path);
    if (!json_to_terminal) std::cout << "Report: " << options.report_path << "\n";
  }
  return kOk;
}

}  // namespace

void add_demo(CLI::App& program, Context& context) {
  const auto options = std::make_shared<DemoOptions>();
  CLI::App& command = add_command(
      program, context, "demo",
      "Classify bags by cross-validation, restore half-hidden pictures, and show both on one page",
      {"hopfield demo --data build/demo-data --report demo/report.html --json demo/report.json"},
      [options, &context] { return run_demo(*options, context); });
  command
      .add_option(
          "--data", options->data,
          "Folder with mil/elephant.csv.gz, mil/elephant_folds.csv and digits/digits.csv.gz, as "
          "tools/fetch-demo-data makes it; may be given again. Then $HOPFIELD_DATA and "
          "../shared/data are searched")
      ->allow_extra_args(false)
      ->type_name("DIR");
  command.add_option("--report", options->report_path, "Write the page (HTML)")->type_name("FILE");
  command.add_option("--json", options->json_path, "Write all numbers (- is standard output)")
      ->type_name("FILE");
  add_whole_number(command, "--seed", options->seed, "Seed of the networks and of the beta advice",
                   0);
  add_whole_number(command, "--epochs", options->epochs,
                   "Epochs of training at most; 0: as many as mil cv makes", 0);
  add_whole_number(command, "--threads", options->num_threads,
                   "Folds trained at the same time; 0: as many as there are cores", 0, 1024);
}

}  // namespace hopfield::cli
