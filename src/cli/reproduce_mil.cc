// `hopfield reproduce mil`: the multiple-instance protocol, one file a finished unit (a model on
// one repetition of one set), so that a run can be stopped and goes on.
#include "cli/reproduce_mil.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <system_error>

#include "apps/mil/json.h"
#include "cli/nouns.h"
#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/folds.h"
#include "hopfield/apps/mil/metrics.h"
#include "hopfield/apps/mil/stored_bags.h"
#include "hopfield/apps/mil/tables.h"
#include "hopfield/base/os.h"
#include "hopfield/base/version.h"
#include "hopfield/report/format.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kOp = "reproduce mil";
constexpr const char* kScript = "tools/mil_baselines.py";

struct SetKind {
  const char* name;
  double goal;
};
constexpr std::array kSets = {SetKind{"tiger", 0.945}, SetKind{"fox", 0.80},
                              SetKind{"elephant", 0.97}, SetKind{"ucsb", 0.91},
                              SetKind{"musk1", 0.94}};

enum class Runner { kOurs, kGrid, kPython };

struct ModelKind {
  const char* name;
  const char* title;  ///< null: that of the pooling
  Runner runner;
};
constexpr std::array kModels = {
    ModelKind{"stored_bags", nullptr, Runner::kOurs},
    ModelKind{"hopfield", nullptr, Runner::kOurs},
    ModelKind{"hopfield_plain", "HopfieldPooling, plain, by grid", Runner::kGrid},
    ModelKind{"attention", nullptr, Runner::kOurs},
    ModelKind{"gated_attention", nullptr, Runner::kOurs},
    ModelKind{"mean_max", nullptr, Runner::kOurs},
    ModelKind{"mean", nullptr, Runner::kOurs},
    ModelKind{"max", nullptr, Runner::kOurs},
    ModelKind{"forest", "forest on [mean, max]", Runner::kPython},
    ModelKind{"boosting", "boosting on [mean, max]", Runner::kPython},
    ModelKind{"set_kernel", "SVM on a set kernel", Runner::kPython}};

struct Arguments {
  std::vector<std::string> sets, data;
  std::string output = "hopfield-mil", python;
  std::int64_t seed = 0;
  bool quick = false;
};

struct LoadedSet {
  const SetKind* kind = nullptr;
  std::string bags_path, folds_path;
  std::string checksum;  ///< of both files
  mil::Bags bags;
  std::vector<mil::Repetition> repetitions;
};

struct Unit {
  const LoadedSet* set;
  std::size_t repetition;
  const ModelKind* model;
};

std::uint32_t add_checksum(const std::string& path, std::uint32_t crc = 0) {
  return store::crc32(MappedFile(path).bytes(), crc);
}

LoadedSet load_set(const SetKind& kind, const Arguments& a) {
  const std::vector<std::string> folders = data_folders(a.data);
  const auto find = [&](const std::string& name) {
    return find_data_file(folders, {"mil/" + name, name}, kOp,
                          "name the folder that has it with --data");
  };
  LoadedSet set{&kind,
                find(std::string(kind.name) + ".csv.gz"),
                find(std::string(kind.name) + "_folds.csv"),
                {},
                {},
                {}};
  set.checksum = store::crc32_text(add_checksum(set.folds_path, add_checksum(set.bags_path)));
  set.bags = mil::read_csv_bags(set.bags_path);
  mil::check_labels(set.bags);
  std::vector<std::string> names = {"skl0", "skl1", "skl2", "skl3", "skl4"};
  if (a.quick) names.resize(1);
  set.repetitions = mil::read_folds(set.folds_path, set.bags, names);
  return set;
}

/// Runs units, or finds them in the output folder.
class Protocol {
 public:
  Protocol(const Arguments& a, const Context& context)
      : a_(a), context_(context), grid_(mil::plain_settings(a.quick)) {
    find_python();
  }

  const std::vector<mil::Setting>& grid() const { return grid_; }
  const std::string& skipped() const { return skipped_; }
  const Json& python_versions() const { return python_versions_; }
  bool runs(const ModelKind& model) const {
    return model.runner != Runner::kPython || skipped_.empty();
  }

  std::string path_of(const Unit& unit) const {
    return a_.output + "/units/" + unit.set->kind->name + "-" + repetition_of(unit).name + "-" +
           unit.model->name + ".json";
  }

