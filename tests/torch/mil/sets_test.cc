// The real sets of the multiple-instance-learning literature: default settings on skl0, stored bags
// on skl0 to skl4. Takes about three minutes on two cores; skipped, by name, where the data are
// not.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "hopfield/apps/mil/cv.h"
#include "hopfield/base/os.h"

namespace hopfield::mil {
namespace {

std::string data_folder() {
  const char* given = std::getenv("HOPFIELD_DATA");
  return std::string(given != nullptr ? given : "../shared/data") + "/mil/";
}

/// AUC on repetition skl0 with default settings and baselines; negative if the set is not here.
CvResult run_set(const std::string& name, bool& found) {
  const std::string data = data_folder() + name + ".csv.gz";
  const std::string folds = data_folder() + name + "_folds.csv";
  found = path_exists(data) && path_exists(folds);
  if (!found) return {};
  const Bags bags = read_csv_bags(data);
  const std::vector<std::string> skl0 = {"skl0"};
  CvResult result = cross_validate(bags, read_folds(folds, bags, skl0), {});
  std::cout << cv_text(result);
  return result;
}

#define EXPECT_AUC(name, threshold)                                              \
  bool found = false;                                                            \
  const CvResult result = run_set(name, found);                                  \
  if (!found) {                                                                  \
    GTEST_SKIP() << "skipped: no " << data_folder() << name                      \
                 << ".csv.gz; name the folder that holds mil/ in HOPFIELD_DATA"; \
  }                                                                              \
  EXPECT_GE(result.model.auc_mean, threshold);                                   \
  EXPECT_EQ(result.baselines.size(), 3u)

/// Stored bags have no seed: on one machine every run gives the same bits. Another compiler's exp
/// may swap two scores that nearly tie, which moves the smallest folds' AUC (UCSB, 2 x 3 bags) by
/// 0.17 and the mean of 50 folds by 0.003. The floors are the measured means (docs/results/mil.md)
/// less that.
void expect_stored_bags(const std::string& name, double measured) {
  const std::string data = data_folder() + name + ".csv.gz";
  const std::string folds = data_folder() + name + "_folds.csv";
  if (!path_exists(data) || !path_exists(folds)) {
    GTEST_SKIP() << "skipped: no " << data << "; name the folder that holds mil/ in HOPFIELD_DATA";
  }
  const Bags bags = read_csv_bags(data);
  const std::vector<std::string> all = {"skl0", "skl1", "skl2", "skl3", "skl4"};
  CvOptions options;
  options.model.pooling = Pooling::kStoredBags;
  options.baselines = {};
  const CvResult result = cross_validate(bags, read_folds(folds, bags, all), options);
  std::cout << cv_text(result);
  EXPECT_GE(result.model.auc_mean, measured - 0.003);
}

TEST(RealSetsStoredBags, Tiger) {
  expect_stored_bags("tiger", 0.9422);
}
TEST(RealSetsStoredBags, Fox) {
  expect_stored_bags("fox", 0.8020);
}
TEST(RealSetsStoredBags, Elephant) {
  expect_stored_bags("elephant", 0.9678);
}
TEST(RealSetsStoredBags, Ucsb) {
  expect_stored_bags("ucsb", 0.9163);
}
TEST(RealSetsStoredBags, Musk1) {
  expect_stored_bags("musk1", 0.9688);
}

TEST(RealSets, Elephant) {
  EXPECT_AUC("elephant", 0.92);
}
TEST(RealSets, Tiger) {
  EXPECT_AUC("tiger", 0.86);
}
TEST(RealSets, Fox) {
  EXPECT_AUC("fox", 0.60);
}
TEST(RealSets, Musk1) {
  EXPECT_AUC("musk1", 0.88);
}

}  // namespace
}  // namespace hopfield::mil
