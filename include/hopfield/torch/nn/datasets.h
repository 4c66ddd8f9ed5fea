#ifndef HOPFIELD_TORCH_NN_DATASETS_H_
#define HOPFIELD_TORCH_NN_DATASETS_H_

#include <ATen/core/Tensor.h>
#include <torch/data/datasets/base.h>
#include <torch/data/example.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hopfield::nn {

/// Bags of random bit patterns; a bag is positive if it holds one of a few signal patterns.
///
/// Items    data [num_instances, num_bits], target 0-d; 0 and 1 in `dtype`.
/// Promise  bit for bit the data of hflayers.auxiliary.data.BitPatternSet, from generators of its
/// own:
///          the global generator is neither read nor moved (the reference reseeds it).
/// Errors   c10::Error if the signals do not fit the bits, or a fraction is outside (0, 1).
class BitPatternSet : public torch::data::datasets::Dataset<BitPatternSet> {
 public:
  BitPatternSet(std::int64_t num_bags, std::int64_t num_instances, std::int64_t num_signals,
                std::int64_t num_signals_per_bag = 1, double fraction_targets = 0.5,
                std::int64_t num_bits = 8, at::ScalarType dtype = at::kFloat,
                std::uint64_t seed_signals = 43, std::uint64_t seed_data = 44);

  torch::data::Example<> get(std::size_t index) override;
  std::optional<std::size_t> size() const override { return static_cast<std::size_t>(num_bags()); }

  std::int64_t num_bags() const { return data_.size(0); }
  std::int64_t num_instances() const { return data_.size(1); }
  std::int64_t num_bits() const { return data_.size(2); }
  std::int64_t num_targets_high() const { return num_targets_high_; }
  std::int64_t num_targets_low() const { return num_bags() - num_targets_high_; }
  std::int64_t num_signals() const { return signals_.size(0); }
  std::int64_t num_signals_per_bag() const { return num_signals_per_bag_; }
  std::uint64_t initial_seed() const { return seed_data_; }
  at::Tensor bags() const { return data_.clone(); }        ///< [num_bags, num_instances, num_bits]
  at::Tensor targets() const { return targets_.clone(); }  ///< [num_bags]
  at::Tensor signals() const { return signals_.clone(); }  ///< [num_signals, num_bits]

 private:
  at::Tensor data_, targets_, signals_;
  std::int64_t num_targets_high_ = 0, num_signals_per_bag_ = 1;
  std::uint64_t seed_data_ = 0;
};

/// One-hot sequences whose class is the first symbol (0 or 1) and all others are noise (2 and up).
///
/// Items    data [num_instances, num_characters], target 0-d. Promise and errors as BitPatternSet.
class LatchSequenceSet : public torch::data::datasets::Dataset<LatchSequenceSet> {
 public:
  explicit LatchSequenceSet(std::int64_t num_samples, std::int64_t num_instances = 20,
                            std::int64_t num_characters = 6, at::ScalarType dtype = at::kFloat,
                            std::uint64_t seed = 43);

  torch::data::Example<> get(std::size_t index) override;
  std::optional<std::size_t> size() const override {
    return static_cast<std::size_t>(num_samples());
  }

  std::int64_t num_samples() const { return data_.size(0); }
  std::int64_t num_instances() const { return data_.size(1); }
  std::int64_t num_characters() const { return data_.size(2); }
  std::uint64_t initial_seed() const { return seed_; }
  at::Tensor samples() const {
    return data_.clone();
  }  ///< [num_samples, num_instances, num_characters]
  at::Tensor targets() const { return targets_.clone(); }  ///< [num_samples]

 private:
  at::Tensor data_, targets_;
  std::uint64_t seed_ = 0;
};

}  // namespace hopfield::nn

#endif  // HOPFIELD_TORCH_NN_DATASETS_H_
