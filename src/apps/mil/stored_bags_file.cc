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
                       {"code_cosine", member.similarity.code_cosine},
                       {"set", member.similarity.set},
                       {"z", member.similarity.z},
                       {"weight", member.weight},
                       {"left_out_auc", member.left_out_auc}});
  }
  return {{"left_out_auc", model.left_out_auc()}, {"members", std::move(members)}};
}

StoredBags read_stored_bags(const store::SafetensorsFile& file, const Json& json,
                            InputCoder coder) {
  StoredBags::State state;
  state.ranks.coder = std::move(coder);
  state.left_out_auc = json.at("left_out_auc").get<double>();
  const std::vector<double> values = file.read<double>("stored.values");
  const Json& members = json.at("members");
  const auto check = [&](bool ok, const char* what) {
    if (!ok) {
      fail(ErrorCode::kCorruptData, "load model",
           "expected consistent stored bags in " + file.path() + ", got contradicting " + what);
    }
  };
  if (file.find("stored.center") != nullptr) {
    fail(ErrorCode::kCorruptData, "load model",
         "expected stored bags in two codes in " + file.path() +
             ", got the older form with ranks alone; train the model again with hopfield mil fit");
  }
  check(members.is_array() && !members.empty() && values.size() % members.size() == 0, "values");
  const std::size_t num_values = values.size() / members.size();
  auto next = values.begin();
  for (const Json& entry : members) {
    StoredBags::Member member;
    member.similarity = {entry.at("mean").get<double>(),
                         entry.at("max").get<double>(),
                         entry.at("min").get<double>(),
                         entry.at("cosine").get<double>(),
                         entry.at("code_cosine").get<double>(),
                         entry.at("set").get<bool>(),
                         entry.at("z").get<bool>()};
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
  const std::vector<float> shift = file.read<float>("stored.z.code_shift");
  if (!shift.empty()) {
    // The same columns vary, whatever the code.
    InputCoder::State z = state.ranks.coder.state();
    state.z.coder = InputCoder::from_state({static_cast<std::int64_t>(InputCode::kClippedZ),
                                            1,
                                            z.num_features,
                                            std::move(z.kept),
                                            shift,
                                            file.read<float>("stored.z.code_scale"),
                                            {},
                                            {},
                                            {}});
  }
  for (StoredBags::Coded* coded : {&state.ranks, &state.z}) {
    const std::string prefix = coded == &state.ranks ? "stored.ranks." : "stored.z.";
    coded->center = file.read<float>(prefix + "center");
    coded->max_center = file.read<float>(prefix + "max_center");
    coded->max_shift = file.read<float>(prefix + "max_shift");
    coded->max_scale = file.read<float>(prefix + "max_scale");
    coded->min_shift = file.read<float>(prefix + "min_shift");
    coded->min_scale = file.read<float>(prefix + "min_scale");
    coded->mean = file.read<float>(prefix + "mean");
    coded->max = file.read<float>(prefix + "max");
    coded->min = file.read<float>(prefix + "min");
    coded->instances = file.read<float>(prefix + "instances");
    coded->offsets = file.read<std::int64_t>(prefix + "offsets");
  }
  return StoredBags::from_state(std::move(state));
}

}  // namespace hopfield::mil
