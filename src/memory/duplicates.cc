#include "hopfield/memory/duplicates.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "memory/pair_similarity.h"
#include "memory/pattern_rows.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "near_duplicates";
constexpr std::int64_t kBlock = 128;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

class Search {
 public:
  Search(const PatternView& stored, const DuplicateOptions& options)
      : stored_(stored), options_(options), dropped_(index(stored.rows), 0) {}

  NearDuplicates run() {
    for (std::int64_t first = 0; first < stored_.rows; first += kBlock) {
      if (options_.progress) options_.progress(first);
      block(first, std::min(kBlock, stored_.rows - first));
    }
    return std::move(result_);
  }

 private:
  struct Nearest {
    std::int64_t kept = -1;
    double similarity = 0;
  };

  void block(std::int64_t first, std::int64_t count) {
    std::vector<std::vector<double>> rows(index(count), std::vector<double>(index(stored_.depth)));
    for (std::int64_t i = 0; i < count; ++i) {
      internal::load_row(stored_, first + i, 0, rows[index(i)].data());
    }
    std::vector<std::int64_t> earlier(index(count), -1);
    if (first > 0) associate_earlier(first, count, earlier);
    std::vector<double> other(index(stored_.depth));
    for (std::int64_t i = 0; i < count; ++i) {
      Nearest nearest;
      const auto look = [&](std::int64_t row, const std::vector<double>& x) {
        const double similarity = internal::pair_similarity(options_.similarity, x, rows[index(i)]);
        if (similarity < options_.least_similarity) return;
        if (nearest.kept < 0 || similarity > nearest.similarity) nearest = {row, similarity};
      };
      if (earlier[index(i)] >= 0) {
        internal::load_row(stored_, earlier[index(i)], 0, other.data());
        look(earlier[index(i)], other);
      }
      for (std::int64_t j = 0; j < i; ++j) {
        if (dropped_[index(first + j)] == 0) look(first + j, rows[index(j)]);
      }
      if (nearest.kept >= 0) drop(first + i, nearest);
    }
  }

  void drop(std::int64_t row, const Nearest& nearest) {
    dropped_[index(row)] = 1;
    result_.duplicate.push_back(row);
    result_.kept.push_back(nearest.kept);
    result_.similarity.push_back(nearest.similarity);
  }

  /// The kept pattern before the block that is most alike each pattern of the block.
  void associate_earlier(std::int64_t first, std::int64_t count,
                         std::vector<std::int64_t>& earlier) const {
    const double beta = 1;
    Associations in;
    in.stored = internal::rows_of(stored_, 0, first);
    in.states = internal::rows_of(stored_, first, count);
    in.beta = {&beta, 1};
    in.similarity = options_.similarity;
    in.separation = Separation::kMax;
    in.hidden_stored = std::span(dropped_).first(index(first));
    AssociateOptions options;
    options.executor = options_.executor;
    if (stored_.dtype == DType::kF64) {
      AssociateOutputs<double> out;
      out.largest_index = earlier;
      associate(in, out, options);
    } else {
      AssociateOutputs<float> out;
      out.largest_index = earlier;
      associate(in, out, options);
    }
  }

  const PatternView& stored_;
  const DuplicateOptions& options_;
  std::vector<std::uint8_t> dropped_;
  NearDuplicates result_;
};

}  // namespace

NearDuplicates near_duplicates(const PatternView& stored, const DuplicateOptions& options) {
  require(stored.heads == 1, kOp,
          "expected patterns of one head, got " + std::to_string(stored.heads));
  require(!std::isnan(options.least_similarity), kOp, "expected a least similarity, got NaN");
  return Search(stored, options).run();
}

}  // namespace hopfield
