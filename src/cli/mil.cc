// `hopfield mil`: bags of instances. Parses, calls hopfield::mil, prints.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/common.h"
#include "cli/nouns.h"
#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/bags_hdf5.h"
#include "hopfield/apps/mil/cv.h"
#include "hopfield/apps/mil/estimate.h"
#include "hopfield/apps/mil/evaluation.h"
#include "hopfield/apps/mil/folds.h"
#include "hopfield/apps/mil/options.h"
#include "hopfield/apps/mil/report.h"
#include "hopfield/apps/mil/saved_model.h"
#include "hopfield/apps/mil/tables.h"
#include "hopfield/base/os.h"
#include "hopfield/report/format.h"
#include "hopfield/report/heat_map.h"

namespace hopfield::cli {
namespace {

/// Where the bags are and how to read them.
struct DataArguments {
  std::string path, offsets, labels;
  mil::CsvBagOptions csv;
  std::vector<std::string> coordinates;
  std::string label_column, instance_column, target;

  std::vector<std::string> files() const {
    std::vector<std::string> out = {path};
    if (!offsets.empty()) out.push_back(offsets);
    if (!labels.empty()) out.push_back(labels);
    if (!offsets.empty()) out.insert(out.end(), coordinates.begin(), coordinates.end());
    return out;
  }
};

void add_data_arguments(CLI::App& command, DataArguments& data) {
  command
      .add_option("DATA", data.path,
                  "CSV or TSV (also .gz), one row an instance, rows grouped by bag; or .npy with "
                  "the values [instances, features]; or .h5")
      ->required();
  const char* group = "Data";
  const auto add = [&](const char* name, std::string& value, const char* text) {
    return command.add_option(name, value, text)->group(group);
  };
  add("--bag-column", data.csv.bag_column, "Column that names the bag")->capture_default_str();
  add("--label-column", data.label_column,
      "Column with the bag's label (default: label, if there is one)");
  add("--instance-column", data.instance_column,
      "Column that names the instance (default: instance_id, if there is one)");
  command
      .add_option("--features", data.csv.features,
                  "Feature columns, separated by commas (default: all others)")
      ->delimiter(',')
      ->group(group);
  command.add_option("--ignore", data.csv.ignore, "Columns that are no features")
      ->delimiter(',')
      ->group(group);
  command
      .add_option("--coords", data.coordinates,
                  "Two columns with an instance's place, which are no features; with .npy: a file "
                  "[instances, 2]")
      ->delimiter(',')
      ->group(group);
  command.add_flag("--sort-bags", data.csv.sort_bags, "Gather bags whose rows are apart")
      ->group(group);
  add("--offsets", data.offsets, "NPY, [bags + 1]: where each bag begins in DATA.npy");
  add("--labels", data.labels, "NPY, [bags]: labels");
}

void add_target(CLI::App& command, DataArguments& data) {
  command
      .add_option(
          "--target", data.target,
          "What labels are: binary, classes or regression (default: 0 and 1 are binary, text "
          "and up to 20 different whole numbers are classes, other numbers a regression)")
      ->group("Data");
}

bool is_npy(const std::string& path) {
  return path.ends_with(".npy");
}

mil::Bags read_bags(const DataArguments& data, const mil::SavedModel* model = nullptr) {
  mil::LabelOptions labels;
  if (!data.target.empty()) labels.target = mil::parse_target(data.target);
  if (model != nullptr) labels.scheme = model->scheme();
  if (data.path.ends_with(".h5") || data.path.ends_with(".hdf5")) {
    require(data.offsets.empty() && data.labels.empty() && data.coordinates.empty(), "mil",
            "expected no --offsets, --labels and --coords beside an HDF5 file, got them");
    return mil::read_hdf5_bags(data.path, labels);
  }
  if (is_npy(data.path)) {
    require(!data.offsets.empty(), "--offsets",
            "expected the NPY file with the bags' offsets, got none");
    mil::Bags bags = mil::read_npy_bags(data.path, data.offsets, data.labels, labels);
    require(data.coordinates.size() <= 1, "--coords",
            "expected one NPY file, got " + std::to_string(data.coordinates.size()) + " names");
    if (!data.coordinates.empty()) mil::read_npy_coordinates(data.coordinates[0], bags);
    return bags;
  }
  require(data.offsets.empty() && data.labels.empty(), "mil",
          "expected --offsets and --labels with a .npy file only, got " + data.path);
  mil::CsvBagOptions csv = data.csv;
  csv.labels = labels;
  csv.coordinates = data.coordinates;
  if (!data.label_column.empty()) csv.label_column = data.label_column;
  if (!data.instance_column.empty()) csv.instance_column = data.instance_column;
  // A model knows the names of its features; other columns of the table do not matter.
  if (model != nullptr && csv.features.empty()) csv.features = model->feature_names();
  return mil::read_csv_bags(data.path, csv);
}

/// Bags to learn from; says what their labels were taken for, unless they are 0 and 1 or the user
/// has said it.
mil::Bags read_labelled_bags(const DataArguments& data) {
  mil::Bags bags = read_bags(data);
  if (data.target.empty() && bags.has_labels() && bags.scheme != mil::LabelScheme{}) {
    const bool two = bags.scheme.target == mil::Target::kBinary && bags.scheme.num_classes() == 2;
    note("labels are taken as " + mil::label_text(bags.scheme) +
         (two ? ", of which " + bags.scheme.class_names[1] + " is positive" : "") +
         "; --target says otherwise");
  }
  return bags;
}

/// The network and its training, as text where the library wants an enumeration.
struct ModelArguments {
  mil::ModelOptions model;
  mil::TrainOptions train;
  std::string pooling, scale;
  std::vector<std::string> class_weights = {"none"};

