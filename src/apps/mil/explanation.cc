#include "apps/mil/explanation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

namespace hopfield::mil {

void set_order(BagExplanation& explanation) {
  explanation.order.resize(explanation.mean_weight.size());
  std::iota(explanation.order.begin(), explanation.order.end(), std::int64_t{0});
  std::stable_sort(explanation.order.begin(), explanation.order.end(),
                   [&](std::int64_t a, std::int64_t b) {
                     return explanation.mean_weight[static_cast<std::size_t>(a)] >
                            explanation.mean_weight[static_cast<std::size_t>(b)];
                   });
}

std::vector<BagExplanation> explain_stored(const StoredBags& model, const Bags& bags) {
  std::vector<std::int64_t> all(bags.bag_ids.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  std::vector<BagExplanation> out;
  for (StoredBags::InstanceEffects& effects : model.instance_effects(bags, all)) {
    BagExplanation& explanation = out.emplace_back();
    explanation.score = effects.score;
    explanation.alone = std::move(effects.alone);
    double total = 0;
    for (const double without : effects.without) {
      explanation.effect.push_back(effects.score - without);
      total += std::abs(explanation.effect.back());
    }
    for (const double effect : explanation.effect) {
      explanation.mean_weight.push_back(total > 0
                                            ? std::abs(effect) / total
                                            : 1 / static_cast<double>(explanation.effect.size()));
    }
    set_order(explanation);
  }
  return out;
}

}  // namespace hopfield::mil
