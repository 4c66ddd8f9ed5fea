#include "hopfield/store/npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::TempFolder;

/// An NPY file of the given version written by hand, independent of write_npy.
std::string npy(int version, const std::string& dictionary, const std::string& data) {
  std::string header = dictionary;
  const std::size_t before = version == 1 ? 10 : 12;
  while ((before + header.size() + 1) % 16 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  for (std::size_t i = 0; i < (version == 1 ? 2u : 4u); ++i) {
    file += static_cast<char>(header.size() >> (8 * i));
  }
  return file + header + data;
}

std::string dictionary(const std::string& descr, const std::string& shape, bool fortran = false) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

NpyFile parse(const std::string& bytes) {
  return NpyFile(std::as_bytes(std::span<const char>(bytes.data(), bytes.size())), "test");
}

template <class T>
void expect_reads(const std::string& descr, const std::vector<T>& values,
                  const std::vector<double>& expected) {
  SCOPED_TRACE(descr);
  const std::string shape = "(" + std::to_string(values.size()) + ",)";
  for (int version = 1; version <= 3; ++version) {
    const std::string bytes = npy(version, dictionary(descr, shape), raw(values));
    const NpyFile file = parse(bytes);
    EXPECT_EQ(file.shape(), std::vector<std::int64_t>{static_cast<std::int64_t>(values.size())});
    EXPECT_EQ(file.read<double>(), expected);
  }
}

TEST(Npy, ReadsEveryTypeAndVersion) {
  expect_reads<float>("<f4", {1.5f, -2.0f}, {1.5, -2.0});
  expect_reads<double>("<f8", {0.1, 1e300}, {0.1, 1e300});
  expect_reads<std::uint16_t>("<f2", {0x3C00, 0xC000}, {1.0, -2.0});
  expect_reads<std::int8_t>("|i1", {-128, 127}, {-128, 127});
  expect_reads<std::uint8_t>("|u1", {0, 255}, {0, 255});
  expect_reads<std::uint8_t>("|b1", {0, 1}, {0, 1});
  expect_reads<std::int16_t>("<i2", {-300, 300}, {-300, 300});
  expect_reads<std::uint16_t>("<u2", {65535}, {65535});
  expect_reads<std::int32_t>("<i4", {-70000}, {-70000});
  expect_reads<std::uint32_t>("<u4", {4000000000u}, {4e9});
  expect_reads<std::int64_t>("<i8", {-5000000000}, {-5e9});
  expect_reads<std::uint64_t>("<u8", {5000000000u}, {5e9});
}

TEST(Npy, FortranOrderIsTransposed) {
  // [[1, 2, 3], [4, 5, 6]] column by column
  const std::string bytes =
      npy(1, dictionary("<f4", "(2, 3)", true), raw<float>({1, 4, 2, 5, 3, 6}));
  const NpyFile file = parse(bytes);
  EXPECT_TRUE(file.fortran_order());
  EXPECT_EQ(file.read<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.read_rows<float>(1, 1), (std::vector<float>{4, 5, 6}));
  // element (i, j, k) = 100 i + 10 j + k, first index fastest
  std::vector<float> cube;
  std::vector<double> expected;
  for (int k = 0; k < 4; ++k) {
    for (int j = 0; j < 3; ++j) {
      for (int i = 0; i < 2; ++i) cube.push_back(static_cast<float>(100 * i + 10 * j + k));
    }
  }
  for (int j = 0; j < 3; ++j) {
    for (int k = 0; k < 4; ++k) expected.push_back(100 + 10 * j + k);
  }
  const std::string cube_bytes = npy(1, dictionary("<f4", "(2, 3, 4)", true), raw(cube));
  EXPECT_EQ(parse(cube_bytes).read_rows<double>(1, 1), expected);
}

TEST(Npy, RowsAreReadAlone) {
  const std::string bytes =
      npy(1, dictionary("<i4", "(3, 2)"), raw<std::int32_t>({1, 2, 3, 4, 5, 6}));
  const NpyFile file = parse(bytes);
  EXPECT_EQ(file.read_rows<double>(1, 2), (std::vector<double>{3, 4, 5, 6}));
  EXPECT_EQ(file.read_rows<double>(3, 0), std::vector<double>{});
  EXPECT_ERROR(file.read_rows<double>(2, 2), kInvalidArgument, "expected rows within 3");
  EXPECT_ERROR(file.read_rows<double>(-1, 1), kInvalidArgument, "expected rows within 3");
}

TEST(Npy, ReadsMisalignedNumbers) {
  const std::string bytes = npy(1, dictionary("<f8", "(2,)"), raw<double>({1.25, -8}));
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const std::string moved = std::string(shift, '?') + bytes;
    const NpyFile file(std::as_bytes(std::span<const char>(moved.data() + shift, bytes.size())),
                       "test");
    EXPECT_EQ(file.read<double>(), (std::vector<double>{1.25, -8}));
  }
}

