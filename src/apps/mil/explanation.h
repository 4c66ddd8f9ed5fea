#ifndef HOPFIELD_APPS_MIL_EXPLANATION_H_
#define HOPFIELD_APPS_MIL_EXPLANATION_H_

#include <vector>

#include "hopfield/apps/mil/saved_model.h"

namespace hopfield::mil {

/// Fills `order`: the instances by falling mean weight, then by place.
void set_order(BagExplanation& explanation);

std::vector<BagExplanation> explain_stored(const StoredBags& model, const Bags& bags);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_EXPLANATION_H_
