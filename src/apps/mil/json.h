#ifndef HOPFIELD_APPS_MIL_JSON_H_
#define HOPFIELD_APPS_MIL_JSON_H_

#include <nlohmann/json.hpp>

#include "hopfield/apps/mil/cv.h"
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

/// A model's folds with their scores, and what they add up to, of figures, confusion and
/// calibration what it has; `times`: also how long they took.
nlohmann::ordered_json to_json(const ModelResult& model, const LabelScheme& scheme, bool times);
/// The names and folds back again; `summarise` gives the rest. Errors: nlohmann::json::exception.
ModelResult model_result_from_json(const nlohmann::ordered_json& json, const LabelScheme& scheme);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_JSON_H_