  /// The options as given.
  void settle() {
    model.pooling = mil::parse_pooling(pooling);
    model.input_code = mil::parse_input_code(scale);
    train.class_weights.balanced = class_weights == std::vector<std::string>{"balanced"};
    if (!train.class_weights.balanced && class_weights != std::vector<std::string>{"none"}) {
      for (const std::string& weight : class_weights) {
        train.class_weights.weights.push_back(parse_number("--class-weights", weight));
      }
    }
    if (model.embedding == std::vector<std::int64_t>{0}) model.embedding.clear();
    mil::check_options(model);
    mil::check_options(train);
  }
};

void add_network_options(CLI::App& command, ModelArguments& arguments) {
  const char* group = "Model";
  mil::ModelOptions& model = arguments.model;
  arguments.pooling = mil::pooling_name(model.pooling);
  arguments.scale = mil::input_code_name(model.input_code);
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->capture_default_str()->group(group);
  };
  add("--model", arguments.pooling,
      "hopfield, attention, gated_attention, mean_max, mean, max, or stored-bags, which needs no "
      "other option");
  add("--scale", arguments.scale, "Input code: none, z, zclip, rank or thermometer");
  add("--levels", model.levels, "Levels of the thermometer");
  add("--embedding", model.embedding, "Widths of the embedding layers; 0: none")->delimiter(',');
  add("--heads", model.num_heads, "Heads of HopfieldPooling");
  add("--head-size", model.head_size, "Depth of association and of projection, per head");
  add("--quantity", model.quantity, "Learned state patterns");
  add("--beta", model.beta, "Inverse temperature >= 0: one, or one a head")->delimiter(',');
  add("--attention-size", model.attention_size, "Hidden units of attention pooling");
  add("--hidden", model.head_hidden, "Hidden units of the output; 0: linear");
  add("--dropout", model.head_dropout, "Dropout before the last layer");
}

void add_training_options(CLI::App& command, ModelArguments& arguments) {
  const char* group = "Training";
  mil::TrainOptions& train = arguments.train;
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->capture_default_str()->group(group);
  };
  add("--learning-rate", train.learning_rate, "Of AdamW");
  add("--learning-rate-decay", train.learning_rate_decay, "Factor an epoch");
  add("--weight-decay", train.weight_decay, "On weights, not on biases");
  add("--batch-size", train.batch_size, "Bags a step");
  add("--epochs", train.epochs, "At most");
  add("--patience", train.patience,
      "Epochs without a better smoothed validation AUC; 0: never stop early");
  add("--bag-dropout", train.bag_dropout, "Chance of an instance to be left out in a step");
  add("--members", train.members, "Networks whose scores are averaged");
  add("--class-weights", arguments.class_weights,
      "balanced, none, or one number a class in their order (numbers by value, then names)")
      ->delimiter(',');
}

