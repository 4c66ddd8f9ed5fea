#include "tests/torch/ops/cases.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>
#include <ostream>

namespace hopfield::ops::testing {
namespace {

using at::Tensor;

constexpr std::uint64_t kSeed = 20240611;
constexpr std::int64_t B = 3, L = 2, H = 2, S = 7, D = 4, DV = 3;

// Numbers in [-1.5, 1.5) that depend on `stream` and the element alone.
Tensor numbers(at::IntArrayRef sizes, std::uint64_t stream) {
  Tensor x = at::empty(sizes, at::kDouble);
  double* data = x.mutable_data_ptr<double>();
  std::uint64_t state = kSeed + 0x9E3779B97F4A7C15u * stream;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    data[i] = 3 * (static_cast<double>(state >> 11) / 9007199254740992.0) - 1.5;
  }
  return x;
}

Tensor offsets(std::vector<std::int64_t> values) {
  return at::tensor(values, at::kLong);
}

void set_patterns(const Settings& s, Case& c) {
  RetrieveOptions& o = c.options;
  const Form form = s.form;
  const bool ragged_stored =
      form == Form::kRagged || form == Form::kRaggedStored || form == Form::kRaggedUniform;
  const std::int64_t stored_batch =
      form == Form::kSharedStored || form == Form::kRaggedStates ? 1 : B;
  const std::int64_t stored_heads = form == Form::kSharedHeads ? 1 : H;
  if (ragged_stored) {
    o.stored_offsets = offsets({0, 5, 5, 12});
    c.stored = numbers({12, H, D}, 1);
    if (s.projections) o.projections = numbers({12, H, DV}, 2);
  } else {
    c.stored = numbers({stored_batch, S, stored_heads, D}, 1);
    const std::int64_t batch = form == Form::kSharedProjections ? 1 : stored_batch;
    if (s.projections) o.projections = numbers({batch, S, H, DV}, 2);
  }
  if (form == Form::kRagged || form == Form::kRaggedStates) {
    o.state_offsets = offsets({0, 2, 5, 5});
    if (form == Form::kRagged) o.state_offsets = offsets({0, 2, 3, 5});
    c.states = numbers({5, H, D}, 3);
  } else if (form == Form::kRaggedStored) {
    c.states = numbers({L, H, D}, 3);
  } else {
    c.states = numbers({form == Form::kSharedStates ? 1 : B, L, H, D}, 3);
  }
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Settings& s) {
  return out << s.name;
}

Case make_case(const Settings& s) {
  Case c;
  RetrieveOptions& o = c.options;
  set_patterns(s, c);
  o.beta = s.beta_per_head ? at::tensor({0.7, 1.9}, at::kDouble) : at::tensor({1.1}, at::kDouble);
  o.similarity = s.similarity;
  o.separation = s.separation;
  o.top_k = s.separation == Separation::kTopKSoftmax ? 3 : 0;
  if (s.mask == 'b') o.mask = numbers({B, 1, L, S}, 4) > 0.6;
  if (s.mask == 'r') {
    o.mask = numbers({B, H, L, S}, 4) > 0.6;
    o.mask->select(0, 1).select(1, 0).fill_(true);
  }
  if (s.mask == 'f') {
    o.mask = numbers({H, 1, S}, 4);
    o.mask->select(0, 0).select(1, 2).fill_(-std::numeric_limits<double>::infinity());
  }
  if (s.hidden_stored) {
    o.hidden_stored = (o.stored_offsets ? numbers({12}, 5) : numbers({B, S}, 5)) > 0.5;
  }
  o.update_steps_max = s.updates;
  o.update_steps_eps = {s.eps};
  o.criterion = s.criterion;
  o.want_energy = s.similarity != Similarity::kCosine;
  o.want_entropy = true;
  o.want_largest = true;
  o.want_metastable = true;
  o.num_top = 3;
  return c;
}

std::vector<Settings> all_settings() {
  std::vector<Settings> all;
  const char* separations[] = {"Softmax", "Sparsemax", "Entmax15", "TopK", "Max"};
  const char* similarities[] = {"Dot", "Cosine", "Distance"};
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 3; ++j) {
      all.push_back({.name = std::string(separations[i]) + similarities[j],
                     .similarity = static_cast<Similarity>(j),
                     .separation = static_cast<Separation>(i)});
    }
  }
  const auto sparse = Separation::kSparsemax;
  all.push_back({.name = "SharedStored", .form = Form::kSharedStored});
  all.push_back(
      {.name = "SharedStoredHiddenByBag", .form = Form::kSharedStored, .hidden_stored = true});
  all.push_back({.name = "SharedStoredMask",
                 .form = Form::kSharedStored,
                 .mask = 'r',
                 .hidden_stored = true});
  all.push_back({.name = "SharedStates", .form = Form::kSharedStates, .mask = 'f'});
  all.push_back({.name = "SharedHeads", .form = Form::kSharedHeads});
  all.push_back({.name = "SharedProjections", .form = Form::kSharedProjections});
  all.push_back({.name = "NoProjections", .projections = false, .beta_per_head = false});
  all.push_back({.name = "BoolMask", .mask = 'b'});
  all.push_back({.name = "RowHidden", .mask = 'r'});
  all.push_back({.name = "RowHiddenSparsemax", .separation = sparse, .mask = 'r'});
  all.push_back({.name = "RowHiddenEntmax", .separation = Separation::kEntmax15, .mask = 'r'});
  all.push_back({.name = "RowHiddenMax", .separation = Separation::kMax, .mask = 'r'});
  all.push_back({.name = "RowHiddenTopK", .separation = Separation::kTopKSoftmax, .mask = 'r'});
  all.push_back({.name = "Bias", .mask = 'f'});
  all.push_back({.name = "BiasSparsemax", .separation = sparse, .mask = 'f'});
  all.push_back({.name = "HiddenStored", .hidden_stored = true});
  all.push_back({.name = "HiddenStoredAndBias", .mask = 'f', .hidden_stored = true});
  all.push_back({.name = "Ragged", .form = Form::kRagged, .hidden_stored = true});
  all.push_back({.name = "RaggedNoProjections", .form = Form::kRagged, .projections = false});
  all.push_back({.name = "RaggedSparsemax", .form = Form::kRagged, .separation = sparse});
  all.push_back({.name = "RaggedStates", .form = Form::kRaggedStates});
  all.push_back(
      {.name = "RaggedStatesHiddenByBag", .form = Form::kRaggedStates, .hidden_stored = true});
  all.push_back({.name = "RaggedStored", .form = Form::kRaggedStored});
  all.push_back({.name = "RaggedUniform", .form = Form::kRaggedUniform, .hidden_stored = true});
  all.push_back({.name = "OneUpdate", .updates = {1}});
  all.push_back({.name = "FiveUpdates", .updates = {5}});
  all.push_back({.name = "FiveUpdatesCosine", .similarity = Similarity::kCosine, .updates = {5}});
  all.push_back({.name = "FiveUpdatesDistance",
                 .similarity = Similarity::kNegativeSquaredDistance,
                 .updates = {5}});
  all.push_back({.name = "FiveUpdatesEntmax",
                 .separation = Separation::kEntmax15,
                 .mask = 'f',
                 .updates = {5}});
  all.push_back({.name = "UpdatesByHead", .mask = 'r', .updates = {2, -1}, .eps = 1e-3});
  all.push_back({.name = "UpdatesStopEarly", .updates = {50}, .eps = 1e-2});
  all.push_back({.name = "UpdatesShared", .form = Form::kSharedStates, .updates = {3}});
  all.push_back({.name = "UpdatesRagged", .form = Form::kRagged, .updates = {3}});
  all.push_back({.name = "Converge", .updates = {-1}, .eps = 1e-5});
  all.push_back(
      {.name = "ConvergeState", .updates = {-1}, .eps = 1e-5, .criterion = StopCriterion::kState});
  all.push_back(
      {.name = "ConvergeRagged", .form = Form::kRaggedStored, .updates = {-1}, .eps = 1e-5});
  all.push_back({.name = "ConvergeSparsemax", .separation = sparse, .updates = {-1}, .eps = 1e-5});
  return all;
}

