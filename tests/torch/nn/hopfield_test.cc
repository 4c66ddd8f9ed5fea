#include "hopfield/torch/nn/hopfield.h"

#include <ATen/Functions.h>

#include <cmath>
#include <limits>
#include <sstream>

#include "hopfield/torch/nn/state_dict.h"
#include "nn_testing.h"

namespace hopfield::testing {
namespace {

using nn::Hopfield;
using nn::HopfieldInput;
using nn::HopfieldOptions;
using nn::HopfieldRequest;

class HopfieldModule : public NnTest {};

/// The forward written out: one head at a time, no op of ours.
at::Tensor plain_forward(const Hopfield& module, const at::Tensor& x, const at::Tensor& beta) {
  const auto& core = *module->association_core;
  const std::int64_t heads = module->options.num_heads();
  const auto norm = [&](const torch::nn::LayerNorm& n) {
    return at::layer_norm(x, {x.size(-1)}, n->weight, n->bias, n->options.eps());
  };
  const auto w = core.in_proj_weight.chunk(3);
  const auto b = core.in_proj_bias.chunk(3);
  const at::Tensor q = at::linear(norm(module->norm_state_pattern), w[0], b[0]);
  const at::Tensor k = at::linear(norm(module->norm_stored_pattern), w[1], b[1]);
  const at::Tensor v = at::linear(norm(module->norm_pattern_projection), w[2], b[2]);
  const std::int64_t d = q.size(-1) / heads;
  std::vector<at::Tensor> parts;
  for (std::int64_t h = 0; h < heads; ++h) {
    const auto cut = [&](const at::Tensor& t) { return t.narrow(-1, h * d, d); };
    const at::Tensor scores = at::matmul(cut(q), cut(k).transpose(-2, -1)) * beta[h];
    parts.push_back(at::matmul(at::softmax(scores, -1), cut(v)));
  }
  return at::linear(at::cat(parts, -1), core.out_proj->weight, core.out_proj->bias);
}

TEST_F(HopfieldModule, EqualsTheFormulaHeadByHead) {
  Hopfield module = lively(Hopfield(small()));
  const at::Tensor x = normal({3, 5, 6});
  const at::Tensor beta = at::full({2}, 1 / std::sqrt(3.0), at::kDouble);
  EXPECT_TRUE(near(module->forward(x), plain_forward(module, x, beta)));
}

// B1: beta a head, not a channel; learned, saved, cloned.
TEST_F(HopfieldModule, BetaOfAListBelongsToHeads) {
  Hopfield module = lively(Hopfield(small().scaling({0.0, 2.0})));
  const at::Tensor x = normal({2, 5, 6});
  EXPECT_TRUE(
      near(module->forward(x), plain_forward(module, x, at::tensor({0.0, 2.0}, at::kDouble))));
  const at::Tensor association = module->get_association_matrix(x);
  EXPECT_TRUE(near(association.select(1, 0), at::full({2, 5, 5}, 0.2, at::kDouble)));
  EXPECT_GT(largest_difference(association.select(1, 1), at::full({2, 5, 5}, 0.2, at::kDouble)),
            0.1);
}

TEST_F(HopfieldModule, BetaIsAcceptedInEveryForm) {
  const at::Tensor x = normal({2, 5, 6});
  const auto with = [&](const nn::Scaling& scaling) {
    torch::manual_seed(kSeed);
    return lively(Hopfield(small().scaling(scaling)))->forward(x);
  };
  const at::Tensor expected = with(2.0);
  EXPECT_TRUE(near(with(2), expected));
  EXPECT_TRUE(near(with(std::vector<double>{2.0, 2.0}), expected));
  EXPECT_TRUE(near(with(at::tensor(2.0, at::kDouble)), expected));
  EXPECT_TRUE(near(with(at::tensor({2, 2}, at::kLong)), expected));
  EXPECT_TRUE(near(with(at::tensor({2.0, 2.0}, at::kDouble).requires_grad_()), expected));
  EXPECT_TRUE(holds(message_of([] { Hopfield(small().scaling({1.0, 2.0, 3.0})); }), "scaling"));
}

TEST_F(HopfieldModule, BetaIsLearnedAndSaved) {
  Hopfield fixed(small().scaling(0.5));
  for (const auto& [name, tensor] : nn::state_dict(*fixed)) EXPECT_NE(name, "scaling");

  Hopfield learned =
      lively(Hopfield(small().scaling(0.5).trainable_scaling(true).update_steps_max(2)));
  const at::Tensor beta = learned->named_parameters()["scaling"];
  EXPECT_TRUE(near(beta, at::full({2}, 0.5, at::kDouble)));
  const at::Tensor x = normal({2, 5, 6});
  learned->forward(x).square().sum().backward();
  ASSERT_TRUE(beta.grad().defined());
  // Central differences, head by head: also shows that each head has its own.
  for (std::int64_t h = 0; h < 2; ++h) {
    const auto loss = [&](double shift) {
      const at::NoGradGuard no_grad;
      beta[h] += shift;
      const double value = learned->forward(x).square().sum().item<double>();
      beta[h] -= shift;
      return value;
    };
    const double slope = (loss(1e-5) - loss(-1e-5)) / 2e-5;
    EXPECT_NEAR(beta.grad()[h].item<double>(), slope, 1e-5 * std::max(1.0, std::abs(slope)));
  }
  bool saved = false;
  for (const auto& [name, tensor] : nn::state_dict(*learned)) saved = saved || name == "scaling";
  EXPECT_TRUE(saved);

  // A clone has a beta of its own.
  const auto copy = std::dynamic_pointer_cast<nn::HopfieldImpl>(learned->clone());
  EXPECT_TRUE(near(copy->scaling(), beta));
  {
    const at::NoGradGuard no_grad;
    copy->scaling().fill_(9);
  }
  EXPECT_NEAR(beta[0].item<double>(), 0.5, 1e-12);
  // A given list is kept as a buffer: saved, moved, not trained.
  Hopfield buffer(small().scaling({0.5, 0.25}));
  EXPECT_TRUE(buffer->named_buffers().contains("scaling"));
}

// B2, B14, B18: a sample does not see its batch neighbours, whatever is static.
TEST_F(HopfieldModule, SamplesDoNotMix) {
  for (int statics = 0; statics < 8; ++statics) {
    const bool key = statics & 1, query = statics & 2, value = statics & 4;
    Hopfield module = lively(Hopfield(small(4)
                                          .hidden_size(4)
                                          .stored_pattern_as_static(key)
                                          .state_pattern_as_static(query)
                                          .pattern_projection_as_static(value)
                                          .update_steps_max(std::nullopt)
                                          .update_steps_eps(1e-3)
                                          .scaling(2.0)));
    const at::Tensor stored = normal({3, 5, 4}), state = normal({3, 2, 4}),
                     projection = normal({3, 5, 4});
    const at::Tensor together = module->forward_patterns(stored, state, projection);
    for (std::int64_t b = 0; b < 3; ++b) {
      const at::Tensor alone = module->forward_patterns(
          stored.narrow(0, b, 1), state.narrow(0, b, 1), projection.narrow(0, b, 1));
      EXPECT_TRUE(at::equal(alone, together.narrow(0, b, 1)))
          << "statics " << statics << " sample " << b;
    }
  }
}

TEST_F(HopfieldModule, CompatMixesAsTheReferenceDoes) {
  // Head h of sample b is served the static state of sample (b * H + h) mod B.
  Hopfield module = lively(
      Hopfield(small(4).hidden_size(4).state_pattern_as_static(true).compat("hflayers-1.0.2")));
  const at::Tensor stored = normal({3, 5, 4}), state = normal({3, 2, 4});
  const at::Tensor mixed = module->get_association_matrix({stored, state, stored});
  Hopfield own = Hopfield(HopfieldOptions(module->options).compat(nn::Compat::kNone));
  nn::load_state_dict(*own, nn::state_dict(*module));
  for (std::int64_t b = 0; b < 3; ++b) {
    for (std::int64_t h = 0; h < 2; ++h) {
      const at::Tensor served = state.narrow(0, (b * 2 + h) % 3, 1);
      const at::Tensor right =
          own->get_association_matrix({stored.narrow(0, b, 1), served, stored.narrow(0, b, 1)});
      EXPECT_TRUE(near(mixed[b][h], right[0][h]));
    }
  }
}

// B26: parts that hold the same numbers keep gradients of their own.
TEST_F(HopfieldModule, EqualPartsKeepTheirGradients) {
  const at::Tensor x = normal({2, 5, 6});
  const auto gradients = [&](const char* compat) {
    torch::manual_seed(kSeed);
    Hopfield module(small().compat(compat));  // fresh: all three norms are the same map
    module->forward(x).square().sum().backward();
    return std::vector<at::Tensor>{module->norm_stored_pattern->bias.grad(),
                                   module->norm_state_pattern->bias.grad(),
                                   module->norm_pattern_projection->bias.grad()};
  };
  const auto own = gradients("none"), merged = gradients("hflayers-1.0.2");
  EXPECT_FALSE(merged[0].defined());
  EXPECT_FALSE(merged[2].defined());
  ASSERT_TRUE(own[0].defined() && own[1].defined() && own[2].defined());
  EXPECT_GT(own[2].abs().max().item<double>(), 0);
  EXPECT_TRUE(near(merged[1], own[0] + own[1] + own[2]));
}

// B3: the learned bias pattern is one more stored pattern; p != d has a bias_v that fits.
TEST_F(HopfieldModule, BiasPatternCounts) {
  Hopfield module =
      lively(Hopfield(small().hidden_size(3).pattern_size(4).concat_bias_pattern(true)));
  EXPECT_EQ(module->association_core->bias_v.sizes(), at::IntArrayRef({1, 1, 8}));
  const at::Tensor x = normal({2, 5, 6});
  EXPECT_EQ(module->get_association_matrix(x).sizes(), at::IntArrayRef({2, 2, 5, 6}));
  EXPECT_EQ(module->get_projected_pattern_matrix(x).sizes(), at::IntArrayRef({2, 2, 6, 4}));
  module->forward(x).square().sum().backward();
  EXPECT_GT(module->association_core->bias_k.grad().abs().max().item<double>(), 1e-6);
  EXPECT_GT(module->association_core->bias_v.grad().abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(holds(message_of([] {
                      Hopfield(small().concat_bias_pattern(true).stored_pattern_as_static(true));
                    }),
                    "concat_bias_pattern"));
}

// B4, B17: empty and fully masked.
TEST_F(HopfieldModule, FullyMaskedSampleGivesTheBiasAndStopsNobody) {
  Hopfield module = lively(Hopfield(small().update_steps_max(5).scaling(2.0)));
  at::Tensor x = normal({3, 5, 6});
  at::Tensor hidden = at::zeros({3, 5}, at::kBool);
  hidden[1].fill_(true);
  x.requires_grad_();
  const at::Tensor out = module->forward(x, hidden);
  EXPECT_TRUE(near(out[1], module->association_core->out_proj->bias.detach().expand({5, 6})));
  EXPECT_TRUE(near(out[0], module->forward(x)[0]));
  EXPECT_TRUE(near(out[2], module->forward(x)[2]));
  const nn::ConvergenceReport report = module->convergence(x, [&] {
    HopfieldRequest request;
    request.stored_pattern_padding_mask = hidden;
    return request;
  }());
  EXPECT_EQ(report.num_empty, 10);
  out.square().sum().backward();
  EXPECT_TRUE(x.grad().isfinite().all().item<bool>());
  EXPECT_EQ(x.grad()[1].abs().max().item<double>(), 0);
}

TEST_F(HopfieldModule, EmptySetsHaveDefinedResults) {
  Hopfield module = lively(Hopfield(small()));
  const at::Tensor state = normal({2, 3, 6}), none = at::empty({2, 0, 6}, at::kDouble);
  EXPECT_TRUE(near(module->forward_patterns(none, state, none),
                   module->association_core->out_proj->bias.detach().expand({2, 3, 6})));
  EXPECT_EQ(module->forward(none).sizes(), at::IntArrayRef({2, 0, 6}));
  EXPECT_EQ(module->forward(at::empty({0, 4, 6}, at::kDouble)).sizes(), at::IntArrayRef({0, 4, 6}));
  EXPECT_EQ(module->forward_patterns(normal({2, 4, 6}), none, normal({2, 4, 6})).sizes(),
            at::IntArrayRef({2, 0, 6}));
}

TEST_F(HopfieldModule, NanStaysInItsSample) {
  Hopfield module = lively(Hopfield(small().update_steps_max(std::nullopt).scaling(2.0)));
  at::Tensor x = normal({3, 5, 6});
  const at::Tensor clean = module->forward(x);
  x[1][2][0] = std::numeric_limits<double>::quiet_NaN();
  const at::Tensor out = module->forward(x);
  EXPECT_TRUE(at::equal(out[0], clean[0]));
  EXPECT_TRUE(at::equal(out[2], clean[2]));
  EXPECT_TRUE(out[1].isnan().any().item<bool>());
}

// B6: never endless.
TEST_F(HopfieldModule, UntilConvergedEndsAndSaysHow) {
  const auto options =
      HopfieldOptions::static_retrieval().scaling(1.0).update_steps_max(std::nullopt);
  Hopfield module(HopfieldOptions(options).update_steps_eps(1e-300).update_steps_cap(7));
  const at::Tensor x = normal({2, 16, 4});
  const nn::ConvergenceReport cut = module->convergence(x);
  EXPECT_LE(cut.steps_max, 7);
  EXPECT_GT(cut.num_capped, 0);
  EXPECT_FALSE(cut.all_settled());
  Hopfield patient(HopfieldOptions(options).update_steps_eps(1e-8));
  const nn::ConvergenceReport done = patient->convergence(x);
  EXPECT_TRUE(done.all_settled());
  EXPECT_EQ(done.num_converged, 32);
  Hopfield half{HopfieldOptions(options)};  // the reference hangs here
  EXPECT_LE(half->convergence(x.to(at::kBFloat16)).steps_max, 1000);
  Hopfield compat(HopfieldOptions(options).update_steps_eps(1e-300).update_steps_cap(7).compat(
      "hflayers-1.0.2"));
  EXPECT_GT(compat->convergence(x).num_capped, 0);
}

// B7 and the shapes of masks.
TEST_F(HopfieldModule, MasksOfEveryTypeAndShapeAgree) {
  Hopfield module = lively(Hopfield(small()));
  const at::Tensor stored = normal({3, 5, 6}), state = normal({3, 4, 6});
  const at::Tensor blocked = at::rand({3, 2, 4, 5}).lt(0.3);
  const double minus_infinity = -std::numeric_limits<double>::infinity();
  const auto additive = [&](const at::Tensor& mask) {
    return at::zeros(mask.sizes(), at::kDouble).masked_fill(mask, minus_infinity);
  };
  const auto run = [&](const at::Tensor& mask) {
    return module->forward_patterns(stored, state, stored, {}, mask);
  };
  const at::Tensor expected = run(blocked);
  EXPECT_TRUE(near(run(blocked.to(at::kByte)), expected));
  EXPECT_TRUE(near(run(additive(blocked)), expected));
  EXPECT_TRUE(near(run(additive(blocked).to(at::kBFloat16)), expected));
  EXPECT_TRUE(near(run(blocked.reshape({6, 4, 5})), expected));  // index b * H + h

  const at::Tensor per_sample =
      at::rand({3, 4, 5}).lt(0.3);  // (B, L, S), rejected by the reference
  EXPECT_TRUE(near(run(per_sample), run(per_sample.unsqueeze(1).expand({3, 2, 4, 5}))));
  const at::Tensor shared = at::rand({4, 5}).lt(0.3);
  EXPECT_TRUE(near(run(shared), run(shared.expand({3, 2, 4, 5}))));

  const at::Tensor hidden = at::rand({3, 5}).lt(0.3);
  const at::Tensor by_hidden = module->forward_patterns(stored, state, stored, hidden);
  EXPECT_TRUE(
      near(module->forward_patterns(stored, state, stored, hidden.to(at::kByte)), by_hidden));
  EXPECT_TRUE(near(module->forward_patterns(stored, state, stored, additive(hidden)), by_hidden));
  EXPECT_TRUE(near(run(hidden.unsqueeze(1).unsqueeze(1).expand({3, 2, 4, 5})), by_hidden));
  // Both at once, also in mixed types.
  const at::Tensor both = run(blocked.logical_or(hidden.unsqueeze(1).unsqueeze(1)));
  EXPECT_TRUE(near(module->forward_patterns(stored, state, stored, hidden, blocked), both));
  EXPECT_TRUE(
      near(module->forward_patterns(stored, state, stored, additive(hidden), blocked), both));

  const std::string message = message_of([&] { run(at::zeros({2, 4, 5}, at::kBool)); });
  EXPECT_TRUE(holds(message, "association_mask"));
  EXPECT_TRUE(holds(message, "[2, 4, 5]"));
}

TEST_F(HopfieldModule, MasksReachTheZeroAndTheBiasPattern) {
  Hopfield module = lively(Hopfield(small().add_zero_association(true).concat_bias_pattern(true)));
  const at::Tensor x = normal({2, 5, 6});
  const at::Tensor association = module->get_association_matrix(x, at::ones({2, 5}, at::kBool));
  EXPECT_EQ(association.sizes(), at::IntArrayRef({2, 2, 5, 7}));
  EXPECT_EQ(association.narrow(-1, 0, 5).abs().max().item<double>(), 0);
  EXPECT_TRUE(near(association.sum(-1), at::ones({2, 2, 5}, at::kDouble)));
}

// B18: unbatched and broadcast inputs.
TEST_F(HopfieldModule, TwoDimensionalAndBroadcastInputs) {
  for (const bool batch_first : {true, false}) {
    Hopfield module = lively(Hopfield(small().batch_first(batch_first).update_steps_max(1)));
    const at::Tensor one = normal({5, 6});
    const at::Tensor batched = one.unsqueeze(batch_first ? 0 : 1);
    EXPECT_TRUE(near(module->forward(one), module->forward(batched).squeeze(batch_first ? 0 : 1)));
    EXPECT_EQ(module->get_association_matrix(one).sizes(), at::IntArrayRef({2, 5, 5}));

    const std::int64_t batch_dim = batch_first ? 0 : 1;
    const at::Tensor states = batch_first ? normal({3, 4, 6}) : normal({4, 3, 6});
    const at::Tensor expanded =
        batched.expand(batch_first ? at::IntArrayRef({3, 5, 6}) : at::IntArrayRef({5, 3, 6}));
    const at::Tensor expected = module->forward_patterns(expanded, states, expanded);
    EXPECT_TRUE(near(module->forward_patterns(batched, states, batched), expected));
    EXPECT_TRUE(near(module->forward_patterns(one, states, one), expected));
    EXPECT_TRUE(near(module->forward_patterns(expanded, states.narrow(batch_dim, 0, 1), expanded)
                         .narrow(batch_dim, 0, 1),
                     expected.narrow(batch_dim, 0, 1)));
  }
  Hopfield module(small());
  const std::string message = message_of([&] {
    module->forward_patterns(normal({2, 5, 6}), normal({3, 4, 6}), normal({2, 5, 6}));
  });
  EXPECT_TRUE(holds(message, "batch"));
}

// B8, B19, B10, B12: construction and properties.
TEST_F(HopfieldModule, PropertiesAnswer) {
  Hopfield module(
      small(6, 3).normalize_hopfield_space(true).normalize_hopfield_space_affine(true).output_size(
          5));
  EXPECT_TRUE(module->normalize_hopfield_space());
  EXPECT_TRUE(module->normalize_hopfield_space_affine());
  EXPECT_EQ(module->association_core->p_norm_weight.sizes(), at::IntArrayRef({2}));
  EXPECT_EQ(module->hidden_size(), 2);
  EXPECT_EQ(module->pattern_size(), 2);
  EXPECT_EQ(module->output_size(), 5);
  EXPECT_EQ(module->output_depth(), 5);
  EXPECT_EQ(module->stored_pattern_dim(), 6);
  EXPECT_EQ(module->state_pattern_dim(), 6);
  EXPECT_EQ(module->pattern_projection_dim(), 6);
  EXPECT_EQ(module->update_steps_max(), std::vector<std::int64_t>{0});
  EXPECT_EQ(module->update_steps_eps(), std::vector<double>{1e-4});
  EXPECT_TRUE(module->batch_first());
  EXPECT_NEAR(module->scaling().item<double>(), 1 / std::sqrt(2.0), 1e-15);

  Hopfield raw(small(6, 2).hidden_size(4).disable_out_projection(true));
  EXPECT_EQ(raw->output_size(), 6);   // what the reference says
  EXPECT_EQ(raw->output_depth(), 8);  // what it is
  EXPECT_EQ(raw->forward(normal({1, 2, 6})).size(-1), 8);

  Hopfield off(small().normalize_stored_pattern(false));  // one flag is enough
  EXPECT_TRUE(off->norm_stored_pattern.is_empty());
  EXPECT_FALSE(off->normalize_stored_pattern_affine());

  Hopfield retrieval(HopfieldOptions::static_retrieval());
  EXPECT_TRUE(retrieval->parameters().empty());
  EXPECT_FALSE(retrieval->hidden_size());
  EXPECT_EQ(retrieval->scaling().item<double>(), 1);
  std::ostringstream text;
  text << retrieval << module;
  EXPECT_TRUE(holds(text.str(), "static retrieval"));
}

// B13, B23: messages.
TEST_F(HopfieldModule, ErrorsNameTensorExpectedAndFound) {
  EXPECT_TRUE(holds(message_of([] { Hopfield(small().association_activation("gelo")); }), "gelu"));
  EXPECT_TRUE(holds(message_of([] { Hopfield(small(7, 2)); }), "divisible"));
  EXPECT_TRUE(
      holds(message_of([] { Hopfield(small().update_steps_eps(0.0)); }), "update_steps_eps > 0"));
  EXPECT_TRUE(holds(message_of([] { Hopfield(small().dropout(1.5)); }), "dropout"));
  EXPECT_TRUE(holds(message_of([] { Hopfield(small().compat("hflayers-2")); }), "hflayers-1.0.2"));
  EXPECT_TRUE(holds(message_of([] { Hopfield(); }), "input_size"));
  Hopfield module(small());
  const std::string depth = message_of([&] { module->forward(normal({2, 5, 7})); });
  EXPECT_TRUE(holds(depth, "stored_pattern"));
  EXPECT_TRUE(holds(depth, "depth 6"));
  EXPECT_TRUE(holds(depth, "[2, 5, 7]"));
  EXPECT_TRUE(holds(message_of([&] { module->forward(at::zeros({2, 5, 6})); }), "Float"));
  EXPECT_TRUE(holds(message_of([&] {
                      module->forward(at::zeros({5, 6}, at::kLong));
                    }),
                    "floating"));
  EXPECT_TRUE(holds(message_of([&] { module->forward(normal({6})); }), "[6]"));
  EXPECT_TRUE(holds(message_of([&] { module->forward(at::Tensor()); }), "undefined"));
  EXPECT_TRUE(
      holds(message_of([&] {
              module->forward_patterns(normal({2, 5, 6}), normal({2, 3, 6}), normal({2, 4, 6}));
            }),
            "as many rows"));
}

TEST_F(HopfieldModule, EveryNamedActivationRuns) {
  const at::Tensor x = normal({1, 2, 6});
  for (const std::string& name : nn::activation_names()) {
    Hopfield module = lively(Hopfield(small().association_activation(name)));
    EXPECT_EQ(module->forward(x).sizes(), x.sizes()) << name;
  }
  torch::manual_seed(kSeed);
  Hopfield plain = lively(Hopfield(small()));
  torch::manual_seed(kSeed);
  Hopfield gelu = lively(Hopfield(small().association_activation("gelu")));
  EXPECT_TRUE(near(gelu->forward(x), at::gelu(plain->forward(x))));
}

// The API that users of the reference ask for: output and association in one pass, energy,
// retrieval.
TEST_F(HopfieldModule, OnePassReportsWhatTheGettersDo) {
  Hopfield module = lively(Hopfield(small().update_steps_max(2).scaling(1.5)));
  const at::Tensor x = normal({2, 5, 6});
  HopfieldRequest request;
  request.association = request.projected = request.energy = request.entropy = true;
  request.largest = request.metastable = true;
  request.num_top = 2;
  const nn::HopfieldOutput out = module->associate(x, request);
  EXPECT_TRUE(near(out.output, module->forward(x)));
  EXPECT_TRUE(near(out.association, module->get_association_matrix(x)));
  EXPECT_TRUE(near(out.projected, module->get_projected_pattern_matrix(x)));
  EXPECT_TRUE(near(out.retrieved, at::matmul(out.association, out.projected).transpose(1, 2)));
  EXPECT_TRUE(near(module->retrieve(x), out.retrieved));
  EXPECT_TRUE(near(out.largest, out.association.amax(-1).transpose(1, 2)));
  EXPECT_TRUE(near(out.top.select(-1, 0), out.largest));
  EXPECT_TRUE(
      near(out.entropy, -(out.association * out.association.log()).sum(-1).transpose(1, 2), 1e-10));
  EXPECT_TRUE(out.steps.eq(2).all().item<bool>());
  EXPECT_FALSE(module->get_association_matrix(x).requires_grad());
  EXPECT_TRUE(out.output.requires_grad());
}

TEST_F(HopfieldModule, EnergyIsThePapersAndNeverRises) {
  // B25: beta enters the log-sum-exp.
  const double beta = 0.7;
  const at::Tensor stored = normal({1, 6, 4}), state = normal({1, 3, 4});
  double before = std::numeric_limits<double>::infinity();
  for (std::int64_t steps = 0; steps < 5; ++steps) {
    Hopfield module(
        HopfieldOptions::static_retrieval().scaling(beta).update_steps_max(steps).update_steps_eps(
            1e-12));
    const nn::HopfieldOutput out = [&] {
      HopfieldRequest request;
      request.energy = true;
      return module->associate({stored, state, stored}, request);
    }();
    const at::Tensor xi = out.final_state[0].select(1, 0);
    const at::Tensor expected = -(beta * at::matmul(xi, stored[0].t())).logsumexp(-1) / beta +
                                xi.square().sum(-1) / 2 + std::log(6.0) / beta +
                                stored[0].square().sum(-1).max() / 2;
    EXPECT_TRUE(near(out.energy[0].select(1, 0), expected));
    const double total = out.energy.sum().item<double>();
    EXPECT_LE(total, before + 1e-12);
    before = total;
  }
  Hopfield compat(HopfieldOptions::static_retrieval().compat("hflayers-1.0.2"));
  EXPECT_TRUE(holds(message_of([&] { compat->energy(stored); }), "compat"));
}

TEST_F(HopfieldModule, RetrievesStoredPatternsExactly) {
  // Acceptance test 3: random signs, half of each cue hidden.
  const at::Tensor stored = at::randint(0, 2, {24, 1024}).to(at::kDouble) * 2 - 1;
  at::Tensor cue = stored.clone();
  cue.narrow(1, 512, 512).zero_();
  for (const double beta : {1 / std::sqrt(1024.0), 1.0, 8.0}) {
    Hopfield module(HopfieldOptions::static_retrieval().scaling(beta));
    EXPECT_TRUE(
        near(module->forward_patterns(stored, cue, stored), stored, beta < 1 ? 1e-3 : 1e-12));
  }
}

// Separations, similarities, the implicit gradient.
TEST_F(HopfieldModule, SeparationsAndSimilarities) {
  const at::Tensor x = normal({2, 6, 6});
  const auto association = [&](const HopfieldOptions& options) {
    torch::manual_seed(kSeed);
    Hopfield module = lively(Hopfield(options));
    return module->get_association_matrix(x);
  };
  const at::Tensor soft = association(small());
  for (const Separation separation : {Separation::kSparsemax, Separation::kEntmax15,
                                      Separation::kTopKSoftmax, Separation::kMax}) {
    const at::Tensor sparse = association(small().separation(separation).top_k(2));
    EXPECT_TRUE(near(sparse.sum(-1), at::ones({2, 2, 6}, at::kDouble)));
    EXPECT_TRUE(at::equal(sparse.argmax(-1), soft.argmax(-1)));
    if (separation == Separation::kTopKSoftmax) {
      EXPECT_TRUE(sparse.gt(0).sum(-1).eq(2).all().item<bool>());
    }
  }
  EXPECT_GT(largest_difference(association(small().similarity(Similarity::kCosine)), soft), 1e-3);
  EXPECT_GT(largest_difference(
                association(small().similarity(Similarity::kNegativeSquaredDistance)), soft),
            1e-3);
  EXPECT_TRUE(holds(message_of([] {
                      Hopfield(small().separation(Separation::kSparsemax).compat("hflayers-1.0.2"));
                    }),
                    "compat"));
}

TEST_F(HopfieldModule, ImplicitGradientEqualsTheUnrolledOne) {
  const auto gradient = [&](RetrieveGradient mode) {
    torch::manual_seed(kSeed);
    Hopfield module = lively(Hopfield(small(4, 1)
                                          .scaling(0.5)
                                          .update_steps_max(std::nullopt)
                                          .update_steps_eps(1e-13)
                                          .gradient(mode)));
    torch::manual_seed(kSeed + 1);
    const at::Tensor x = normal({1, 5, 4}).requires_grad_();
    module->forward(x).square().sum().backward();
    return x.grad();
  };
  EXPECT_TRUE(
      near(gradient(RetrieveGradient::kImplicit), gradient(RetrieveGradient::kUnrolled), 1e-7));
}

// Dropout: in training only, never in the getters.
TEST_F(HopfieldModule, DropoutOnlyInTraining) {
  Hopfield module(small().dropout(0.5));
  enliven(*module);
  const at::Tensor x = normal({2, 5, 6});
  module->train();
  EXPECT_GT(largest_difference(module->forward(x), module->forward(x)), 1e-6);
  EXPECT_TRUE(at::equal(module->get_association_matrix(x), module->get_association_matrix(x)));
  EXPECT_TRUE(module->is_training());
  module->eval();
  EXPECT_TRUE(at::equal(module->forward(x), module->forward(x)));
}

TEST_F(HopfieldModule, TypesAndDevices) {
  EXPECT_EQ(Hopfield(HopfieldOptions(6))->association_core->in_proj_weight.scalar_type(),
            at::kFloat);
  EXPECT_EQ(Hopfield(HopfieldOptions(6).dtype(at::kBFloat16))
                ->association_core->in_proj_weight.scalar_type(),
            at::kBFloat16);
  EXPECT_TRUE(Hopfield(HopfieldOptions(6).device(at::Device(at::kCPU)))
                  ->association_core->in_proj_weight.is_cpu());
  EXPECT_TRUE(holds(message_of([] { Hopfield(HopfieldOptions(6).device(at::Device(at::kMeta))); }),
                    "meta"));
  // One seed, one set of weights, whatever the type.
  torch::manual_seed(5);
  const at::Tensor single = Hopfield(HopfieldOptions(6))->association_core->in_proj_weight;
  torch::manual_seed(5);
  const at::Tensor twice =
      Hopfield(HopfieldOptions(6).dtype(at::kDouble))->association_core->in_proj_weight;
  EXPECT_TRUE(at::equal(single.to(at::kDouble), twice));
}

}  // namespace
}  // namespace hopfield::testing
