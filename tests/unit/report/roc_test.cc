#include "hopfield/report/roc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "hopfield/base/error.h"
#include "hopfield/report/plot.h"

namespace hopfield::report {
namespace {

TEST(RocAuc, IsTheAreaBelowTheCurve) {
  const std::vector<double> scores = {0.1, 0.4, 0.4, 0.9, 0.2, 0.7, 0.4};
  const std::vector<int> labels = {0, 0, 1, 1, 1, 0, 0};
  double area = 0;
  const std::vector<RocPoint> points = roc_points(scores, labels);
  for (std::size_t i = 1; i < points.size(); ++i) {
    area += (points[i].false_positive_rate - points[i - 1].false_positive_rate) *
            (points[i].true_positive_rate + points[i - 1].true_positive_rate) / 2;
  }
  EXPECT_NEAR(roc_auc(scores, labels), area, 1e-15);
}

TEST(RocAuc, RefusesOneClassAndNan) {
  EXPECT_THROW(roc_auc(std::vector<double>{1, 2}, std::vector<int>{1, 1}), Error);
  EXPECT_THROW(roc_auc(std::vector<double>{1, std::nan("")}, std::vector<int>{0, 1}), Error);
}

TEST(AucInterval, HalfWidthIsTheStandardError) {
  const std::vector<double> scores = {0.1, 0.4, 0.3, 0.9};
  const std::vector<int> labels = {0, 0, 1, 1};
  const double auc = roc_auc(scores, labels);
  const Interval interval = auc_interval(auc, auc_influence(scores, labels));
  EXPECT_DOUBLE_EQ(auc, 0.75);
  EXPECT_NEAR(auc - interval.low, 1.959963984540054 * auc_standard_error(scores, labels), 1e-15);
  EXPECT_EQ(interval.high, 1);
}

}  // namespace
}  // namespace hopfield::report