/// The command line as one would type it again.
std::string command_text(const CLI::App& command, const std::string& name) {
  const auto quoted = [](const std::string& text) {
    const bool plain =
        !text.empty() && text.find_first_of(" \t\n'\"\\$`*?;&|<>()#~") == std::string::npos;
    if (plain) return text;
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
  };
  std::string positional, options;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    std::string values;
    for (const std::string& value : option->results())
      values += (values.empty() ? "" : ",") + value;
    if (option->get_positional()) {
      positional += " " + quoted(values);
    } else {
      options += " --" + option->get_lnames().front();
      if (option->get_expected_max() > 0) options += " " + quoted(values);
    }
  }
  return "hopfield mil " + name + positional + options;
}

void write_text(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text << std::flush;
  } else {
    atomic_write_file(path, text);
  }
}

mil::Control control_of(const Context& context, std::shared_ptr<Progress>& line,
                        const std::string& label) {
  mil::Control control;
  control.cancelled = context.cancelled;
  control.progress = [&line, label](std::int64_t done, std::int64_t total,
                                    const std::string& what) {
    if (!line) line = std::make_shared<Progress>(label, total);
    line->update(done, what);
  };
  return control;
}

void add_estimate(CLI::App& command, bool& estimate) {
  command.add_flag("--estimate", estimate,
                   "Only say how long it would take and how much memory, after one epoch of each "
                   "network on the first fold");
}

/// --estimate: prints what the run would take; true: that was all. Otherwise says it on standard
/// error before a run of more than 10 s; not of stored bags alone, whose estimate is a part of the
/// run and no small one.
bool estimate_only(bool wanted, bool stores, const std::string& what,
                   const std::function<mil::Estimate()>& estimated) {
  if (!wanted && stores) return false;
  const mil::Estimate estimate = estimated();
  const std::string text = "at most about " + report::seconds(estimate.seconds) + " and " +
                           report::fixed(static_cast<double>(estimate.bytes) / (1 << 30), 2) +
                           " GiB beside the program's own memory";
  if (wanted) {
    std::cout << "estimate: " << text
              << "; time from one epoch here and now, every epoch counted; memory from sizes\n";
  } else if (estimate.seconds > 10) {
    note(what + ": " + text);
  }
  return wanted;
}

// ---------------------------------------------------------------- mil cv

struct CvArguments {
  DataArguments data;
  ModelArguments model;
  std::string folds, json, report;
  std::vector<std::string> repetitions, baselines = {"mean_max", "attention", "gated_attention"};
  std::int64_t num_folds = 10, num_repetitions = 1;
  std::uint64_t seed = 0;
  bool estimate = false;
};

std::vector<mil::Repetition> repetitions_of(const CvArguments& arguments, const mil::Bags& bags) {
  if (!arguments.folds.empty()) {
    return mil::read_folds(arguments.folds, bags, arguments.repetitions,
                           arguments.data.csv.bag_column);
  }
  require(arguments.repetitions.empty(), "--repetitions",
          "expected --folds with the file that has these columns, got none");
  mil::check_labels(bags);
  std::vector<mil::Repetition> out;
  for (std::int64_t r = 0; r < arguments.num_repetitions; ++r) {
    std::string name = "own";
    name += std::to_string(r);
    out.push_back(mil::stratified_folds(bags, static_cast<int>(arguments.num_folds),
                                        arguments.seed + static_cast<std::uint64_t>(r),
                                        std::move(name)));
  }
  return out;
}

int run_cv(const Context& context, CvArguments& arguments, const std::string& command) {
  arguments.model.settle();
  mil::CvOptions options;
  options.model = arguments.model.model;
  options.train = arguments.model.train;
  options.seed = arguments.seed;
  options.num_threads = context.executor() == nullptr ? 0 : context.executor()->concurrency();
  options.baselines.clear();
  for (const std::string& name : arguments.baselines) {
    if (name != "none") options.baselines.push_back(mil::parse_pooling(name));
  }
  std::vector<std::string> inputs = arguments.data.files();
  if (!arguments.folds.empty()) inputs.push_back(arguments.folds);
  check_outputs({arguments.json, arguments.report}, inputs);

  const mil::Bags bags = read_labelled_bags(arguments.data);
  const std::vector<mil::Repetition> repetitions = repetitions_of(arguments, bags);
  const bool stores =
      options.model.pooling == mil::Pooling::kStoredBags && options.baselines.empty();
  if (estimate_only(arguments.estimate, stores, "cross-validation",
                    [&] { return mil::estimate_cv(bags, repetitions, options); })) {
    return kOk;
  }
  std::shared_ptr<Progress> line;
  const mil::CvResult result = mil::cross_validate(bags, repetitions, options,
                                                   control_of(context, line, "networks trained"));
  line.reset();
  if (arguments.json != "-") std::cout << mil::cv_text(result);
  if (!arguments.json.empty()) write_text(arguments.json, mil::cv_json(result, command));
  if (!arguments.report.empty()) mil::cv_page(result, command).write(arguments.report);
  return kOk;
}

