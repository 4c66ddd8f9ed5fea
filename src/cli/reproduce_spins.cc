// Sections of `reproduce memory` that set networks of spins beside the modern one: how many
// pictures each holds, and half a picture among similar ones.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <set>
#include <span>

#include "cli/reproduce_memory.h"
#include "hopfield/report/format.h"
#include "hopfield/theory/spin_network.h"

namespace hopfield::cli {
namespace {

using report::general;
using theory::NetworkKind;
using theory::SpinPatterns;

constexpr std::int64_t kSweeps = 100;

struct Network {
  const char* name;
  NetworkKind kind;
  int power;
};
constexpr std::array kNetworks = {Network{"classical (Hebb)", NetworkKind::kHebbian, 2},
                                  Network{"pseudo-inverse", NetworkKind::kPseudoInverse, 2},
                                  Network{"polynomial, n = 10", NetworkKind::kPolynomial, 10},
                                  Network{"polynomial, n = 30", NetworkKind::kPolynomial, 30},
                                  Network{"polynomial, n = 3", NetworkKind::kPolynomial, 3}};

/// Ink beyond 1/2 is +1, the rest -1.
std::vector<float> binarised(const Digits& digits) {
  std::vector<float> signs(digits.ink.size());
  std::transform(digits.ink.begin(), digits.ink.end(), signs.begin(),
                 [](float ink) { return ink > 0.5f ? 1.0f : -1.0f; });
  return signs;
}

/// Rows of numbers as spins: what is not above 0 is -1.
SpinPatterns spins_of(std::span<const float> numbers, std::int64_t depth) {
  SpinPatterns patterns{static_cast<std::int64_t>(numbers.size()) / depth, depth, {}};
  patterns.values.reserve(numbers.size());
  for (const float x : numbers) patterns.values.push_back(x > 0 ? 1 : -1);
  return patterns;
}

SpinPatterns chosen(const SpinPatterns& patterns, const std::vector<std::int64_t>& rows) {
  SpinPatterns some{static_cast<std::int64_t>(rows.size()), patterns.num_spins, {}};
  for (const std::int64_t row : rows) {
    const auto values = patterns.row(row);
    some.values.insert(some.values.end(), values.begin(), values.end());
  }
  return some;
}

std::unique_ptr<theory::SpinNetwork> network_of(const Network& network,
                                                const SpinPatterns& patterns, std::int64_t seed) {
  theory::Simulation made;
  made.kind = network.kind;
  made.power = network.power;
  theory::RandomStream random(static_cast<std::uint64_t>(seed), 0);
  return theory::make_network(made, patterns, random);
}

/// All networks on the same cues of the first `count` pictures.
void add_rows(const PictureSet& set, const std::vector<float>& all, std::size_t count,
              const DamageKind& kind, double amount, const ReproduceSettings& settings,
              const Context& context, std::vector<RecallRow>& rows) {
  const std::vector<float> signs(
      all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count * set.digits.pixels()));
  DamageOptions damage;
  damage.damage = kind.damage;
  damage.amount = amount;
  damage.low = -1;
  damage.seed = static_cast<std::uint64_t>(settings.seed);
  const Cues cues = make_cues(set.view(signs), settings.quick ? 20 : 40, damage);
  const auto add = [&](const char* method, double beta, std::int64_t identified,
                       std::int64_t exact) {
    rows.push_back(
        {method, kind.name, static_cast<double>(count), beta, cues.count(), identified, exact});
  };
  RecallTrialOptions options;
  options.beta = 0.5;       // weighs like an inner product at beta = 1, as all norms are equal
  options.tolerance = 0.5;  // the sign of every pixel, with room
  options.executor = context.stoppable_executor.get();
  const RecallTrial modern = recall_trial(set.view(signs), cues, options);
  add("modern", options.beta, modern.num_identified, modern.num_exact);
  if (kind.damage == Damage::kCovered) {
    damage.damage = Damage::kMissing;
    const RecallTrial known =
        recall_trial(set.view(signs), make_cues(set.view(signs), cues.count(), damage), options);
    add("modern, hidden part not known", options.beta, known.num_identified, known.num_exact);
  }
  const RecallTrial nearest =
      nearest_trial(set.view(signs), cues, Similarity::kNegativeSquaredDistance, options.executor);
  add(kNearest, std::nan(""), nearest.num_identified, nearest.num_exact);
  const SpinPatterns patterns = spins_of(signs, cues.depth);
  const SpinPatterns starts = spins_of(cues.state, cues.depth);
  for (const Network& network : kNetworks) {
    stop_if_cancelled(context);
    // More patterns than pixels span everything: the projector without its diagonal is 0.
    if (network.kind == NetworkKind::kPseudoInverse && count > 1000) continue;
    const std::vector<std::uint8_t> exact = theory::recalled_exactly(
        *network_of(network, patterns, settings.seed), chosen(patterns, cues.pattern), starts,
        kSweeps, static_cast<std::uint64_t>(settings.seed), options.executor);
    const std::int64_t sum = std::count(exact.begin(), exact.end(), std::uint8_t{1});
    add(network.name, std::nan(""), sum, sum);
  }
}

Findings study_numbers(const PictureSet& set, const ReproduceSettings& settings,
                       const Context& context) {
  const std::vector<float> signs = binarised(set.digits);
  std::set<std::size_t> counts = {set.digits.count()};
  for (std::size_t count = 1; count <= 10000; count = count % 3 == 0 ? count / 3 * 10 : count * 3) {
    if (count < set.digits.count()) counts.insert(count);
  }
  constexpr std::array<double, 2> kAmounts = {0.5, 0.2};
  std::vector<RecallRow> rows;
  std::int64_t done = 0;
  Progress progress(set.title + " over the number stored",
                    static_cast<std::int64_t>(2 * counts.size()));
  for (std::size_t k = 0; k < kAmounts.size(); ++k) {
    for (const std::size_t count : counts) {
      add_rows(set, signs, count, kDamages[k], kAmounts[k], settings, context, rows);
      progress.update(++done);
    }
  }
  report::Axis axis{"pictures stored", report::Scale::kLog10, {}, {}};
  Findings found = recall_findings(rows, "stored", {axis}, "Standard errors as bars.");
  found.title = set.title + ": exact recall over the number stored";
  found.subtitle = "half hidden; 20 % salt and pepper";
  found.facts = {
      {"pictures", "the first ones, black and white: ink beyond 1/2 is +1, the rest -1"},
      {"cues", std::string(settings.quick ? "20" : "40") +
                   " of the stored ones (all, if there are fewer), the same for every network; "
                   "hidden pixels are -1"},
      {"exact", "every pixel has its sign"},
      {"modern", "squared distance, beta 0.5, until it stands"},
      {"networks of spins", "asynchronous updates until nothing changes, at most " +
                                std::to_string(kSweeps) + " sweeps"},
      {"seed", std::to_string(settings.seed)}};
  found.notes = {
      "Pictures are much alike, far from the random patterns for which capacities are derived: the "
      "classical network fails long before 0.138 N of them, and low powers of the polynomial one "
      "do no better.",
      "The pseudo-inverse is not shown beyond 1,000 pictures: more than there are pixels span the "
      "whole space, and nothing is left to tell them by."};
  const double all = static_cast<double>(set.digits.count());
  double classical = 0, difference = 0, num_pairs = 0;
  for (const RecallRow& row : rows) {
    if (row.method == kNetworks[0].name && row.x == all) {
      classical += static_cast<double>(row.num_exact);
    }
    if (row.method != "modern") continue;
    const auto nearest = std::find_if(rows.begin(), rows.end(), [&](const RecallRow& r) {
      return r.method == kNearest && r.damage == row.damage && r.x == row.x;
    });
    ++num_pairs;
    difference += std::abs(static_cast<double>(row.num_exact - nearest->num_exact)) /
                  static_cast<double>(row.num_cues);
  }
  // Distances of black-and-white pictures are whole numbers: of two equally near ones the nearest
  // neighbour takes the first, the modern network their mean.
  found.checks = {
      check_at_most(set.title + ": cues that the classical network recalls, all pictures stored",
                    classical, 0),
      check_at_most(set.title + ": mean |exact rate of the modern network - nearest neighbour's|",
                    difference / num_pairs, 0.1)};
  return found;
}

// --- half a picture among similar ones

report::Picture picture_of(const PictureSet& set, std::span<const float> signs) {
  report::Picture picture{set.digits.side, set.digits.side, {}};
  for (const float x : signs) picture.pixels.push_back((x + 1) / 2);
  return picture;
}

/// The first `count` pictures of one digit, ink from -1 to 1.
std::vector<float> similar_pictures(const PictureSet& set, int label, std::size_t count) {
  std::vector<float> numbers;
  const std::size_t d = set.digits.pixels();
  for (std::size_t i = 0; i < set.digits.count() && numbers.size() < count * d; ++i) {
    if (set.digits.label[i] != label) continue;
    for (std::size_t k = i * d; k < (i + 1) * d; ++k) numbers.push_back(2 * set.digits.ink[k] - 1);
  }
  return numbers;
}

struct StaticRow {
  std::string network;
  std::vector<float> state;  ///< of the first cue
  std::int64_t num_exact = 0;
  bool first_exact = false;
};

/// All networks on the half-hidden stored pictures.
std::vector<StaticRow> recall_similar(const PictureSet& set, const std::vector<float>& stored,
                                      const Cues& cues, const ReproduceSettings& settings,
                                      const Context& context) {
  std::vector<StaticRow> rows;
  const SpinPatterns patterns = spins_of(stored, cues.depth);
  const SpinPatterns starts = spins_of(cues.state, cues.depth);
  const auto d = static_cast<std::ptrdiff_t>(cues.depth);
  for (const Network& network : {kNetworks[0], kNetworks[2]}) {
    const auto made = network_of(network, patterns, settings.seed);
    theory::RandomStream random(static_cast<std::uint64_t>(settings.seed), 0);
    const theory::SpinRetrieval first =
        theory::retrieve(*made, starts.row(0), theory::UpdateOrder::kAsynchronous, kSweeps, random);
    const std::vector<std::uint8_t> exact = theory::recalled_exactly(
        *made, patterns, starts, kSweeps, static_cast<std::uint64_t>(settings.seed),
        context.stoppable_executor.get());
    rows.push_back({network.name, std::vector<float>(first.spins.begin(), first.spins.end()),
                    std::count(exact.begin(), exact.end(), std::uint8_t{1}), exact[0] == 1});
  }
  RecallTrialOptions options;
  options.similarity = Similarity::kDot;
  options.beta = 8;
  options.tolerance = 2 * set.half_grey();  // half a grey, as ink runs from -1 to 1
  options.executor = context.stoppable_executor.get();
  const auto add = [&](const char* name, const Cues& given) {
    const RecallTrial trial = recall_trial(set.view(stored), given, options);
    rows.push_back({name,
                    {trial.state.begin(), trial.state.begin() + d},
                    trial.num_exact,
                    trial.exact[0] == 1});
  };
  options.update_steps = 0;  // the final association is an update
  add("modern, one update", cues);
  options.update_steps = -1;
  add("modern, until it stands", cues);
  options.beta = 32;
  DamageOptions unknown;
  unknown.damage = Damage::kMissing;
  add("modern, hidden part not known", make_cues(set.view(stored), cues.count(), unknown));
  return rows;
}

Findings study_similar(const PictureSet& set, const ReproduceSettings& settings,
                       const Context& context) {
  constexpr int kLabel = 3;
  Findings found;
  found.csv.columns = {"stored", "network", "num_cues", "num_exact", "first_exact"};
  report::PictureGrid grid;
  grid.column_titles = {"stored", "cue"};
  report::Table table({{"stored", report::Align::kRight},
                       {"network"},
                       {"cues recalled exactly", report::Align::kRight}});
  double missed = 0;
  constexpr std::array<std::size_t, 3> kNumbers = {1, 6, 24};
  for (const std::size_t wanted : kNumbers) {
    const std::vector<float> stored = similar_pictures(set, kLabel, wanted);
    const std::size_t d = set.digits.pixels(), count = stored.size() / d;
    if (count == 0) continue;
    DamageOptions hidden;  // grey: neither ink nor paper
    const Cues cues = make_cues(set.view(stored), static_cast<std::int64_t>(count), hidden);
    const std::vector<StaticRow> rows = recall_similar(set, stored, cues, settings, context);
    report::PictureGrid::Row row{std::to_string(count) + " stored", {}};
    row.cells.push_back({picture_of(set, std::span(stored).first(d))});
    row.cells.push_back({picture_of(set, std::span(cues.state).first(d))});
    for (const StaticRow& r : rows) {
      if (grid.rows.empty()) grid.column_titles.push_back(r.network);
      row.cells.push_back({picture_of(set, r.state),
                           {},
                           r.first_exact ? report::Verdict::kGood : report::Verdict::kBad});
      table.add_row({std::to_string(count), r.network,
                     std::to_string(r.num_exact) + " of " + std::to_string(count)});
      found.csv.rows.push_back({csv_number(static_cast<std::int64_t>(count)), csv_quoted(r.network),
                                csv_number(static_cast<std::int64_t>(count)),
                                csv_number(r.num_exact), r.first_exact ? "1" : "0"});
      found.json["rows"].push_back({{"stored", count},
                                    {"network", r.network},
                                    {"num_cues", count},
                                    {"num_exact", r.num_exact},
                                    {"first_exact", r.first_exact}});
    }
    missed += static_cast<double>(count) - static_cast<double>(rows.back().num_exact);
    grid.rows.push_back(std::move(row));
  }
  found.title = set.title + ": half a picture among similar ones";
  found.subtitle = "pictures of the digit 3";
  found.exhibits = {
      {"pictures", grid,
       "The first picture as cue. A tick: recalled exactly (the classical and the polynomial "
       "network: every pixel on its side of grey; the modern one: every pixel to its grey)."},
      {"table", table, "Every stored picture in turn as the cue."}};
  found.notes = {
      "By the inner product a picture whose visible half is a little fainter than another's may "
      "lose to it; the distance over the known half does not mind."};
  found.facts = {
      {"pictures", "the first of their digit, ink from -1 to 1"},
      {"cue", "lower half grey (0); for networks of spins paper (-1)"},
      {"modern",
       "inner product, beta 8 as in the paper; hidden part not known: `complete`, beta 32"},
      {"seed", std::to_string(settings.seed)}};
  found.checks = {check_at_most(
      set.title + ": of 1, 6 and 24 similar pictures, those that `complete` does not restore",
      missed, 0)};
  return found;
}

}  // namespace

Studies reproduce_networks(const ReproduceSettings& settings, const Context& context) {
  Studies studies;
  for (const PictureSet& set : picture_sets(settings)) {
    if (!set.missing.empty()) {
      studies.push_back(skipped_study(set));
    } else {
      studies.push_back({set.name + "-networks", study_numbers(set, settings, context)});
    }
  }
  return studies;
}

Studies reproduce_static_retrieval(const ReproduceSettings& settings, const Context& context) {
  Studies studies;
  for (const PictureSet& set : picture_sets(settings)) {
    if (!set.missing.empty()) {
      studies.push_back(skipped_study(set));
    } else {
      studies.push_back({set.name + "-similar", study_similar(set, settings, context)});
    }
  }
  return studies;
}

}  // namespace hopfield::cli
