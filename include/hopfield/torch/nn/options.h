#ifndef HOPFIELD_TORCH_NN_OPTIONS_H_
#define HOPFIELD_TORCH_NN_OPTIONS_H_

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hopfield/kernels/associate.h"
#include "hopfield/memory/retrieve.h"

namespace hopfield::nn {

/// Whose behaviour a module has where the reference package and good sense part.
enum class Compat : std::uint8_t {
  kNone,           ///< the documented behaviour of this library
  kHflayers_1_0_2  ///< exactly what hflayers 1.0.2 computes, its defects B1 B2 B3 B5 B11 B14
                   ///< included
};

/// "" or "none" -> kNone, "hflayers-1.0.2" -> kHflayers_1_0_2; anything else: c10::Error.
Compat compat_from_name(std::string_view name);
/// "none" or "hflayers-1.0.2".
std::string_view compat_name(Compat compat);

/// The inverse temperature as a user writes it: nothing (1/sqrt(hidden_size)), a number, or one
/// number a head as a list or a tensor (floating or integer, 0-d, [1] or [num_heads]).
class Scaling {
 public:
  Scaling() = default;
  Scaling(std::nullopt_t) {}                 // NOLINT: converts on purpose
  Scaling(double value) : number_(value) {}  // NOLINT
  Scaling(int value) : number_(value) {}     // NOLINT
  Scaling(std::int64_t value) : number_(static_cast<double>(value)) {}  // NOLINT
  Scaling(const std::vector<double>& per_head);                         // NOLINT
  Scaling(std::initializer_list<double> per_head) : Scaling(std::vector<double>(per_head)) {}
  Scaling(at::Tensor tensor) : tensor_(std::move(tensor)) {}  // NOLINT

  bool is_none() const { return !number_ && !tensor_.defined(); }
  bool is_number() const { return number_.has_value(); }
  bool is_tensor() const { return tensor_.defined(); }
  double number() const { return number_.value(); }
  const at::Tensor& tensor() const { return tensor_; }

 private:
  std::optional<double> number_;
  at::Tensor tensor_;
};

/// Most updates a head makes: a number for all heads or one a head (list or integer tensor);
/// negative or std::nullopt: until converged.
class UpdateStepsMax {
 public:
  UpdateStepsMax() = default;
  UpdateStepsMax(std::nullopt_t) : values_{-1} {}                                       // NOLINT
  UpdateStepsMax(int value) : values_{value} {}                                         // NOLINT
  UpdateStepsMax(std::int64_t value) : values_{value} {}                                // NOLINT
  UpdateStepsMax(std::vector<std::int64_t> per_head) : values_(std::move(per_head)) {}  // NOLINT
  UpdateStepsMax(std::initializer_list<std::int64_t> per_head) : values_(per_head) {}
  UpdateStepsMax(const at::Tensor& per_head);  // NOLINT
  const std::vector<std::int64_t>& values() const { return values_; }

 private:
  std::vector<std::int64_t> values_ = {0};
};

/// When a head counts as converged: a threshold > 0 for all heads or one a head.
class UpdateStepsEps {
 public:
  UpdateStepsEps() = default;
  UpdateStepsEps(double value) : values_{value} {}                                // NOLINT
  UpdateStepsEps(std::vector<double> per_head) : values_(std::move(per_head)) {}  // NOLINT
  UpdateStepsEps(std::initializer_list<double> per_head) : values_(per_head) {}
  UpdateStepsEps(const at::Tensor& per_head);  // NOLINT
  const std::vector<double>& values() const { return values_; }

