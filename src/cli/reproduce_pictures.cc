// Section of `reproduce memory` about pictures recalled from damaged ones.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "cli/reproduce_memory.h"
#include "hopfield/memory/advice.h"
#include "hopfield/report/format.h"

namespace hopfield::cli {
namespace {

using report::general;

struct Method {
  const char* name;
  Similarity similarity;
};
constexpr std::array kMethods = {Method{"squared distance", Similarity::kNegativeSquaredDistance},
                                 Method{"cosine", Similarity::kCosine},
                                 Method{"inner product", Similarity::kDot}};
constexpr const char* kCompleted = "hidden part not known";

/// One set of pictures and what is asked of it.
struct Protocol {
  const PictureSet& set;
  std::int64_t num_cues;
  std::uint64_t seed;
  Executor* executor;

  Cues cues(Damage damage, double amount) const {
    DamageOptions options;
    options.damage = damage;
    options.amount = amount;
    options.seed = seed;
    return make_cues(set.ink(), num_cues, options);
  }
  RecallTrial recall(const Cues& cues, Similarity similarity, double beta) const {
    RecallTrialOptions options;
    options.similarity = similarity;
    options.beta = beta;
    options.tolerance = set.half_grey();
    options.executor = executor;
    return recall_trial(set.ink(), cues, options);
  }
  /// What `--beta auto` means for half-hidden pictures that must come back to within half a grey.
  double automatic_beta(Similarity similarity, double spread) const {
    AdviceOptions options;
    options.similarity = similarity;
    options.cue = CueKind::kCovered;
    options.tolerance = set.half_grey() / spread;
    options.num_cues = 48;
    options.num_betas = 12;
    options.statistics.num_compared = 256;
    options.seed = seed;
    options.executor = executor;
    return choose_beta(set.ink(), options);
  }
};

RecallRow row_of(const char* method, const char* damage, double x, double beta,
                 const RecallTrial& trial) {
  return {method,
          damage,
          x,
          beta,
          static_cast<std::int64_t>(trial.exact.size()),
          trial.num_identified,
          trial.num_exact};
}

std::vector<std::pair<std::string, std::string>> facts_of(const Protocol& p) {
  return {{"stored", std::to_string(p.set.digits.count()) + " pictures of " +
                         std::to_string(p.set.digits.pixels()) + " pixels, ink 0 to 1, from " +
                         p.set.digits.origin},
          {"cues", std::to_string(p.num_cues) + " of them, drawn without repetition"},
          {"updates", "until no step could be seen in the verdict, at most 30"},
          {"seed", std::to_string(p.seed)}};
}

/// Exact recall over beta at one amount of each damage.
Findings study_betas(const Protocol& p, bool quick, const Context& context) {
  const std::array<double, kDamages.size()> amounts = {0.5, 0.3, 0.5};
  std::vector<double> betas;
  for (int power = 0; power <= 12; power += quick ? 4 : 2) betas.push_back(std::ldexp(1.0, power));
  std::vector<RecallRow> rows;
  std::int64_t done = 0, differ = 0;
  Progress progress(p.set.title + " over beta",
                    static_cast<std::int64_t>(betas.size() * kDamages.size()));
  for (std::size_t k = 0; k < kDamages.size(); ++k) {
    const DamageKind& kind = kDamages[k];
    const Cues cues = p.cues(kind.damage, amounts[k]);
    const Cues gaps = p.cues(Damage::kMissing, amounts[k]);
    const RecallTrial nearest =
        nearest_trial(p.set.ink(), cues, Similarity::kNegativeSquaredDistance, p.executor);
    for (const double beta : betas) {
      stop_if_cancelled(context);
      for (const Method& method : kMethods) {
        const RecallTrial trial = p.recall(cues, method.similarity, beta);
        rows.push_back(row_of(method.name, kind.name, beta, beta, trial));
        if (beta != betas.back() || method.similarity != Similarity::kNegativeSquaredDistance) {
          continue;
        }
        for (std::size_t i = 0; i < trial.found.size(); ++i) {
          differ += trial.identified[i] != nearest.identified[i];
        }
      }
      if (kind.damage == Damage::kCovered) {
        rows.push_back(row_of(kCompleted, kind.name, beta, beta,
                              p.recall(gaps, Similarity::kNegativeSquaredDistance, beta)));
      }
      progress.update(++done);
    }
  }
  report::Axis axis{"beta", report::Scale::kLog10, {}, {}};
  Findings found = recall_findings(rows, "beta", {axis}, "Standard errors as bars.");
  found.title = p.set.title + ": exact recall over beta";
  found.subtitle = "half hidden; 30 % salt and pepper; Gaussian noise of 0.5";
  found.facts = facts_of(p);
  found.notes = {
      "Squared distance, cosine, inner product: how cue and picture are compared; hidden pixels "
      "count as paper (0). \"" +
          std::string(kCompleted) +
          "\": `complete` compares the known pixels only and holds them fast.",
      "At beta = 1 all pictures are averaged: the end is no picture. The larger beta, the nearer "
      "the answer comes to the nearest neighbour's."};
  double best = 0;
  for (const RecallRow& row : rows) {
    if (row.method != kCompleted) continue;
    best = std::max(best, static_cast<double>(row.num_exact) / static_cast<double>(row.num_cues));
  }
  // Pictures nearly as near as the nearest are decided by rounding and by what beta leaves of them.
  found.checks = {
      check_at_most(
          p.set.title + ": share of verdicts at the largest beta that differ from the "
                        "nearest neighbour's",
          static_cast<double>(differ) /
              static_cast<double>(kDamages.size() * p.cues(Damage::kCovered, 0).pattern.size()),
          0.02),
      check_at_least(p.set.title + ": half not known, best exact rate over beta", best, 0.98)};
  return found;
}

/// What undamaged cues find: the inner product prefers bright pictures.
void add_brightness(const Protocol& p, const std::vector<double>& betas, Findings& found) {
  const Cues cues = p.cues(Damage::kCovered, 0);
  const auto ink_of = [&](const std::vector<std::int64_t>& pictures) {
    const std::size_t d = p.set.digits.pixels();
    double sum = 0;
    for (const std::int64_t picture : pictures) {
      for (std::size_t k = 0; k < d; ++k) {
        sum += p.set.digits.ink[static_cast<std::size_t>(picture) * d + k];
      }
    }
    return sum / static_cast<double>(pictures.size() * d);
  };
  report::Table table({{"compared by"},
                       {"identified", report::Align::kRight},
                       {"different pictures found", report::Align::kRight},
                       {"mean ink of the cues", report::Align::kRight},
                       {"mean ink of what was found", report::Align::kRight}});
  for (std::size_t k = 0; k < kMethods.size(); ++k) {
    const RecallTrial trial = p.recall(cues, kMethods[k].similarity, betas[k]);
    const std::set<std::int64_t> different(trial.found.begin(), trial.found.end());
    table.add_row({kMethods[k].name,
                   std::to_string(trial.num_identified) + " of " + std::to_string(cues.count()),
                   std::to_string(different.size()), report::fixed(ink_of(cues.pattern), 4),
                   report::fixed(ink_of(trial.found), 4)});
    found.json["undamaged"].push_back({{"method", kMethods[k].name},
                                       {"beta", betas[k]},
                                       {"num_identified", trial.num_identified},
                                       {"num_different", different.size()},
                                       {"ink_of_found", ink_of(trial.found)}});
  }
  found.exhibits.push_back({"undamaged", table, "Cues without any damage."});
}

/// Exact recall over the amount of each damage, at the automatic beta.
Findings study_damages(const Protocol& p, bool quick, const Context& context) {
  const std::vector<double> shares =
      quick ? std::vector<double>{0.3, 0.6, 0.9} : std::vector<double>{0.1, 0.3, 0.5, 0.7, 0.9};
  const std::vector<double> deviations =
      quick ? std::vector<double>{0.25, 0.5, 1} : std::vector<double>{0.125, 0.25, 0.5, 1, 2};
  StatisticsOptions options;
  options.num_compared = 1;
  options.executor = p.executor;
  const double spread = pattern_statistics(p.set.ink(), options).spread;
  std::vector<double> betas;
  for (const Method& method : kMethods) {
    stop_if_cancelled(context);
    betas.push_back(p.automatic_beta(method.similarity, spread));
  }
  std::vector<RecallRow> rows;
  std::vector<report::Axis> axes;
  std::int64_t done = 0;
  Progress progress(p.set.title + " over damage",
                    static_cast<std::int64_t>(shares.size() * kDamages.size()));
  for (const DamageKind& kind : kDamages) {
    axes.push_back({kind.axis, {}, {}, {}});
    for (const double amount : kind.damage == Damage::kGaussian ? deviations : shares) {
      stop_if_cancelled(context);
      const Cues cues = p.cues(kind.damage, amount);
      for (std::size_t k = 0; k < kMethods.size(); ++k) {
        rows.push_back(row_of(kMethods[k].name, kind.name, amount, betas[k],
                              p.recall(cues, kMethods[k].similarity, betas[k])));
      }
      if (kind.damage == Damage::kCovered) {
        rows.push_back(row_of(kCompleted, kind.name, amount, betas[0],
                              p.recall(p.cues(Damage::kMissing, amount),
                                       Similarity::kNegativeSquaredDistance, betas[0])));
      }
      rows.push_back(row_of(
          "nearest, distance", kind.name, amount, std::nan(""),
          nearest_trial(p.set.ink(), cues, Similarity::kNegativeSquaredDistance, p.executor)));
      rows.push_back(row_of("nearest, inner product", kind.name, amount, std::nan(""),
                            nearest_trial(p.set.ink(), cues, Similarity::kDot, p.executor)));
      progress.update(++done);
    }
  }
  Findings found = recall_findings(rows, "amount", axes, "Standard errors as bars.");
  add_brightness(p, betas, found);
  found.title = p.set.title + ": exact recall over damage";
  found.subtitle = "at the beta that is chosen from the stored pictures";
  found.facts = facts_of(p);
  for (std::size_t k = 0; k < kMethods.size(); ++k) {
    found.facts.emplace_back(std::string("automatic beta, ") + kMethods[k].name, general(betas[k]));
  }
  found.notes = {
      "The inner product of a cue with a stored picture grows with that picture's ink, so bright "
      "pictures win whatever the cue is: the \"always the same picture\" of raw retrieval. Its "
      "nearest neighbour fails alike, so no beta helps.",
      "Two remedies, shown beside it: compare by the squared distance, or by the cosine (which is "
      "the inner product of pictures of one length). For beta the memory tries values on damaged "
      "copies of its own pictures and takes the smallest that serves (docs/math/advice.md)."};
  return found;
}

}  // namespace

Studies reproduce_pictures(const ReproduceSettings& settings, const Context& context) {
  Studies studies;
  for (const PictureSet& set : picture_sets(settings)) {
    if (!set.missing.empty()) {
      studies.push_back(skipped_study(set));
      continue;
    }
    const std::int64_t wanted = settings.quick ? 50 : set.digits.count() > 10000 ? 100 : 400;
    const Protocol protocol{set, std::min(wanted, static_cast<std::int64_t>(set.digits.count())),
                            static_cast<std::uint64_t>(settings.seed),
                            context.stoppable_executor.get()};
    studies.push_back({set.name + "-betas", study_betas(protocol, settings.quick, context)});
    studies.push_back({set.name + "-damages", study_damages(protocol, settings.quick, context)});
  }
  return studies;
}

}  // namespace hopfield::cli
