#include "hopfield/torch/nn/datasets.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

namespace hopfield::nn {

namespace {

at::Tensor integers(std::int64_t low, std::int64_t high, at::IntArrayRef sizes,
                    const at::Generator& generator) {
  return at::randint(low, high, sizes, generator, at::TensorOptions().dtype(at::kLong));
}

/// Sorted, distinct, never the zero row.
at::Tensor draw_signals(std::int64_t count, std::int64_t bits, const at::Generator& generator) {
  at::Tensor signals = integers(0, 2, {count, bits}, generator);
  for (;;) {
    signals = std::get<0>(at::unique_dim(signals, 0));
    signals = signals.index_select(0, signals.ne(0).any(1).nonzero().squeeze(1));
    const std::int64_t missing = count - signals.size(0);
    if (missing == 0) return signals;
    signals = at::cat({signals, integers(0, 2, {missing, bits}, generator)}, 0);
  }
}

/// Indices of the rows that are zero or equal a signal.
at::Tensor forbidden_rows(const at::Tensor& rows, const at::Tensor& signals) {
  const at::Tensor zero = rows.eq(0).all(1);
  const at::Tensor signal = rows.unsqueeze(1).eq(signals.unsqueeze(0)).all(2).any(1);
  return zero.logical_or(signal).nonzero().squeeze(1);
}

}  // namespace

BitPatternSet::BitPatternSet(std::int64_t num_bags, std::int64_t num_instances,
                             std::int64_t num_signals, std::int64_t num_signals_per_bag,
                             double fraction_targets, std::int64_t num_bits, at::ScalarType dtype,
                             std::uint64_t seed_signals, std::uint64_t seed_data)
    : num_signals_per_bag_(num_signals_per_bag), seed_data_(seed_data) {
  const char* op = "[BitPatternSet] expected ";
  TORCH_CHECK(num_bags >= 1 && num_instances >= 1 && num_signals >= 1, op,
              "num_bags, num_instances and num_signals >= 1, got ", num_bags, ", ", num_instances,
              ", ", num_signals);
  TORCH_CHECK(num_bits >= 1 && num_bits < 62, op, "num_bits from 1 to 61, got ", num_bits);
  TORCH_CHECK((std::int64_t{1} << num_bits) - 1 > num_signals, op,
              "num_signals < 2^num_bits - 1 = ", (std::int64_t{1} << num_bits) - 1, ", got ",
              num_signals);
  TORCH_CHECK(num_signals_per_bag >= 1 && num_signals_per_bag <= num_instances, op,
              "num_signals_per_bag from 1 to num_instances = ", num_instances, ", got ",
              num_signals_per_bag);
  TORCH_CHECK(fraction_targets > 0 && fraction_targets < 1, op,
              "fraction_targets inside (0, 1), got ", fraction_targets);

  at::Tensor signals =
      draw_signals(num_signals, num_bits, at::detail::createCPUGenerator(seed_signals));
  const at::Generator generator = at::detail::createCPUGenerator(seed_data);
  at::Tensor data = integers(0, 2, {num_bags, num_instances, num_bits}, generator);
  num_targets_high_ = std::clamp<std::int64_t>(
      static_cast<std::int64_t>(std::ceil(static_cast<double>(num_bags) * fraction_targets)), 1,
      num_bags);
  at::Tensor rows = data.view({num_bags * num_instances, num_bits});
  for (;;) {
    const at::Tensor bad = forbidden_rows(rows, signals);
    if (bad.numel() == 0) break;
    rows.index_copy_(0, bad, integers(0, 2, {bad.numel(), num_bits}, generator));
  }
  const auto one_of = [&](std::int64_t high) {
    return integers(0, high, {1}, generator).item<std::int64_t>();
  };
  for (std::int64_t bag = 0; bag < num_targets_high_; ++bag) {
    std::vector<std::int64_t> used;
    for (std::int64_t i = 0; i < num_signals_per_bag; ++i) {
      std::int64_t position = one_of(num_instances);
      while (std::find(used.begin(), used.end(), position) != used.end())
        position = one_of(num_instances);
      used.push_back(position);
      data[bag][position].copy_(signals[one_of(num_signals)]);
    }
  }
  at::Tensor targets = at::zeros({num_bags}, at::kLong);
  targets.narrow(0, 0, num_targets_high_).fill_(1);
  data_ = data.to(dtype);
  targets_ = targets.to(dtype);
  signals_ = signals.to(dtype);
}

torch::data::Example<> BitPatternSet::get(std::size_t index) {
  const auto row = static_cast<std::int64_t>(index);
  return {data_[row], targets_[row]};
}

LatchSequenceSet::LatchSequenceSet(std::int64_t num_samples, std::int64_t num_instances,
                                   std::int64_t num_characters, at::ScalarType dtype,
                                   std::uint64_t seed)
    : seed_(seed) {
  TORCH_CHECK(num_samples >= 1 && num_instances >= 1,
              "[LatchSequenceSet] expected num_samples and num_instances >= 1, got ", num_samples,
              " and ", num_instances);
  TORCH_CHECK(num_characters > 2, "[LatchSequenceSet] expected num_characters > 2, got ",
              num_characters);
  const at::Generator generator = at::detail::createCPUGenerator(seed);
  at::Tensor symbols = integers(2, num_characters, {num_samples, num_instances}, generator);
  const at::Tensor signal = integers(0, 2, {num_samples}, generator);
  symbols.select(1, 0).copy_(signal);
  data_ = at::one_hot(symbols, num_characters).to(dtype);
  targets_ = signal.to(dtype);
}

torch::data::Example<> LatchSequenceSet::get(std::size_t index) {
  const auto row = static_cast<std::int64_t>(index);
  return {data_[row], targets_[row]};
}

}  // namespace hopfield::nn
