#include "hopfield/apps/mil/saved_model.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "apps/mil/cv_parts.h"
#include "apps/mil/explanation.h"
#include "apps/mil/json.h"
#include "apps/mil/random.h"
#include "apps/mil/stored_bags_file.h"
#include "apps/mil/trainer.h"
#include "hopfield/apps/mil/coder.h"
#include "hopfield/apps/mil/evaluation.h"
#include "hopfield/apps/mil/folds.h"
#include "hopfield/base/error.h"
#include "hopfield/base/os.h"
#include "hopfield/base/version.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::mil {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kModelFormat = "hopfield.mil-model";
constexpr const char* kCheckpointFormat = "hopfield.mil-checkpoint";
constexpr const char* kFormatVersion = "2";
constexpr const char* kOldFormatVersion = "1";  // two classes, 0 and 1
constexpr const char* kHeaderChecksum = "crc32.header";

// ---------------------------------------------------------------- tensors to and from files

store::TensorData tensor_data(const std::string& name, const at::Tensor& tensor) {
  const std::vector<std::int64_t> shape = tensor.sizes().vec();
  const auto n = static_cast<std::size_t>(tensor.numel());
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return store::tensor_data<float>(name, shape, {tensor.const_data_ptr<float>(), n});
    case at::kDouble:
      return store::tensor_data<double>(name, shape, {tensor.const_data_ptr<double>(), n});
    case at::kLong:
      return store::tensor_data<std::int64_t>(name, shape,
                                              {tensor.const_data_ptr<std::int64_t>(), n});
    default:
      HOPFIELD_CHECK(false);
      return {};
  }
}

template <class T>
at::Tensor read_tensor(const store::SafetensorsFile& file, const store::TensorEntry& entry,
                       at::ScalarType type) {
  const std::vector<T> values = file.read<T>(entry);
  at::Tensor out = at::empty(entry.shape, at::TensorOptions(type));
  std::copy(values.begin(), values.end(), out.mutable_data_ptr<T>());
  return out;
}

at::Tensor read_tensor(const store::SafetensorsFile& file, const store::TensorEntry& entry) {
  switch (entry.type) {
    case store::TensorType::kF32:
      return read_tensor<float>(file, entry, at::kFloat);
    case store::TensorType::kF64:
      return read_tensor<double>(file, entry, at::kDouble);
    case store::TensorType::kI64:
      return read_tensor<std::int64_t>(file, entry, at::kLong);
    default:
      fail(ErrorCode::kCorruptData, "mil",
           "expected tensors of type F32, F64 or I64 in " + file.path() + ", got " +
               std::string(store::tensor_type_name(entry.type)) + " for '" + entry.name + "'");
  }
}

/// Writes a file of ours: see docs/formats/mil-model.md.
void write_file(const std::string& path, const char* format, const Json& description,
                const NamedTensors& tensors) {
  std::map<std::string, std::string> metadata = {
      {"format", format},
      {"version", kFormatVersion},
      {"generator", std::string("hopfield ") + version()},
      {"description", description.dump(-1, ' ', false, Json::error_handler_t::replace)},
      {kHeaderChecksum, "00000000"}};
  std::vector<store::TensorData> data;
  NamedTensors alive;  // contiguous copies, where they are needed
  for (const auto& [name, tensor] : tensors) {
    alive.emplace_back(name, tensor.contiguous());
    data.push_back(tensor_data(name, alive.back().second));
    metadata["crc32." + name] = store::crc32_text(store::crc32(data.back().data));
  }
  store::write_safetensors(path, data, metadata, {IfExists::kReplace, kHeaderChecksum});
}

/// The description inside a file of ours, whose checksums are compared.
Json read_description(const store::SafetensorsFile& file, const std::string& format) {
  const auto& metadata = file.metadata();
  const auto find = [&](const std::string& key) {
    const auto entry = metadata.find(key);
    return entry == metadata.end() ? std::string("nothing") : entry->second;
  };
  const auto expect = [&](bool ok, const std::string& expected, const std::string& found) {
    if (!ok) {
      fail(ErrorCode::kCorruptData, "mil",
           "expected " + expected + " in " + file.path() + ", got " + found);
    }
  };
  expect(find("format") == format, "the format " + format, find("format"));
  expect(find("version") == kFormatVersion || find("version") == kOldFormatVersion,
         std::string("version ") + kOldFormatVersion + " or " + kFormatVersion,
         find("version") + "; use the program that wrote it, or a newer one");
  expect(
      metadata.contains(kHeaderChecksum) && store::header_checksum_matches(file, kHeaderChecksum),
      "a header with its checksum", "another; the file is damaged");
  for (const store::TensorEntry& entry : file.tensors()) {
    expect(find("crc32." + entry.name) == store::crc32_text(store::crc32(file.bytes(entry))),
           "the checksum of tensor '" + entry.name + "'", "another; the file is damaged");
  }
  Json json = Json::parse(find("description"), nullptr, /*allow_exceptions=*/false);
  expect(json.is_object(), "a JSON description", find("description"));
  return json;
}

