#include "hopfield/memory/search.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include "hopfield/base/error.h"
#include "memory/pair_similarity.h"
#include "memory/pattern_rows.h"

namespace hopfield {
namespace {

constexpr std::string_view kOp = "search";

template <class T>
void associate_top(const Associations& in, Executor* executor, SearchResult& result) {
  std::vector<T> top(result.weight.size()), lse(result.lse.size()), entropy(lse);
  AssociateOutputs<T> out;
  out.num_top = result.num_top;
  out.top = top;
  out.top_index = result.index;
  out.lse = lse;
  out.entropy = entropy;
  AssociateOptions options;
  options.executor = executor;
  associate(in, out, options);
  std::copy(top.begin(), top.end(), result.weight.begin());
  std::copy(lse.begin(), lse.end(), result.lse.begin());
  std::copy(entropy.begin(), entropy.end(), result.entropy.begin());
}

/// Sorts the hits of one state by their similarity in double.
class Ranking {
 public:
  Ranking(const PatternView& stored, Similarity similarity)
      : stored_(stored),
        similarity_(similarity),
        pattern_(static_cast<std::size_t>(stored.depth)) {}

  void sort(const std::vector<double>& state, std::span<std::int64_t> index,
            std::span<double> similarity, std::span<double> weight) {
    hits_.clear();
    for (std::size_t k = 0; k < index.size(); ++k) {
      require(index[k] >= 0, kOp, internal::kNoScore);
      internal::load_row(stored_, index[k], 0, pattern_.data());
      hits_.push_back(
          {internal::pair_similarity(similarity_, pattern_, state), index[k], weight[k]});
    }
    std::sort(hits_.begin(), hits_.end(), [](const Hit& a, const Hit& b) {
      return a.similarity > b.similarity || (a.similarity == b.similarity && a.index < b.index);
    });
    for (std::size_t k = 0; k < index.size(); ++k) {
      similarity[k] = hits_[k].similarity;
      index[k] = hits_[k].index;
      weight[k] = hits_[k].weight;
    }
  }

 private:
  struct Hit {
    double similarity;
    std::int64_t index;
    double weight;
  };
  const PatternView& stored_;
  Similarity similarity_;
  std::vector<double> pattern_;
  std::vector<Hit> hits_;
};

}  // namespace

SearchResult search(const PatternView& stored, const PatternView& states, double beta,
                    const SearchOptions& options) {
  Associations in;
  in.stored = stored;
  in.states = states;
  in.beta = {&beta, 1};
  in.similarity = options.similarity;
  const AssociationShape shape = validate(in, kOp);
  require(shape.heads == 1, kOp,
          "expected patterns and states of one head, got " + std::to_string(shape.heads));
  require(stored.rows >= 1, kOp, "expected at least one pattern, got none");
  require(options.num_top >= 1, kOp,
          "expected num_top >= 1, got " + std::to_string(options.num_top));
  SearchResult result;
  result.num_top = std::min(options.num_top, stored.rows);
  const auto rows = static_cast<std::size_t>(states.rows);
  const auto k = static_cast<std::size_t>(result.num_top);
  result.index.resize(rows * k);
  result.similarity.resize(rows * k);
  result.weight.resize(rows * k);
  result.lse.resize(rows);
  result.entropy.resize(rows);
  if (shape.f64) {
    associate_top<double>(in, options.executor, result);
  } else {
    associate_top<float>(in, options.executor, result);
  }
  Ranking ranking(stored, options.similarity);
  std::vector<double> state(static_cast<std::size_t>(states.depth));
  for (std::size_t t = 0; t < rows; ++t) {
    internal::load_row(states, static_cast<std::int64_t>(t), 0, state.data());
    const auto part = [t, k](auto& values) { return std::span(values).subspan(t * k, k); };
    ranking.sort(state, part(result.index), part(result.similarity), part(result.weight));
  }
  return result;
}

}  // namespace hopfield
