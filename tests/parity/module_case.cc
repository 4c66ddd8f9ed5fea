// Module and function cases: forward, association, projections, gradients, in compat mode against
// the reference's numbers and in default mode against `fixed.*` or, where nothing sets them apart,
// the same.

#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>

#include "golden_case.h"
#include "hopfield/torch/nn/core.h"
#include "hopfield/torch/nn/functional.h"
#include "hopfield/torch/nn/hopfield.h"
#include "hopfield/torch/nn/layer.h"
#include "hopfield/torch/nn/pooling.h"
#include "hopfield/torch/nn/transformer.h"

namespace hopfield::testing {

namespace {

using nlohmann::json;

struct Tolerance {
  double absolute, relative;
};
constexpr Tolerance kOutput = {1e-10, 1e-10};
constexpr Tolerance kGradient = {1e-10, 1e-8};

/// The case's module run once in one mode.
struct Run {
  std::map<std::string, at::Tensor> inputs;      ///< leaves that require grad, by the case's names
  std::map<std::string, at::Tensor> parameters;  ///< likewise
  at::Tensor scaling;                            ///< the module's, if it is a tensor
  at::Tensor forward, association, projected, weights_mean;
  at::Tensor steps;  ///< [rows..., H] where the module reports them
};

class Runner {
 public:
  Runner(const GoldenCase& golden, nn::Compat compat) : golden_(golden), compat_(compat) {
    for (const json& name : golden.meta.at("inputs")) {
      const std::string key = name.get<std::string>();
      run_.inputs[key] = golden.at("input." + key).clone().requires_grad_();
      order_.push_back(key);
    }
  }

  Run run() {
    const std::string cls = golden_.text("cls");
    if (cls == "Hopfield") {
      hopfield();
    } else if (cls == "HopfieldPooling") {
      pooling();
    } else if (cls == "HopfieldLayer") {
      layer();
    } else if (cls == "HopfieldEncoderLayer") {
      encoder();
    } else if (cls == "HopfieldDecoderLayer") {
      decoder();
    } else if (cls == "HopfieldCore") {
      core();
    } else if (cls == "hopfield_core_forward") {
      function();
    } else {
      throw std::runtime_error("expected a class of the reference, got \"" + cls + "\"");
    }
    return std::move(run_);
  }

 private:
  at::Tensor input(std::size_t i) const { return run_.inputs.at(order_.at(i)); }
  at::Tensor mask(const char* name) const {
    for (const json& one : golden_.meta.at("masks")) {
      if (one.get<std::string>() == name) return golden_.at("input." + std::string(name));
    }
    return {};
  }
  nn::HopfieldRequest request() const {
    nn::HopfieldRequest wanted;
    wanted.stored_pattern_padding_mask = mask("stored_pattern_padding_mask");
    wanted.association_mask = mask("association_mask");
    return wanted;
  }

  template <class Holder>
  void fill(Holder& module) {
    module->eval();
    nn::load_state_dict(*module, golden_.parameters());
    for (const auto& item : module->named_parameters()) {
      if (item.key() == "scaling" || item.key() == "hopfield.scaling") {
        run_.scaling = item.value();
      } else {
        run_.parameters[item.key()] = item.value();
      }
    }
  }

  template <class Options>
  Options options(const json& kwargs) const {
    return options_from<Options>(golden_, kwargs, compat_, true).dtype(at::kDouble);
  }

  template <class Module, class Input>
  void use(Module& module, const Input& input) {
    const nn::HopfieldOutput out = module->associate(input, request());
    run_.forward = out.output;
    run_.steps = out.steps;
    run_.association = module->get_association_matrix(input, request().stored_pattern_padding_mask,
                                                      request().association_mask);
    run_.projected = module->get_projected_pattern_matrix(
        input, request().stored_pattern_padding_mask, request().association_mask);
  }

  void hopfield() {
    nn::Hopfield module(options<nn::HopfieldOptions>(golden_.meta.at("kwargs")));
    fill(module);
    if (order_.size() == 1) {
      use(module, nn::HopfieldInput(input(0)));
    } else {
      use(module, nn::HopfieldInput(input(0), input(1), input(2)));
    }
  }

  void pooling() {
    nn::HopfieldPooling module(options<nn::HopfieldPoolingOptions>(golden_.meta.at("kwargs")));
    fill(module);
    if (order_.size() == 1) {
      use(module, nn::HopfieldInput(input(0)));
    } else {
      use(module, nn::HopfieldInput(input(0), at::Tensor(), input(1)));
    }
  }

