#include "cli/demo_digits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/kernels/associate.h"
#include "hopfield/memory/advice.h"
#include "hopfield/memory/retrieve.h"

namespace hopfield::cli {
namespace {

constexpr std::int64_t kUpdateCap = 50;
constexpr double kEps = 1e-5;  ///< a state has stopped when it moves by less (Euclidean, in ink)

std::int64_t signed_size(std::size_t n) {
  return static_cast<std::int64_t>(n);
}

std::size_t known_pixels(const Digits& digits, int hidden_rows) {
  require(hidden_rows >= 0 && hidden_rows < digits.side, "demo",
          "expected 0 to " + std::to_string(digits.side - 1) + " hidden rows, got " +
              std::to_string(hidden_rows));
  return digits.pixels() -
         static_cast<std::size_t>(hidden_rows) * static_cast<std::size_t>(digits.side);
}

/// Patterns and cues in the coordinates in which a method works, and the way back.
struct Coordinates {
  std::vector<float> patterns;  ///< [count, pixels]
  std::vector<float> offset;    ///< [pixels], added on the way back
  std::vector<float> scale;     ///< [count], of the pattern recalled, multiplied on the way back
};

Coordinates coordinates(const Digits& digits, RestoreMethod method) {
  const std::size_t n = digits.count(), d = digits.pixels();
  Coordinates c{digits.ink, std::vector<float>(d, 0.0f), std::vector<float>(n, 1.0f)};
  if (method == RestoreMethod::kKnownPart) return c;
  for (std::size_t k = 0; k < d; ++k) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += digits.ink[i * d + k];
    c.offset[k] = static_cast<float>(sum / static_cast<double>(n));
    for (std::size_t i = 0; i < n; ++i) c.patterns[i * d + k] -= c.offset[k];
  }
  if (method == RestoreMethod::kCentred) return c;
  for (std::size_t i = 0; i < n; ++i) {
    double square = 0;
    for (std::size_t k = 0; k < d; ++k)
      square += double{c.patterns[i * d + k]} * c.patterns[i * d + k];
    if (square == 0) continue;
    c.scale[i] = static_cast<float>(std::sqrt(square));
    for (std::size_t k = 0; k < d; ++k) c.patterns[i * d + k] /= c.scale[i];
  }
  return c;
}

/// Root mean square distance of the first `depth` pixels from their mean over the pictures, > 0.
double root_mean_square_deviation(const Digits& digits, std::size_t depth) {
  const std::size_t n = digits.count(), d = digits.pixels();
  double squares = 0;
  for (std::size_t k = 0; k < depth; ++k) {
    double mean = 0;
    for (std::size_t i = 0; i < n; ++i) mean += digits.ink[i * d + k] / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) {
      squares += (digits.ink[i * d + k] - mean) * (digits.ink[i * d + k] - mean);
    }
  }
  return squares > 0 ? std::sqrt(squares / static_cast<double>(n)) : 1.0;
}

/// Exact recalls and errors of pictures that came back in ink.
void judge(const Digits& digits, Restoration& result) {
  const std::size_t n = digits.count(), d = digits.pixels();
  const auto full = static_cast<float>(digits.num_greys - 1);
  result.exact.assign(n, 1);
  result.largest_error.assign(n, 0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < d; ++k) {
      const float ink = result.restored[i * d + k];
      result.largest_error[i] =
          std::max(result.largest_error[i], std::abs(ink - digits.ink[i * d + k]));
      if (std::lround(ink * full) != digits.grey[i * d + k]) result.exact[i] = 0;
    }
    result.num_exact += result.exact[i];
  }
}

/// The first update of kKnownPart: states are the known parts, what comes out are whole pictures.
std::vector<float> complete_from_known_part(const Digits& digits, std::span<const std::size_t> cues,
                                            std::size_t known, double beta, Executor* executor) {
  const std::size_t d = digits.pixels();
  std::vector<float> states;
  for (const std::size_t cue : cues) {
    const auto begin = digits.ink.begin() + static_cast<std::ptrdiff_t>(cue * d);
    states.insert(states.end(), begin, begin + static_cast<std::ptrdiff_t>(known));
  }
  std::vector<float> completed(cues.size() * d);
  Associations in;
  in.stored = pattern_view(digits.ink.data(), signed_size(digits.count()), signed_size(known));
  in.stored.row_stride = signed_size(d);  // the known pixels are the first ones of each row
  in.projections = pattern_view(digits.ink.data(), signed_size(digits.count()), signed_size(d));
  in.states = pattern_view(states.data(), signed_size(cues.size()), signed_size(known));
  in.beta = std::span(&beta, 1);
  in.similarity = Similarity::kNegativeSquaredDistance;
  AssociateOutputs<float> out;
  out.state = mutable_view(completed.data(), signed_size(cues.size()), signed_size(d));
  AssociateOptions options;
  options.executor = executor;
  associate(in, out, options);
  return completed;
}