// ---------------------------------------------------------------- input code

template <class T>
at::Tensor vector_tensor(const std::vector<T>& values, at::ScalarType type) {
  at::Tensor out = at::empty({static_cast<std::int64_t>(values.size())}, at::TensorOptions(type));
  if (!values.empty()) std::copy(values.begin(), values.end(), out.mutable_data_ptr<T>());
  return out;
}

void append_coder(const InputCoder& coder, NamedTensors& tensors) {
  const InputCoder::State state = coder.state();
  tensors.emplace_back("code.kept", vector_tensor(state.kept, at::kLong));
  tensors.emplace_back("code.shift", vector_tensor(state.shift, at::kFloat));
  tensors.emplace_back("code.scale", vector_tensor(state.scale, at::kFloat));
  tensors.emplace_back("code.knot_offsets", vector_tensor(state.knot_offsets, at::kLong));
  tensors.emplace_back("code.knots", vector_tensor(state.knots, at::kFloat));
  tensors.emplace_back("code.ranks", vector_tensor(state.ranks, at::kFloat));
}

InputCoder read_coder(const store::SafetensorsFile& file, const ModelOptions& options,
                      std::int64_t num_features) {
  InputCoder::State state;
  const bool stored = options.pooling == Pooling::kStoredBags;
  state.code = static_cast<std::int64_t>(stored ? InputCode::kRank : options.input_code);
  state.levels = !stored && options.input_code == InputCode::kThermometer ? options.levels : 1;
  state.num_features = num_features;
  state.kept = file.read<std::int64_t>("code.kept");
  state.shift = file.read<float>("code.shift");
  state.scale = file.read<float>("code.scale");
  state.knot_offsets = file.read<std::int64_t>("code.knot_offsets");
  state.knots = file.read<float>("code.knots");
  state.ranks = file.read<float>("code.ranks");
  return InputCoder::from_state(std::move(state));
}

void append_stored_bags(const StoredBags& model, NamedTensors& tensors) {
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape,
                       const auto& values) {
    using Value = typename std::decay_t<decltype(values)>::value_type;
    const at::ScalarType type = std::is_same_v<Value, double>  ? at::kDouble
                                : std::is_same_v<Value, float> ? at::kFloat
                                                               : at::kLong;
    tensors.emplace_back(name, vector_tensor(values, type).reshape(shape));
  };
  visit_stored_bags(model, add);
}

std::string member_prefix(std::size_t member) {
  return "member" + std::to_string(member) + ".";
}

std::vector<std::int64_t> all_bags(std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), std::int64_t{0});
  return out;
}

/// CRC-32 of everything that training sees.
std::string data_checksum(const Bags& bags) {
  std::uint32_t crc = store::crc32(std::as_bytes(bags.all_values()));
  crc = store::crc32(std::as_bytes(std::span(bags.offsets)), crc);
  crc = store::crc32(std::as_bytes(std::span(bags.labels)), crc);
  crc = store::crc32(std::as_bytes(std::span(bags.numbers)), crc);
  return store::crc32_text(crc);
}

}  // namespace

struct SavedModel::State {
  ModelOptions options;
  TrainOptions train;
  std::uint64_t seed = 0;
  LabelScheme scheme;
  std::vector<std::string> feature_names;
  std::string origin;
  InputCoder coder;
  mutable std::vector<BagNet> members;  // forward is not const in torch, but changes nothing
  std::optional<StoredBags> stored;     // instead of coder and members

  const InputCoder& input_coder() const { return stored ? stored->state().ranks.coder : coder; }

  /// The bags as the networks see them.
  CodedBags code(const Bags& bags, const char* op) const {
    check_bags(bags);
    require(bags.num_features == coder.num_features(), op,
            "expected bags with " + std::to_string(coder.num_features()) +
                " features, as the model was trained on, got " + std::to_string(bags.num_features) +
                " in " + bags.origin);
    CodedBags coded = code_bags(bags, coder);
    coded.scheme = scheme;
    return coded;
  }
};