 private:
  std::vector<double> values_ = {1e-4};
};

/// Arguments 1 to 33 of the reference's Hopfield in its order and with its defaults, then ours.
/// Symbols: D input_size, Dk stored_pattern_size, Dv pattern_projection_size, d hidden_size and
/// p pattern_size (both PER HEAD), O output_size, H num_heads.
struct HopfieldArguments {
  std::optional<std::int64_t> input_size_;   ///< D; absent only for static-only retrieval
  std::optional<std::int64_t> hidden_size_;  ///< d; absent: D / H, which must divide exactly
  std::optional<std::int64_t> output_size_;  ///< O; absent: D
  std::optional<std::int64_t>
      pattern_size_;  ///< p; absent: d. Giving it selects separate q/k/v weights
  std::int64_t num_heads_ = 1;
  Scaling scaling_;  ///< beta; absent: 1/sqrt(d), or 1 in static-only mode
  UpdateStepsMax update_steps_max_;
  UpdateStepsEps update_steps_eps_;
  bool normalize_stored_pattern_ = true, normalize_stored_pattern_affine_ = true;
  double normalize_stored_pattern_eps_ = 1e-5;
  bool normalize_state_pattern_ = true, normalize_state_pattern_affine_ = true;
  double normalize_state_pattern_eps_ = 1e-5;
  bool normalize_pattern_projection_ = true, normalize_pattern_projection_affine_ = true;
  double normalize_pattern_projection_eps_ = 1e-5;
  bool normalize_hopfield_space_ = false, normalize_hopfield_space_affine_ = false;
  double normalize_hopfield_space_eps_ = 1e-5;
  bool stored_pattern_as_static_ = false;  ///< Y enters the association space unprojected
  bool state_pattern_as_static_ = false;
  bool pattern_projection_as_static_ = false;
  bool pattern_projection_as_connected_ =
      false;  ///< value = value projection of the key projection
  std::optional<std::int64_t> stored_pattern_size_;      ///< Dk; absent: D
  std::optional<std::int64_t> pattern_projection_size_;  ///< Dv; absent: D
  bool batch_first_ = true;              ///< (batch, length, depth), else (length, batch, depth)
  std::string association_activation_;   ///< on the output; empty: none; see activation_names()
  double dropout_ = 0.0;                 ///< on the association, once, in training only
  bool input_bias_ = true;               ///< of the q/k/v projections and of the out projection
  bool concat_bias_pattern_ = false;     ///< one learned stored pattern and projection more
  bool add_zero_association_ = false;    ///< one zero stored pattern and projection more
  bool disable_out_projection_ = false;  ///< output depth is then H * p

