#ifndef HOPFIELD_APPS_MIL_TABLES_H_
#define HOPFIELD_APPS_MIL_TABLES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/saved_model.h"
#include "hopfield/report/heat_map.h"

namespace hopfield::mil {

/// One row a bag: bag_id; score; of two classes probability (of the second) and predicted; label if
/// known. Of several classes instead of score and probability: predicted, probability (of that
/// class), then score_NAME of every class. `scores` [num_bags, scheme.num_outputs()]. Numbers have
/// as many digits as give the same number back.
std::string predictions_csv(const Bags& bags, std::span<const double> scores,
                            const LabelScheme& scheme = {});
std::string predictions_json(const Bags& bags, std::span<const double> scores,
                             const LabelScheme& scheme = {});

/// One row an instance, the most weighted of each bag first: bag_id, of several classes class (the
/// explained one), instance_id, the coordinates if there are, rank (from 1), weight (mean), alone
/// (score of a bag with this instance only), effect (empty where it was not computed), then one
/// column a head and pooling pattern, named by `weight_names`. At most `top` rows a bag; 0: all.
std::string explanations_csv(const Bags& bags, std::span<const BagExplanation> explanations,
                             const std::vector<std::string>& weight_names, std::int64_t top = 0,
                             const LabelScheme& scheme = {});
std::string explanations_json(const Bags& bags, std::span<const BagExplanation> explanations,
                              const std::vector<std::string>& weight_names, std::int64_t top = 0,
                              const LabelScheme& scheme = {});
/// Where in a bag its instances speak for the score and where against it: the effects, or, where
/// some were not computed, the weights. `bag` numbers both. Errors: kInvalidArgument without
/// coordinates.
report::HeatMap explanation_map(const Bags& bags, std::int64_t bag,
                                const BagExplanation& explanation, const LabelScheme& scheme = {});
/// For a terminal.
std::string explanations_text(const Bags& bags, std::span<const BagExplanation> explanations,
                              std::int64_t top, const LabelScheme& scheme = {});

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_TABLES_H_
