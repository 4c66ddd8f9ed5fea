// One association of T states with S stored patterns that are their own values: us, LibTorch's
// fused attention, the plain composition; the limits of the machine beside.

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <string>

#include "benchmarks/rivals/cases.h"
#include "hopfield/torch/ops/retrieve.h"

namespace hopfield::bench {
namespace {

struct Size {
  at::ScalarType type;
  std::int64_t depth, stored, states;
  std::int64_t heads = 1;
  std::int64_t value_depth = 0;  ///< 0: the patterns are the values
};

std::string name_of(const std::string& group, const Size& size) {
  std::string name = group + "/" + (size.type == at::kFloat ? "f32" : "bf16") + "/d" +
                     std::to_string(size.depth) + "/S" + std::to_string(size.stored) + "/T" +
                     std::to_string(size.states);
  if (size.heads > 1) name += "/H" + std::to_string(size.heads);
  if (size.value_depth > 0) name += "/dv" + std::to_string(size.value_depth);
  return name;
}

double flops(const Size& s) {
  const std::int64_t value_depth = s.value_depth > 0 ? s.value_depth : s.depth;
  return 2.0 * static_cast<double>(s.states * s.stored * s.heads) *
         static_cast<double>(s.depth + value_depth);
}

ops::RetrieveOptions options_of(double beta) {
  ops::RetrieveOptions options;
  options.beta = at::full({1}, beta);
  return options;
}

/// [1, T, H, d] -> [1, H, T, d], what fused attention wants.
at::Tensor heads_first(const at::Tensor& x) {
  return x.transpose(1, 2).contiguous();
}

Contender gemm(at::ScalarType type) {
  constexpr std::int64_t n = 2048;
  const at::Tensor a = at::randn({n, n}).to(type), b = at::randn({n, n}).to(type);
  return {"gemm",
          [=] {
            at::matmul(a, b);
            return at::Tensor();
          },
          2.0 * n * n * n, 0};
}

/// Every byte of the patterns once.
Contender read(const at::Tensor& patterns) {
  const at::Tensor words = patterns.reshape({-1}).view(at::kFloat);
  return {"read",
          [=] {
            words.sum();
            return at::Tensor();
          },
          0, static_cast<double>(patterns.nbytes())};
}

std::vector<Contender> open_forward(const Size& size) {
  const double beta = 1 / std::sqrt(static_cast<double>(size.depth));
  const at::Tensor stored = at::randn({1, size.stored, size.heads, size.depth}).to(size.type);
  const at::Tensor states = at::randn({1, size.states, size.heads, size.depth}).to(size.type);
  ops::RetrieveOptions options = options_of(beta);
  at::Tensor values = stored;
  if (size.value_depth > 0) {
    values = at::randn({1, size.stored, size.heads, size.value_depth}).to(size.type);
    options.projections = values;
  }
  const at::Tensor q = heads_first(states), k = heads_first(stored);
  const at::Tensor v = size.value_depth > 0 ? heads_first(values) : k;
  const double work = flops(size);
  const auto bytes = static_cast<double>(stored.nbytes());
  std::vector<Contender> all;
  all.push_back({"hopfield",
                 [=] { return heads_first(ops::retrieve(states, stored, options).state); }, work,
                 bytes});
  all.push_back({"sdpa",
                 [=] { return at::scaled_dot_product_attention(q, k, v, {}, 0, false, beta); },
                 work, bytes});
  // [T, S] must fit.
  if (size.states * size.stored * size.heads <= std::int64_t{1} << 26) {
    all.push_back(
        {"plain",
         [=] { return at::matmul(at::softmax(at::matmul(q, k.transpose(-2, -1)) * beta, -1), v); },
         work, bytes});
  }
  all.push_back(gemm(size.type));
  if (size.states == 1) all.push_back(read(stored));
  return all;
}

/// The same in bf16 beside our own f32.
std::vector<Contender> open_bf16(const Size& size) {
  std::vector<Contender> all = open_forward(size);
  const at::Tensor stored = at::randn({1, size.stored, 1, size.depth});
  const at::Tensor states = at::randn({1, size.states, 1, size.depth});
  const auto options = options_of(1 / std::sqrt(static_cast<double>(size.depth)));
  all.push_back({"hopfield-f32",
                 [=] {
                   ops::retrieve(states, stored, options);
                   return at::Tensor();
                 },
                 flops(size), static_cast<double>(stored.nbytes())});
  return all;
}

std::vector<Contender> open_separations(std::int64_t stored_count, std::int64_t num_states) {
  const at::Tensor stored = at::randn({1, stored_count, 1, 64});
  const at::Tensor states = at::randn({1, num_states, 1, 64});
  std::vector<Contender> all;
  const auto add = [&](const std::string& name, Separation separation) {
    auto options = options_of(1.0 / 8);
    options.separation = separation;
    options.top_k = separation == Separation::kTopKSoftmax ? 32 : 0;
    all.push_back({name,
                   [=] {
                     ops::retrieve(states, stored, options);
                     return at::Tensor();
                   },
                   1, 1});
  };
  add("softmax", Separation::kSoftmax);
  add("sparsemax", Separation::kSparsemax);
  add("entmax15", Separation::kEntmax15);
  add("top32", Separation::kTopKSoftmax);
  return all;
}

}  // namespace

void add_forward_cases(std::vector<Case>& cases) {
  const auto add = [&](const Size& size, const std::string& group = "forward") {
    cases.push_back({name_of(group, size), [=] { return open_forward(size); },
                     size.type == at::kFloat ? 1e-3 : 3e-2});
  };
  for (const std::int64_t states : {1, 16, 64, 256}) add({at::kFloat, 64, 1'000'000, states});
  for (const std::int64_t states : {1024, 4096}) add({at::kFloat, 64, 65'536, states});
  for (const Size& size :
       {Size{at::kBFloat16, 64, 1'000'000, 1}, Size{at::kBFloat16, 64, 262'144, 256},
        Size{at::kBFloat16, 512, 65'536, 256}}) {
    cases.push_back({name_of("forward", size), [=] { return open_bf16(size); }, 3e-2});
  }
  // The same work, spread over heads and depths.
  for (const std::int64_t heads : {1, 8, 32}) {
    for (const std::int64_t depth : {16, 32, 64, 80, 128, 256, 512, 1000}) {
      const std::int64_t stored =
          std::max<std::int64_t>(512, (std::int64_t{1} << 20) / (heads * depth));
      add({at::kFloat, depth, stored, 256, heads}, "shape");
    }
  }
  for (const std::int64_t value_depth : {16, 256, 1000}) {
    add({at::kFloat, 64, 16'384, 256, 1, value_depth}, "shape");
  }
  cases.push_back({"separations/S100000/T16", [] { return open_separations(100'000, 16); }});
}

}  // namespace hopfield::bench