  /// Everything that the result depends on.
  Json key_of(const Unit& unit) const {
    Json key = {{"hopfield", version()},
                {"set", unit.set->kind->name},
                {"repetition", repetition_of(unit).name},
                {"model", unit.model->name},
                {"seed", a_.seed},
                {"data", unit.set->checksum}};
    switch (unit.model->runner) {
      case Runner::kOurs: {
        const mil::CvOptions options = options_of(*unit.model);
        if (options.model.pooling == mil::Pooling::kStoredBags) {
          for (const mil::BagSimilarity& similarity : mil::similarity_candidates()) {
            key["settings"].push_back(mil::similarity_text(similarity));
          }
        } else {
          key["settings"] = {mil::to_json(options.model), mil::to_json(options.train)};
        }
        break;
      }
      case Runner::kGrid:
        for (const mil::Setting& setting : grid_) {
          key["settings"].push_back({mil::to_json(setting.model), mil::to_json(setting.train)});
        }
        break;
      case Runner::kPython:
        key["settings"] = {python_versions_, store::crc32_text(add_checksum(kScript))};
        break;
    }
    return key;
  }

  mil::ModelResult run(const Unit& unit) const {
    mil::CvOptions options;
    options.seed = static_cast<std::uint64_t>(a_.seed);
    options.num_threads = num_threads();
    mil::Control control;
    control.cancelled = context_.cancelled;
    const std::vector<mil::Repetition> repetition = {repetition_of(unit)};
    if (unit.model->runner == Runner::kPython) return run_python(unit);
    if (unit.model->runner == Runner::kGrid) {
      mil::ModelResult result =
          mil::cross_validate_settings(unit.set->bags, repetition, grid_, options, control);
      result.name = unit.model->name;
      result.title = unit.model->title;
      return result;
    }
    options = options_of(*unit.model);
    return mil::cross_validate(unit.set->bags, repetition, options, control).model;
  }

 private:
  const mil::Repetition& repetition_of(const Unit& unit) const {
    return unit.set->repetitions[unit.repetition];
  }

  int num_threads() const {
    return context_.executor() == nullptr ? 0 : context_.executor()->concurrency();
  }

  mil::CvOptions options_of(const ModelKind& model) const {
    mil::CvOptions options;
    options.model.pooling = mil::parse_pooling(model.name);
    options.baselines.clear();
    options.seed = static_cast<std::uint64_t>(a_.seed);
    options.num_threads = num_threads();
    return options;
  }

  /// scikit-learn is no part of hopfield: without it, its models are left out.
  void find_python() {
    constexpr const char* kVirtual = ".venv/bin/python";
    python_ = !a_.python.empty() ? a_.python : is_executable(kVirtual) ? kVirtual : "python3";
    const std::string what = "skipped: forest, boosting and set kernel: expected ";
    if (!path_exists(kScript)) {
      skipped_ = what + kScript + " in the current folder, got none";
      return;
    }
    const ProcessResult result = run_process({python_, kScript, "--versions"}, context_.cancelled);
    if (result.status == 0) {
      python_versions_ = Json::parse(result.output);
    } else {
      skipped_ = what + "scikit-learn for " + python_ + ", got none; tools/setup installs it";
    }
  }

  mil::ModelResult run_python(const Unit& unit) const {
    const auto start = std::chrono::steady_clock::now();
    const mil::Repetition& repetition = repetition_of(unit);
    const int jobs = num_threads() > 0 ? num_threads() : default_executor().concurrency();
    const ProcessResult process = run_process(
        {python_, kScript, unit.set->bags_path, unit.set->folds_path, repetition.name,
         unit.model->name, "--jobs", std::to_string(jobs), "--seed", std::to_string(a_.seed)},
        context_.cancelled);
    const std::string what = std::string(unit.model->name) + " on " + unit.set->kind->name;
    if (process.status != 0) {
      fail(ErrorCode::kInternal, kOp,
           "expected " + what + " from " + kScript + ", got exit status " +
               std::to_string(process.status) + ":\n" + process.errors);
    }
    mil::ModelResult model;
    model.name = unit.model->name;
    model.title = unit.model->title;
    mil::RepetitionResult& result = model.repetitions.emplace_back();
    result.name = repetition.name;
    const Json output = Json::parse(process.output);
    for (int k = 0; k < repetition.num_folds; ++k) {
      const Json& entry = output.at("folds").at(static_cast<std::size_t>(k));
      mil::FoldResult& fold = result.folds.emplace_back();
      fold.fold = k;
      fold.test_bags = repetition.test_bags(k);
      entry.at("scores").get_to(fold.scores);
      if (entry.at("bags") != Json(fold.test_bags) || fold.scores.size() != fold.test_bags.size()) {
        fail(ErrorCode::kInternal, kOp,
             "expected scores of the bags of fold " + std::to_string(k) + " for " + what +
                 ", got others");
      }
      for (const std::int64_t b : fold.test_bags) {
        fold.labels.push_back(unit.set->bags.labels[static_cast<std::size_t>(b)]);
      }
      fold.auc = mil::roc_auc(fold.scores, fold.labels);
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (mil::FoldResult& fold : result.folds) {
      fold.seconds = seconds * jobs / repetition.num_folds;
    }
    mil::summarise(model, unit.set->bags.scheme, unit.set->bags.num_bags());
    // These scores are no logits: 0 parts no classes.
    for (auto* part : {&model.figures, &result.figures}) part->clear();
    for (auto* part : {&model.confusion, &result.confusion}) part->clear();
    return model;
  }

  const Arguments& a_;
  const Context& context_;
  std::vector<mil::Setting> grid_;
  std::string python_, skipped_;
  Json python_versions_ = nullptr;
};

/// What an earlier run left, if it belongs to this one; null otherwise.
Json read_unit(const std::string& path, const Json& key) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return nullptr;
  Json json = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("key", Json()) != key) return nullptr;
  return json;
}

