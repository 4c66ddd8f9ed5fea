#include "apps/mil/json.h"

#include <string>
#include <utility>
#include <vector>

#include "hopfield/apps/mil/cv.h"
#include "hopfield/base/error.h"

namespace hopfield::mil {
namespace {

using Json = nlohmann::ordered_json;

Json fold_json(const FoldResult& fold, const LabelScheme& scheme, bool times) {
  const std::string key = main_key(scheme.target);
  Json json = {{"fold", fold.fold},
               {key, fold.auc},
               {"validation_" + key, fold.validation_auc},
               {"best_epoch", fold.best_epoch},
               {"bags", fold.test_bags}};
  if (scheme.target == Target::kRegression) {
    json["labels"] = fold.numbers;
  } else {
    json["labels"] = fold.labels;
  }
  json["scores"] = fold.scores;
  if (!fold.chosen.empty()) json["chosen"] = fold.chosen;
  if (times) json["seconds"] = fold.seconds;
  return json;
}

Json figures_json(const std::vector<Figure>& figures) {
  Json json = Json::object();
  for (const Figure& figure : figures) json[figure.key] = figure.value;
  return json;
}

Json calibration_json(const Calibration& calibration) {
  Json bins = Json::array();
  for (const CalibrationBin& bin : calibration.bins) {
    bins.push_back({{"low", bin.low},
                    {"high", bin.high},
                    {"count", bin.count},
                    {"mean_probability", bin.mean_probability},
                    {"observed", bin.observed},
                    {"interval", {bin.interval.low, bin.interval.high}}});
  }
  return {{"brier", calibration.brier},
          {"ece", calibration.ece},
          {"num_bins", kCalibrationBins},
          {"bins", std::move(bins)}};
}

}  // namespace

Json to_json(const LabelScheme& scheme) {
  return {{"target", target_name(scheme.target)}, {"class_names", scheme.class_names}};
}

LabelScheme label_scheme_from_json(const Json& json) {
  LabelScheme scheme{parse_target(json.at("target").get<std::string>()), {}};
  json.at("class_names").get_to(scheme.class_names);
  const std::int64_t fewest = scheme.target == Target::kRegression ? 0
                              : scheme.target == Target::kBinary   ? 2
                                                                   : 3;
  require(scheme.target == Target::kClasses ? scheme.num_classes() >= fewest
                                            : scheme.num_classes() == fewest,
          "labels",
          "expected " + std::to_string(fewest) + " class names, got " +
              std::to_string(scheme.num_classes()));
  return scheme;
}

Json to_json(const ModelOptions& options) {
  return {{"model", pooling_name(options.pooling)},
          {"scale", input_code_name(options.input_code)},
          {"levels", options.levels},
          {"embedding", options.embedding},
          {"heads", options.num_heads},
          {"head_size", options.head_size},
          {"quantity", options.quantity},
          {"beta", options.beta},
          {"attention_size", options.attention_size},
          {"hidden", options.head_hidden},
          {"dropout", options.head_dropout}};
}

Json to_json(const TrainOptions& options) {
  Json json = {{"learning_rate", options.learning_rate},
               {"learning_rate_decay", options.learning_rate_decay},
               {"weight_decay", options.weight_decay},
               {"batch_size", options.batch_size},
               {"epochs", options.epochs},
               {"patience", options.patience},
               {"bag_dropout", options.bag_dropout},
               {"members", options.members}};
  if (options.class_weights.balanced) json["class_weights"] = "balanced";
  if (!options.class_weights.weights.empty()) {
    json["class_weights"] = options.class_weights.weights;
  }
  return json;
}

ModelOptions model_options_from_json(const Json& json) {
  ModelOptions options;
  options.pooling = parse_pooling(json.at("model").get<std::string>());
  options.input_code = parse_input_code(json.at("scale").get<std::string>());
  json.at("levels").get_to(options.levels);
  json.at("embedding").get_to(options.embedding);
  json.at("heads").get_to(options.num_heads);
  json.at("head_size").get_to(options.head_size);
  json.at("quantity").get_to(options.quantity);
  json.at("beta").get_to(options.beta);
  json.at("attention_size").get_to(options.attention_size);
  json.at("hidden").get_to(options.head_hidden);
  json.at("dropout").get_to(options.head_dropout);
  check_options(options);
  return options;
}

TrainOptions train_options_from_json(const Json& json) {
  TrainOptions options;
  json.at("learning_rate").get_to(options.learning_rate);
  json.at("learning_rate_decay").get_to(options.learning_rate_decay);
  json.at("weight_decay").get_to(options.weight_decay);
  json.at("batch_size").get_to(options.batch_size);
  json.at("epochs").get_to(options.epochs);
  json.at("patience").get_to(options.patience);
  json.at("bag_dropout").get_to(options.bag_dropout);
  json.at("members").get_to(options.members);
  if (json.contains("class_weights")) {
    const Json& weights = json.at("class_weights");
    options.class_weights.balanced = weights == "balanced";
    if (weights.is_array()) weights.get_to(options.class_weights.weights);
  }
  check_options(options);
  return options;
}

Json to_json(const ModelResult& model, const LabelScheme& scheme, bool times) {
  const std::string key = main_key(scheme.target);
  Json repetitions = Json::array();
  for (const RepetitionResult& repetition : model.repetitions) {
    Json folds = Json::array();
    for (const FoldResult& fold : repetition.folds) folds.push_back(fold_json(fold, scheme, times));
    repetitions.push_back({{"name", repetition.name},
                           {key, repetition.auc},
                           {key + "_pooled", repetition.auc_pooled},
                           {"validation_" + key, repetition.validation_auc}});
    if (!repetition.figures.empty()) {
      repetitions.back()["figures"] = figures_json(repetition.figures);
    }
    repetitions.back()["folds"] = std::move(folds);
  }
  Json json = {{"model", model.name},
               {"title", model.title},
               {key + "_mean", model.auc_mean},
               {key + "_sd", model.auc_sd},
               {key + "_interval", {model.auc_interval.low, model.auc_interval.high}},
               {"validation_" + key + "_mean", model.validation_auc_mean},
               {"num_parameters", model.num_parameters},
               {"repetitions", std::move(repetitions)}};
  if (!model.figures.empty()) json["figures"] = figures_json(model.figures);
  if (!model.confusion.empty()) {
    json["confusion"] = model.confusion;
    json["calibration"] = calibration_json(cv_calibration(model, scheme));
  }
  if (times) json["seconds_of_one_thread"] = model.seconds;
  return json;
}

ModelResult model_result_from_json(const Json& json, const LabelScheme& scheme) {
  const std::string key = main_key(scheme.target);
  ModelResult model;
  json.at("model").get_to(model.name);
  json.at("title").get_to(model.title);
  json.at("num_parameters").get_to(model.num_parameters);
  for (const Json& entry : json.at("repetitions")) {
    RepetitionResult& repetition = model.repetitions.emplace_back();
    entry.at("name").get_to(repetition.name);
    for (const Json& one : entry.at("folds")) {
      FoldResult& fold = repetition.folds.emplace_back();
      one.at("fold").get_to(fold.fold);
      one.at(key).get_to(fold.auc);
      one.at("validation_" + key).get_to(fold.validation_auc);
      one.at("best_epoch").get_to(fold.best_epoch);
      one.at("bags").get_to(fold.test_bags);
      if (scheme.target == Target::kRegression) {
        one.at("labels").get_to(fold.numbers);
      } else {
        one.at("labels").get_to(fold.labels);
      }
      one.at("scores").get_to(fold.scores);
      fold.chosen = one.value("chosen", "");
      fold.seconds = one.value("seconds", 0.0);
    }
  }
  return model;
}

std::string cv_json(const CvResult& result, const std::string& command, bool times) {
  Json json;
  if (!command.empty()) json["command"] = command;
  json["target"] = target_name(result.scheme.target);
  if (result.scheme.target != Target::kRegression) json["classes"] = result.scheme.class_names;
  json.update(to_json(result.model, result.scheme, times));
  json["baselines"] = Json::array();
  for (const ModelResult& baseline : result.baselines) {
    json["baselines"].push_back(to_json(baseline, result.scheme, times));
  }
  json["comparisons"] = Json::array();
  for (const Comparison& comparison : result.comparisons) {
    json["comparisons"].push_back(
        {{"baseline", comparison.baseline},
         {"mean_difference", comparison.mean_difference},
         {"wins", comparison.wins},
         {"ties", comparison.ties},
         {"losses", comparison.losses},
         {"wilcoxon_p", comparison.wilcoxon_p},
         {"sign_p", comparison.sign_p},
         {"interval", {comparison.interval.low, comparison.interval.high}}});
  }
  json["seed"] = result.options.seed;
  json["settings"] = to_json(result.options.model);
  json["settings"].update(to_json(result.options.train));
  json["data"] = {{"file", result.origin},
                  {"bags", result.num_bags},
                  {"instances", result.num_instances},
                  {"features", result.num_features}};
  if (result.scheme.target == Target::kBinary) {
    json["data"]["positive_bags"] = result.num_positive;
  }
  for (const auto& [name, text] : result.versions) json["versions"][name] = text;
  if (times) json["seconds"] = result.seconds;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hopfield::mil