const ModelOptions& SavedModel::options() const {
  return state_->options;
}
const TrainOptions& SavedModel::train_options() const {
  return state_->train;
}
std::uint64_t SavedModel::seed() const {
  return state_->seed;
}
std::int64_t SavedModel::num_features() const {
  return state_->input_coder().num_features();
}
const std::vector<std::string>& SavedModel::feature_names() const {
  return state_->feature_names;
}
const std::string& SavedModel::origin() const {
  return state_->origin;
}

const LabelScheme& SavedModel::scheme() const {
  return state_->scheme;
}

const StoredBags* SavedModel::stored_bags() const {
  return state_->stored ? &*state_->stored : nullptr;
}

std::int64_t SavedModel::num_parameters() const {
  if (state_->stored) return state_->stored->num_values();
  std::int64_t count = 0;
  for (const BagNet& net : state_->members) count += net->num_parameters();
  return count;
}

void SavedModel::save(const std::string& path) const {
  NamedTensors tensors;
  append_coder(state_->input_coder(), tensors);
  if (state_->stored) append_stored_bags(*state_->stored, tensors);
  for (std::size_t m = 0; m < state_->members.size(); ++m) {
    for (const auto& parameter : state_->members[m]->named_parameters()) {
      tensors.emplace_back(member_prefix(m) + parameter.key(), parameter.value().detach());
    }
  }
  Json description = {{"model", to_json(state_->options)},
                      {"train", to_json(state_->train)},
                      {"seed", state_->seed},
                      {"labels", to_json(state_->scheme)},
                      {"num_features", num_features()},
                      {"feature_names", state_->feature_names},
                      {"trained_on", state_->origin}};
  if (state_->stored) description["stored_bags"] = stored_bags_json(*state_->stored);
  write_file(path, kModelFormat, description, tensors);
}

SavedModel SavedModel::load(const std::string& path) {
  const store::SafetensorsFile file(path);
  const Json json = read_description(file, kModelFormat);
  auto state = std::make_shared<State>();
  try {
    state->options = model_options_from_json(json.at("model"));
    state->train = train_options_from_json(json.at("train"));
    state->seed = json.at("seed").get<std::uint64_t>();
    if (file.metadata().at("version") != kOldFormatVersion) {
      state->scheme = label_scheme_from_json(json.at("labels"));
    }
    state->feature_names = json.at("feature_names").get<std::vector<std::string>>();
    state->origin = json.at("trained_on").get<std::string>();
    InputCoder coder =
        read_coder(file, state->options, json.at("num_features").get<std::int64_t>());
    if (state->options.pooling == Pooling::kStoredBags) {
      state->stored = read_stored_bags(file, json.at("stored_bags"), std::move(coder));
      require(state->stored->num_outputs() == state->scheme.num_outputs(), "load model",
              "expected values for every class, got others");
    } else {
      state->coder = std::move(coder);
    }
  } catch (const Json::exception& error) {
    fail(ErrorCode::kCorruptData, "load model",
         "expected a complete description in " + path + ", got: " + error.what());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    fail(ErrorCode::kCorruptData, "load model",
         "expected sane settings in " + path + ", got: " + error.what());
  }
  const at::NoGradGuard no_grad;
  const std::int64_t num_networks = state->stored ? 0 : state->train.members;
  for (std::int64_t m = 0; m < num_networks; ++m) {
    BagNet net(state->options, state->coder.num_coded(), state->scheme.num_outputs());
    for (auto& parameter : net->named_parameters()) {
      const store::TensorEntry& entry =
          file.at(member_prefix(static_cast<std::size_t>(m)) + parameter.key());
      const at::Tensor value = read_tensor(file, entry);
      if (value.sizes() != parameter.value().sizes()) {
        fail(ErrorCode::kCorruptData, "load model",
             "expected the shape " + store::shape_text(parameter.value().sizes().vec()) + " for '" +
                 entry.name + "' in " + path + ", got " + store::shape_text(entry.shape));
      }
      parameter.value().copy_(value);
    }
    state->members.push_back(net);
  }
  SavedModel model;
  model.state_ = std::move(state);
  return model;
}

std::vector<double> SavedModel::predict(const Bags& bags) const {
  if (state_->stored) return state_->stored->scores(bags, all_bags(bags.num_bags()));
  const SingleThreaded single_threaded;
  return mean_scores(state_->members, state_->code(bags, "predict"), all_bags(bags.num_bags()));
}

