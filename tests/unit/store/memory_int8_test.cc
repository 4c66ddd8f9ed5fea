// Memories whose patterns are codes of 8 bits with a scale a row.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "hopfield/store/memory_writer.h"
#include "hopfield/store/safetensors.h"
#include "unit/store/memory_samples.h"
#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::contents_of;
using test::source_of;
using test::TempFolder;
using Ids = std::vector<std::string>;

constexpr std::int64_t kDepth = 5;

/// Rows of many magnitudes, one of zeros, one with a single large number.
std::vector<double> sample_numbers(int seed = 1) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  std::normal_distribution<double> normal;
  std::vector<double> numbers;
  for (int row = 0; row < 40; ++row) {
    const double size = std::pow(10.0, row % 9 - 4);
    for (std::int64_t k = 0; k < kDepth; ++k) numbers.push_back(size * normal(random));
  }
  std::fill_n(numbers.begin() + 3 * kDepth, kDepth, 0.0);
  numbers[7 * kDepth] = 6e4;
  return numbers;
}

CreateMemoryOptions coded(std::optional<DType> exact = DType::kF32) {
  CreateMemoryOptions options;
  options.dtype = DType::kI8;
  options.exact = exact;
  options.if_exists = IfExists::kReplace;
  return options;
}

TEST(CodedMemory, KeepsEachNumberWithinHalfAScale) {
  const TempFolder folder;
  const std::vector<double> numbers = sample_numbers();
  for (const std::optional<DType> exact : {std::optional(DType::kF32), std::optional(DType::kBF16),
                                           std::optional(DType::kF16), std::optional<DType>()}) {
    create_memory(folder / "m", source_of(numbers, kDepth), coded(exact));
    const MemoryFile memory(folder / "m");
    EXPECT_NO_THROW(memory.verify());
    EXPECT_EQ(memory.dtype(), DType::kI8);
    EXPECT_EQ(memory.exact_dtype(), exact);
    EXPECT_EQ(memory.version(), 3);
    EXPECT_EQ(memory.num_bytes(), TempFolder::read(folder / "m").size());
    const PatternView view = memory.patterns();
    ASSERT_EQ(view.dtype, DType::kI8);
    const auto* codes = static_cast<const std::int8_t*>(view.data);
    const std::vector<double> kept = pattern_source(memory).rows(0, memory.num_patterns());
    for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
      int largest = 0;
      for (std::int64_t k = 0; k < kDepth; ++k) {
        const auto at = static_cast<std::size_t>(i * kDepth + k);
        const double decoded = static_cast<double>(view.scales[i]) * codes[at];
        largest = std::max(largest, std::abs(codes[at]));
        // Half a unit, and what the rounding of the quotient adds; without exact rows, what is kept
        // is what was decoded.
        EXPECT_LE(std::abs((exact ? kept[at] : numbers[at]) - decoded),
                  view.scales[i] * (0.5 + 1e-12));
        if (!exact) {
          EXPECT_EQ(kept[at], decoded);
        } else if (exact == DType::kF32) {
          EXPECT_EQ(kept[at], static_cast<float>(numbers[at]));
        }
      }
      EXPECT_EQ(largest, i == 3 ? 0 : 127) << "row " << i;
      EXPECT_EQ(view.scales[i] == 0, i == 3);
    }
    // Any safetensors reader sees codes and scales.
    const SafetensorsFile plain(folder / "m");
    EXPECT_EQ(plain.at("patterns").type, TensorType::kI8);
    EXPECT_EQ(plain.at("patterns").shape, (std::vector<std::int64_t>{40, kDepth}));
    EXPECT_EQ(plain.read<float>("scales").size(), 40u);
    EXPECT_EQ(plain.find("exact") != nullptr, exact.has_value());
  }
}

TEST(CodedMemory, OfDepthOneOrWithoutPatternsIsLegal) {
  const TempFolder folder;
  create_memory(folder / "m", source_of({3, -2, 0}, 1), coded());
  const MemoryFile one(folder / "m");
  EXPECT_NO_THROW(one.verify());
  const auto* codes = static_cast<const std::int8_t*>(one.patterns().data);
  EXPECT_EQ((std::vector<int>{codes[0], codes[1], codes[2]}), (std::vector<int>{127, -127, 0}));
  create_memory(folder / "n", source_of({}, 4), coded());
  const MemoryFile none(folder / "n");
  EXPECT_NO_THROW(none.verify());
  EXPECT_EQ(none.patterns().rows, 0);
}

