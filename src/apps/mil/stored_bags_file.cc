#include "apps/mil/stored_bags_file.h"

#include <cstddef>
#include <string>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::mil {

namespace {

using Json = nlohmann::ordered_json;

}  // namespace

Json stored_bags_json(const StoredBags& model) {
  Json members = Json::array();
  for (const StoredBags::Member& member : model.members()) {
    members.push_back({{"mean", member.similarity.mean},
                       {"max", member.similarity.max},
                       {"min", member.similarity.min},
                       {"cosine", member.similarity.cosine},
                       {"set", member.similarity.set},
                       {"weight", member.weight},
                       {"left_out_auc", member.left_out_auc}});
  }
  return {{"left_out_auc", model.left_out_auc()}, {"members", std::move(members)}};
}

StoredBags read_stored_bags(const store::SafetensorsFile& file, const Json& json,
                            InputCoder coder) {
  StoredBags::State state;
  state.coder = std::move(coder);
  state.left_out_auc = json.at("left_out_auc").get<double>();
  const std::vector<double> values = file.read<double>("stored.values");
  const Json& members = json.at("members");
  const auto check = [&](bool ok, const char* what) {
    if (!ok) {
      fail(ErrorCode::kCorruptData, "load model",
           "expected consistent stored bags in " + file.path() + ", got contradicting " + what);
    }
  };
  check(members.is_array() && !members.empty() && values.size() % members.size() == 0, "values");
  const std::size_t num_values = values.size() / members.size();
  auto next = values.begin();
  for (const Json& entry : members) {
    StoredBags::Member member;
    member.similarity = {entry.at("mean").get<double>(), entry.at("max").get<double>(),
                         entry.at("min").get<double>(), entry.at("cosine").get<double>(),
                         entry.at("set").get<bool>()};
    member.weight = entry.at("weight").get<double>();
    member.left_out_auc = entry.at("left_out_auc").get<double>();
    const auto end = next + static_cast<std::ptrdiff_t>(num_values);
    member.values.assign(next, end);
    next = end;
    state.members.push_back(std::move(member));
  }
  state.intercept = file.read<double>("stored.intercept");
  if (file.find("stored.log_class_weights") != nullptr) {
    state.log_class_weights = file.read<double>("stored.log_class_weights");
  }
  state.center = file.read<float>("stored.center");
  state.max_shift = file.read<float>("stored.max_shift");
  state.max_scale = file.read<float>("stored.max_scale");
  state.min_shift = file.read<float>("stored.min_shift");
  state.min_scale = file.read<float>("stored.min_scale");
  state.mean = file.read<float>("stored.mean");
  state.max = file.read<float>("stored.max");
  state.min = file.read<float>("stored.min");
  state.instances = file.read<float>("stored.instances");
  state.offsets = file.read<std::int64_t>("stored.offsets");
  return StoredBags::from_state(std::move(state));
}

}  // namespace hopfield::mil
