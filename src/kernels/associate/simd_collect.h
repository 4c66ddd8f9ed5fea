#ifndef HOPFIELD_KERNELS_ASSOCIATE_SIMD_COLLECT_H_
#define HOPFIELD_KERNELS_ASSOCIATE_SIMD_COLLECT_H_

// Streams all scores of every row and keeps the few that can matter: those within a margin of the
// largest (sparsemax, entmax), the largest k, or all of them.

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/associate/separation.h"
#include "kernels/associate/simd_work.h"

namespace hopfield::internal {

struct CollectOptions {
  enum Keep : std::uint8_t { kLargest, kMargin, kAll };
  Keep keep = kLargest;
  std::int64_t count = 0;  ///< kLargest and kMargin: keep this many of the largest scores
  Separation separation = Separation::kSparsemax;  ///< kMargin: whose support must be kept
  bool norms = false;                              ///< find the largest visible square norm
};

/// What is kept of one row. The result depends on the row's scores only, not on how they came.
template <class T>
class RowCandidates {
 public:
  /// Scores of patterns begin, begin + 1, ...; -inf where bias says that they are blocked.
  void add(const CollectOptions& options, const T* scores, std::int64_t begin, std::int64_t count,
           const RowMax<T>& top, const T* bias, std::int64_t visible);
  void add_norm(T square_norm) {
    if (square_norm > max_square_norm_) max_square_norm_ = square_norm;
  }
  /// Appends what a later part of the row kept.
  void absorb(const CollectOptions& options, const RowCandidates& next);

  /// The candidates in pattern order. One NaN for a row that has no associations: one that saw NaN,
  /// +inf, or visible patterns but only scores of -inf.
  void take(const CollectOptions& options, VisibleScores<T>& visible);

  std::int64_t visible() const { return visible_; }
  double max_square_norm() const { return static_cast<double>(max_square_norm_); }

 private:
  struct Candidate {
    T score;
    std::int64_t index;
  };
  void see_max(const CollectOptions& options, T max);
  void offer_near(const CollectOptions& options, Candidate c);
  void offer_largest(const CollectOptions& options, Candidate c);
  void prune_near(const CollectOptions& options);
  void prune_largest(const CollectOptions& options);

  std::vector<Candidate> near_, largest_;
  std::size_t near_limit_ = 4096;
  T max_ = -std::numeric_limits<T>::infinity();
  T floor_ = -std::numeric_limits<T>::infinity();  ///< no support below
  T kth_ = -std::numeric_limits<T>::infinity();  ///< the largest k are above, or were there before
  T max_square_norm_ = 0;
  std::int64_t visible_ = 0;
  bool nan_ = false;
};

/// visit(group, r, candidates) for every active row, once, on any thread.
template <class T>
using CollectVisit =
    std::function<void(const RowGroup<T>& group, std::int64_t r, RowCandidates<T>& found)>;

template <class T>
void collect(const Engine<T>& engine, const CollectOptions& options, const CollectVisit<T>& visit);

/// The same for given items only.
template <class T>
void collect_items(const Engine<T>& engine, const CollectOptions& options, const Plan& plan,
                   const CollectVisit<T>& visit);

/// How many candidates a row of that many patterns keeps, roughly. A support can be everything, but
/// is expected to be a small part.
std::int64_t kept_a_row(const CollectOptions& options, std::int64_t num_stored);

/// How many rows an item may have under these options, to bound what a thread keeps.
template <class T>
std::int64_t collect_rows(const Engine<T>& engine, const CollectOptions& options);

}  // namespace hopfield::internal

#endif  // HOPFIELD_KERNELS_ASSOCIATE_SIMD_COLLECT_H_