TEST(CodedMemory, TakesEachRowOfTheSourceOnce) {
  const TempFolder folder;
  // Many blocks, in which codes, scales, exact rows and values are written in turn.
  std::vector<double> numbers(120'001 * kDepth);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i % 997) - 400;
  PatternSource source = source_of(numbers, kDepth), values = source;
  std::int64_t next = 0;
  source.rows = [&next, rows = source.rows](std::int64_t first, std::int64_t count) {
    EXPECT_EQ(first, next);
    next = first + count;
    return rows(first, count);
  };
  const std::vector<std::string> metadata(static_cast<std::size_t>(source.num_patterns), "{}");
  CreateMemoryOptions options = coded();
  options.attached.values = &values;
  options.attached.metadata = metadata;
  create_memory(folder / "m", source, options);
  EXPECT_EQ(next, source.num_patterns);
  EXPECT_NO_THROW(MemoryFile(folder / "m").verify());  // codes beside exact rows, too
  const SafetensorsFile file(folder / "m");
  EXPECT_TRUE(file.read<double>("exact") == numbers);  // not 600,005 numbers in a message
  EXPECT_TRUE(file.read<double>("values") == numbers);
}

TEST(CodedMemory, RefusesWhatHasNoCodes) {
  const TempFolder folder;
  const auto create = [&](std::vector<double> numbers, std::optional<DType> exact = DType::kF32) {
    create_memory(folder / "m", source_of(std::move(numbers), 2), coded(exact));
  };
  EXPECT_ERROR(create({1, std::nan("")}), kCorruptData, "got NaN");
  EXPECT_ERROR(create({1, 1e39}, std::nullopt), kCorruptData, "range of f32");
  EXPECT_ERROR(create({0, 0, 1e-37, -1e-37}), kCorruptData, "row 1, column 0: expected a row of");
  EXPECT_ERROR(create({1, std::numeric_limits<float>::max()}), kCorruptData, "range of int8");
  EXPECT_ERROR(create({1, 2}, DType::kI8), kInvalidArgument, "exact rows of dtype f32");
  EXPECT_ERROR(create({1, 2}, DType::kF64), kInvalidArgument, "exact rows of dtype f32");
  EXPECT_EQ(folder.num_entries(), 0u);
  EXPECT_NO_THROW(create({1.6e-36, 0, 3.3e38, 0}));
  CreateMemoryOptions values;
  values.values_dtype = DType::kI8;
  EXPECT_ERROR(create_memory(folder / "n", source_of({1}, 1), values), kInvalidArgument,
               "values of dtype f32");
}

TEST(CodedMemory, CopiesAreTheSameBytes) {
  const TempFolder folder;
  for (const std::optional<DType> exact :
       {std::optional<DType>(), std::optional(DType::kF32), std::optional(DType::kBF16)}) {
    create_memory(folder / "m", source_of(sample_numbers(), kDepth), coded(exact));
    copy_memory(MemoryFile(folder / "m"), folder / "copy", IfExists::kReplace);
    EXPECT_EQ(TempFolder::read(folder / "m"), TempFolder::read(folder / "copy"));
  }
}

TEST(CodedMemory, ChangesCompactToWhatWasMadeAtOnce) {
  const TempFolder folder;
  const std::vector<double> numbers = sample_numbers();
  const std::span<const double> all(numbers);
  const auto rows = [&](std::size_t first, std::size_t count) {
    const auto part = all.subspan(first * kDepth, count * kDepth);
    return std::vector<double>(part.begin(), part.end());
  };
  for (const std::optional<DType> exact : {std::optional<DType>(), std::optional(DType::kF16)}) {
    const Ids ids = {"a", "b", "c", "d"};
    CreateMemoryOptions options = coded(exact);
    options.ids = ids;
    create_memory(folder / "whole", source_of(rows(0, 4), kDepth), options);
    const Ids start = {"a", "x", "c"};
    options.ids = start;
    std::vector<double> begin = rows(0, 2);
    const std::vector<double> other = rows(9, 1);  // another pattern in the place of c
    begin.insert(begin.end(), other.begin(), other.end());
    create_memory(folder / "m", source_of(begin, kDepth), options);
    {
      MemoryWriter writer(folder / "m");
      writer.forget(Ids{"x"});
      writer.update(Ids{"c"}, source_of(rows(2, 1), kDepth));
      writer.add(source_of(rows(3, 1), kDepth), Ids{"d"});
    }
    const MemoryFile changed(folder / "m");
    EXPECT_NO_THROW(changed.verify());
    EXPECT_EQ(changed.num_patterns(), 3);
    MemoryFile whole(folder / "whole");
    whole.restrict_to(std::vector<std::int64_t>{0, 2, 3});
    EXPECT_EQ(contents_of(changed), contents_of(whole));
    const PatternView found = changed.patterns(), expected = whole.patterns();
    EXPECT_EQ(std::memcmp(found.data, expected.data, 3 * kDepth), 0);
    EXPECT_EQ(std::memcmp(found.scales, expected.scales, 3 * sizeof(float)), 0);
    compact_memory(folder / "m");
    copy_memory(whole, folder / "w", IfExists::kReplace);
    const SafetensorsFile compact(folder / "m"), plain(folder / "w");
    for (const char* name : {"patterns", "scales", "exact"}) {
      if (plain.find(name) == nullptr) continue;
      const auto ours = compact.bytes(compact.at(name)), theirs = plain.bytes(plain.at(name));
      EXPECT_TRUE(std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end())) << name;
    }
  }
}