std::vector<Tensor> Case::leaves() const {
  std::vector<Tensor> all = {states, stored};
  if (options.projections) all.push_back(*options.projections);
  all.push_back(options.beta);
  if (options.mask && options.mask->is_floating_point()) all.push_back(*options.mask);
  return all;
}

Case Case::with_leaves(const std::vector<Tensor>& leaves) const {
  Case c = *this;
  std::size_t next = 0;
  c.states = leaves[next++];
  c.stored = leaves[next++];
  if (options.projections) c.options.projections = leaves[next++];
  c.options.beta = leaves[next++];
  if (options.mask && options.mask->is_floating_point()) c.options.mask = leaves[next++];
  return c;
}

Case Case::to(at::ScalarType type) const {
  std::vector<Tensor> converted;
  for (const Tensor& x : leaves()) converted.push_back(x.to(type));
  return with_leaves(converted);
}

Tensor loss_of(const RetrieveResult& r, const Weighs& weighs) {
  Tensor loss = at::zeros({}, at::kDouble);
  std::uint64_t stream = 10;
  const auto add = [&](bool wanted, const Tensor& x) {
    const Tensor weights = numbers(x.defined() ? x.sizes() : at::IntArrayRef{0}, stream++);
    if (!wanted || !x.defined()) return;
    const Tensor finite = at::where(x.detach().isinf(), at::zeros({}, x.options()), x);
    loss = loss + (finite.to(at::kDouble) * weights).sum();
  };
  add(weighs.state, r.state);
  add(weighs.lse, r.lse);
  add(weighs.energy, r.energy);
  add(weighs.entropy, r.entropy);
  return loss;
}

