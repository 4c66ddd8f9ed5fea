#ifndef HOPFIELD_APPS_MIL_JSON_H_
#define HOPFIELD_APPS_MIL_JSON_H_

#include <nlohmann/json.hpp>

#include "hopfield/apps/mil/options.h"

namespace hopfield::mil {

nlohmann::ordered_json to_json(const ModelOptions& options);
nlohmann::ordered_json to_json(const TrainOptions& options);
nlohmann::ordered_json to_json(const LabelScheme& scheme);

/// Back again; all keys must be there. Errors: nlohmann::json::exception, or kInvalidArgument as
/// check_options.
ModelOptions model_options_from_json(const nlohmann::ordered_json& json);
TrainOptions train_options_from_json(const nlohmann::ordered_json& json);
LabelScheme label_scheme_from_json(const nlohmann::ordered_json& json);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_JSON_H_