  void layer() {
    nn::HopfieldLayer module(options<nn::HopfieldLayerOptions>(golden_.meta.at("kwargs")));
    fill(module);
    use(module, input(0));
  }

  nn::HopfieldTransformerOptions transformer_options() const {
    const json& kwargs = golden_.meta.at("kwargs");
    return nn::HopfieldTransformerOptions(kwargs.value("dim_feedforward", 2048))
        .dropout(kwargs.value("dropout", 0.1))
        .activation(kwargs.value("activation", "relu"))
        .compat(compat_);
  }

  void encoder() {
    nn::Hopfield inner(options<nn::HopfieldOptions>(golden_.meta.at("sub").at("association")));
    nn::HopfieldEncoderLayer module(inner, transformer_options());
    fill(module);
    run_.forward = module->forward(input(0), mask("src_mask"), mask("src_key_padding_mask"));
    run_.association =
        module->get_association_matrix(input(0), mask("src_mask"), mask("src_key_padding_mask"));
    run_.steps = module->hopfield_association->associate(input(0)).steps;
  }

  void decoder() {
    nn::Hopfield self(options<nn::HopfieldOptions>(golden_.meta.at("sub").at("self")));
    nn::Hopfield cross(options<nn::HopfieldOptions>(golden_.meta.at("sub").at("cross")));
    nn::HopfieldDecoderLayer module(self, cross, transformer_options());
    fill(module);
    run_.forward = module->forward(input(0), input(1), mask("tgt_mask"), mask("memory_mask"),
                                   mask("tgt_key_padding_mask"), mask("memory_key_padding_mask"));
  }

  void take(const std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>& result) {
    std::tie(run_.forward, run_.weights_mean, run_.association, run_.projected) = result;
  }

  void core() {
    const json& k = golden_.meta.at("kwargs");
    const auto size = [&](const char* key) {
      return k.contains(key) && !k.at(key).is_null()
                 ? std::optional<std::int64_t>(k.at(key).get<std::int64_t>())
                 : std::nullopt;
    };
    nn::HopfieldCore module(
        nn::HopfieldCoreOptions(size("embed_dim"), k.value("num_heads", 1))
            .dropout(k.value("dropout", 0.0))
            .bias(k.value("bias", true))
            .add_bias_kv(k.value("add_bias_kv", false))
            .add_zero_attn(k.value("add_zero_attn", false))
            .kdim(size("kdim"))
            .vdim(size("vdim"))
            .head_dim(size("head_dim"))
            .pattern_dim(size("pattern_dim"))
            .out_dim(size("out_dim"))
            .disable_out_projection(k.value("disable_out_projection", false))
            .key_as_static(k.value("key_as_static", false))
            .query_as_static(k.value("query_as_static", false))
            .value_as_static(k.value("value_as_static", false))
            .value_as_connected(k.value("value_as_connected", false))
            .normalize_pattern(k.value("normalize_pattern", false))
            .normalize_pattern_affine(k.value("normalize_pattern_affine", false))
            .normalize_pattern_eps(k.value("normalize_pattern_eps", 1e-5))
            .compat(compat_)
            .dtype(at::kDouble));
    fill(module);
    const json call =
        golden_.meta.at("sub").is_null() ? json::object() : golden_.meta.at("sub").at("call");
    nn::HopfieldCoreCall ours;
    ours.need_weights = call.value("need_weights", true);
    ours.scaling = scaling_from(golden_, call);
    ours.update_steps_max = steps_max_from(golden_, call);
    ours.update_steps_eps = steps_eps_from(golden_, call);
    ours.key_padding_mask = mask("key_padding_mask");
    ours.attn_mask = mask("attn_mask");
    ours.return_raw_associations = golden_.has("output.association");
    ours.return_pattern_projections = golden_.has("output.projected");
    take(module->forward(input(0), input(1), input(2), ours));
  }

