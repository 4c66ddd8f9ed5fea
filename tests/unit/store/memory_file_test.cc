#include "hopfield/store/memory_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "hopfield/store/safetensors.h"

#include "unit/store/memory_samples.h"
#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::source_of;
using test::TempFolder;

const std::vector<double> kNumbers = {1, 2, 3, -4, 0.5, 0.25};

std::string write_sample(const TempFolder& folder, DType dtype = DType::kF32) {
  const std::vector<std::string> ids = {"first", "z\xC3\xBCrich"};
  CreateMemoryOptions options;
  options.dtype = dtype;
  options.ids = ids;
  options.if_exists = IfExists::kReplace;
  create_memory(folder / "m", source_of(kNumbers, 3), options);
  return folder / "m";
}

TEST(MemoryFile, RoundTripKeepsPatternsAndIds) {
  const TempFolder folder;
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const MemoryFile memory(write_sample(folder, dtype));
    EXPECT_EQ(memory.num_patterns(), 2);
    EXPECT_EQ(memory.depth(), 3);
    EXPECT_EQ(memory.dtype(), dtype);
    EXPECT_EQ(memory.num_bytes(), TempFolder::read(folder / "m").size());
    EXPECT_EQ(memory.id(0), "first");
    EXPECT_EQ(memory.id(1), "z\xC3\xBCrich");
    EXPECT_ERROR(memory.id(2), kInvalidArgument, "below 2");
    EXPECT_ERROR(memory.id(-1), kInvalidArgument, "below 2");
    EXPECT_NO_THROW(memory.verify());
    const PatternView view = memory.patterns();
    EXPECT_EQ(view.rows, 2);
    EXPECT_EQ(view.dtype, dtype);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view.data) % dtype_bytes(dtype), 0u);
    // Any safetensors reader sees the patterns.
    const SafetensorsFile plain(folder / "m");
    const std::vector<double> numbers = plain.read<double>("patterns");
    EXPECT_EQ(numbers, kNumbers) << "these numbers are exact in every type";
  }
}

TEST(MemoryFile, WithoutIdsPatternsAreNumbered) {
  const TempFolder folder;
  create_memory(folder / "m", source_of(kNumbers, 2));
  const MemoryFile memory(folder / "m");
  EXPECT_FALSE(memory.has_ids());
  EXPECT_EQ(memory.id(2), "2");
}

TEST(MemoryFile, AnEmptyMemoryIsLegal) {
  const TempFolder folder;
  create_memory(folder / "m", source_of({}, 7));
  const MemoryFile memory(folder / "m");
  EXPECT_EQ(memory.num_patterns(), 0);
  EXPECT_EQ(memory.depth(), 7);
  EXPECT_EQ(memory.patterns().rows, 0);
  EXPECT_NO_THROW(memory.verify());
}

