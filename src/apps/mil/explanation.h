#ifndef HOPFIELD_APPS_MIL_EXPLANATION_H_
#define HOPFIELD_APPS_MIL_EXPLANATION_H_

#include <cstdint>
#include <vector>

#include "apps/mil/trainer.h"
#include "hopfield/apps/mil/saved_model.h"

namespace hopfield::mil {

/// Explains the score number `output` of every bag; negative: of several classes the greatest.
std::vector<BagExplanation> explain_stored(const StoredBags& model, const Bags& bags,
                                           std::int64_t output);

/// The same of the mean of `members`. `num_weights`: columns of BagExplanation::weights, 0 for a
/// network that does not weigh instances.
std::vector<BagExplanation> explain_networks(std::vector<BagNet>& members, const CodedBags& bags,
                                             std::size_t num_weights, std::int64_t output);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_EXPLANATION_H_