void add_cv(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<CvArguments>();
  auto handle = std::make_shared<CLI::App*>();
  CLI::App& command = add_command(
      noun, context, "cv", "Cross-validate HopfieldPooling and baselines on the same folds",
      {"hopfield mil cv examples/mil.csv --num-folds 5 --seed 1",
       "hopfield mil cv examples/mil.csv --num-folds 3 --baselines none --json -"},
      [&context, arguments, handle] {
        return run_cv(context, *arguments, command_text(**handle, "cv"));
      });
  *handle = &command;
  add_data_arguments(command, arguments->data);
  add_target(command, arguments->data);
  command.add_option("--folds", arguments->folds,
                     "CSV with the bag column and one column a repetition: the bag's test fold");
  command
      .add_option("--repetitions", arguments->repetitions,
                  "Columns of --folds to use, separated by commas (default: all)")
      ->delimiter(',');
  add_whole_number(command, "--num-folds", arguments->num_folds,
                   "Without --folds: stratified folds of our own, by --seed", 3, 100000);
  add_whole_number(command, "--num-repetitions", arguments->num_repetitions,
                   "Without --folds: how often, with seeds counting up", 1, 10000);
  command.add_option("--seed", arguments->seed, "Of weights, order of bags, and own folds")
      ->capture_default_str();
  command
      .add_option("--baselines", arguments->baselines,
                  "Compared on the same folds: mean_max, mean, max, attention, gated_attention, "
                  "stored_bags, hopfield; or none")
      ->delimiter(',')
      ->capture_default_str();
  add_estimate(command, arguments->estimate);
  command.add_option("--json", arguments->json,
                     "Write the result as JSON; -: instead of the table");
  command.add_option("--report", arguments->report, "Write an HTML page with ROC curves");
  add_threads(command, context);
  add_network_options(command, arguments->model);
  add_training_options(command, arguments->model);
}

// ---------------------------------------------------------------- mil fit

struct FitArguments {
  DataArguments data;
  ModelArguments model;
  mil::FitOptions options;
  std::string output, checkpoint;
  bool force = false, estimate = false;
  std::int64_t num_folds = 10;
};

int run_fit(const Context& context, FitArguments& arguments) {
  arguments.model.settle();
  mil::FitOptions& options = arguments.options;
  options.model = arguments.model.model;
  options.train = arguments.model.train;
  options.num_folds = static_cast<int>(arguments.num_folds);
  options.checkpoint_path =
      arguments.checkpoint.empty() ? arguments.output + ".checkpoint" : arguments.checkpoint;
  check_new_output(arguments.output, arguments.data.files(), arguments.force);
  check_output(options.checkpoint_path, arguments.data.files());
  const mil::Bags bags = read_labelled_bags(arguments.data);
  const bool stores = options.model.pooling == mil::Pooling::kStoredBags;
  if (estimate_only(arguments.estimate, stores, "training",
                    [&] { return mil::estimate_fit(bags, options); })) {
    return kOk;
  }
  std::shared_ptr<Progress> line;
  const mil::FitResult result = mil::fit(bags, options, control_of(context, line, "epochs"));
  line.reset();
  result.model.save(arguments.output);
  std::error_code ignored;
  std::filesystem::remove(options.checkpoint_path, ignored);
  const mil::StoredBags* stored = result.model.stored_bags();
  const std::string figure = "; " + mil::main_title(bags.scheme.target) + " " +
                             report::fixed(result.validation_auc, 3) +
                             " (95 %: " + report::fixed(result.validation_interval.low, 3) +
                             " to " + report::fixed(result.validation_interval.high, 3) + ")";
  std::cout << (stored != nullptr ? "stored " : "trained on ") << result.num_training << " bags";
  if (stored != nullptr) {
    std::cout << figure << ", each bag scored by the others\nsimilarities: " << stored->text();
  }
  if (result.num_validation > 0) {
    std::cout << figure << " on " << result.num_validation << " validation bags at epoch "
              << report::general(result.best_epoch) << ", which was kept";
  }
  std::cout << "\nsaved " << arguments.output << " (" << result.model.num_parameters()
            << (stored != nullptr ? " values) after " : " weights) after ")
            << report::seconds(result.seconds) << "\n";
  return kOk;
}