std::vector<std::string> SavedModel::weight_names() const {
  if (state_->stored || is_linear(state_->options.pooling)) return {};
  const bool heads = state_->options.pooling == Pooling::kHopfield;
  std::vector<std::string> names;
  for (std::int64_t h = 0; h < (heads ? state_->options.num_heads : 1); ++h) {
    for (std::int64_t q = 0; q < (heads ? state_->options.quantity : 1); ++q) {
      names.push_back(
          std::string("h").append(std::to_string(h)).append("_q").append(std::to_string(q)));
    }
  }
  return names;
}

std::vector<BagExplanation> SavedModel::explain(const Bags& bags, std::int64_t output) const {
  const std::int64_t outputs = scheme().num_outputs();
  require(
      output >= -1 && output < outputs, "explain",
      "expected an output below " + std::to_string(outputs) + ", got " + std::to_string(output));
  if (state_->stored) return explain_stored(*state_->stored, bags, output);
  const SingleThreaded single_threaded;
  return explain_networks(state_->members, state_->code(bags, "explain"), weight_names().size(),
                          output);
}

// ---------------------------------------------------------------- training a model to keep

FitSplit fit_split(const Bags& bags, const FitOptions& options) {
  check_options(options.model);
  check_options(options.train);
  check_bags(bags);
  check_labels(bags);
  require(options.num_folds == 0 || options.num_folds >= 3, "mil fit",
          "expected 0 or at least 3 folds, got " + std::to_string(options.num_folds));
  if (options.num_folds == 0 || options.model.pooling == Pooling::kStoredBags) {
    check_variety(bags, "mil fit");
    return {all_bags(bags.num_bags()), {}};
  }
  const Repetition repetition = stratified_folds(bags, options.num_folds, options.seed, "fit");
  FitSplit split{{}, repetition.test_bags(0)};
  for (std::size_t b = 0; b < repetition.fold.size(); ++b) {
    if (repetition.fold[b] != 0) split.training.push_back(static_cast<std::int64_t>(b));
  }
  return split;
}

/// One call of `fit`.
class Fitter {
 public:
  Fitter(const Bags& bags, const FitOptions& options) : bags_(bags), options_(options) {
    FitSplit split = fit_split(bags, options);
    training_ = std::move(split.training);
    validation_ = std::move(split.validation);
    coder_ = InputCoder::fit(bags, training_, options.model.input_code, options.model.levels);
    coded_ = code_bags(bags, coder_);
    for (std::int64_t m = 0; m < options.train.members; ++m) {
      trainers_.emplace_back(options.model, options.train,
                             mix_seed(mix_seed(options.seed, "fit"), static_cast<std::uint64_t>(m)),
                             coded_, training_, validation_);
    }
  }