TEST(CodedMemory, MergesWithItsKindOnly) {
  const TempFolder folder;
  create_memory(folder / "a", source_of(sample_numbers(1), kDepth), coded());
  create_memory(folder / "b", source_of(sample_numbers(2), kDepth), coded());
  create_memory(folder / "half", source_of(sample_numbers(2), kDepth), coded(DType::kF16));
  create_memory(folder / "f32", source_of(sample_numbers(2), kDepth));
  MergeOptions options;
  options.rename = true;
  const std::string inputs[] = {folder / "a", folder / "b"};
  merge_memories(folder / "ab", inputs, options);
  std::vector<double> numbers = sample_numbers(1);
  const std::vector<double> more = sample_numbers(2);
  numbers.insert(numbers.end(), more.begin(), more.end());
  create_memory(folder / "whole", source_of(numbers, kDepth), coded());
  EXPECT_EQ(TempFolder::read(folder / "ab"), TempFolder::read(folder / "whole"));
  for (const char* other : {"half", "f32"}) {
    const std::string unlike[] = {folder / "a", folder / other};
    EXPECT_ERROR(merge_memories(folder / "c", unlike, options), kCorruptData,
                 "(int8 of depth 5, exact f32), got");
  }
}

TEST(CodedMemory, DamageThatNoChecksumShowsIsFound) {
  const TempFolder folder;
  const auto write = [&](std::vector<std::int8_t> codes, std::vector<float> scales,
                         std::vector<float> exact) {
    const auto bytes = std::as_bytes(std::span<const std::int8_t>(codes));
    std::vector<TensorData> tensors = {tensor_data<float>("scales", {2}, scales)};
    if (!exact.empty()) tensors.push_back(tensor_data<float>("exact", {2, 2}, exact));
    tensors.push_back({"patterns", TensorType::kI8, {2, 2}, bytes});
    std::map<std::string, std::string> metadata = {
        {"format", "hopfield.memory"}, {"version", "3"}, {"crc32.header", "00000000"}};
    for (const TensorData& tensor : tensors) {
      metadata["crc32." + tensor.name] = crc32_text(crc32(tensor.data));
    }
    write_safetensors(folder / "m", tensors, metadata, {IfExists::kReplace, "crc32.header"});
    return folder / "m";
  };
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  const auto verify = [](const std::string& path) { MemoryFile(path).verify(); };
  EXPECT_NO_THROW(verify(write({1, -127, 3, 4}, {0.5f, 2}, {})));
  EXPECT_NO_THROW(verify(write({1, -127, 3, 4}, {0.5f, 2}, {0.7f, -63.5f, 5, 9})));
  EXPECT_ERROR(verify(write({1, -128, 3, 4}, {0.5f, 2}, {})), kCorruptData, "got -128 in row 0");
  for (const float bad : {-1.0f, nan, infinity}) {
    EXPECT_ERROR(verify(write({1, 2, 3, 4}, {0.5f, bad}, {})), kCorruptData,
                 "scales: expected finite numbers >= 0");
  }
  EXPECT_ERROR(verify(write({1, 2, 3, 127}, {0.5f, 3e36f}, {})), kCorruptData, "finite numbers");
  EXPECT_ERROR(verify(write({1, -127, 3, 4}, {0.5f, 2}, {0.8f, -63.5f, 5, 9})), kCorruptData,
               "half a scale of the exact rows, got another in row 0");
  EXPECT_ERROR(verify(write({1, -127, 3, 4}, {0.5f, 2}, {0.7f, nan, 5, 9})), kCorruptData,
               "exact: expected finite numbers");
}

}  // namespace
}  // namespace hopfield::store
