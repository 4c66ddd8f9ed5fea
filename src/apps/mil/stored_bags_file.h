#ifndef HOPFIELD_APPS_MIL_STORED_BAGS_FILE_H_
#define HOPFIELD_APPS_MIL_STORED_BAGS_FILE_H_

#include <nlohmann/json.hpp>
#include <vector>

#include "hopfield/apps/mil/stored_bags.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::mil {

/// The part "stored_bags" of a model's description, see docs/formats/mil-model.md.
nlohmann::ordered_json stored_bags_json(const StoredBags& model);

/// Calls add(name, shape, values) for every tensor but those of the input code.
template <class Add>
void visit_stored_bags(const StoredBags& model, const Add& add) {
  const StoredBags::State& state = model.state();
  const auto columns = static_cast<std::int64_t>(state.max_shift.size());
  const auto codes = static_cast<std::int64_t>(state.center.size());
  const std::int64_t bags = model.num_stored();
  std::vector<double> values;
  for (const StoredBags::Member& member : state.members) {
    values.insert(values.end(), member.values.begin(), member.values.end());
  }
  using Shape = std::vector<std::int64_t>;
  const std::int64_t outputs = model.num_outputs();
  const auto members = static_cast<std::int64_t>(state.members.size());
  add("stored.values", outputs == 1 ? Shape{members, bags} : Shape{members, bags, outputs}, values);
  add("stored.intercept", Shape{outputs}, state.intercept);
  if (!state.log_class_weights.empty()) {
    add("stored.log_class_weights", Shape{outputs}, state.log_class_weights);
  }
  add("stored.center", Shape{codes}, state.center);
  add("stored.max_shift", Shape{columns}, state.max_shift);
  add("stored.max_scale", Shape{columns}, state.max_scale);
  add("stored.min_shift", Shape{columns}, state.min_shift);
  add("stored.min_scale", Shape{columns}, state.min_scale);
  add("stored.mean", Shape{bags, codes}, state.mean);
  add("stored.max", Shape{bags, columns}, state.max);
  add("stored.min", Shape{bags, columns}, state.min);
  add("stored.instances",
      Shape{static_cast<std::int64_t>(state.instances.size()) / columns, columns}, state.instances);
  add("stored.offsets", Shape{static_cast<std::int64_t>(state.offsets.size())}, state.offsets);
}

/// Back again. Errors: kCorruptData; nlohmann::json::exception for a key that is not there.
StoredBags read_stored_bags(const store::SafetensorsFile& file, const nlohmann::ordered_json& json,
                            InputCoder coder);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_STORED_BAGS_FILE_H_