/// Seconds that the units not yet done will take, from those of the same model and set, else of the
/// same model, else of all; NaN before the first.
double seconds_left(const std::vector<Unit>& units, std::size_t done,
                    const std::map<std::string, std::pair<double, int>>& seen) {
  const auto mean_of = [&](const std::string& name) {
    const auto found = seen.find(name);
    return found == seen.end() ? std::nan("") : found->second.first / found->second.second;
  };
  double left = 0;
  for (std::size_t i = done; i < units.size(); ++i) {
    const std::string model = units[i].model->name;
    double seconds = mean_of(model + units[i].set->kind->name);
    if (std::isnan(seconds)) seconds = mean_of(model);
    if (std::isnan(seconds)) seconds = mean_of("");
    left += seconds;
  }
  return left;
}

struct Finished {
  std::vector<mil::ModelResult> results;  ///< one a unit
  double seconds = 0;
};

Finished run_units(const Protocol& protocol, const std::vector<Unit>& units, const Context& context,
                   const std::string& folder) {
  Finished finished;
  std::map<std::string, std::pair<double, int>> seen;
  Progress progress("unit", static_cast<std::int64_t>(units.size()));
  for (std::size_t i = 0; i < units.size(); ++i) {
    const Unit& unit = units[i];
    const std::string path = protocol.path_of(unit);
    const Json key = protocol.key_of(unit);
    Json json = read_unit(path, key);
    if (json.is_null()) {
      const double left = seconds_left(units, i, seen);
      progress.update(static_cast<std::int64_t>(i),
                      std::string(unit.set->kind->name) + " " + unit.model->name +
                          (std::isnan(left) ? "" : ", about " + report::seconds(left) + " left"));
      const auto start = std::chrono::steady_clock::now();
      try {
        stop_if_cancelled(context);
        json = {
            {"key", key},
            {"result", mil::to_json(protocol.run(unit), unit.set->bags.scheme, /*times=*/true)}};
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kCancelled) throw;
        fail(ErrorCode::kCancelled, kOp,
             "interrupted; what is finished is kept in " + folder +
                 "/units, and the same command goes on from there");
      }
      json["seconds"] =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      write_json(path, json);
    }
    const double seconds = json.at("seconds").get<double>();
    for (const std::string& name : {std::string(), std::string(unit.model->name),
                                    std::string(unit.model->name) + unit.set->kind->name}) {
      seen[name].first += seconds;
      ++seen[name].second;
    }
    finished.seconds += seconds;
    finished.results.push_back(
        mil::model_result_from_json(json.at("result"), unit.set->bags.scheme));
  }
  return finished;
}

/// Repetitions of the same model on the same set joined, then compared with stored bags.
std::vector<MilSet> join(const std::vector<Unit>& units, std::vector<mil::ModelResult> results) {
  std::vector<MilSet> sets;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const SetKind& kind = *units[i].set->kind;
    auto set = std::find_if(sets.begin(), sets.end(),
                            [&](const MilSet& one) { return one.name == kind.name; });
    if (set == sets.end()) {
      sets.push_back(
          {kind.name, kind.goal, units[i].set->bags.scheme, units[i].set->bags.num_bags(), {}, {}});
      set = std::prev(sets.end());
    }
    auto model =
        std::find_if(set->models.begin(), set->models.end(),
                     [&](const mil::ModelResult& one) { return one.name == results[i].name; });
    if (model == set->models.end()) {
      set->models.push_back(std::move(results[i]));
    } else {
      model->repetitions.push_back(std::move(results[i].repetitions.front()));
    }
  }
  for (MilSet& set : sets) {
    for (mil::ModelResult& model : set.models) {
      mil::summarise(model, set.scheme, set.num_bags);
    }
    for (std::size_t m = 1; m < set.models.size(); ++m) {
      set.comparisons.push_back(
          mil::compare(set.models.front(), set.models[m], set.scheme, set.num_bags));
    }
  }
  return sets;
}

