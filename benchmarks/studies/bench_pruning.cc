// bench_pruning DATA_DIR [RESULTS.json [ARRAYS_DIR]]
//
// How much associate_pruned leaves out, what it proves, what it errs, and how long it takes beside
// associate, at the smallest beta (in powers of 2) that retrieves, at 4 times it, and at a low one.
// Prints a table and writes the rows as JSON; with ARRAYS_DIR also every case's patterns and cues,
// for pruning_beside_faiss.py. DATA_DIR: the folder of mnist, mil and uci.

#include <zlib.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/memory/pruned.h"
#include "hopfield/report/format.h"
#include "hopfield/report/table.h"
#include "hopfield/store/csv.h"
#include "hopfield/store/npy.h"

namespace hopfield {
namespace {

constexpr std::int64_t kCues = 64;
constexpr int kRounds = 5;

struct Patterns {
  std::string name;
  std::int64_t rows = 0, depth = 0;
  std::vector<float> values;

  PatternView view() const { return pattern_view(values.data(), rows, depth); }
};

Patterns mnist(const std::string& folder) {
  const std::string path = folder + "/mnist/train-images-idx3-ubyte.gz";
  Patterns patterns{"MNIST", 60000, 784, {}};
  std::vector<unsigned char> bytes(16 + static_cast<std::size_t>(patterns.rows * patterns.depth));
  gzFile file = gzopen(path.c_str(), "rb");
  const int got =
      file == nullptr ? -1 : gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  if (file != nullptr) gzclose(file);
  if (got != static_cast<int>(bytes.size())) {
    fail(ErrorCode::kIo, "bench_pruning", "expected 60,000 images, got none in " + path);
  }
  patterns.values.reserve(bytes.size());
  for (std::size_t i = 16; i < bytes.size(); ++i) {
    patterns.values.push_back(static_cast<float>(bytes[i]) / 255);
  }
  return patterns;
}

/// The columns f0, f1, ... of a table, each with mean 0 and variance 1; constant ones are left out.
Patterns table(const std::string& name, const std::string& path) {
  std::vector<std::string> columns;
  {
    const store::CsvReader reader(path);
    for (const std::string& column : reader.columns()) {
      if (column.size() > 1 && column[0] == 'f' && std::isdigit(column[1]) != 0) {
        columns.push_back(column);
      }
    }
  }
  const store::CsvMatrix matrix = store::read_csv_matrix(path, columns);
  const auto rows = static_cast<std::size_t>(matrix.rows), width = columns.size();
  std::vector<std::vector<double>> kept;
  for (std::size_t k = 0; k < width; ++k) {
    double sum = 0, squares = 0;
    for (std::size_t s = 0; s < rows; ++s) sum += matrix.values[s * width + k];
    const double mean = sum / static_cast<double>(rows);
    for (std::size_t s = 0; s < rows; ++s) {
      squares += std::pow(matrix.values[s * width + k] - mean, 2);
    }
    const double deviation = std::sqrt(squares / static_cast<double>(rows));
    if (!(deviation > 0)) continue;
    kept.emplace_back();
    for (std::size_t s = 0; s < rows; ++s) {
      kept.back().push_back((matrix.values[s * width + k] - mean) / deviation);
    }
  }
  Patterns patterns{name, matrix.rows, static_cast<std::int64_t>(kept.size()), {}};
  for (std::size_t s = 0; s < rows; ++s) {
    for (const std::vector<double>& column : kept) {
      patterns.values.push_back(static_cast<float>(column[s]));
    }
  }
  return patterns;
}

/// Gaussian patterns, `spread` around `num_centers` Gaussian centers (0 centers: around 0).
Patterns gaussian(const std::string& name, std::int64_t rows, std::int64_t depth,
                  std::int64_t num_centers, float spread) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> centers(
      static_cast<std::size_t>(std::max<std::int64_t>(1, num_centers) * depth));
  if (num_centers > 0) {
    for (float& x : centers) x = normal(random);
  }
  Patterns patterns{name, rows, depth, {}};
  for (std::int64_t s = 0; s < rows; ++s) {
    const std::int64_t center = num_centers > 0 ? s % num_centers : 0;
    for (std::int64_t k = 0; k < depth; ++k) {
      patterns.values.push_back(centers[static_cast<std::size_t>(center * depth + k)] +
                                spread * normal(random));
    }
  }
  return patterns;
}

/// Root mean square distance of a pattern from the mean.
double spread_of(const Patterns& p) {
  std::vector<double> mean(static_cast<std::size_t>(p.depth), 0);
  double squares = 0;
  for (std::size_t i = 0; i < p.values.size(); ++i) {
    const auto x = static_cast<double>(p.values[i]);
    mean[i % mean.size()] += x / static_cast<double>(p.rows);
    squares += x * x / static_cast<double>(p.rows);
  }
  for (const double m : mean) squares -= m * m;
  return std::sqrt(squares);
}

/// Some patterns with Gaussian noise of about `length`, and which they are.
struct Cues {
  std::vector<std::int64_t> source;
  std::vector<float> values;
};
Cues cues_of(const Patterns& p, double length) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal(0, length / std::sqrt(static_cast<double>(p.depth)));
  Cues cues;
  for (std::int64_t t = 0; t < kCues; ++t) {
    cues.source.push_back(t * 7919 % p.rows);
    for (std::int64_t k = 0; k < p.depth; ++k) {
      cues.values.push_back(static_cast<float>(
          static_cast<double>(
              p.values[static_cast<std::size_t>(cues.source.back() * p.depth + k)]) +
          normal(random)));
    }
  }
  return cues;
}

