#include "apps/mil/net.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <vector>

#include "apps/mil/trainer.h"
#include "hopfield/apps/mil/coder.h"
#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

const std::vector<Pooling> kAll = {Pooling::kHopfield,  Pooling::kMeanMax,
                                   Pooling::kMean,      Pooling::kMax,
                                   Pooling::kAttention, Pooling::kGatedAttention};

ModelOptions small_model(Pooling pooling) {
  ModelOptions options;
  options.pooling = pooling;
  options.embedding = {6};
  options.num_heads = 3;
  options.head_size = 4;
  options.quantity = 2;
  options.beta = {0, 1, 2};
  options.attention_size = 5;
  options.head_hidden = 3;
  return options;
}

CodedBags coded_toy(const Bags& bags) {
  std::vector<std::int64_t> all(bags.bag_ids.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return code_bags(bags, InputCoder::fit(bags, all, InputCode::kRank, 1));
}

BagNet make_net(const ModelOptions& options, std::int64_t width, std::uint64_t seed = 1) {
  BagNet net(options, width);
  net->initialise(seed);
  return net;
}

std::vector<double> logits(BagNet& net, const BagBatch& batch) {
  const at::Tensor out = net->forward(batch).detach().to(at::kDouble);
  return {out.const_data_ptr<double>(), out.const_data_ptr<double>() + out.numel()};
}

TEST(BagNet, ABagDoesNotSeeItsNeighbours) {
  const Bags bags = test::make_toy(7).bags;
  const CodedBags coded = coded_toy(bags);
  const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5, 6};
  for (const Pooling pooling : kAll) {
    BagNet net = make_net(small_model(pooling), coded.values.size(1));
    const std::vector<double> together = logits(net, make_batch(coded, all));
    const std::vector<double> alone = score_bags(net, coded, all);
    // Matrix products of other sizes may round differently: a few units in the last place of f32.
    for (std::size_t b = 0; b < all.size(); ++b) EXPECT_NEAR(together[b], alone[b], 2e-5);
  }
}

TEST(BagNet, OrderOfInstancesDoesNotMatter) {
  Bags bags = test::make_toy(5).bags;
  const CodedBags before = coded_toy(bags);
  const auto d = static_cast<std::size_t>(bags.num_features);
  for (std::int64_t b = 0; b < bags.num_bags(); ++b) {  // turn each bag round
    std::int64_t low = bags.offsets[static_cast<std::size_t>(b)];
    std::int64_t high = bags.offsets[static_cast<std::size_t>(b) + 1] - 1;
    for (; low < high; ++low, --high) {
      for (std::size_t f = 0; f < d; ++f) {
        std::swap(bags.values[static_cast<std::size_t>(low) * d + f],
                  bags.values[static_cast<std::size_t>(high) * d + f]);
      }
    }
  }
  const CodedBags after = coded_toy(bags);
  const std::vector<std::int64_t> all = {0, 1, 2, 3, 4};
  for (const Pooling pooling : kAll) {
    BagNet net = make_net(small_model(pooling), before.values.size(1));
    const std::vector<double> a = logits(net, make_batch(before, all));
    const std::vector<double> b = logits(net, make_batch(after, all));
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_NEAR(a[i], b[i], 2e-5);
  }
}

TEST(BagNet, WeightsOfABagSumToOneAndBetaZeroShares) {
  const Bags bags = test::make_toy(6).bags;
  const CodedBags coded = coded_toy(bags);
  const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5};
  const BagBatch batch = make_batch(coded, all);
  for (const Pooling pooling :
       {Pooling::kHopfield, Pooling::kAttention, Pooling::kGatedAttention}) {
    BagNet net = make_net(small_model(pooling), coded.values.size(1));
    const at::Tensor weights = net->instance_weights(batch);
    const bool heads = pooling == Pooling::kHopfield;
    ASSERT_EQ(weights.sizes(),
              (std::vector<std::int64_t>{bags.num_instances(), heads ? 3 : 1, heads ? 2 : 1}));
    for (std::int64_t b = 0; b < bags.num_bags(); ++b) {
      const auto begin = bags.offsets[static_cast<std::size_t>(b)];
      const at::Tensor own = weights.slice(0, begin, begin + bags.bag_size(b));
      EXPECT_TRUE(at::allclose(own.sum(0), at::ones_like(own[0]), 0, 1e-5));
      if (heads) {
        const at::Tensor share = own.select(1, 0);  // the head with beta 0
        EXPECT_TRUE(
            at::allclose(share, at::full_like(share, 1.0 / double(bags.bag_size(b))), 0, 1e-6));
      }
    }
  }
  for (const Pooling pooling : {Pooling::kMeanMax, Pooling::kMean, Pooling::kMax}) {
    BagNet net = make_net(small_model(pooling), coded.values.size(1));
    EXPECT_FALSE(net->instance_weights(batch).defined());
  }
}