TEST(MemoryFile, ManyBlocksKeepTheirOrder) {
  const TempFolder folder;
  std::vector<double> numbers(600'001 * 2);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i % 1000);
  create_memory(folder / "m", source_of(numbers, 2));
  const MemoryFile memory(folder / "m");
  EXPECT_NO_THROW(memory.verify());
  EXPECT_EQ(SafetensorsFile(folder / "m").read<double>("patterns"), numbers);
}

TEST(MemoryFile, NumbersThatCannotBeStoredAreNamed) {
  const TempFolder folder;
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const auto create = [&](double bad, DType dtype) {
    CreateMemoryOptions options;
    options.dtype = dtype;
    create_memory(folder / "m", source_of({1, 2, 3, bad, 5, 6}, 2), options);
  };
  EXPECT_ERROR(create(nan, DType::kF32), kCorruptData,
               "row 1, column 1: expected a finite number, got NaN");
  EXPECT_ERROR(create(-infinity, DType::kF32), kCorruptData, "got an infinity");
  EXPECT_ERROR(create(1e39, DType::kF32), kCorruptData, "range of f32");
  EXPECT_ERROR(create(65520, DType::kF16), kCorruptData, "range of f16");
  EXPECT_NO_THROW(create(65504, DType::kF16));
  EXPECT_ERROR(create(1, DType::kF64), kInvalidArgument, "dtype");
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(MemoryFile, BadIdsAreNamed) {
  const TempFolder folder;
  const auto create = [&](std::vector<std::string> ids) {
    CreateMemoryOptions options;
    options.ids = ids;
    create_memory(folder / "m", source_of({1, 2}, 1), options);
  };
  EXPECT_ERROR(create({"a"}), kInvalidArgument, "an id for each of 2 patterns, got 1");
  EXPECT_ERROR(create({"a", ""}), kCorruptData, "id 2: expected text");
  EXPECT_ERROR(create({"a", "a"}), kCorruptData, "got 'a' already as id 1");
  EXPECT_ERROR(create({"a", "b\nc"}), kCorruptData, "control characters");
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\x80"}) {
    EXPECT_ERROR(create({"a", bad}), kCorruptData, "id 2: expected UTF-8");
  }
  EXPECT_EQ(folder.num_entries(), 0u);
  EXPECT_NO_THROW(create({"\xe2\x82\xac", "\xf0\x9f\x98\x80"}));
}

TEST(MemoryFile, RefusesToReplaceUnlessTold) {
  const TempFolder folder;
  const std::string before = TempFolder::read(write_sample(folder));
  EXPECT_ERROR(create_memory(folder / "m", source_of({1}, 1)), kIo, "the file exists");
  EXPECT_EQ(TempFolder::read(folder / "m"), before);
}

TEST(MemoryFile, PatternsAreFoundByName) {
  const TempFolder folder;
  const MemoryFile named(write_sample(folder));
  EXPECT_EQ(named.find("z\xC3\xBCrich"), 1);
  EXPECT_FALSE(named.find("1")) << "named patterns are not called by their number";
  create_memory(folder / "n", source_of(kNumbers, 2));
  const MemoryFile numbered(folder / "n");
  EXPECT_EQ(numbered.find("2"), 2);
  for (const char* id : {"3", "-1", "02", "+2", " 2", "2 ", "", "x", "99999999999999999999"}) {
    EXPECT_FALSE(numbered.find(id)) << id;
  }
}

TEST(MemoryFile, WhatAWriterHoldsIsNotReplaced) {
  const TempFolder folder;
  const std::string before = TempFolder::read(write_sample(folder));
  const auto writer = open_for_changes(folder / "m");
  EXPECT_ERROR(write_sample(folder), kIo, "another program is changing it");
  EXPECT_EQ(TempFolder::read(folder / "m"), before);
}

TEST(MemoryFile, CancellingLeavesNothing) {
  const TempFolder folder;
  int asked = 0;
  CreateMemoryOptions options;
  options.cancelled = [&asked] { return ++asked == 3; };
  const auto create = [&] {
    create_memory(folder / "m", source_of(std::vector<double>(1'000'000, 1.0), 1), options);
  };
  EXPECT_ERROR(create(), kCancelled, "nothing was changed");
  EXPECT_EQ(folder.num_entries(), 0u);
}

TEST(MemoryFile, TruncationAtEveryByteIsFoundOnOpening) {
  const TempFolder folder;
  const std::string path = write_sample(folder);
  for (std::size_t size = std::filesystem::file_size(path); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    EXPECT_ERROR(MemoryFile{path}, kCorruptData, "");
  }
}

TEST(MemoryFile, EveryFlippedBitIsFound) {
  const TempFolder folder;
  const std::string path = write_sample(folder);
  const std::string whole = TempFolder::read(path);
  const std::size_t header_end = 8 + SafetensorsFile(path).header().size();
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      TempFolder::patch(path, i, static_cast<char>(whole[i] ^ (1 << bit)));
      if (i < header_end) {
        EXPECT_ERROR(MemoryFile{path}, kCorruptData, "");
      } else {
        EXPECT_NO_THROW(MemoryFile{path}) << "opening reads the header only";
        EXPECT_ERROR(MemoryFile(path).verify(), kCorruptData, "checksum of tensor");
      }
    }
    TempFolder::patch(path, i, whole[i]);
  }
  EXPECT_NO_THROW(MemoryFile(path).verify());
}

std::map<std::string, std::string> metadata_of(const std::string& version) {
  return {{"format", "hopfield.memory"},
          {"version", version},
          {"crc32.header", "00000000"},
          {"crc32.patterns", "00000000"},
          {"crc32.values", "00000000"}};
}

