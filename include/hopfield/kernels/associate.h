#ifndef HOPFIELD_KERNELS_ASSOCIATE_H_
#define HOPFIELD_KERNELS_ASSOCIATE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/executor.h"
#include "hopfield/base/view.h"

namespace hopfield {

/// How alike a state xi and a stored pattern x are. score = beta * similarity + bias.
enum class Similarity : std::uint8_t {
  kDot,                      ///< <x, xi>
  kCosine,                   ///< <x, xi> / (|x| |xi|), 0 where a norm is 0
  kNegativeSquaredDistance,  ///< -|x - xi|^2
};

/// How scores become associations (weights >= 0 that sum to 1): p = argmax_p <p, scores> -
/// Omega(p).
enum class Separation : std::uint8_t {
  kSoftmax,      ///< Omega = sum p log p
  kSparsemax,    ///< Omega = (|p|^2 - 1) / 2
  kEntmax15,     ///< Omega = (sum p^1.5 - 1) / 0.75
  kTopKSoftmax,  ///< softmax over the `top_k` largest scores; of equal scores the first ones win
  kMax,          ///< all weight on the largest score; of equal scores the first one wins
};

/// Four-dimensional view of a mask: entry of (bag, head, state within the bag, stored pattern
/// within the bag) at data + bag * bag_stride + head * head_stride + state * state_stride + stored
/// * stored_stride. A stride of 0 broadcasts.
template <class T>
struct MaskView {
  const T* data = nullptr;
  std::int64_t bag_stride = 0;
  std::int64_t head_stride = 0;
  std::int64_t state_stride = 0;
  std::int64_t stored_stride = 1;

  bool given() const { return data != nullptr; }
  const T* row(std::int64_t bag, std::int64_t head, std::int64_t state) const {
    return data + bag * bag_stride + head * head_stride + state * state_stride;
  }
};

/// What is associated with what. Views are read only and must stay alive during the call.
///
/// Heads   H = max of the views' heads; each view has H heads or 1 (then shared by all heads).
/// Bags    `stored_offsets` [B+1] cuts the stored rows into bags (ascending, first 0, last = rows);
///         likewise `state_offsets`. Where one is empty, every bag sees all its rows ("shared"):
///         both empty means one bag. States of bag b meet the stored patterns of bag b only.
/// Rows    result rows R: states.rows if the states are cut into bags or there is one bag, else
///         B * states.rows, bag-major (shared states, one result a bag).
/// Types   all views f64 -> T = double; otherwise any mix of f32, bf16, f16 and int8 codes -> T =
///         float. Codes count as the f32 numbers that they decode to: same bits.
struct Associations {
  PatternView stored;            ///< [S, H or 1, d]
  PatternView projections;       ///< [S, H or 1, dv]; not given: the stored patterns themselves
  PatternView states;            ///< [T, H or 1, d]
  std::span<const double> beta;  ///< inverse temperature, one for all heads or H of them; finite
  std::span<const std::int64_t> stored_offsets;
  std::span<const std::int64_t> state_offsets;

  std::span<const std::uint8_t> hidden_stored;  ///< [S], non-zero = pattern is invisible to all
  MaskView<std::uint8_t> hidden;                ///< non-zero = association blocked
  MaskView<float> bias_f32;   ///< added to the score (may be -inf = blocked); for T = float
  MaskView<double> bias_f64;  ///< the same for T = double

  Similarity similarity = Similarity::kDot;
  Separation separation = Separation::kSoftmax;
  std::int64_t top_k = 0;  ///< only for kTopKSoftmax, >= 1; larger than the bag means all