void add_fit(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<FitArguments>();
  CLI::App& command =
      add_command(noun, context, "fit", "Train a model on labelled bags and save it",
                  {"hopfield mil fit examples/mil.csv -o mil-model.safetensors --seed 1"},
                  [&context, arguments] { return run_fit(context, *arguments); });
  add_data_arguments(command, arguments->data);
  add_target(command, arguments->data);
  command.add_option("-o,--output", arguments->output, "The model, a safetensors file")->required();
  command.add_option("--seed", arguments->options.seed, "Of weights, order and validation bags")
      ->capture_default_str();
  command
      .add_option("--num-folds", arguments->num_folds,
                  "One of so many stratified folds decides when to stop; 0: train on all bags for "
                  "all epochs")
      ->capture_default_str();
  command.add_option("--checkpoint", arguments->checkpoint,
                     "Where an interrupted run leaves its state (default: OUTPUT.checkpoint)");
  add_force(command, arguments->force);
  add_estimate(command, arguments->estimate);
  command.add_flag("--resume", arguments->options.resume, "Go on from the checkpoint");
  add_network_options(command, arguments->model);
  add_training_options(command, arguments->model);
}

// ---------------------------------------------------------------- mil predict, mil explain

struct UseArguments {
  std::string model;
  DataArguments data;
  std::string output = "-", json, class_name, heat_maps;
  std::vector<std::string> bags;
  std::int64_t top = 3;
};

int run_predict(const Context& context, const UseArguments& arguments) {
  std::vector<std::string> inputs = arguments.data.files();
  inputs.push_back(arguments.model);
  check_outputs({arguments.output, arguments.json}, inputs);
  const mil::SavedModel model = mil::SavedModel::load(arguments.model);
  const mil::Bags bags = read_bags(arguments.data, &model);
  const std::vector<double> scores = model.predict(bags);
  stop_if_cancelled(context);
  const mil::LabelScheme& scheme = model.scheme();
  if (arguments.json != "-") {
    write_text(arguments.output, mil::predictions_csv(bags, scores, scheme));
  }
  if (!arguments.json.empty()) {
    write_text(arguments.json, mil::predictions_json(bags, scores, scheme));
  }
  return kOk;
}

void add_predict(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<UseArguments>();
  CLI::App& command =
      add_command(noun, context, "predict", "Score bags with a saved model",
                  {"hopfield mil predict mil-model.safetensors examples/mil.csv",
                   "hopfield mil predict mil-model.safetensors examples/mil.csv "
                   "-o scores.csv --json scores.json"},
                  [&context, arguments] { return run_predict(context, *arguments); });
  command.add_option("MODEL", arguments->model, "What `mil fit` saved")->required();
  add_data_arguments(command, arguments->data);
  command
      .add_option("-o,--output", arguments->output, "CSV with one row a bag; -: standard output")
      ->capture_default_str();
  command.add_option("--json", arguments->json, "The same as JSON; -: instead of the CSV");
}

mil::Bags chosen_bags(const mil::Bags& bags, const std::vector<std::string>& names) {
  if (names.empty()) return bags;
  std::vector<std::int64_t> which;
  for (const std::string& name : names) {
    const auto found = std::find(bags.bag_ids.begin(), bags.bag_ids.end(), name);
    require(found != bags.bag_ids.end(), "--bags",
            "expected bags of " + bags.origin + ", got '" + name + "'");
    which.push_back(found - bags.bag_ids.begin());
  }
  return mil::select_bags(bags, which);
}

/// The score to explain; -1: of several classes the greatest.
std::int64_t chosen_output(const mil::LabelScheme& scheme, const std::string& class_name) {
  if (class_name.empty()) return -1;
  require(scheme.target == mil::Target::kClasses, "--class",
          "expected a model of three or more classes, got one of " + mil::label_text(scheme));
  const auto found =
      std::find(scheme.class_names.begin(), scheme.class_names.end(), mil::label_name(class_name));
  require(found != scheme.class_names.end(), "--class",
          "expected one of " + mil::label_text(scheme) + ", got '" + class_name + "'");
  return found - scheme.class_names.begin();
}

