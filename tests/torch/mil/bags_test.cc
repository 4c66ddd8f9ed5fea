#include "hopfield/apps/mil/bags.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "hopfield/store/npy.h"
#include "tests/torch/mil/toy.h"
#include "tests/unit/store/temp_folder.h"

namespace hopfield::mil {
namespace {

using test::TempFolder;

constexpr const char* kPlain =
    "bag_id,instance_id,label,x,y\n"
    "a,1,1,0.5,-1\n"
    "a,2,1,1.5,2\n"
    "b,1,0,2.5,3e1\n";

TEST(CsvBags, ReadsBagsInstancesLabelsAndFeatures) {
  const TempFolder folder;
  const Bags bags = read_csv_bags(folder.write("d.csv", kPlain));
  EXPECT_EQ(bags.bag_ids, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(bags.instance_ids, (std::vector<std::string>{"1", "2", "1"}));
  EXPECT_EQ(bags.labels, (std::vector<int>{1, 0}));
  EXPECT_EQ(bags.offsets, (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(bags.values, (std::vector<float>{0.5f, -1, 1.5f, 2, 2.5f, 30}));
  check_bags(bags);
}

TEST(CsvBags, ColumnsHaveTheNamesTheUserGives) {
  const TempFolder folder;
  const std::string path = folder.write("d.csv",
                                        "slide,tile,cancer,note,u,v\n"
                                        "s1,t1,0,3,1,2\n"
                                        "s2,t1,1.0,4,5,6\n");
  CsvBagOptions options;
  options.bag_column = "slide";
  options.label_column = "cancer";
  options.instance_column = "tile";
  options.ignore = {"note"};
  Bags bags = read_csv_bags(path, options);
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"u", "v"}));
  EXPECT_EQ(bags.labels, (std::vector<int>{0, 1}));
  options.ignore = {};
  options.features = {"v"};
  bags = read_csv_bags(path, options);
  EXPECT_EQ(bags.values, (std::vector<float>{2, 6}));
  options.features = {"u", "u"};
  EXPECT_ERROR(read_csv_bags(path, options), kInvalidArgument, "'u'");
  options.features = {"w"};
  EXPECT_ERROR(read_csv_bags(path, options), kInvalidArgument, "w");
  options.features = {"cancer"};
  EXPECT_ERROR(read_csv_bags(path, options), kInvalidArgument, "'cancer'");
}

TEST(CsvBags, WithoutInstanceColumnTheyCountFromOne) {
  const TempFolder folder;
  const Bags bags = read_csv_bags(folder.write("d.csv", "bag_id,x\na,1\na,2\nb,3\n"));
  EXPECT_EQ(bags.instance_ids, (std::vector<std::string>{"1", "2", "1"}));
  EXPECT_TRUE(bags.labels.empty());
  EXPECT_ERROR(check_labels(bags), kInvalidArgument, "label");
}

TEST(CsvBags, IgnoredColumnsHaveNoRole) {
  const TempFolder folder;
  const std::string path =
      folder.write("d.csv", "bag_id,instance_id,label,x\na,1,,1\na,1,,2\nb,1,,3\n");
  EXPECT_ERROR(read_csv_bags(path), kCorruptData,
               "got nothing; where labels are not known, --ignore");
  CsvBagOptions options;
  options.ignore = {"label"};
  EXPECT_ERROR(read_csv_bags(path, options), kCorruptData, "name each once, or --ignore");
  options.ignore = {"label", "instance_id"};
  const Bags bags = read_csv_bags(path, options);
  EXPECT_FALSE(bags.has_labels());
  EXPECT_EQ(bags.instance_ids, (std::vector<std::string>{"1", "2", "1"}));
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"x"}));
  options.label_column = "label";
  EXPECT_FALSE(read_csv_bags(path, options).has_labels());
}

TEST(CsvBags, BagsApartAreAnErrorUnlessTheyAreSorted) {
  const TempFolder folder;
  const std::string path =
      folder.write("d.csv", "bag_id,label,x\na,1,1\nb,0,2\na,1,3\nb,0,4\nc,1,5\n");
  const Error error = test::error_of([&] { read_csv_bags(path); });
  EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
  for (const char* part : {"line 4", "'a'", "after line 2", "--sort-bags"}) {
    EXPECT_TRUE(test::contains(error.what(), part)) << error.what();
  }
  CsvBagOptions options;
  options.sort_bags = true;
  const Bags bags = read_csv_bags(path, options);
  EXPECT_EQ(bags.values, (std::vector<float>{1, 3, 2, 4, 5}));
  EXPECT_EQ(bags.offsets, (std::vector<std::int64_t>{0, 2, 4, 5}));
}