  void function() {
    const json& k = golden_.meta.at("kwargs");
    const auto parameter = [&](const char* name) {
      if (!golden_.has(std::string("param.") + name)) return at::Tensor();
      return run_.parameters[name] =
                 golden_.at(std::string("param.") + name).clone().requires_grad_();
    };
    const auto optional_input = [&](const char* name) {
      const auto found = run_.inputs.find(name);
      return found == run_.inputs.end() ? at::Tensor() : found->second;
    };
    const auto size = [&](const char* key) {
      return k.contains(key) && !k.at(key).is_null()
                 ? std::optional<std::int64_t>(k.at(key).get<std::int64_t>())
                 : std::nullopt;
    };
    take(nn::functional::hopfield_core_forward(
        run_.inputs.at("query"), run_.inputs.at("key"), run_.inputs.at("value"),
        nn::functional::HopfieldCoreForwardFuncOptions(
            size("embed_dim_to_check"), k.value("num_heads", 1), parameter("in_proj_weight"),
            parameter("in_proj_bias"), parameter("bias_k"), parameter("bias_v"),
            k.value("add_zero_attn", false), k.value("dropout_p", 0.0),
            parameter("out_proj_weight"), parameter("out_proj_bias"))
            .training(k.value("training", true))
            .key_padding_mask(mask("key_padding_mask"))
            .attn_mask(mask("attn_mask"))
            .need_weights(k.value("need_weights", true))
            .use_separate_proj_weight(k.value("use_separate_proj_weight", false))
            .q_proj_weight(parameter("q_proj_weight"))
            .k_proj_weight(parameter("k_proj_weight"))
            .v_proj_weight(parameter("v_proj_weight"))
            .static_k(optional_input("static_k"))
            .static_v(optional_input("static_v"))
            .key_as_static(k.value("key_as_static", false))
            .query_as_static(k.value("query_as_static", false))
            .value_as_static(k.value("value_as_static", false))
            .value_as_connected(k.value("value_as_connected", false))
            .normalize_pattern(k.value("normalize_pattern", false))
            .normalize_pattern_eps(k.value("normalize_pattern_eps", 1e-5))
            .p_norm_weight(parameter("p_norm_weight"))
            .p_norm_bias(parameter("p_norm_bias"))
            .head_dim(size("head_dim"))
            .pattern_dim(size("pattern_dim"))
            .scaling(scaling_from(golden_, k))
            .update_steps_max(steps_max_from(golden_, k))
            .update_steps_eps(steps_eps_from(golden_, k))
            .return_raw_associations(golden_.has("output.association"))
            .return_projected_patterns(golden_.has("output.projected"))
            .compat(compat_)));
  }

  const GoldenCase& golden_;
  nn::Compat compat_;
  std::vector<std::string> order_;
  Run run_;
};

/// Compares and remembers the worst difference.
class Comparison {
 public:
  Comparison(Verdict& verdict, std::string mode) : verdict_(verdict), mode_(std::move(mode)) {}

  void check(const std::string& name, const at::Tensor& found, const at::Tensor& expected,
             Tolerance tolerance, double& worst) {
    if (!found.defined()) return verdict_.fail(mode_ + ": " + name + " was not computed");
    if (found.sizes() != expected.sizes()) {
      return verdict_.fail(c10::str(mode_, ": ", name, ": expected shape ", expected.sizes(),
                                    ", found ", found.sizes()));
    }
    if (expected.numel() == 0) return;
    const at::Tensor difference = (found.detach() - expected).abs();
    const double most = difference.max().item<double>();
    worst = std::max(worst, std::isnan(most) ? INFINITY : most);
    const at::Tensor bound = expected.abs() * tolerance.relative + tolerance.absolute;
    if (!difference.le(bound).all().item<bool>()) {
      verdict_.fail(c10::str(mode_, ": ", name, ": largest difference ", most));
    }
  }

  double worst_output = 0, worst_gradient = 0;