std::vector<Tensor> gradients_of(Retrieve retrieve, const Case& inputs, const Weighs& weighs) {
  const at::AutoGradMode grad(true);
  std::vector<Tensor> leaves;
  for (const Tensor& x : inputs.leaves()) leaves.push_back(x.detach().clone().requires_grad_(true));
  const Case c = inputs.with_leaves(leaves);
  const Tensor loss = loss_of(retrieve(c.states, c.stored, c.options), weighs);
  std::vector<Tensor> gradients(leaves.size());
  if (loss.requires_grad()) {
    gradients = torch::autograd::grad({loss}, leaves, {}, /*retain_graph=*/false,
                                      /*create_graph=*/false, /*allow_unused=*/true);
  }
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(leaves[i]);
  }
  return gradients;
}

std::vector<Tensor> differences_of(const std::function<double(const Case&)>& f, const Case& inputs,
                                   double h) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> leaves;
  for (const Tensor& x : inputs.leaves()) leaves.push_back(x.detach().clone().contiguous());
  const Case moved = inputs.with_leaves(leaves);
  std::vector<Tensor> result;
  for (Tensor& leaf : leaves) {
    Tensor gradient = at::zeros_like(leaf);
    double* x = leaf.mutable_data_ptr<double>();
    for (std::int64_t i = 0; i < leaf.numel(); ++i) {
      const double here = x[i];
      if (!std::isfinite(here)) continue;
      x[i] = here + h;
      const double above = f(moved);
      x[i] = here - h;
      const double below = f(moved);
      x[i] = here;
      gradient.mutable_data_ptr<double>()[i] = (above - below) / (2 * h);
    }
    result.push_back(gradient);
  }
  return result;
}

double distance(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  if (a.numel() == 0) return 0;
  const Tensor x = a.detach().to(at::kDouble), y = b.detach().to(at::kDouble);
  const Tensor equal = (x == y).logical_or(x.isnan().logical_and(y.isnan()));
  const Tensor apart = (x - y).abs().nan_to_num(std::numeric_limits<double>::infinity());
  return apart.masked_fill(equal, 0).max().item<double>();
}

}  // namespace hopfield::ops::testing