TEST(BagNet, HopfieldPoolingEqualsItsFormula) {
  const Bags bags = test::make_toy(4).bags;
  const CodedBags coded = coded_toy(bags);
  ModelOptions options = small_model(Pooling::kHopfield);
  options.head_hidden = 0;
  BagNet net = make_net(options, coded.values.size(1));
  const auto weights = net->named_parameters();
  const auto w = [&](const std::string& name) { return weights[name].detach().to(at::kDouble); };
  const at::Tensor embedded = at::relu(
      at::linear(coded.values.to(at::kDouble), w("embedding0.weight"), w("embedding0.bias")));
  // The state pattern is static: in_proj holds the keys' rows, then the values'.
  const std::string core = "pooling.hopfield.association_core.";
  const at::Tensor projected =
      at::linear(embedded, w(core + "in_proj_weight"), w(core + "in_proj_bias"));
  const at::Tensor keys = projected.slice(1, 0, 12).view({-1, 3, 4});
  const at::Tensor values = projected.slice(1, 12, 24).view({-1, 3, 4});
  const at::Tensor states = w("pooling.pooling_weights").view({2, 4});
  const std::vector<std::int64_t> all = {0, 1, 2, 3};
  const std::vector<double> got = logits(net, make_batch(coded, all));
  for (std::int64_t b = 0; b < 4; ++b) {
    std::vector<at::Tensor> pooled;
    for (std::int64_t q = 0; q < 2; ++q) {
      for (std::int64_t h = 0; h < 3; ++h) {
        const auto begin = bags.offsets[static_cast<std::size_t>(b)];
        const auto end = bags.offsets[static_cast<std::size_t>(b) + 1];
        const at::Tensor k = keys.slice(0, begin, end).select(1, h);
        const at::Tensor v = values.slice(0, begin, end).select(1, h);
        const at::Tensor p = at::softmax(at::mv(k, states[q]) * options.beta[std::size_t(h)], 0);
        pooled.push_back(at::mv(v.t(), p));
      }
    }
    const double expected =
        at::linear(at::cat(pooled).unsqueeze(0), w("output.weight"), w("output.bias"))
            .item<double>();
    // f32 against f64 through four small products with values of order one.
    EXPECT_NEAR(got[std::size_t(b)], expected, 5e-5) << b;
  }
}

/// Score and gradients of all parameters of a net without hidden units, pooled by its layer
/// (`layer`) or by the net's own folded form.
std::vector<at::Tensor> score_and_gradients(BagNet& net, const BagBatch& batch, bool layer) {
  at::Tensor scores;
  if (layer) {
    const auto children = net->named_children();
    auto& pooling = dynamic_cast<nn::HopfieldPoolingImpl&>(*children["pooling"]);
    auto& output = dynamic_cast<torch::nn::LinearImpl&>(*children["output"]);
    scores = output.forward(pooling.forward_ragged(net->embed(batch.values), batch.offsets));
  } else {
    scores = net->forward(batch);
  }
  net->zero_grad();
  scores.pow(2).sum().backward();
  std::vector<at::Tensor> out = {scores.detach()};
  for (const at::Tensor& parameter : net->parameters()) out.push_back(parameter.grad().clone());
  return out;
}

TEST(BagNet, FoldedPoolingHasTheScoresAndGradientsOfItsLayer) {
  const CodedBags coded = coded_toy(test::make_toy(9).bags);
  const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  const BagBatch batch = make_batch(coded, all);
  ModelOptions one_beta = small_model(Pooling::kHopfield);
  one_beta.head_hidden = 0;
  one_beta.embedding = {16};
  ModelOptions beta_a_head = one_beta;
  one_beta.beta = {1.5};
  for (const ModelOptions& options : {one_beta, beta_a_head}) {
    BagNet net = make_net(options, coded.values.size(1));
    const std::vector<at::Tensor> expected = score_and_gradients(net, batch, true);
    const std::vector<at::Tensor> got = score_and_gradients(net, batch, false);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      // Sums of at most a hundred terms in f32, in another order.
      const double largest = std::max(1.0, expected[i].abs().max().item<double>());
      EXPECT_LT((got[i] - expected[i]).abs().max().item<double>(), 1e-5 * largest) << i;
    }
  }
}

TEST(BagNet, MeanAndMaximumEqualTheirFormulas) {
  const Bags bags = test::make_toy(4).bags;
  const CodedBags coded = coded_toy(bags);
  const std::vector<std::int64_t> all = {0, 1, 2, 3};
  for (const bool largest : {false, true}) {
    BagNet net =
        make_net(small_model(largest ? Pooling::kMax : Pooling::kMean), coded.values.size(1));
    const auto w = net->named_parameters();
    const std::vector<double> got = logits(net, make_batch(coded, all));
    for (std::int64_t b = 0; b < 4; ++b) {
      const auto begin = bags.offsets[static_cast<std::size_t>(b)];
      const at::Tensor own = coded.values.slice(0, begin, begin + bags.bag_size(b));
      const at::Tensor state = largest ? own.amax(0) : own.mean(0);
      const double expected =
          at::linear(state.unsqueeze(0), w["output.weight"], w["output.bias"]).item<double>();
      // f32 sums of a few numbers of order one.
      EXPECT_NEAR(got[static_cast<std::size_t>(b)], expected, 1e-5);
    }
  }
}