 private:
  Verdict& verdict_;
  std::string mode_;
};

/// Outputs against tensors "<prefix>.<what>"; returns the names it used.
std::set<std::string> check_outputs(const GoldenCase& golden, const Run& run,
                                    const std::string& prefix, Comparison& comparison) {
  std::set<std::string> used;
  for (const auto& [what, tensor] : {std::pair{"forward", &run.forward},
                                     {"association", &run.association},
                                     {"projected", &run.projected},
                                     {"weights_mean", &run.weights_mean}}) {
    const std::string name = prefix + "." + what;
    if (!golden.has(name)) continue;
    used.insert(name);
    comparison.check(name, *tensor, golden.at(name), kOutput, comparison.worst_output);
  }
  return used;
}

std::set<std::string> check_gradients(const GoldenCase& golden, Run& run, Comparison& comparison,
                                      Verdict& verdict) {
  std::set<std::string> used = {"loss"};
  const at::Tensor loss = run.forward.square().sum();
  comparison.check("loss", loss.reshape({1}), golden.at("loss"), kOutput, comparison.worst_output);
  loss.backward();
  const auto check = [&](const std::string& name, const at::Tensor& leaf) {
    if (!golden.has(name)) return;
    used.insert(name);
    const at::Tensor gradient = leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf);
    comparison.check(name, gradient, golden.at(name), kGradient, comparison.worst_gradient);
  };
  for (const auto& [name, leaf] : run.inputs) check("grad.input." + name, leaf);
  for (const auto& [name, leaf] : run.parameters) check("grad.param." + name, leaf);
  if (golden.has("grad.kwarg.scaling")) {
    if (run.scaling.defined()) {
      check("grad.kwarg.scaling", run.scaling);
    } else {
      verdict.fail("the module has no scaling tensor");
    }
  }
  for (const json& one : golden.meta.at("no_grad")) {
    const std::string name = one.get<std::string>();
    const auto& leaves = name.rfind("input.", 0) == 0 ? run.inputs : run.parameters;
    const auto found = leaves.find(name.substr(name.find('.') + 1));
    if (found == leaves.end()) {
      verdict.fail("no_grad names an unknown tensor " + name);
    } else if (found->second.grad().defined() && found->second.grad().ne(0).any().item<bool>()) {
      verdict.fail(name + " received a gradient");
    }
  }
  return used;
}

bool made_the_same_updates(const Run& run, const json& per_head) {
  if (!run.steps.defined() || !per_head.is_array() || run.steps.numel() == 0) return true;
  const at::Tensor expected = at::tensor(per_head.get<std::vector<std::int64_t>>(), at::kLong);
  return run.steps.size(-1) == expected.size(0) && run.steps.eq(expected).all().item<bool>();
}

/// Why the default mode's answer is not the reference's, or nothing.
std::string set_apart(const GoldenCase& golden) {
  const json& k = golden.meta.at("kwargs");
  if (k.value("concat_bias_pattern", false) || k.value("add_bias_kv", false))
    return "the bias pattern counts";
  if (k.contains("scaling") && k.at("scaling").is_object()) return "beta is per head";
  if (golden.text("cls") == "HopfieldPooling" && !k.value("batch_first", true))
    return "flattened by sample";
  const bool is_static = k.value("stored_pattern_as_static", false) ||
                         k.value("state_pattern_as_static", false) ||
                         k.value("pattern_projection_as_static", false);
  if (is_static && k.value("num_heads", 1) > 1) {
    if (golden.at("output.association").size(0) > 1)
      return "static patterns stay with their sample";
    if (k.value("stored_pattern_as_static", false) &&
        k.value("pattern_projection_as_static", false) && k.contains("pattern_size")) {
      return "static projections are repeated";
    }
  }
  return {};
}

}  // namespace

Verdict run_module_case(const GoldenCase& golden) {
  Verdict verdict;
  std::set<std::string> used;
  std::ostringstream note;
  note.precision(1);
  note << std::scientific;
  {
    Run run = Runner(golden, nn::Compat::kHflayers_1_0_2).run();
    Comparison comparison(verdict, "compat");
    used = check_outputs(golden, run, "output", comparison);
    if (used.count("output.forward") == 0) verdict.fail("the case has no output.forward");
    if (golden.meta.contains("updates_per_head") &&
        !made_the_same_updates(run, golden.meta.at("updates_per_head"))) {
      verdict.fail("compat: another number of updates");
    }
    used.merge(check_gradients(golden, run, comparison, verdict));
    note << "compat " << comparison.worst_output << " gradients " << comparison.worst_gradient;
  }
  {
    Run run = Runner(golden, nn::Compat::kNone).run();
    Comparison comparison(verdict, "default");
    if (golden.has("fixed.forward")) {
      used.merge(check_outputs(golden, run, "fixed", comparison));
      note << ", fixed " << comparison.worst_output;
    } else if (const std::string why = set_apart(golden); !why.empty()) {
      verdict.default_apart = true;
      note << ", default differs: " << why;
    } else if (golden.meta.contains("updates_per_head") &&
               !made_the_same_updates(run, golden.meta.at("updates_per_head"))) {
      verdict.default_apart = true;
      note << ", default differs: each state stops on its own";
    } else {
      verdict.default_compared = true;
      check_outputs(golden, run, "output", comparison);
      check_gradients(golden, run, comparison, verdict);
      note << ", default " << comparison.worst_output << " gradients " << comparison.worst_gradient;
    }
  }
  for (const auto& [name, tensor] : golden.tensors) {
    const bool checked = name.rfind("output.", 0) == 0 || name.rfind("fixed.", 0) == 0 ||
                         name.rfind("grad.", 0) == 0 || name == "loss";
    if (checked && used.count(name) == 0) verdict.fail("nothing was compared with " + name);
  }
  verdict.note = note.str() + (verdict.note.empty() ? "" : "; " + verdict.note);
  return verdict;
}

}  // namespace hopfield::testing