/// BAG.svg for each bag; what a file name should not have becomes '_', and equal names get a
/// number.
void write_heat_maps(const std::string& folder, const mil::Bags& bags,
                     const std::vector<mil::BagExplanation>& explanations,
                     const mil::LabelScheme& scheme) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    fail(ErrorCode::kIo, "--heat-maps",
         "expected a folder to write to, got " + folder + ": " + error.message());
  }
  std::map<std::string, int> taken;
  for (std::size_t b = 0; b < explanations.size(); ++b) {
    std::string name = bags.bag_ids[b];
    for (char& c : name) {
      const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
      if (!plain) c = '_';
    }
    const int before = taken[name]++;
    if (before > 0) name += "." + std::to_string(before + 1);
    atomic_write_file(folder + "/" + name + ".svg",
                      report::standalone_svg(mil::explanation_map(
                          bags, static_cast<std::int64_t>(b), explanations[b], scheme)));
  }
}

int run_explain(const Context& context, const UseArguments& arguments) {
  std::vector<std::string> inputs = arguments.data.files();
  inputs.push_back(arguments.model);
  check_outputs({arguments.output, arguments.json}, inputs);
  const mil::SavedModel model = mil::SavedModel::load(arguments.model);
  const mil::Bags bags = chosen_bags(read_bags(arguments.data, &model), arguments.bags);
  require(arguments.heat_maps.empty() || !bags.coordinates.empty(), "--heat-maps",
          "expected --coords with the places of the instances, got none");
  const mil::LabelScheme& scheme = model.scheme();
  const std::vector<mil::BagExplanation> explanations =
      model.explain(bags, chosen_output(scheme, arguments.class_name));
  stop_if_cancelled(context);
  const std::vector<std::string> names = model.weight_names();
  if (!arguments.output.empty()) {
    write_text(arguments.output,
               mil::explanations_csv(bags, explanations, names, arguments.top, scheme));
  }
  if (!arguments.json.empty()) {
    write_text(arguments.json,
               mil::explanations_json(bags, explanations, names, arguments.top, scheme));
  }
  if (!arguments.heat_maps.empty()) {
    write_heat_maps(arguments.heat_maps, bags, explanations, scheme);
  }
  if (arguments.output != "-" && arguments.json != "-") {
    std::cout
        << mil::explanations_text(bags, explanations, arguments.top, scheme)
        << (names.empty()
                ? "\nweight: size of the effect as a share of all; "
                : "\nweight: mean association of the instance with the pooling patterns of all "
                  "heads; ")
        << "even share: 1 / bag size;\nalone: score of a bag that held only this instance; effect: "
           "score less the score of the bag without it.\n"
        << (scheme.target == mil::Target::kBinary
                ? "Scores are logits, > 0 is " + scheme.class_names[1] + ".\n"
            : scheme.target == mil::Target::kClasses
                ? "Softmax over the scores of all classes gives their probabilities.\n"
                : "Scores are estimates of the label.\n");
  }
  return kOk;
}

void add_explain(CLI::App& noun, Context& context) {
  const auto arguments = std::make_shared<UseArguments>();
  arguments->output.clear();
  CLI::App& command = add_command(
      noun, context, "explain", "Show which instances of each bag counted, and how much",
      {"hopfield mil explain mil-model.safetensors examples/mil.csv --bags b001,b002",
       "hopfield mil explain mil-model.safetensors examples/mil.csv --top 0 -o "
       "weights.csv"},
      [&context, arguments] { return run_explain(context, *arguments); });
  command.add_option("MODEL", arguments->model, "What `mil fit` saved")->required();
  add_data_arguments(command, arguments->data);
  command.add_option("--bags", arguments->bags, "Only these bags, separated by commas")
      ->delimiter(',');
  command.add_option("--heat-maps", arguments->heat_maps,
                     "Folder for one picture (SVG) a bag: effects at the places of --coords");
  command.add_option("--class", arguments->class_name,
                     "Of several classes: explain its score, not that of the predicted class");
  add_whole_number(command, "--top", arguments->top, "Instances a bag to show; 0: all", 0);
  command.add_option("-o,--output", arguments->output,
                     "CSV with one row an instance and a column a head; -: instead of the table");
  command.add_option("--json", arguments->json, "The same as JSON; -: instead of the table");
}

}  // namespace

void add_mil(CLI::App& program, Context& context) {
  CLI::App& noun =
      add_noun(program, "mil", "Multiple-instance learning: classify bags of instances");
  add_cv(noun, context);
  add_fit(noun, context);
  add_predict(noun, context);
  add_explain(noun, context);
}

}  // namespace hopfield::cli