std::string command_of(const Arguments& a) {
  std::string text = "hopfield reproduce mil";
  for (std::size_t i = 0; i < a.sets.size(); ++i) text += (i == 0 ? " --set " : ",") + a.sets[i];
  if (a.quick) text += " --quick";
  if (a.seed != 0) text += " --seed " + std::to_string(a.seed);
  return text;
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    fail(ErrorCode::kIo, "write", "cannot make the folder '" + path + "': " + error.message());
  }
}

int run(const Arguments& a, const Context& context) {
  std::vector<LoadedSet> sets;
  for (const SetKind& kind : kSets) {
    const bool wanted =
        a.sets.empty() || std::find(a.sets.begin(), a.sets.end(), kind.name) != a.sets.end();
    if (wanted) sets.push_back(load_set(kind, a));
  }
  const Protocol protocol(a, context);
  if (!protocol.skipped().empty()) note(protocol.skipped());
  make_folder(a.output + "/units");
  std::vector<Unit> units;
  for (std::size_t r = 0; r < sets.front().repetitions.size(); ++r) {
    for (const LoadedSet& set : sets) {
      for (const ModelKind& model : kModels) {
        if (protocol.runs(model)) units.push_back({&set, r, &model});
      }
    }
  }
  Finished finished = run_units(protocol, units, context, a.output);
  MilReproduction result;
  result.command = command_of(a);
  for (const mil::Repetition& repetition : sets.front().repetitions) {
    result.repetitions.push_back(repetition.name);
  }
  result.sets = join(units, std::move(finished.results));
  result.grid = protocol.grid();
  result.skipped = protocol.skipped();
  result.python = protocol.python_versions();
  result.seed = static_cast<std::uint64_t>(a.seed);
  result.quick = a.quick;
  result.seconds = finished.seconds;
  write_json(a.output + "/result.json", mil_json(result));
  atomic_write_file(a.output + "/tables.md", mil_markdown(result));
  mil_page(result).write(a.output + "/report.html");
  std::cout << mil_auc_table(result).text() << "\n"
            << mil_difference_table(result).text() << "\nreport " << a.output
            << "/report.html, numbers result.json, tables tables.md; "
            << report::seconds(result.seconds) << " in all\n";
  std::int64_t missed = 0, count = 0;
  for (const Check& check : mil_checks(result)) {
    ++count;
    missed += check.holds ? 0 : 1;
  }
  if (missed == 0) return kOk;
  note(std::to_string(missed) + " of " + std::to_string(count) +
       " statements do not hold; the report names them");
  return kMissed;
}

}  // namespace

void add_reproduce_mil(CLI::App& program, Context& context) {
  CLI::App& noun = add_noun(program, "reproduce", "Experiments of the papers, run again");
  const auto a = std::make_shared<Arguments>();
  CLI::App& command = add_command(noun, context, "mil", kReproduceMilText,
                                  {"hopfield reproduce mil --quick --set musk1 -o musk1"},
                                  [a, &context] { return run(*a, context); });
  std::vector<std::string> names;
  for (const SetKind& kind : kSets) names.emplace_back(kind.name);
  command.add_option("--set", a->sets, "Some sets instead of all five")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->type_name("NAME,...");
  command.add_flag("--quick", a->quick,
                   "Repetition skl0 instead of five, and the plain network without bag dropout");
  command
      .add_option("--data", a->data,
                  "Folder that holds mil/; may be given again. Then $HOPFIELD_DATA and "
                  "../shared/data")
      ->allow_extra_args(false)
      ->type_name("DIR");
  command
      .add_option("-o,--output", a->output,
                  "Folder for report.html, result.json, tables.md, and units/ with every finished "
                  "part: started again, the command goes on")
      ->type_name("FOLDER")
      ->capture_default_str();
  command
      .add_option("--python", a->python,
                  "Python with scikit-learn (default: .venv/bin/python, else python3)")
      ->type_name("PROGRAM");
  add_whole_number(command, "--seed", a->seed, "Seed of networks, forests and boosting", 0);
  add_threads(command, context);
}

}  // namespace hopfield::cli