  // Not in the reference.
  bool trainable_scaling_ = false;  ///< beta is a parameter `scaling` [H]
  Compat compat_ = Compat::kNone;
  Separation separation_ = Separation::kSoftmax;
  Similarity similarity_ = Similarity::kDot;
  std::int64_t top_k_ = 0;  ///< for Separation::kTopKSoftmax
  StopCriterion criterion_ = StopCriterion::kAssociation;
  std::int64_t update_steps_cap_ = 1000;  ///< hard end of "until converged"
  RetrieveGradient gradient_ = RetrieveGradient::kUnrolled;
  std::optional<c10::ScalarType> dtype_;  ///< of the parameters; absent: the default type
  std::optional<c10::Device> device_;     ///< of the parameters; absent: CPU
};

// Setter that returns the options (so calls chain) and getter, over the field name_.
#define HOPFIELD_NN_ARG(name)                                 \
  Derived& name(decltype(HopfieldArguments::name##_) value) { \
    this->name##_ = std::move(value);                         \
    return static_cast<Derived&>(*this);                      \
  }                                                           \
  const decltype(HopfieldArguments::name##_)& name() const {  \
    return this->name##_;                                     \
  }

/// Chaining setters over HopfieldArguments, shared by the three layers' options.
template <class Derived>
class HopfieldArgumentSetters : protected HopfieldArguments {
 public:
  const HopfieldArguments& arguments() const { return *this; }
  void assign(const HopfieldArguments& from) { static_cast<HopfieldArguments&>(*this) = from; }

  HOPFIELD_NN_ARG(input_size)
  HOPFIELD_NN_ARG(hidden_size)
  HOPFIELD_NN_ARG(output_size)
  HOPFIELD_NN_ARG(pattern_size)
  HOPFIELD_NN_ARG(num_heads)
  HOPFIELD_NN_ARG(scaling)
  HOPFIELD_NN_ARG(update_steps_max)
  HOPFIELD_NN_ARG(update_steps_eps)
  HOPFIELD_NN_ARG(normalize_stored_pattern)
  HOPFIELD_NN_ARG(normalize_stored_pattern_affine)
  HOPFIELD_NN_ARG(normalize_stored_pattern_eps)
  HOPFIELD_NN_ARG(normalize_state_pattern)
  HOPFIELD_NN_ARG(normalize_state_pattern_affine)
  HOPFIELD_NN_ARG(normalize_state_pattern_eps)
  HOPFIELD_NN_ARG(normalize_pattern_projection)
  HOPFIELD_NN_ARG(normalize_pattern_projection_affine)
  HOPFIELD_NN_ARG(normalize_pattern_projection_eps)
  HOPFIELD_NN_ARG(normalize_hopfield_space)
  HOPFIELD_NN_ARG(normalize_hopfield_space_affine)
  HOPFIELD_NN_ARG(normalize_hopfield_space_eps)
  HOPFIELD_NN_ARG(stored_pattern_as_static)
  HOPFIELD_NN_ARG(state_pattern_as_static)
  HOPFIELD_NN_ARG(pattern_projection_as_static)
  HOPFIELD_NN_ARG(pattern_projection_as_connected)
  HOPFIELD_NN_ARG(stored_pattern_size)
  HOPFIELD_NN_ARG(pattern_projection_size)
  HOPFIELD_NN_ARG(batch_first)
  HOPFIELD_NN_ARG(association_activation)
  HOPFIELD_NN_ARG(dropout)
  HOPFIELD_NN_ARG(input_bias)
  HOPFIELD_NN_ARG(concat_bias_pattern)
  HOPFIELD_NN_ARG(add_zero_association)
  HOPFIELD_NN_ARG(disable_out_projection)
  HOPFIELD_NN_ARG(trainable_scaling)
  HOPFIELD_NN_ARG(compat)
  HOPFIELD_NN_ARG(separation)
  HOPFIELD_NN_ARG(similarity)
  HOPFIELD_NN_ARG(top_k)
  HOPFIELD_NN_ARG(criterion)
  HOPFIELD_NN_ARG(update_steps_cap)
  HOPFIELD_NN_ARG(gradient)
  HOPFIELD_NN_ARG(dtype)
  HOPFIELD_NN_ARG(device)

  /// By name: compat("hflayers-1.0.2").
  Derived& compat(std::string_view name) { return compat(compat_from_name(name)); }
  Derived& compat(const char* name) { return compat(compat_from_name(name)); }

  /// Switches the three layer norms of the inputs on or off together.
  Derived& normalize_inputs(bool on) {
    normalize_stored_pattern_ = normalize_stored_pattern_affine_ = on;
    normalize_state_pattern_ = normalize_state_pattern_affine_ = on;
    normalize_pattern_projection_ = normalize_pattern_projection_affine_ = on;
    return static_cast<Derived&>(*this);
  }
};

#undef HOPFIELD_NN_ARG

/// Options of Hopfield. HopfieldOptions(64).num_heads(8).scaling(0.25)
class HopfieldOptions : public HopfieldArgumentSetters<HopfieldOptions> {
 public:
  HopfieldOptions() = default;
  HopfieldOptions(std::int64_t input_size) { input_size_ = input_size; }  // NOLINT: as torch::nn
  explicit HopfieldOptions(const HopfieldArguments& arguments) { assign(arguments); }

  /// The arrangement for pure retrieval: all three patterns static, no norms, no out projection.
  static HopfieldOptions static_retrieval();

  /// All options as a JSON object, and back. The scaling of a tensor is kept by value.
  std::string to_json() const;
  static HopfieldOptions from_json(std::string_view json);
};

/// Options of HopfieldPooling: those of Hopfield, then quantity and trainable.
class HopfieldPoolingOptions : public HopfieldArgumentSetters<HopfieldPoolingOptions> {
 public:
  HopfieldPoolingOptions(std::int64_t input_size) { input_size_ = input_size; }  // NOLINT

  /// How many learned state patterns pool each bag.
  HopfieldPoolingOptions& quantity(std::int64_t value) {
    quantity_ = value;
    return *this;
  }
  std::int64_t quantity() const { return quantity_; }
  /// Whether pooling_weights are trained.
  HopfieldPoolingOptions& trainable(bool value) {
    trainable_ = value;
    return *this;
  }
  bool trainable() const { return trainable_; }

  std::string to_json() const;
  static HopfieldPoolingOptions from_json(std::string_view json);

 private:
  std::int64_t quantity_ = 1;
  bool trainable_ = true;
};

/// Options of HopfieldLayer: those of Hopfield, then the lookup table's. With the reference's
/// default quantity of 1 every association is 1 and the output does not depend on the input.
class HopfieldLayerOptions : public HopfieldArgumentSetters<HopfieldLayerOptions> {
 public:
  HopfieldLayerOptions(std::int64_t input_size) { input_size_ = input_size; }  // NOLINT

  /// Number of learned stored patterns.
  HopfieldLayerOptions& quantity(std::int64_t value) {
    quantity_ = value;
    return *this;
  }
  std::int64_t quantity() const { return quantity_; }
  /// Whether lookup_weights are trained.
  HopfieldLayerOptions& trainable(bool value) {
    trainable_ = value;
    return *this;
  }
  bool trainable() const { return trainable_; }
  /// Whether the pattern projections are weights of their own (target_weights).
  HopfieldLayerOptions& lookup_weights_as_separated(bool value) {
    lookup_weights_as_separated_ = value;
    return *this;
  }
  bool lookup_weights_as_separated() const { return lookup_weights_as_separated_; }
  /// Whether target_weights are trained; without effect unless they are separated.
  HopfieldLayerOptions& lookup_targets_as_trainable(bool value) {
    lookup_targets_as_trainable_ = value;
    return *this;
  }
  bool lookup_targets_as_trainable() const { return lookup_targets_as_trainable_; }

  std::string to_json() const;
  static HopfieldLayerOptions from_json(std::string_view json);

 private:
  std::int64_t quantity_ = 1;
  bool trainable_ = true;
  bool lookup_weights_as_separated_ = false;
  bool lookup_targets_as_trainable_ = true;
};

/// Names that association_activation (and the encoder's activation) accept, sorted.
const std::vector<std::string>& activation_names();

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_OPTIONS_H_
