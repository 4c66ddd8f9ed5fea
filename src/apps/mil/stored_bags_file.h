#ifndef HOPFIELD_APPS_MIL_STORED_BAGS_FILE_H_
#define HOPFIELD_APPS_MIL_STORED_BAGS_FILE_H_

#include <nlohmann/json.hpp>
#include <string>
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
  const InputCoder::State z = state.z.coder.state();
  add("stored.z.code_shift", Shape{static_cast<std::int64_t>(z.shift.size())}, z.shift);
  add("stored.z.code_scale", Shape{static_cast<std::int64_t>(z.scale.size())}, z.scale);
  for (const StoredBags::Coded* coded : {&state.ranks, &state.z}) {
    const std::string prefix = coded == &state.ranks ? "stored.ranks." : "stored.z.";
    const auto columns = static_cast<std::int64_t>(coded->max_shift.size());
    const auto codes = static_cast<std::int64_t>(coded->center.size());
    const std::int64_t rows = columns == 0 ? 0 : bags;
    add(prefix + "center", Shape{codes}, coded->center);
    add(prefix + "max_center", Shape{static_cast<std::int64_t>(coded->max_center.size())},
        coded->max_center);
    add(prefix + "max_shift", Shape{columns}, coded->max_shift);
    add(prefix + "max_scale", Shape{columns}, coded->max_scale);
    add(prefix + "min_shift", Shape{columns}, coded->min_shift);
    add(prefix + "min_scale", Shape{columns}, coded->min_scale);
    add(prefix + "mean", Shape{rows, codes}, coded->mean);
    add(prefix + "max", Shape{rows, columns}, coded->max);
    add(prefix + "min", Shape{rows, columns}, coded->min);
    const std::int64_t instances = coded->offsets.empty() ? 0 : coded->offsets.back();
    add(prefix + "instances", Shape{instances, columns}, coded->instances);
    add(prefix + "offsets", Shape{static_cast<std::int64_t>(coded->offsets.size())},
        coded->offsets);
  }
}

/// Back again; `coder` is that of ranks. Errors: kCorruptData; nlohmann::json::exception for a key
/// that is not there.
StoredBags read_stored_bags(const store::SafetensorsFile& file, const nlohmann::ordered_json& json,
                            InputCoder coder);

}  // namespace hopfield::mil

#endif  // HOPFIELD_APPS_MIL_STORED_BAGS_FILE_H_
