#include "hopfield/apps/mil/folds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::make_toy;
using test::TempFolder;

std::string folds_text(const Bags& bags, int num_folds) {
  std::string text = "bag_id,label,r0,r1\n";
  for (std::size_t b = 0; b < bags.bag_ids.size(); ++b) {
    const auto fold = (b / 2) % static_cast<std::size_t>(num_folds);
    text += bags.bag_ids[b] + "," + std::to_string(bags.labels[b]) + "," + std::to_string(fold) +
            "," + std::to_string(static_cast<std::size_t>(num_folds) - 1 - fold) + "\n";
  }
  return text;
}

TEST(Folds, FileGivesTestValidationAndTrainingBags) {
  const Bags bags = make_toy(8).bags;
  const TempFolder folder;
  const std::string path = folder.write("f.csv", folds_text(bags, 4));
  const std::vector<Repetition> all = read_folds(path, bags);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "r0");
  EXPECT_EQ(all[0].num_folds, 4);
  EXPECT_EQ(all[0].test_bags(3), (std::vector<std::int64_t>{6, 7}));
  EXPECT_EQ(all[0].validation_bags(3), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(all[0].training_bags(3), (std::vector<std::int64_t>{2, 3, 4, 5}));
  const std::vector<std::string> one = {"r1"};
  EXPECT_EQ(read_folds(path, bags, one).at(0).test_bags(3), (std::vector<std::int64_t>{0, 1}));
}

TEST(Folds, OrderOfTheFileDoesNotMatter) {
  const Bags bags = make_toy(8).bags;
  const TempFolder folder;
  const std::string text = folds_text(bags, 4);
  const std::size_t header = text.find('\n') + 1, first = text.find('\n', header) + 1;
  const std::string moved =
      text.substr(0, header) + text.substr(first) + text.substr(header, first - header);
  const Repetition a = read_folds(folder.write("a.csv", text), bags)[0];
  const Repetition b = read_folds(folder.write("b.csv", moved), bags)[0];
  EXPECT_EQ(a.fold, b.fold);
}

TEST(Folds, WhatIsWrongWithAFileIsNamed) {
  const Bags bags = make_toy(8).bags;
  const TempFolder folder;
  const std::string good = folds_text(bags, 4);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return folder.write("f.csv", text);
  };
  EXPECT_ERROR(read_folds(with("b7,1,3,0\n", ""), bags), kCorruptData, "'b7'");
  EXPECT_ERROR(read_folds(with("b7,", "b70,"), bags), kCorruptData, "'b70'");
  EXPECT_ERROR(read_folds(with("b7,", "b6,"), bags), kCorruptData, "again");
  EXPECT_ERROR(read_folds(with("b7,1", "b7,0"), bags), kCorruptData, "label");
  const std::vector<std::string> names = {"r0", "skl9"};
  EXPECT_ERROR(read_folds(with("b7", "b7"), bags, names), kInvalidArgument, "'skl9'");
  const std::vector<std::string> r0 = {"r0"};
  EXPECT_ERROR(read_folds(with("b7,1,3,", "b7,1,x,"), bags, r0), kCorruptData, "'x'");
  EXPECT_ERROR(read_folds(with("b7,1,3,", "b7,1,-1,"), bags, r0), kCorruptData, "'-1'");
  EXPECT_ERROR(read_folds(with("b7,1,3,", "b7,1,5,"), bags, r0), kCorruptData, "fold 4");
  EXPECT_ERROR(read_folds(folder.write("two.csv", folds_text(bags, 2)), bags), kCorruptData,
               "3 folds");
  EXPECT_ERROR(read_folds(folder / "missing.csv", bags), kIo, "missing.csv");
}

TEST(Folds, AFoldWithOneClassIsNamed) {
  const Bags bags = make_toy(12).bags;
  Repetition repetition{"r0", 3, std::vector<int>(12)};
  for (std::size_t b = 0; b < 12; ++b) repetition.fold[b] = static_cast<int>(b / 4);
  check_folds(repetition, bags);
  std::swap(repetition.fold[4], repetition.fold[9]);  // labels 0 and 1: fold 1 keeps both
  std::swap(repetition.fold[6], repetition.fold[11]);
  EXPECT_ERROR(check_folds(repetition, bags), kCorruptData, "fold 1 of 'r0'");
}

TEST(StratifiedFolds, BalanceSizesAndClasses) {
  std::vector<int> labels;
  for (int b = 0; b < 58; ++b) labels.push_back(b < 26 ? 1 : 0);
  for (const std::uint64_t seed : {0u, 1u, 2u}) {
    const Repetition repetition = stratified_folds(labels, 10, seed, "own");
    std::vector<int> size(10), positive(10);
    for (std::size_t b = 0; b < labels.size(); ++b) {
      ++size[static_cast<std::size_t>(repetition.fold[b])];
      positive[static_cast<std::size_t>(repetition.fold[b])] += labels[b];
    }
    EXPECT_LE(
        *std::max_element(size.begin(), size.end()) - *std::min_element(size.begin(), size.end()),
        1);
    EXPECT_LE(*std::max_element(positive.begin(), positive.end()) -
                  *std::min_element(positive.begin(), positive.end()),
              1);
    EXPECT_EQ(repetition.fold, stratified_folds(labels, 10, seed, "again").fold);
  }
  EXPECT_NE(stratified_folds(labels, 10, 0, "a").fold, stratified_folds(labels, 10, 1, "a").fold);
}

TEST(StratifiedFolds, RefuseTooFewBags) {
  const std::vector<int> labels = {0, 0, 0, 0, 1, 1};
  EXPECT_ERROR(stratified_folds(labels, 3, 0, "a"), kCorruptData,
               "2 with label 1; leave out the class");
  EXPECT_ERROR(stratified_folds(std::vector<int>{0, 0, 0, 0, 1, 1, 1}, 4, 0, "a"), kCorruptData,
               "3 with label 1; ask for fewer folds");
  Bags bags = make_toy(4).bags;
  bags.scheme.class_names = {"normal", "tumour"};
  EXPECT_ERROR(stratified_folds(bags, 3, 0, "a"), kCorruptData, "2 with label tumour");
  EXPECT_ERROR(stratified_folds(labels, 2, 0, "a"), kInvalidArgument, "at least 3");
}

}  // namespace
}  // namespace hopfield::mil
