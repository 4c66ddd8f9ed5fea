// Options as JSON: what a checkpoint keeps besides the weights.

#include <ATen/ops/tensor.h>
#include <c10/util/Exception.h>

#include <nlohmann/json.hpp>

#include <array>
#include <set>
#include <string>
#include <utility>

#include "hopfield/torch/nn/options.h"

namespace hopfield::nn {

namespace {

using nlohmann::json;

template <class E, std::size_t N>
using Names = std::array<std::pair<E, const char*>, N>;

constexpr Names<Separation, 5> kSeparations = {{{Separation::kSoftmax, "softmax"},
                                                {Separation::kSparsemax, "sparsemax"},
                                                {Separation::kEntmax15, "entmax15"},
                                                {Separation::kTopKSoftmax, "top_k_softmax"},
                                                {Separation::kMax, "max"}}};
constexpr Names<Similarity, 3> kSimilarities = {
    {{Similarity::kDot, "dot"},
     {Similarity::kCosine, "cosine"},
     {Similarity::kNegativeSquaredDistance, "negative_squared_distance"}}};
constexpr Names<StopCriterion, 2> kCriteria = {
    {{StopCriterion::kAssociation, "association"}, {StopCriterion::kState, "state"}}};
constexpr Names<RetrieveGradient, 2> kGradients = {
    {{RetrieveGradient::kUnrolled, "unrolled"}, {RetrieveGradient::kImplicit, "implicit"}}};
constexpr Names<c10::ScalarType, 4> kTypes = {{{c10::ScalarType::Float, "float32"},
                                               {c10::ScalarType::Double, "float64"},
                                               {c10::ScalarType::BFloat16, "bfloat16"},
                                               {c10::ScalarType::Half, "float16"}}};

template <class E, std::size_t N>
std::string name_of(const Names<E, N>& names, E value) {
  for (const auto& [one, name] : names) {
    if (one == value) return name;
  }
  TORCH_CHECK(false, "[HopfieldOptions] expected a value with a name, got number ",
              static_cast<int>(value));
}

template <class E, std::size_t N>
E value_of(const Names<E, N>& names, const std::string& name, const char* key) {
  std::string known;
  for (const auto& [one, text] : names) {
    if (name == text) return one;
    known += std::string(" ") + text;
  }
  C10_THROW_ERROR(Error, c10::str("[HopfieldOptions] expected ", key, " as one of", known,
                                  ", got \"", name, "\""));
}

json optional_json(const std::optional<std::int64_t>& value) {
  return value ? json(*value) : json(nullptr);
}

void optional_from(const json& object, const char* key, std::optional<std::int64_t>& value) {
  if (object.contains(key)) {
    value = object.at(key).is_null()
                ? std::nullopt
                : std::optional<std::int64_t>(object.at(key).get<std::int64_t>());
  }
}

template <class T>
void value_from(const json& object, const char* key, T& value) {
  if (object.contains(key)) value = object.at(key).get<T>();
}

json scaling_json(const Scaling& scaling) {
  if (scaling.is_none()) return nullptr;
  if (scaling.is_number()) return scaling.number();
  const at::Tensor values =
      scaling.tensor().detach().to(at::kCPU, at::kDouble).reshape({-1}).contiguous();
  const double* data = values.const_data_ptr<double>();
  return std::vector<double>(data, data + values.numel());
}

// The boolean and plain fields, by the names of the reference.
template <class Visit>
void each_plain_field(HopfieldArguments& a, Visit visit) {
  visit("num_heads", a.num_heads_);
  visit("normalize_stored_pattern", a.normalize_stored_pattern_);
  visit("normalize_stored_pattern_affine", a.normalize_stored_pattern_affine_);
  visit("normalize_stored_pattern_eps", a.normalize_stored_pattern_eps_);
  visit("normalize_state_pattern", a.normalize_state_pattern_);
  visit("normalize_state_pattern_affine", a.normalize_state_pattern_affine_);
  visit("normalize_state_pattern_eps", a.normalize_state_pattern_eps_);
  visit("normalize_pattern_projection", a.normalize_pattern_projection_);
  visit("normalize_pattern_projection_affine", a.normalize_pattern_projection_affine_);
  visit("normalize_pattern_projection_eps", a.normalize_pattern_projection_eps_);
  visit("normalize_hopfield_space", a.normalize_hopfield_space_);
  visit("normalize_hopfield_space_affine", a.normalize_hopfield_space_affine_);
  visit("normalize_hopfield_space_eps", a.normalize_hopfield_space_eps_);
  visit("stored_pattern_as_static", a.stored_pattern_as_static_);
  visit("state_pattern_as_static", a.state_pattern_as_static_);
  visit("pattern_projection_as_static", a.pattern_projection_as_static_);
  visit("pattern_projection_as_connected", a.pattern_projection_as_connected_);
  visit("batch_first", a.batch_first_);
  visit("association_activation", a.association_activation_);
  visit("dropout", a.dropout_);
  visit("input_bias", a.input_bias_);
  visit("concat_bias_pattern", a.concat_bias_pattern_);
  visit("add_zero_association", a.add_zero_association_);
  visit("disable_out_projection", a.disable_out_projection_);
  visit("trainable_scaling", a.trainable_scaling_);
  visit("top_k", a.top_k_);
  visit("update_steps_cap", a.update_steps_cap_);
}

template <class Visit>
void each_size(HopfieldArguments& a, Visit visit) {
  visit("input_size", a.input_size_);
  visit("hidden_size", a.hidden_size_);
  visit("output_size", a.output_size_);
  visit("pattern_size", a.pattern_size_);
  visit("stored_pattern_size", a.stored_pattern_size_);
  visit("pattern_projection_size", a.pattern_projection_size_);
}

json arguments_json(const HopfieldArguments& arguments) {
  HopfieldArguments a = arguments;
  json object;
  each_size(a, [&](const char* key, const auto& value) { object[key] = optional_json(value); });
  each_plain_field(a, [&](const char* key, const auto& value) { object[key] = value; });
  object["scaling"] = scaling_json(a.scaling_);
  object["trainable_scaling"] =
      a.trainable_scaling_ || (a.scaling_.is_tensor() && a.scaling_.tensor().requires_grad());
  object["update_steps_max"] = a.update_steps_max_.values();
  object["update_steps_eps"] = a.update_steps_eps_.values();
  object["compat"] = std::string(compat_name(a.compat_));
  object["separation"] = name_of(kSeparations, a.separation_);
  object["similarity"] = name_of(kSimilarities, a.similarity_);
  object["criterion"] = name_of(kCriteria, a.criterion_);
  object["gradient"] = name_of(kGradients, a.gradient_);
  object["dtype"] = a.dtype_ ? json(name_of(kTypes, *a.dtype_)) : json(nullptr);
  return object;
}

/// Reads what is there; what is absent keeps its default. Unknown keys are errors.
HopfieldArguments arguments_from(const json& object, const std::set<std::string>& more) {
  std::set<std::string> known = more;
  HopfieldArguments a;
  const json defaults = arguments_json(a);
  for (const auto& [key, value] : defaults.items()) known.insert(key);
  for (const auto& [key, value] : object.items()) {
    TORCH_CHECK(known.count(key) > 0, "[HopfieldOptions] expected only known keys, got \"", key,
                "\"");
  }
  each_size(a, [&](const char* key, auto& value) { optional_from(object, key, value); });
  each_plain_field(a, [&](const char* key, auto& value) { value_from(object, key, value); });
  if (object.contains("scaling")) {
    const json& scaling = object.at("scaling");
    if (scaling.is_number()) {
      a.scaling_ = Scaling(scaling.get<double>());
    } else if (scaling.is_array()) {
      a.scaling_ = Scaling(scaling.get<std::vector<double>>());
    } else {
      TORCH_CHECK(scaling.is_null(),
                  "[HopfieldOptions] expected scaling as null, a number or a list, got ",
                  scaling.dump());
    }
  }
  const auto text = [&](const char* key, std::string fallback) {
    return object.contains(key) ? object.at(key).get<std::string>() : fallback;
  };
  if (object.contains("update_steps_max")) {
    a.update_steps_max_ =
        UpdateStepsMax(object.at("update_steps_max").get<std::vector<std::int64_t>>());
  }
  if (object.contains("update_steps_eps")) {
    a.update_steps_eps_ = UpdateStepsEps(object.at("update_steps_eps").get<std::vector<double>>());
  }
  a.compat_ = compat_from_name(text("compat", "none"));
  a.separation_ = value_of(kSeparations, text("separation", "softmax"), "separation");
  a.similarity_ = value_of(kSimilarities, text("similarity", "dot"), "similarity");
  a.criterion_ = value_of(kCriteria, text("criterion", "association"), "criterion");
  a.gradient_ = value_of(kGradients, text("gradient", "unrolled"), "gradient");
  if (object.contains("dtype") && !object.at("dtype").is_null()) {
    a.dtype_ = value_of(kTypes, object.at("dtype").get<std::string>(), "dtype");
  }
  return a;
}

/// Parses, and turns every JSON error into ours.
template <class Read>
auto read_json(std::string_view text, Read read) {
  try {
    const json object = json::parse(text);
    TORCH_CHECK(object.is_object(), "[HopfieldOptions] expected a JSON object, got ",
                object.dump());
    return read(object);
  } catch (const json::exception& error) {
    TORCH_CHECK(false, "[HopfieldOptions] expected options as JSON, got: ", error.what());
  }
}

}  // namespace

std::string HopfieldOptions::to_json() const {
  return arguments_json(arguments()).dump();
}

HopfieldOptions HopfieldOptions::from_json(std::string_view text) {
  return read_json(text,
                   [](const json& object) { return HopfieldOptions(arguments_from(object, {})); });
}

std::string HopfieldPoolingOptions::to_json() const {
  json object = arguments_json(arguments());
  object["quantity"] = quantity();
  object["trainable"] = trainable();
  return object.dump();
}

HopfieldPoolingOptions HopfieldPoolingOptions::from_json(std::string_view text) {
  return read_json(text, [](const json& object) {
    HopfieldPoolingOptions options(0);
    options.assign(arguments_from(object, {"quantity", "trainable"}));
    return options.quantity(object.value("quantity", options.quantity()))
        .trainable(object.value("trainable", options.trainable()));
  });
}

std::string HopfieldLayerOptions::to_json() const {
  json object = arguments_json(arguments());
  object["quantity"] = quantity();
  object["trainable"] = trainable();
  object["lookup_weights_as_separated"] = lookup_weights_as_separated();
  object["lookup_targets_as_trainable"] = lookup_targets_as_trainable();
  return object.dump();
}

HopfieldLayerOptions HopfieldLayerOptions::from_json(std::string_view text) {
  return read_json(text, [](const json& object) {
    HopfieldLayerOptions options(0);
    options.assign(arguments_from(object, {"quantity", "trainable", "lookup_weights_as_separated",
                                           "lookup_targets_as_trainable"}));
    return options.quantity(object.value("quantity", options.quantity()))
        .trainable(object.value("trainable", options.trainable()))
        .lookup_weights_as_separated(
            object.value("lookup_weights_as_separated", options.lookup_weights_as_separated()))
        .lookup_targets_as_trainable(
            object.value("lookup_targets_as_trainable", options.lookup_targets_as_trainable()));
  });
}

}  // namespace hopfield::nn