  /// [R * H] or empty; rows whose entry (row * H + head) is 0 are skipped, their outputs untouched.
  std::span<const std::uint8_t> active;
};

struct AssociateOptions {
  Executor* executor = nullptr;  ///< null: default_executor()
  std::string_view target;       ///< one of associate_targets(), empty: the best this CPU has
  /// Stored patterns are folded into a partial state in blocks of this many, and blocks are merged
  /// in order. The result depends on it (in rounding) and on nothing else about scheduling. >= 1.
  std::int64_t block_size = 4096;
  /// If not null, receives the name of the implementation that did the work of this call: the
  /// forced target, or what it hands the case on to (at the latest "reference").
  std::string* served_by = nullptr;
};

/// Sizes that follow from the inputs. `validate` throws kInvalidArgument on any contradiction, with
/// the name of the view, what was expected and what came.
struct AssociationShape {
  std::int64_t num_bags = 0, heads = 0, depth = 0, projection_depth = 0;
  std::int64_t num_stored = 0, num_states = 0, rows = 0;
  bool states_shared = false, stored_shared = false;
  bool f64 = false;
  bool tied = true;  ///< no separate projections: the stored patterns are read out themselves
};
AssociationShape validate(const Associations& in, std::string_view op);

/// Names of the compiled implementations this CPU can run, best first; the last is always
/// "reference": the plain double-precision loops every other one is tested against.
std::vector<std::string> associate_targets();

/// Everything one pass can tell; what is not wanted stays empty / null. All per-row outputs are
/// dense [R, H]. An empty or fully masked row gives: state 0, lse -inf, energy +inf, entropy 0,
/// largest 0 with index -1, metastable size 0, top weights 0 with index -1, association 0.
/// Indices count stored patterns WITHIN the row's bag.
template <class T>
struct AssociateOutputs {
  MutablePatternView<T> state;  ///< [R, H, dv] sum_s p_s v_s
  /// max_p <p, scores> - Omega(p); log sum exp(scores) for softmax. beta times the paper's lse.
  std::span<T> lse;
  /// -lse/beta + |xi|^2/2 + log(N)/beta + M^2/2 for kDot, N visible patterns, M the largest norm of
  /// a visible one; for kNegativeSquaredDistance -lse/beta + log(N)/beta. Needs beta > 0; kCosine
  /// has no energy that its update descends: kUnsupported.
  std::span<T> energy;
  std::span<T> entropy;                     ///< -sum p log p, nats
  std::span<T> largest;                     ///< largest association
  std::span<std::int64_t> largest_index;    ///< its pattern; of equals the first
  std::int64_t num_top = 0;                 ///< how many of the largest associations
  std::span<T> top;                         ///< [R, H, num_top] descending, 0 where there are fewer
  std::span<std::int64_t> top_index;        ///< [R, H, num_top], -1 where there are fewer
  std::span<std::int64_t> metastable_size;  ///< fewest associations that hold `metastable_mass`
  double metastable_mass = 0.9;             ///< in (0, 1]
  /// Dense associations, bag after bag, each [H, T_bag, S_bag]; sum over bags of H * T_bag * S_bag.
  std::span<T> association;
};

/// One association of every state with its stored patterns (one update step when the projections
/// are the patterns themselves).
///
/// Promise  |result - exact| at most twice the error of the plain composition in the same
/// precision;
///          same bits for any executor, batch neighbours, row blocking; equal to merging the
///          partial states of shards whose boundaries are multiples of block_size.
///          A NaN or infinity stays in the rows that see it. Numbers of bf16 patterns below 2^-126
///          may count as 0.
/// Memory   O(R dv) plus blocks. Softmax with top or metastable_size: the R H S scores in one bag
///          without masks where they are few (2^23) or of one row, else O(S) a thread and a second
///          pass. The other separations: O(S) a thread.
/// NaN      a row that sees one gives NaN, index -1, metastable size 0; no other row changes.
/// Errors   kInvalidArgument (shapes, offsets, beta, spans of the wrong size), kUnsupported;
/// outputs
///          are untouched then.
/// Threads  const inputs; outputs must not overlap inputs.
template <class T>
void associate(const Associations& in, const AssociateOutputs<T>& out,
               const AssociateOptions& options = {});

/// Gradients arriving at the outputs of `associate`; absent ones are zero. [R, H, dv] / [R, H].
template <class T>
struct AssociateCotangents {
  PatternView state;  ///< of type T
  std::span<const T> lse;
  std::span<const T> energy;
  std::span<const T> entropy;
};

/// What `associate` gave and the backward pass reads again (softmax: all three rows that are
/// needed; other separations recompute and ignore them).
template <class T>
struct AssociateSaved {
  PatternView state;           ///< [R, H, dv] of type T, needed with cotangent `state`
  std::span<const T> lse;      ///< [R, H], needed always
  std::span<const T> entropy;  ///< [R, H], needed with cotangent `entropy`
};

/// Gradients wanted; each is WRITTEN (not added to). Shapes equal the inputs' (where an input is
/// shared by heads or bags, the sum over them). With projections not given, `stored` gets both
/// parts and `projections` must be null.
template <class T>
struct AssociateGradients {
  MutablePatternView<T> stored;
  MutablePatternView<T> projections;
  MutablePatternView<T> states;
  std::span<T> beta;  ///< same size as the input's beta
  /// Gradient of the bias, ADDED to data laid out by these strides (so a broadcast mask collects
  /// the sum); the caller zeroes it. Order of addition is fixed.
  T* bias = nullptr;
  std::int64_t bias_bag_stride = 0, bias_head_stride = 0, bias_state_stride = 0,
               bias_stored_stride = 1;
};

/// Backward of `associate`: recomputes scores block by block, never holds [T, S].
/// The gradient of energy includes that of M^2/2 (to the first pattern of largest norm).
template <class T>
void associate_backward(const Associations& in, const AssociateSaved<T>& saved,
                        const AssociateCotangents<T>& cotangents,
                        const AssociateGradients<T>& gradients,
                        const AssociateOptions& options = {});

/// The partial state of rows against some of their stored patterns: what blocks, threads, shards
/// and processes exchange. Softmax only. For row r and head h at index r * heads + h.
template <class T>
struct Partials {
  std::int64_t rows = 0, heads = 0, depth = 0;  ///< depth = dv
  std::vector<T> max;                           ///< m: largest score, -inf when nothing was seen
  std::vector<T> sum;                           ///< l = sum exp(score - m)
  std::vector<T> acc;                           ///< [rows, heads, depth] sum exp(score - m) v
  std::vector<T> moment;                        ///< sum exp(score - m) (score - m), for the entropy
  std::vector<T> max_square_norm;               ///< of the visible patterns, for the energy
  std::vector<std::int64_t> visible;            ///< how many patterns were visible
  std::vector<std::int64_t> largest_index;      ///< of the pattern with score m (first of equals)
};

/// One Partials for each block of options.block_size stored patterns, in order. `first_index` is
/// added to indices (the shard's position in the whole). One bag only (offsets must be empty or [0,
/// n]).
template <class T>
std::vector<Partials<T>> associate_partials(const Associations& in,
                                            const AssociateOptions& options = {},
                                            std::int64_t first_index = 0);

/// into := into followed by next. Associative up to rounding; `associate` itself folds block
/// partials left to right with this very function, so doing the same gives the same bits.
/// A side that saw nothing leaves the other unchanged bit for bit. Arithmetic: exponentials in
/// double, rounded to T once; acc_i := acc_i * scale_a + next_i * scale_b, three roundings, never
/// fused. Errors: kInvalidArgument if the shapes differ.
template <class T>
void merge(Partials<T>& into, const Partials<T>& next);

/// Outputs from merged partials: state, lse, energy, entropy, largest, largest_index; asking for
/// more is kUnsupported. `in` supplies the states and beta (its stored patterns are not read).
template <class T>
void finish(const Partials<T>& partials, const Associations& in, const AssociateOutputs<T>& out);

}  // namespace hopfield

#endif  // HOPFIELD_KERNELS_ASSOCIATE_H_