TEST(MemoryFile, ForeignAndNewerFilesAreToldApart) {
  const TempFolder folder;
  const std::vector<float> numbers = {1, 2};
  const auto write = [&](const std::map<std::string, std::string>& metadata,
                         const std::vector<TensorData>& tensors, const std::string& key) {
    write_safetensors(folder / "m", tensors, metadata, {IfExists::kReplace, key});
    return folder / "m";
  };
  const std::vector<TensorData> patterns = {tensor_data<float>("patterns", {1, 2}, numbers)};
  EXPECT_ERROR(MemoryFile{write({}, patterns, "")}, kCorruptData, "another safetensors file");
  EXPECT_ERROR(MemoryFile{write(metadata_of("1"), patterns, "")}, kCorruptData, "checksum");
  EXPECT_ERROR(MemoryFile{write(metadata_of("4"), patterns, "crc32.header")}, kUnsupported,
               "expected version 1 to 3, got 4; read it with a newer hopfield");
  EXPECT_ERROR(MemoryFile{write(metadata_of("x"), patterns, "crc32.header")}, kCorruptData,
               "version");
  EXPECT_NO_THROW(MemoryFile{write(metadata_of("1"), patterns, "crc32.header")});
  EXPECT_ERROR(MemoryFile(folder / "m").verify(), kCorruptData, "tensor 'patterns'");

  const std::vector<TensorData> extra = {tensor_data<float>("patterns", {1, 2}, numbers),
                                         tensor_data<float>("tombstones", {2}, numbers)};
  EXPECT_ERROR(MemoryFile{write(metadata_of("1"), extra, "crc32.header")}, kCorruptData,
               "got also 'tombstones'");
  const std::vector<TensorData> values = {tensor_data<float>("patterns", {1, 2}, numbers),
                                          tensor_data<float>("values", {2, 1}, numbers)};
  EXPECT_ERROR(MemoryFile{write(metadata_of("1"), values, "crc32.header")}, kCorruptData,
               "got also 'values'");
  EXPECT_ERROR(MemoryFile{write(metadata_of("2"), values, "crc32.header")}, kCorruptData,
               "tensor 'values': expected 1 rows, got 2");
  EXPECT_ERROR(MemoryFile{write(metadata_of("1"), {tensor_data<float>("patterns", {2}, numbers)},
                                "crc32.header")},
               kCorruptData, "got F32 [2]");
  EXPECT_ERROR(MemoryFile{write(metadata_of("1"), {}, "crc32.header")}, kCorruptData,
               "expected a tensor 'patterns', got none");
  EXPECT_ERROR(MemoryFile{folder.write("n", "\x93NUMPY\x01 is an array")}, kCorruptData, "n'");
}

TEST(MemoryFile, LyingOffsetsOfIdsAreFound) {
  const TempFolder folder;
  const std::vector<float> numbers = {1, 2};
  const std::vector<std::uint8_t> text = {'a', 'b', 'c'};
  const auto open = [&](const std::vector<std::int64_t>& offsets, std::int64_t pattern) {
    const std::vector<TensorData> tensors = {
        tensor_data<float>("patterns", {2, 1}, numbers),
        tensor_data<std::int64_t>("ids.offsets", {static_cast<std::int64_t>(offsets.size())},
                                  offsets),
        tensor_data<std::uint8_t>("ids.bytes", {3}, text)};
    std::map<std::string, std::string> metadata = metadata_of("1");
    metadata["crc32.ids.offsets"] = metadata["crc32.ids.bytes"] = "00000000";
    write_safetensors(folder / "m", tensors, metadata, {IfExists::kReplace, "crc32.header"});
    return MemoryFile(folder / "m").id(pattern);
  };
  EXPECT_EQ(open({0, 1, 3}, 1), "bc");
  EXPECT_ERROR(open({0, 1, 4}, 1), kCorruptData, "ids.offsets");
  EXPECT_ERROR(open({0, 3, 1}, 1), kCorruptData, "ids.offsets");
  EXPECT_ERROR(open({-5, 1, 3}, 0), kCorruptData, "ids.offsets");
  EXPECT_ERROR(open({0, std::numeric_limits<std::int64_t>::max(), 3}, 0), kCorruptData, "offsets");
  EXPECT_ERROR(open({0, 3}, 0), kCorruptData, "ids.offsets of type I64 [S + 1] for 2 patterns");
}

}  // namespace
}  // namespace hopfield::store