/// Updates of whole pictures until nothing moves. `states` in, the last state out.
struct Iteration {
  std::vector<float> states;
  std::vector<std::int64_t> steps, largest_index;
  std::vector<StopReason> reason;
  std::vector<float> energies;
};
Iteration iterate(const std::vector<float>& patterns, std::size_t depth, std::vector<float> states,
                  Similarity similarity, double beta, std::int64_t max_steps,
                  std::size_t num_energies, Executor* executor) {
  const std::size_t rows = states.size() / depth;
  Iteration result;
  result.states.resize(states.size());
  result.steps.resize(rows);
  result.largest_index.resize(rows);
  result.reason.resize(rows);
  result.energies.resize(rows * num_energies);
  Associations in;
  in.stored =
      pattern_view(patterns.data(), signed_size(patterns.size() / depth), signed_size(depth));
  in.states = pattern_view(states.data(), signed_size(rows), signed_size(depth));
  in.beta = std::span(&beta, 1);
  in.similarity = similarity;
  UpdateOptions update;
  update.update_steps_max = std::span(&max_steps, 1);
  update.update_steps_eps = std::span(&kEps, 1);
  update.criterion = StopCriterion::kState;
  update.update_steps_cap = kUpdateCap;
  AssociateOutputs<float> out;
  out.state = mutable_view(result.states.data(), signed_size(rows), signed_size(depth));
  out.largest_index = result.largest_index;
  RetrieveReport<float> report;
  report.steps = result.steps;
  report.reason = result.reason;
  report.energies = result.energies;
  report.num_energies = signed_size(num_energies);
  AssociateOptions options;
  options.executor = executor;
  retrieve(in, update, out, report, options);
  return result;
}

Restoration nearest(const Digits& digits, std::size_t known) {
  const std::size_t n = digits.count(), d = digits.pixels();
  Restoration result;
  result.updates.assign(n, 0);
  result.restored.resize(n * d);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t best = 0;
    int best_distance = std::numeric_limits<int>::max();
    for (std::size_t j = 0; j < n; ++j) {
      int distance = 0;
      for (std::size_t k = 0; k < known; ++k) {
        const int difference = digits.grey[i * d + k] - digits.grey[j * d + k];
        distance += difference * difference;
      }
      if (distance < best_distance) {
        best_distance = distance;
        best = j;
      }
    }
    std::copy_n(digits.ink.begin() + static_cast<std::ptrdiff_t>(best * d), d,
                result.restored.begin() + static_cast<std::ptrdiff_t>(i * d));
  }
  judge(digits, result);
  return result;
}

}  // namespace

std::string_view restore_method_title(RestoreMethod method) {
  switch (method) {
    case RestoreMethod::kKnownPart:
      return "Hopfield, unknown pixels left out";
    case RestoreMethod::kCentred:
      return "Hopfield, unknown = mean";
    case RestoreMethod::kUnit:
      return "Hopfield, unknown = mean, length 1";
    case RestoreMethod::kNearest:
      return "nearest neighbour on the known half";
  }
  return "";
}

