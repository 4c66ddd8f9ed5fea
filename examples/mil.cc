// Bags of instances in a program of your own: cross-validate beside a baseline, train on all bags,
// see which instances counted.
//
//   find_package(hopfield REQUIRED)
//   target_link_libraries(mil PRIVATE hopfield::apps)
//
//   usage: mil BAGS.csv MODEL.safetensors
#include <hopfield/apps/mil/bags.h>
#include <hopfield/apps/mil/cv.h>
#include <hopfield/apps/mil/folds.h>
#include <hopfield/apps/mil/saved_model.h>
#include <hopfield/base/error.h>

#include <cstdio>
#include <iostream>

namespace mil = hopfield::mil;

namespace {

int run(const char* bags_path, const char* model_path) {
  // One row an instance, rows grouped by bag: the columns bag_id and label, all others features.
  const mil::Bags bags = mil::read_csv_bags(bags_path);

  // 1. What to expect on bags that were not seen: every fold is tested once and decides nothing.
  mil::CvOptions options;
  options.model.embedding = {16};
  options.model.num_heads = 4;
  options.model.head_size = 8;
  options.model.beta = {0, 1, 2, 4};
  options.train.epochs = 20;
  options.baselines = {mil::Pooling::kMeanMax};
  const mil::CvResult result = mil::cross_validate(
      bags, {mil::stratified_folds(bags.labels, 4, /*seed=*/1, "own")}, options);
  std::cout << mil::cv_text(result) << "\n";

  // 2. A model of all bags, kept in one file.
  mil::FitOptions fit_options;
  fit_options.model = options.model;
  fit_options.train = options.train;
  fit_options.seed = 1;
  mil::fit(bags, fit_options).model.save(model_path);

  // 3. Elsewhere: load it, score bags, and ask which instance made the first bag what it is.
  const mil::SavedModel model = mil::SavedModel::load(model_path);
  const double score = model.predict(bags).front();
  const mil::BagExplanation why = model.explain(mil::select_bags(bags, {{0}})).front();
  const auto top = static_cast<std::size_t>(why.order.front());
  std::printf("bag %s: score %.3f; instance %s counts most, weight %.3f of %lld instances\n",
              bags.bag_ids.front().c_str(), score, bags.instance_ids[top].c_str(),
              why.mean_weight[top], static_cast<long long>(bags.bag_size(0)));
  return why.score == score ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: mil BAGS.csv MODEL.safetensors\n";
    return 2;
  }
  try {
    return run(argv[1], argv[2]);
  } catch (const hopfield::Error& error) {
    std::cerr << "mil: " << error.what() << "\n";
    return 1;
  }
}