template <class T>
std::vector<T> states_of(const PatternView& stored, const PatternView& cues, double beta) {
  std::vector<T> state(static_cast<std::size_t>(cues.rows * cues.depth));
  Associations in;
  in.stored = stored;
  in.states = cues;
  in.beta = {&beta, 1};
  in.similarity = Similarity::kNegativeSquaredDistance;
  AssociateOutputs<T> out;
  out.state = mutable_view(state.data(), cues.rows, cues.depth);
  associate(in, out);
  return state;
}

template <class A, class B>
double distance(const A* a, const B* b, std::int64_t depth) {
  double sum = 0;
  for (std::int64_t k = 0; k < depth; ++k) {
    sum += std::pow(static_cast<double>(a[k]) - static_cast<double>(b[k]), 2);
  }
  return std::sqrt(sum);
}

/// The smallest power of 2 at which 95 % of the cues come within a tenth of the spread of their
/// pattern; 0 if none does.
double retrieving_beta(const Patterns& p, const Cues& cues, double spread) {
  const PatternView view = pattern_view(cues.values.data(), kCues, p.depth);
  for (double beta = 0x1p-12; beta < 0x1p12; beta *= 2) {
    const std::vector<float> state = states_of<float>(p.view(), view, beta);
    std::int64_t retrieved = 0;
    for (std::int64_t t = 0; t < kCues; ++t) {
      const std::int64_t source = cues.source[static_cast<std::size_t>(t)];
      retrieved += distance(state.data() + t * p.depth, p.values.data() + source * p.depth,
                            p.depth) <= 0.1 * spread;
    }
    if (100 * retrieved >= 95 * kCues) return beta;
  }
  return 0;
}