  /// Stores all bags; there is nothing to train in epochs.
  static FitResult store(const Bags& bags, const FitOptions& options, const Control& control) {
    require(!options.resume, "mil fit",
            "expected no --resume with stored bags, which keep no checkpoint, got it");
    const auto start = std::chrono::steady_clock::now();
    const auto poll = [&] {
      if (control.cancelled && control.cancelled()) {
        fail(ErrorCode::kCancelled, "mil fit", "interrupted; nothing was written");
      }
    };
    auto state = new_state(bags, options);
    state->stored =
        StoredBags::fit(bags, all_bags(bags.num_bags()), poll, options.train.class_weights);
    FitResult result;
    result.num_training = bags.num_bags();
    result.validation_auc = state->stored->left_out_auc();
    result.validation_interval = state->stored->left_out_interval();
    result.model.state_ = std::move(state);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

  FitResult run(const Control& control) {
    const auto start = std::chrono::steady_clock::now();
    FitResult result;
    if (options_.resume) result.resumed_at = restore();
    std::int64_t done = result.resumed_at;
    const std::int64_t total = options_.train.members * options_.train.epochs;
    for (Trainer& trainer : trainers_) {
      while (!trainer.finished()) {
        if (control.cancelled && control.cancelled()) stop();
        trainer.run_epoch();
        if (control.progress) {
          control.progress(++done, total,
                           "epoch " + std::to_string(trainer.epoch()) + ", best " +
                               std::to_string(trainer.best_epoch()));
        }
      }
      const auto members = static_cast<double>(trainers_.size());
      result.validation_auc += trainer.best_validation_auc() / members;
      result.best_epoch += static_cast<double>(trainer.best_epoch()) / members;
    }
    result.num_training = static_cast<std::int64_t>(training_.size());
    result.num_validation = static_cast<std::int64_t>(validation_.size());
    if (!validation_.empty()) result.validation_interval = validation_interval(result);
    result.model = saved_model();
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  /// Each bag's influence is the mean over the members, as the figure is.
  Interval validation_interval(const FitResult& result) const {
    std::vector<int> labels;
    std::vector<double> numbers;
    for (const std::int64_t bag : validation_) {
      const auto b = static_cast<std::size_t>(bag);
      if (!bags_.labels.empty()) labels.push_back(bags_.labels[b]);
      if (!bags_.numbers.empty()) numbers.push_back(bags_.numbers[b]);
    }
    std::vector<double> influence(validation_.size(), 0.0);
    for (const Trainer& trainer : trainers_) {
      BagNet net = trainer.best_net();
      const std::vector<double> scores = score_bags(net, coded_, validation_);
      const std::vector<double> parts = main_influence({&bags_.scheme, scores, labels, numbers});
      for (std::size_t b = 0; b < parts.size(); ++b) {
        influence[b] += parts[b] / static_cast<double>(trainers_.size());
      }
    }
    return main_interval(bags_.scheme.target, result.validation_auc, influence);
  }

  static std::shared_ptr<SavedModel::State> new_state(const Bags& bags, const FitOptions& options) {
    auto state = std::make_shared<SavedModel::State>();
    state->options = options.model;
    state->train = options.train;
    state->seed = options.seed;
    state->scheme = bags.scheme;
    state->feature_names = bags.feature_names;
    state->origin = bags.origin;
    return state;
  }

  SavedModel saved_model() const {
    auto state = new_state(bags_, options_);
    state->coder = coder_;
    for (const Trainer& trainer : trainers_) state->members.push_back(trainer.best_net());
    SavedModel model;
    model.state_ = std::move(state);
    return model;
  }

  Json description() const {
    return {{"model", to_json(options_.model)},
            {"train", to_json(options_.train)},
            {"seed", options_.seed},
            {"num_folds", options_.num_folds},
            {"data", data_checksum(bags_)}};
  }

  /// Leaves a checkpoint, if it may, and ends the run.
  [[noreturn]] void stop() const {
    if (options_.checkpoint_path.empty()) {
      fail(ErrorCode::kCancelled, "mil fit", "interrupted; nothing was written");
    }
    NamedTensors tensors;
    std::int64_t epochs = 0;
    for (std::size_t m = 0; m < trainers_.size(); ++m) {
      epochs += trainers_[m].epoch();
      for (auto& [name, tensor] : trainers_[m].checkpoint()) {
        tensors.emplace_back(member_prefix(m) + name, tensor);
      }
    }
    write_file(options_.checkpoint_path, kCheckpointFormat, description(), tensors);
    fail(ErrorCode::kCancelled, "mil fit",
         "interrupted after " + std::to_string(epochs) + " epochs, which are kept in " +
             options_.checkpoint_path + "; the same command with --resume goes on from there");
  }

  /// Epochs found in the checkpoint.
  std::int64_t restore() {
    const store::SafetensorsFile file(options_.checkpoint_path);
    const Json found = read_description(file, kCheckpointFormat), wanted = description();
    for (const auto& [key, value] : wanted.items()) {
      require(found.contains(key) && found[key] == value, "resume",
              "expected a checkpoint of the same " + key + " in " + options_.checkpoint_path +
                  ", got another; give the options of the interrupted run, or start anew without "
                  "--resume");
    }
    NamedTensors tensors;
    for (const store::TensorEntry& entry : file.tensors()) {
      tensors.emplace_back(entry.name, read_tensor(file, entry));
    }
    std::int64_t epochs = 0;
    for (std::size_t m = 0; m < trainers_.size(); ++m) {
      NamedTensors own;
      for (const auto& [name, tensor] : tensors) {
        if (name.starts_with(member_prefix(m))) {
          own.emplace_back(name.substr(member_prefix(m).size()), tensor);
        }
      }
      trainers_[m].restore(own);
      epochs += trainers_[m].epoch();
    }
    return epochs;
  }

  const Bags& bags_;
  const FitOptions& options_;
  std::vector<std::int64_t> training_, validation_;
  InputCoder coder_;
  CodedBags coded_;
  std::vector<Trainer> trainers_;
};

FitResult fit(const Bags& bags, const FitOptions& options, const Control& control) {
  const SingleThreaded single_threaded;
  require(!options.resume || !options.checkpoint_path.empty(), "mil fit",
          "expected the checkpoint to resume from, got no path");
  if (options.model.pooling == Pooling::kStoredBags) return Fitter::store(bags, options, control);
  Fitter fitter(bags, options);
  FitResult result = fitter.run(control);
  return result;
}

}  // namespace hopfield::mil