TEST(Npy, ScalarsAndEmptyArrays) {
  EXPECT_EQ(parse(npy(1, dictionary("<f4", "()"), raw<float>({7}))).read<float>(),
            std::vector<float>{7});
  const std::string empty = npy(1, dictionary("<f4", "(0, 5)"), "");
  EXPECT_EQ(parse(empty).shape(), (std::vector<std::int64_t>{0, 5}));
  EXPECT_TRUE(parse(empty).read<float>().empty());
}

TEST(Npy, IntegersMustFit) {
  const std::string large = npy(1, dictionary("<i8", "(2,)"), raw<std::int64_t>({1, 1LL << 40}));
  EXPECT_EQ(parse(large).read<std::int64_t>()[1], 1LL << 40);
  EXPECT_ERROR(parse(large).read<std::int32_t>(), kCorruptData, "fit 32 bits, element 1 does not");
  const std::string negative = npy(1, dictionary("|i1", "(1,)"), raw<std::int8_t>({-1}));
  EXPECT_ERROR(parse(negative).read<std::uint8_t>(), kCorruptData, "fit 8 bits");
  const std::string floats = npy(1, dictionary("<f4", "(1,)"), raw<float>({1}));
  EXPECT_ERROR(parse(floats).read<std::int64_t>(), kCorruptData, "expected whole numbers, got f4");
}

template <class T>
void expect_round_trip(const std::vector<T>& values, const std::vector<std::int64_t>& shape) {
  const TempFolder folder;
  write_npy<T>(folder / "a.npy", values, shape);
  const NpyFile file(folder / "a.npy");
  EXPECT_EQ(file.shape(), shape);
  EXPECT_EQ(raw(values),
            std::string(reinterpret_cast<const char*>(file.data().data()), file.data().size()));
  EXPECT_EQ(folder.num_entries(), 1u);
  const std::string bytes = TempFolder::read(folder / "a.npy");
  EXPECT_EQ((bytes.size() - file.data().size()) % 64, 0u);
}

TEST(Npy, WritesWhatItReads) {
  expect_round_trip<float>({1, 2, 3, 4, 5, 6}, {2, 3});
  expect_round_trip<double>({1, 2, 3}, {3});
  expect_round_trip<F16>({to_f16(1.0f)}, {1, 1});
  expect_round_trip<std::int64_t>({-1}, {});
  expect_round_trip<std::int32_t>({}, {0, 4});
  expect_round_trip<std::uint8_t>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2});
}

TEST(Npy, WritesTheHeaderNumpyWrites) {
  const TempFolder folder;
  const std::vector<float> data = {1, 2};
  const std::int64_t row[] = {2}, matrix[] = {1, 2};
  write_npy<float>(folder / "a.npy", data, row);
  EXPECT_TRUE(test::contains(TempFolder::read(folder / "a.npy"),
                             "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"));
  write_npy<float>(folder / "a.npy", data, matrix);
  EXPECT_TRUE(test::contains(TempFolder::read(folder / "a.npy"), "'shape': (1, 2), }"));
  const std::int64_t wrong[] = {3};
  EXPECT_ERROR(write_npy<float>(folder / "a.npy", data, wrong), kInvalidArgument, "shape [3]");
}