template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Study {
 public:
  explicit Study(std::string arrays) : arrays_(std::move(arrays)) {}

  void run(const Patterns& p, double noise) {
    const double spread = spread_of(p);
    const Cues cues = cues_of(p, noise * spread);
    const std::string name = p.name + ", noise " + report::fixed(noise, 1);
    if (!arrays_.empty()) write_arrays(p, cues, name);
    std::optional<PrunedPatterns<float>> pruned;
    build_seconds_ = seconds_of([&] { pruned.emplace(p.view()); });
    const double beta = retrieving_beta(p, cues, spread);
    if (beta > 0) {
      measure(p, *pruned, cues, name, beta, "retrieving");
      measure(p, *pruned, cues, name, 4 * beta, "4x-retrieving");
    }
    measure(p, *pruned, cues, name, 1e-3 / (spread * spread), "low");
  }

  void print() const { std::fputs(table_.text().c_str(), stdout); }
  const nlohmann::json& rows() const { return rows_; }

 private:
  void measure(const Patterns& p, const PrunedPatterns<float>& pruned, const Cues& cues,
               const std::string& name, double beta, const char* kind) {
    const PatternView all = pattern_view(cues.values.data(), kCues, p.depth);
    PruneOptions options;
    options.similarity = Similarity::kNegativeSquaredDistance;
    const PrunedAssociation<float> got = associate_pruned(pruned, all, beta, options);
    const std::vector<double> stored(p.values.begin(), p.values.end());
    const std::vector<double> states(cues.values.begin(), cues.values.end());
    const std::vector<double> truth =
        states_of<double>(pattern_view(stored.data(), p.rows, p.depth),
                          pattern_view(states.data(), kCues, p.depth), beta);
    const std::vector<float> brute = states_of<float>(p.view(), all, beta);
    double visited = 0, bound = 0, error = 0, brute_error = 0;
    for (std::int64_t t = 0; t < kCues; ++t) {
      const auto at = static_cast<std::size_t>(t);
      visited += static_cast<double>(got.visited[at]) / static_cast<double>(p.rows * kCues);
      bound = std::max(bound, got.state_bound[at]);
      const double* exact = truth.data() + t * p.depth;
      error = std::max(error, distance(got.state.data() + t * p.depth, exact, p.depth));
      brute_error = std::max(brute_error, distance(brute.data() + t * p.depth, exact, p.depth));
    }
    for (const std::int64_t batch : {std::int64_t{1}, kCues}) {
      std::vector<double> ratios, times;
      for (int round = 0; round < kRounds; ++round) {
        double whole = 0, part = 0;
        for (std::int64_t t = 0; t < kCues; t += batch * (batch == 1 ? 8 : 1)) {
          const PatternView some = pattern_view(cues.values.data() + t * p.depth, batch, p.depth);
          whole += seconds_of([&] { states_of<float>(p.view(), some, beta); });
          part += seconds_of([&] { associate_pruned(pruned, some, beta, options); });
        }
        ratios.push_back(whole / part);
        times.push_back(part / static_cast<double>(batch == 1 ? kCues / 8 : kCues));
      }
      add_row({{"case", name},
               {"patterns", p.rows},
               {"depth", p.depth},
               {"beta", beta},
               {"beta_kind", kind},
               {"states", batch},
               {"left_out", 1 - visited},
               {"bound", bound},
               {"error", error},
               {"brute_force_error", brute_error},
               {"ratio", median(ratios)},
               {"ratios", ratios},
               {"ratio_min", *std::min_element(ratios.begin(), ratios.end())},
               {"ratio_max", *std::max_element(ratios.begin(), ratios.end())},
               {"seconds_a_state", median(times)},
               {"build_seconds", build_seconds_}});
    }
  }

  void add_row(const nlohmann::json& row) {
    const auto number = [&row](const char* key, int digits) {
      return report::general(row[key].get<double>(), digits);
    };
    const auto count = [&row](const char* key) {
      return std::to_string(row[key].get<std::int64_t>());
    };
    table_.add_row({row["case"].get<std::string>(), count("patterns"), count("depth"),
                    number("beta", 3), count("states"),
                    report::fixed(100 * row["left_out"].get<double>(), 2) + " %",
                    number("bound", 2), number("error", 2), number("brute_force_error", 2),
                    number("ratio", 3), number("ratio_min", 3) + ".." + number("ratio_max", 3),
                    report::fixed(1e6 * row["seconds_a_state"].get<double>(), 0)});
    rows_.push_back(row);
  }

  void write_arrays(const Patterns& p, const Cues& cues, const std::string& name) const {
    const std::int64_t stored[] = {p.rows, p.depth}, states[] = {kCues, p.depth};
    store::write_npy<float>(arrays_ + "/" + name + ".patterns.npy", p.values, stored);
    store::write_npy<float>(arrays_ + "/" + name + ".cues.npy", cues.values, states);
  }

  std::string arrays_;
  double build_seconds_ = 0;
  nlohmann::json rows_ = nlohmann::json::array();
  report::Table table_{{{"case"},
                        {"S", report::Align::kRight},
                        {"d", report::Align::kRight},
                        {"beta", report::Align::kRight},
                        {"T", report::Align::kRight},
                        {"left out", report::Align::kRight},
                        {"bound", report::Align::kRight},
                        {"error", report::Align::kRight},
                        {"error, all", report::Align::kRight},
                        {"times as fast", report::Align::kRight},
                        {"of rounds", report::Align::kRight},
                        {"us a state", report::Align::kRight}}};
};

int run(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fputs("usage: bench_pruning DATA_DIR [RESULTS.json [ARRAYS_DIR]]\n", stderr);
    return 2;
  }
  const std::string data = argv[1];
  Study study(argc > 3 ? argv[3] : "");
  const Patterns digits = mnist(data);
  study.run(digits, 0.2);
  study.run(digits, 0.5);
  study.run(digits, 1);
  study.run(table("UCSB instances", data + "/mil/ucsb.csv.gz"), 0.2);
  study.run(table("Elephant instances", data + "/mil/elephant.csv.gz"), 0.2);
  study.run(table("statlog-german-credit", data + "/uci/statlog-german-credit.csv.gz"), 0.2);
  study.run(gaussian("1000 clusters", 100000, 64, 1000, 0.1F), 0.05);
  study.run(gaussian("random, d = 8", 100000, 8, 0, 1), 0.05);
  study.run(gaussian("random, d = 64", 50000, 64, 0, 1), 0.2);
  study.print();
  if (argc > 2) std::ofstream(argv[2]) << study.rows().dump(1) << "\n";
  return 0;
}

}  // namespace
}  // namespace hopfield

int main(int argc, char** argv) {
  try {
    return hopfield::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_pruning: %s\n", error.what());
    return 1;
  }
}