TEST(BagNet, AttentionEqualsItsFormula) {
  const Bags bags = test::make_toy(1).bags;
  const CodedBags coded = coded_toy(bags);
  for (const bool gated : {false, true}) {
    ModelOptions options = small_model(gated ? Pooling::kGatedAttention : Pooling::kAttention);
    options.embedding = {};
    options.head_hidden = 0;
    BagNet net = make_net(options, coded.values.size(1));
    const auto w = net->named_parameters();
    const at::Tensor h = coded.values;
    at::Tensor key = at::tanh(at::linear(h, w["attention_tanh.weight"], w["attention_tanh.bias"]));
    if (gated) {
      key = key * at::sigmoid(at::linear(h, w["attention_gate.weight"], w["attention_gate.bias"]));
    }
    const at::Tensor a = at::softmax(at::linear(key, w["attention_score.weight"]), 0);
    const at::Tensor expected =
        at::linear(at::mm(a.t(), h), w["output.weight"], w["output.bias"]).squeeze();
    const std::vector<std::int64_t> one = {0};
    EXPECT_NEAR(logits(net, make_batch(coded, one))[0], expected.item<double>(), 1e-5);
  }
}

TEST(BagNet, EveryParameterGetsAGradient) {
  const Bags bags = test::make_toy(8).bags;
  const CodedBags coded = coded_toy(bags);
  const std::vector<std::int64_t> all = {0, 1, 2, 3, 4, 5, 6, 7};
  for (const Pooling pooling : kAll) {
    ModelOptions options = small_model(pooling);
    options.beta = {0.5, 1, 2};
    options.embedding = {16};  // wide enough that no layer is dead
    options.head_hidden = 16;
    BagNet net = make_net(options, coded.values.size(1));
    net->forward(make_batch(coded, all)).pow(2).sum().backward();
    for (const auto& parameter : net->named_parameters()) {
      ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
      // A key's bias moves all scores of a bag alike, so its gradient is 0 by theory.
      if (parameter.key().ends_with("bias")) continue;
      EXPECT_GT(parameter.value().grad().abs().sum().item<double>(), 0) << parameter.key();
    }
  }
}

TEST(BagNet, SeedDecidesAllWeights) {
  for (const Pooling pooling : kAll) {
    BagNet a = make_net(small_model(pooling), 4, 5), b = make_net(small_model(pooling), 4, 5);
    BagNet c = make_net(small_model(pooling), 4, 6);
    const auto same = b->named_parameters(), other = c->named_parameters();
    for (const auto& parameter : a->named_parameters()) {
      EXPECT_TRUE(at::equal(parameter.value(), same[parameter.key()])) << parameter.key();
      if (parameter.value().dim() < 2) continue;
      EXPECT_FALSE(at::equal(parameter.value(), other[parameter.key()])) << parameter.key();
    }
  }
}

TEST(MakeBatch, BagDropoutLeavesOneInstanceAtLeastAndDropsItsShare) {
  const Bags bags = test::make_toy(40).bags;
  const CodedBags coded = coded_toy(bags);
  std::vector<std::int64_t> all(40);
  std::iota(all.begin(), all.end(), std::int64_t{0});
  Random random(1);
  const BagBatch nearly_all_gone = make_batch(coded, all, 0.99, &random);
  EXPECT_GE(nearly_all_gone.offsets.diff().min().item<std::int64_t>(), 1);
  double rows = 0;
  for (int round = 0; round < 50; ++round) {
    rows += static_cast<double>(make_batch(coded, all, 0.25, &random).values.size(0));
  }
  const double kept = rows / (50 * static_cast<double>(bags.num_instances()));
  EXPECT_NEAR(kept, 0.75, 0.03);  // bags that would be empty keep one: a little above 0.75
  EXPECT_EQ(make_batch(coded, all).values.size(0), bags.num_instances());
}

TEST(Options, WhatIsOutOfRangeIsNamed) {
  ModelOptions model;
  model.beta = {-1};
  EXPECT_ERROR(check_options(model), kInvalidArgument, "beta >= 0");
  model = {};
  model.beta = {1, 2};
  EXPECT_ERROR(check_options(model), kInvalidArgument, "one beta");
  model = {};
  model.levels = 0;
  EXPECT_ERROR(check_options(model), kInvalidArgument, "levels");
  TrainOptions train;
  train.learning_rate = 0;
  EXPECT_ERROR(check_options(train), kInvalidArgument, "learning rate");
  train = {};
  train.bag_dropout = 1;
  EXPECT_ERROR(check_options(train), kInvalidArgument, "bag dropout");
  EXPECT_ERROR(parse_pooling("median"), kInvalidArgument, "gated_attention");
  EXPECT_ERROR(parse_input_code("log"), kInvalidArgument, "thermometer");
  for (const Pooling pooling : kAll) EXPECT_EQ(parse_pooling(pooling_name(pooling)), pooling);
}

}  // namespace
}  // namespace hopfield::mil