TEST(CsvBags, BadCellsAreNamedByRowAndColumn) {
  const TempFolder folder;
  const auto expect = [&](const std::string& rows, const std::vector<const char*>& parts) {
    const std::string path = folder.write("d.csv", "bag_id,instance_id,label,x,y\n" + rows);
    const Error error = test::error_of([&] { read_csv_bags(path); });
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
    for (const char* part : parts) EXPECT_TRUE(test::contains(error.what(), part)) << error.what();
  };
  expect("a,1,1,1,2\na,2,1,nan,2\n", {"line 3", "'x'", "fill in", "--ignore"});
  expect("a,1,1,1,2\na,2,1,2,\n", {"line 3", "'y'"});
  expect("a,1,1,1,inf\n", {"line 2", "'y'"});
  expect("a,1,1,1,1e99\n", {"line 2", "'y'", "32-bit"});
  expect("a,1,,1,1\n", {"line 2", "'label'", "got nothing"});
  expect("a,1,1,1,2\na,2,0,1,2\n", {"line 3", "'label'", "'a'", "whole bag"});
  expect("a,1,1,1,2\na,1,1,1,2\n", {"twice", "'a'"});
  expect(",1,1,1,2\n", {"line 2", "'bag_id'"});
  expect("a,1,1,1\n", {"line 2"});
  expect("", {"header alone"});
}

TEST(CsvBags, TableWithoutFeaturesOrBagColumnIsRefused) {
  const TempFolder folder;
  EXPECT_ERROR(read_csv_bags(folder.write("d.csv", "bag_id,label\na,1\n")), kInvalidArgument,
               "feature");
  EXPECT_ERROR(read_csv_bags(folder.write("e.csv", "bagid,label,x\na,1,1\n")), kInvalidArgument,
               "bag_id");
  EXPECT_ERROR(read_csv_bags(folder / "none.csv"), kIo, "none.csv");
}

std::vector<float> values_of(const Bags& bags) {
  const std::span<const float> all = bags.all_values();
  return {all.begin(), all.end()};
}

/// An NPY file of floats with this much of blanks in its header.
std::string npy_bytes(const std::vector<float>& data, bool fortran, const std::string& shape,
                      std::size_t blanks) {
  const std::string header = std::string("{'descr': '<f4', 'fortran_order': ") +
                             (fortran ? "True" : "False") + ", 'shape': " + shape + "}" +
                             std::string(blanks, ' ') + "\n";
  std::string out = "\x93NUMPY";
  out += {'\1', '\0', static_cast<char>(header.size()), '\0'};
  out += header;
  out.append(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float));
  return out;
}

class NpyBags : public ::testing::Test {
 protected:
  template <class T>
  std::string save(const char* name, const std::vector<T>& data, std::vector<std::int64_t> shape) {
    const std::string path = folder_ / name;
    store::write_npy<T>(path, data, shape);
    return path;
  }
  TempFolder folder_;
  std::string values_ = save<float>("v.npy", {1, 2, 3, 4, 5, 6}, {3, 2});
  std::string offsets_ = save<std::int64_t>("o.npy", {0, 1, 3}, {3});
  std::string labels_ = save<std::int64_t>("l.npy", {0, 1}, {2});
};

