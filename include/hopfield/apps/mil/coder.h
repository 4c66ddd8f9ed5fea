#ifndef HOPFIELD_APPS_MIL_CODER_H_
#define HOPFIELD_APPS_MIL_CODER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/options.h"

namespace hopfield::mil {

/// Turns raw instances into what the first layer sees. Fitted once, on training bags; then a fixed
/// function of one instance.
///
/// Columns that are constant over the training instances are dropped (all would be kept by kNone).
/// Ranks: u(x) is the mid-rank (#smaller + #smaller or equal) / 2n at the training values, linear
/// between them, constant beyond; columns with more than 1024 distinct values keep 1024 of them.
/// Threads: const after fit.
class InputCoder {
 public:
  InputCoder() = default;

  /// Errors: kInvalidArgument without training bags; kCorruptData if every column is constant.
  static InputCoder fit(const Bags& bags, std::span<const std::int64_t> training_bags,
                        InputCode code, std::int64_t levels);

  std::int64_t num_features() const { return num_features_; }  ///< D, of an instance
  std::int64_t num_coded() const;                              ///< width of the code

  /// values [n, num_features] -> [n, num_coded]. Errors: kInvalidArgument if the size is no
  /// multiple of num_features.
  std::vector<float> apply(std::span<const float> values) const;
  /// The same into `out`, of the size that takes it.
  void apply(std::span<const float> values, std::span<float> out) const;

  /// All there is to save.
  struct State {
    std::int64_t code = 0, levels = 1, num_features = 0;
    std::vector<std::int64_t> kept;          ///< columns, ascending
    std::vector<float> shift, scale;         ///< kZ, kClippedZ: [kept]; kThermometer: shift of the
                                             ///< code, [kept * levels]
    std::vector<std::int64_t> knot_offsets;  ///< ranks: [kept + 1]
    std::vector<float> knots, ranks;         ///< values, ascending within a column, and their u
  };
  State state() const;
  /// Errors: kCorruptData if the parts contradict each other.
  static InputCoder from_state(State state);

 private:
  float rank(std::size_t column, float value) const;

  InputCode code_ = InputCode::kNone;
  std::int64_t levels_ = 1, num_features_ = 0;
  std::vector<std::int64_t> kept_;
  std::vector<float> shift_, scale_;
  std::vector<std::int64_t> knot_offsets_;
  std::vector<float> knots_, ranks_;
};

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_CODER_H_