TEST(Npy, TruncationAtEveryByteIsFound) {
  const std::string whole = npy(1, dictionary("<f4", "(2, 3)"), raw<float>({1, 2, 3, 4, 5, 6}));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_ERROR(parse(whole.substr(0, size)), kCorruptData, "test");
  }
  EXPECT_ERROR(parse(whole + "x"), kCorruptData, "expected 24 bytes");
}

TEST(Npy, HostileHeadersAreRefused) {
  const std::string four(4, '\0');
  const std::vector<std::pair<std::string, const char*>> cases = {
      {"", "expected '{'"},
      {"{}", "one is missing"},
      {"{'descr': '<f4', 'fortran_order': False}", "one is missing"},
      {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,)}", "True or False"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}", "expected ')'"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", "expected '('"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "2^63"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "64 bits"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,)}", "64 bits"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "expected 8 bytes"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "once each"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", "header's end"},
      {"{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}", "expected"},
      {"{__import__('os'): 1}", "text in quotes"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    EXPECT_ERROR(parse(npy(1, text, four)), kCorruptData, message);
  }
  std::string many = "(";
  for (int i = 0; i < 100; ++i) many += "1,";
  EXPECT_ERROR(parse(npy(1, dictionary("<f4", many + ")"), four)), kCorruptData, "at most 64");
  std::string long_header = npy(2, dictionary("<f4", "(1,)"), four);
  long_header[11] = '\x7f';
  EXPECT_ERROR(parse(long_header), kCorruptData, "truncated");
  EXPECT_ERROR(parse(npy(4, dictionary("<f4", "(1,)"), four)), kCorruptData, "got 4");
  EXPECT_ERROR(parse("PK\x03\x04 an archive of arrays"), kCorruptData, "expected an NPY file");
}

TEST(Npy, UnknownTypesSayWhatToDo) {
  const std::string eight(8, '\0');
  EXPECT_ERROR(parse(npy(1, dictionary(">f8", "(1,)"), eight)), kUnsupported,
               "big-endian '>f8'; convert with array.astype('<f8')");
  EXPECT_ERROR(parse(npy(1, dictionary("|O", "(1,)"), eight)), kUnsupported, "got '|O'");
  EXPECT_ERROR(parse(npy(1, dictionary("<c8", "(1,)"), eight)), kUnsupported, "got '<c8'");
  EXPECT_ERROR(
      parse(npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", eight)),
      kUnsupported, "structured array");
}

TEST(NpyWriter, RowsThatComePieceByPieceMakeTheFileOfAllOfThem) {
  const TempFolder folder;
  const std::vector<float> numbers = {1, 2, 3, 4, 5, 6};
  const std::int64_t shape[] = {3, 2}, none[] = {0, 2};
  write_npy<float>(folder / "whole.npy", numbers, shape);
  NpyWriter<float> writer(folder / "rows.npy", 2);
  writer.append(std::span(numbers).first(4));
  writer.append(std::span(numbers).first(0));
  EXPECT_ERROR(writer.append(std::span(numbers).first(3)), kInvalidArgument, "rows of 2 numbers");
  writer.append(std::span(numbers).last(2));
  EXPECT_EQ(folder.num_entries(), 1u) << "nothing is there before commit";
  writer.commit();
  EXPECT_EQ(TempFolder::read(folder / "rows.npy"), TempFolder::read(folder / "whole.npy"));
  write_npy<float>(folder / "whole.npy", {}, none);
  NpyWriter<float>(folder / "rows.npy", 2).commit();
  EXPECT_EQ(TempFolder::read(folder / "rows.npy"), TempFolder::read(folder / "whole.npy"));
  EXPECT_ERROR(NpyWriter<float>(folder / "rows.npy", 0), kInvalidArgument, "expected columns");
}

}  // namespace
}  // namespace hopfield::store