Restoration restore(const Digits& digits, const RestoreOptions& options) {
  const std::size_t n = digits.count(), d = digits.pixels();
  const std::size_t known = known_pixels(digits, options.hidden_rows);
  if (options.check_cancelled) options.check_cancelled();
  if (options.method == RestoreMethod::kNearest) return nearest(digits, known);
  require(std::isfinite(options.beta) && options.beta > 0, "demo",
          "expected a positive beta, got " + std::to_string(options.beta));

  const bool by_known_part = options.method == RestoreMethod::kKnownPart;
  const Coordinates c = coordinates(digits, options.method);
  Restoration result;
  if (by_known_part) {
    std::vector<std::size_t> all(n);
    for (std::size_t i = 0; i < n; ++i) all[i] = i;
    result.restored = complete_from_known_part(digits, all, known, options.beta, options.executor);
  } else {
    result.restored = c.patterns;
    for (std::size_t i = 0; i < n; ++i) {
      std::fill_n(result.restored.begin() + static_cast<std::ptrdiff_t>(i * d + known), d - known,
                  0.0f);
    }
  }
  const std::int64_t first = by_known_part ? 1 : 0;
  result.updates.assign(n, first);
  if (options.iterate || !by_known_part) {
    if (options.check_cancelled) options.check_cancelled();
    const Iteration iteration =
        iterate(c.patterns, d, std::move(result.restored),
                by_known_part ? Similarity::kNegativeSquaredDistance : Similarity::kDot,
                options.beta, options.iterate ? -1 : 0, 0, options.executor);
    result.restored = iteration.states;
    for (std::size_t i = 0; i < n; ++i) {
      result.updates[i] = first + iteration.steps[i] + 1;
      result.num_moving += iteration.reason[i] == StopReason::kCapped ? 1 : 0;
      const auto recalled = static_cast<std::size_t>(iteration.largest_index[i]);
      for (std::size_t k = 0; k < d; ++k) {
        float& ink = result.restored[i * d + k];
        ink = ink * c.scale[recalled] + c.offset[k];
      }
    }
  }
  judge(digits, result);
  return result;
}

double beta_from_patterns(const Digits& digits, RestoreMethod method, int hidden_rows,
                          std::uint64_t seed, Executor* executor) {
  const std::size_t n = digits.count(), d = digits.pixels(),
                    known = known_pixels(digits, hidden_rows);
  const Coordinates c = coordinates(digits, method);
  AdviceOptions options;
  options.seed = seed;
  options.statistics.seed = seed;
  options.statistics.num_compared = 256;
  options.executor = executor;
  options.statistics.executor = executor;
  options.wanted = 1;
  PatternView patterns = pattern_view(c.patterns.data(), signed_size(n), signed_size(d));
  if (method == RestoreMethod::kKnownPart) {
    patterns.depth = signed_size(known);  // rows stay d apart
    options.similarity = Similarity::kNegativeSquaredDistance;
    options.cue = CueKind::kNoisy;
    options.noise = 0;
    options.update_steps = 1;
    options.num_cues = signed_size(n);
  } else {
    options.cue = CueKind::kCovered;
    options.hidden_fraction = 1 - static_cast<double>(known) / static_cast<double>(d);
  }
  // Recovered within half a grey: then every pixel rounds to the right one.
  const double half_grey = 0.5 / (digits.num_greys - 1);
  options.tolerance = half_grey / root_mean_square_deviation(digits, known);
  return choose_beta(patterns, options);
}

std::vector<double> energy_trace(const Digits& digits, const std::vector<std::size_t>& cues,
                                 int hidden_rows, double beta, std::size_t num_energies,
                                 Executor* executor) {
  const std::size_t d = digits.pixels(), known = known_pixels(digits, hidden_rows);
  const std::vector<float> mean = coordinates(digits, RestoreMethod::kCentred).offset;
  std::vector<float> guesses;
  for (const std::size_t cue : cues) {
    for (std::size_t k = 0; k < d; ++k)
      guesses.push_back(k < known ? digits.ink[cue * d + k] : mean[k]);
  }
  const auto energies_from = [&](std::vector<float> states, std::int64_t max_steps,
                                 std::size_t count) {
    return iterate(digits.ink, d, std::move(states), Similarity::kNegativeSquaredDistance, beta,
                   max_steps, count, executor)
        .energies;
  };
  const std::vector<float> first = energies_from(guesses, 0, 1);
  const std::vector<float> later = energies_from(
      complete_from_known_part(digits, cues, known, beta, executor), -1, num_energies - 1);
  std::vector<double> trace;
  for (std::size_t i = 0; i < cues.size(); ++i) {
    trace.push_back(first[i]);
    for (std::size_t t = 0; t + 1 < num_energies; ++t)
      trace.push_back(later[i * (num_energies - 1) + t]);
  }
  return trace;
}

}  // namespace hopfield::cli
