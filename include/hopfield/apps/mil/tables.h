#ifndef HOPFIELD_APPS_MIL_TABLES_H_
#define HOPFIELD_APPS_MIL_TABLES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hopfield/apps/mil/bags.h"
#include "hopfield/apps/mil/saved_model.h"

namespace hopfield::mil {

/// One row a bag: bag_id, score (logit), probability, predicted (1 if score > 0), label if known.
/// Numbers have as many digits as give the same number back.
std::string predictions_csv(const Bags& bags, std::span<const double> scores);
std::string predictions_json(const Bags& bags, std::span<const double> scores);

/// One row an instance, the most weighted of each bag first: bag_id, instance_id, rank (from 1),
/// weight (mean), alone (logit of a bag with this instance only), of stored bags effect, then one
/// column a head and pooling pattern, named by `weight_names`. At most `top` rows a bag; 0: all.
std::string explanations_csv(const Bags& bags, std::span<const BagExplanation> explanations,
                             const std::vector<std::string>& weight_names, std::int64_t top = 0);
std::string explanations_json(const Bags& bags, std::span<const BagExplanation> explanations,
                              const std::vector<std::string>& weight_names, std::int64_t top = 0);
/// For a terminal.
std::string explanations_text(const Bags& bags, std::span<const BagExplanation> explanations,
                              std::int64_t top);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_TABLES_H_