TEST_F(NpyBags, ReadsValuesOffsetsAndLabels) {
  const Bags bags = read_npy_bags(values_, offsets_, labels_);
  EXPECT_EQ(bags.num_bags(), 2);
  EXPECT_EQ(bags.bag_size(1), 2);
  EXPECT_EQ(bags.labels, (std::vector<int>{0, 1}));
  EXPECT_EQ(bags.feature_names, (std::vector<std::string>{"f0", "f1"}));
  EXPECT_EQ(bags.bag_ids, (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(values_of(bags), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  check_bags(bags);
  EXPECT_TRUE(read_npy_bags(values_, offsets_).labels.empty());
}

TEST_F(NpyBags, WhatIsWrongIsNamed) {
  const auto offsets = [&](const std::vector<std::int64_t>& data) {
    return save<std::int64_t>("bad.npy", data, {static_cast<std::int64_t>(data.size())});
  };
  EXPECT_ERROR(read_npy_bags(values_, offsets({0, 0, 3})), kCorruptData, "bag 1");
  EXPECT_ERROR(read_npy_bags(values_, offsets({0, 2, 1, 3})), kCorruptData, "bag 2");
  EXPECT_ERROR(read_npy_bags(values_, offsets({0, 4})), kCorruptData, "3");
  EXPECT_ERROR(read_npy_bags(values_, offsets({1, 3})), kCorruptData, "from 0");
  EXPECT_ERROR(read_npy_bags(values_, offsets({0})), kCorruptData, "[1]");
  EXPECT_ERROR(read_npy_bags(save<float>("w.npy", {1, 2, 3}, {3}), offsets_), kCorruptData, "[3]");
  EXPECT_ERROR(read_npy_bags(values_, offsets_, save<float>("m.npy", {0, 1, 1}, {3})), kCorruptData,
               "[2]");
  LabelOptions binary;
  binary.target = Target::kBinary;
  EXPECT_ERROR(read_npy_bags(values_, offsets_, save<float>("m.npy", {0, 2}, {2}), binary),
               kCorruptData, "bag 2");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(read_npy_bags(save<float>("n.npy", {1, 2, 3, nan, 5, 6}, {3, 2}), offsets_),
               kCorruptData, "row 2, column 2");
}

TEST_F(NpyBags, FloatsInRowsAreMappedAndOthersRead) {
  const std::vector<float> wanted = {1, 2, 3, 4, 5, 6};
  const Bags mapped = read_npy_bags(values_, offsets_, labels_);
  EXPECT_NE(mapped.mapped, nullptr);
  EXPECT_TRUE(mapped.values.empty());
  const auto expect_read = [&](const std::string& path) {
    const Bags read = read_npy_bags(path, offsets_, labels_);
    EXPECT_EQ(read.mapped, nullptr) << path;
    EXPECT_EQ(values_of(read), wanted) << path;
    check_bags(read);
  };
  expect_read(save<double>("d.npy", {1, 2, 3, 4, 5, 6}, {3, 2}));
  expect_read(folder_.write("fortran.npy", npy_bytes({1, 3, 5, 2, 4, 6}, true, "(3, 2)", 0)));
  bool odd = false, even = false;  // both places of the data occur
  for (std::size_t blanks = 0; blanks < 4; ++blanks) {
    const std::string bytes = npy_bytes(wanted, false, "(3, 2)", blanks);
    const bool aligned = bytes.size() % sizeof(float) == 0;
    const Bags bags = read_npy_bags(folder_.write("a.npy", bytes), offsets_);
    EXPECT_EQ(bags.mapped != nullptr, aligned);
    EXPECT_EQ(values_of(bags), wanted);
    (aligned ? even : odd) = true;
  }
  EXPECT_TRUE(odd && even);
}

TEST_F(NpyBags, MappedValuesOutliveTheirReaderAndAreSelected) {
  Bags copy;
  {
    const Bags bags = read_npy_bags(values_, offsets_, labels_);
    copy = bags;
  }
  const std::vector<std::int64_t> second = {1};
  EXPECT_EQ(values_of(select_bags(copy, second)), (std::vector<float>{3, 4, 5, 6}));
  copy.values = {1, 2, 3, 4, 5, 6};
  EXPECT_ERROR(check_bags(copy), kInvalidArgument, "got both");
}

TEST(SelectBags, KeepsOrderAndContent) {
  const Bags bags = test::make_toy(6).bags;
  const std::vector<std::int64_t> which = {4, 1};
  const Bags some = select_bags(bags, which);
  check_bags(some);
  EXPECT_EQ(some.bag_ids, (std::vector<std::string>{"b4", "b1"}));
  EXPECT_EQ(some.labels, (std::vector<int>{0, 1}));
  EXPECT_EQ(some.bag_size(0), bags.bag_size(4));
  const auto row = static_cast<std::size_t>(bags.offsets[4] * bags.num_features);
  EXPECT_EQ(some.values[0], bags.values[row]);
  const std::vector<std::int64_t> beyond = {6};
  EXPECT_ERROR(select_bags(bags, beyond), kInvalidArgument, "got 6");
}

TEST(CheckBags, NamesABagWithoutInstances) {
  Bags bags = test::make_toy(3).bags;
  bags.offsets[2] = bags.offsets[1];
  EXPECT_ERROR(check_bags(bags), kInvalidArgument, "'b1'");
}

}  // namespace
}  // namespace hopfield::mil
