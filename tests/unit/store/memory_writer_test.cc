#include "hopfield/store/memory_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "hopfield/store/change_log.h"
#include "hopfield/store/safetensors.h"
#include "unit/store/memory_samples.h"
#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::Contents;
using test::contents_of;
using test::source_of;
using test::TempFolder;
using Ids = std::vector<std::string>;

/// Patterns of depth 2, called a, b, c.
std::string named_memory(const TempFolder& folder, DType dtype = DType::kF32,
                         const std::string& name = "m") {
  const Ids ids = {"a", "b", "c"};
  CreateMemoryOptions options;
  options.dtype = dtype;
  options.ids = ids;
  create_memory(folder / name, source_of({1, 1, 2, 2, 3, 3}, 2), options);
  return folder / name;
}

std::string numbered_memory(const TempFolder& folder, const std::string& name = "m") {
  create_memory(folder / name, source_of({0, 0, 1, 1, 2, 2}, 2));
  return folder / name;
}

/// As the kernels get them.
Contents viewed(const MemoryFile& memory) {
  Contents contents;
  const PatternView view = memory.patterns();
  const std::size_t bytes = dtype_bytes(view.dtype);
  for (std::int64_t i = 0; i < view.rows; ++i) {
    std::vector<double> numbers;
    for (std::int64_t k = 0; k < view.depth; ++k) {
      const auto* at = static_cast<const std::byte*>(view.data) +
                       static_cast<std::size_t>(i * view.row_stride + k) * bytes;
      float value = 0;
      BF16 half = {};
      std::memcpy(view.dtype == DType::kF32 ? static_cast<void*>(&value) : &half, at, bytes);
      numbers.push_back(view.dtype == DType::kF32    ? value
                        : view.dtype == DType::kBF16 ? to_f32(half)
                                                     : to_f32(F16{half.bits}));
    }
    contents.emplace_back(memory.id(i), numbers);
  }
  return contents;
}

void expect_contents(const std::string& path, const Contents& expected) {
  const MemoryFile memory(path);
  EXPECT_EQ(contents_of(memory), expected);
  EXPECT_EQ(viewed(memory), expected);
  EXPECT_NO_THROW(memory.verify());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(memory.find(expected[i].first), static_cast<std::int64_t>(i));
  }
}

TEST(MemoryWriter, AddsForgetsAndUpdatesInEveryType) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const TempFolder folder;
    const std::string path = named_memory(folder, dtype);
    {
      MemoryWriter writer(path);
      EXPECT_EQ(writer.add(source_of({4, 4, 5, 5}, 2), Ids{"d", "e"}), (Ids{"d", "e"}));
      writer.forget(Ids{"d", "a"});
      writer.update(Ids{"e", "b"}, source_of({50, 50, 20, 20}, 2));
      EXPECT_EQ(writer.add(source_of({6, 6}, 2), Ids{"a"}), Ids{"a"}) << "forgotten ids are free";
    }
    const Contents expected = {{"b", {20, 20}}, {"c", {3, 3}}, {"e", {50, 50}}, {"a", {6, 6}}};
    expect_contents(path, expected);
    const MemoryFile memory(path);
    EXPECT_EQ(memory.tombstones(), 2);
    EXPECT_EQ(memory.num_changes(), 4);
    EXPECT_EQ(memory.num_bytes(), TempFolder::read(path).size());
    EXPECT_TRUE(memory.has_ids());
    EXPECT_FALSE(memory.find("d"));

    compact_memory(path);
    expect_contents(path, expected);
    const MemoryFile compact(path);
    EXPECT_EQ(compact.tombstones(), 0);
    EXPECT_EQ(compact.num_changes(), 0);
    EXPECT_EQ(compact.dtype(), dtype);
    EXPECT_NO_THROW(SafetensorsFile{path}) << "any safetensors reader opens it";
    EXPECT_EQ(folder.num_entries(), 1u);
  }
}

TEST(MemoryWriter, AWriterThatComesLaterGoesOn) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter(path).add(source_of({4, 4}, 2), Ids{"d"});
  MemoryWriter(path).forget(Ids{"b"});
  MemoryWriter(path).update(Ids{"d"}, source_of({40, 40}, 2));
  expect_contents(path, {{"a", {1, 1}}, {"c", {3, 3}}, {"d", {40, 40}}});
}

TEST(MemoryWriter, NumbersGoOnAndAreNotGivenTwice) {
  const TempFolder folder;
  const std::string path = numbered_memory(folder);
  {
    MemoryWriter writer(path);
    EXPECT_EQ(writer.add(source_of({3, 3}, 2)), Ids{"3"});
    EXPECT_FALSE(MemoryFile(path).has_ids()) << "each is still called by its place";
    writer.forget(Ids{"3", "1"});
    EXPECT_EQ(writer.add(source_of({9, 9}, 2), Ids{"5"}), Ids{"5"});
    EXPECT_EQ(writer.add(source_of({4, 4, 6, 6}, 2)), (Ids{"4", "6"})) << "5 is taken";
    writer.forget(Ids{"6"});
  }
  expect_contents(path, {{"0", {0, 0}}, {"2", {2, 2}}, {"5", {9, 9}}, {"4", {4, 4}}});
  EXPECT_TRUE(MemoryFile(path).has_ids());
  EXPECT_FALSE(MemoryFile(path).find("1"));
  compact_memory(path);
  expect_contents(path, {{"0", {0, 0}}, {"2", {2, 2}}, {"5", {9, 9}}, {"4", {4, 4}}});
  EXPECT_EQ(MemoryWriter(path).add(source_of({7, 7}, 2)), Ids{"7"}) << "6 was given before";
}

TEST(MemoryWriter, ForgettingTheLastNumbersKeepsTheMemoryNumbered) {
  const TempFolder folder;
  const std::string path = numbered_memory(folder);
  MemoryWriter(path).forget(Ids{"2"});
  EXPECT_FALSE(MemoryFile(path).has_ids());
  compact_memory(path);
  EXPECT_FALSE(MemoryFile(path).has_ids());
  EXPECT_EQ(MemoryWriter(path).add(source_of({3, 3}, 2)), Ids{"3"});
  expect_contents(path, {{"0", {0, 0}}, {"1", {1, 1}}, {"3", {3, 3}}});
}

TEST(MemoryWriter, EverythingCanBeForgotten) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter(path).forget(Ids{"a", "b", "c"});
  expect_contents(path, {});
  EXPECT_EQ(MemoryFile(path).patterns().rows, 0);
  compact_memory(path);
  expect_contents(path, {});
  EXPECT_EQ(MemoryWriter(path).add(source_of({5, 5}, 2)), Ids{"3"});
  expect_contents(path, {{"3", {5, 5}}});
}

TEST(MemoryWriter, AnEmptyMemoryTakesPatterns) {
  const TempFolder folder;
  create_memory(folder / "m", source_of({}, 3));
  MemoryWriter(folder / "m").add(source_of({1, 2, 3}, 3), Ids{"x"});
  expect_contents(folder / "m", {{"x", {1, 2, 3}}});
}

TEST(MemoryWriter, NothingToDoWritesNothing) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  const std::string before = TempFolder::read(path);
  MemoryWriter writer(path);
  EXPECT_TRUE(writer.add(source_of({}, 2)).empty());
  writer.forget({});
  writer.update({}, source_of({}, 2));
  EXPECT_EQ(TempFolder::read(path), before);
}

TEST(MemoryWriter, BadArgumentsAreNamedAndChangeNothing) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  const std::string before = TempFolder::read(path);
  MemoryWriter writer(path);
  const auto two = source_of({4, 4, 5, 5}, 2);
  EXPECT_ERROR(writer.add(two, Ids{"d"}), kInvalidArgument, "for each of 2 patterns, got 1");
  EXPECT_ERROR(writer.add(two, Ids{"d", "a"}), kCorruptData, "got 'a'; choose another");
  EXPECT_ERROR(writer.add(two, Ids{"d", "d"}), kCorruptData, "got 'd' already as id 1");
  EXPECT_ERROR(writer.add(two, Ids{"d", ""}), kCorruptData, "id 2: expected text");
  EXPECT_ERROR(writer.add(source_of({1, 2, 3}, 3)), kCorruptData, "expected patterns of depth 2");
  EXPECT_ERROR(writer.add(source_of({1, std::numeric_limits<double>::quiet_NaN()}, 2)),
               kCorruptData, "row 0, column 1: expected a finite number, got NaN");
  EXPECT_ERROR(writer.forget(Ids{"a", "x"}), kInvalidArgument, "got 'x'");
  EXPECT_ERROR(writer.forget(Ids{"a", "a"}), kCorruptData, "each id once");
  EXPECT_ERROR(writer.update(Ids{"a"}, two), kInvalidArgument, "for each of 2 patterns, got 1");
  EXPECT_ERROR(writer.update(Ids{"a", "x"}, two), kInvalidArgument, "got 'x'");
  EXPECT_ERROR(writer.update(Ids{"a", "a"}, two), kCorruptData, "each id once");
  EXPECT_ERROR(writer.update(Ids{"a"}, source_of({1e39, 0}, 2)), kCorruptData, "range of f32");
  EXPECT_EQ(TempFolder::read(path), before);
  writer.forget(Ids{"a"});
  EXPECT_ERROR(writer.forget(Ids{"a"}), kInvalidArgument, "got 'a'");
  EXPECT_ERROR(writer.update(Ids{"a"}, source_of({1, 1}, 2)), kInvalidArgument, "got 'a'");
}

TEST(MemoryWriter, ThereIsOneWriterAndItDoesNotDisturbReaders) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter writer(path);
  EXPECT_ERROR(MemoryWriter{path}, kIo, "another program is changing it");
  EXPECT_ERROR(compact_memory(path), kIo, "another program is changing it");
  const MemoryFile before(path);
  writer.forget(Ids{"a"});
  const MemoryFile after(path);
  writer.add(source_of({7, 7}, 2));
  EXPECT_EQ(before.num_patterns(), 3);
  EXPECT_EQ(viewed(before).front().first, "a");
  EXPECT_EQ(viewed(after).front().first, "b");
  EXPECT_EQ(after.num_patterns(), 2);
  EXPECT_EQ(MemoryFile(path).num_patterns(), 3);
}

TEST(MemoryWriter, AReaderSurvivesCompaction) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter(path).forget(Ids{"b"});
  const MemoryFile before(path);
  compact_memory(path);
  MemoryWriter(path).forget(Ids{"a"});
  EXPECT_EQ(viewed(before), (Contents{{"a", {1, 1}}, {"c", {3, 3}}}));
}

TEST(MemoryWriter, CompactingDoesNotHideDamage) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter(path).forget(Ids{"b"});
  const TensorEntry patterns = SafetensorsFile(path, Tail::kAllow).at("patterns");
  TempFolder::patch(path, static_cast<std::size_t>(patterns.offset), 'x');
  const std::string before = TempFolder::read(path);
  EXPECT_ERROR(compact_memory(path), kCorruptData, "checksum of tensor 'patterns'");
  EXPECT_EQ(TempFolder::read(path), before);
}

TEST(MemoryWriter, CancellingACompactionChangesNothing) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter(path).forget(Ids{"b"});
  const std::string before = TempFolder::read(path);
  EXPECT_ERROR(compact_memory(path, [] { return true; }), kCancelled, "nothing was changed");
  EXPECT_EQ(TempFolder::read(path), before);
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(MemoryWriter, RandomChangesAreWhatAListOfPatternsSays) {
  for (const std::uint32_t seed : {1u, 2u}) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const TempFolder folder;
    const std::string path = named_memory(folder);
    Contents expected = {{"a", {1, 1}}, {"b", {2, 2}}, {"c", {3, 3}}};
    auto writer = std::make_unique<MemoryWriter>(path);
    for (int step = 0; step < 50; ++step) {
      const double x = step + 10;
      const std::uint32_t kind = random() % 8;
      if (kind < 4) {
        const Ids ids = kind == 0 ? Ids{} : Ids{"s" + std::to_string(step)};
        expected.emplace_back(writer->add(source_of({x, -x}, 2), ids).front(),
                              std::vector<double>{x, -x});
      } else if (kind < 7 && !expected.empty()) {
        const std::size_t i = random() % expected.size();
        const Ids ids = {expected[i].first};
        if (kind == 4) {
          writer->update(ids, source_of({-x, x}, 2));
          expected[i].second = {-x, x};
        } else {
          writer->forget(ids);
          expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(i));
        }
      } else {
        writer.reset();
        if (random() % 2 == 0) compact_memory(path);
        writer = std::make_unique<MemoryWriter>(path);
      }
    }
    expect_contents(path, expected);
  }
}

TEST(MergeMemories, KeepsOrderAndNames) {
  const TempFolder folder;
  const std::string named = named_memory(folder, DType::kF32, "a");
  MemoryWriter(named).forget(Ids{"b"});
  const std::string numbered = numbered_memory(folder, "b");
  const Ids inputs = {named, numbered};
  merge_memories(folder / "m", inputs);
  expect_contents(folder / "m",
                  {{"a", {1, 1}}, {"c", {3, 3}}, {"0", {0, 0}}, {"1", {1, 1}}, {"2", {2, 2}}});
  EXPECT_ERROR(merge_memories(folder / "m", inputs), kIo, "the file exists");
}

TEST(MergeMemories, EqualNamesAreAnErrorOrRenamed) {
  const TempFolder folder;
  const std::string first = named_memory(folder, DType::kF32, "a");
  const std::string second = named_memory(folder, DType::kF32, "b");
  MemoryWriter writer(second);
  writer.forget(Ids{"b", "c"});
  writer.add(source_of({8, 8, 9, 9}, 2), Ids{"a-2", "d"});
  const Ids inputs = {first, second};
  EXPECT_ERROR(merge_memories(folder / "m", inputs), kCorruptData, "got 'a' in '" + first);
  MergeOptions options;
  options.rename = true;
  merge_memories(folder / "m", inputs, options);
  expect_contents(folder / "m", {{"a", {1, 1}},
                                 {"b", {2, 2}},
                                 {"c", {3, 3}},
                                 {"a-2", {1, 1}},
                                 {"a-2-2", {8, 8}},
                                 {"d", {9, 9}}});
}

TEST(MergeMemories, NumberedMemoriesAreNumberedAnewWhenRenamed) {
  const TempFolder folder;
  const std::string one = numbered_memory(folder, "a");
  const Ids inputs = {one, one};
  EXPECT_ERROR(merge_memories(folder / "m", inputs), kCorruptData, "got '0' in");
  MergeOptions options;
  options.rename = true;
  merge_memories(folder / "m", inputs, options);
  const MemoryFile merged(folder / "m");
  EXPECT_EQ(merged.num_patterns(), 6);
  EXPECT_FALSE(merged.has_ids());
}

TEST(MergeMemories, DifferentKindsAndDamageAreErrors) {
  const TempFolder folder;
  const std::string first = named_memory(folder, DType::kF32, "a");
  const std::string half = named_memory(folder, DType::kBF16, "b");
  create_memory(folder / "c", source_of({1, 2, 3}, 3));
  const auto merge = [&](const std::string& second) {
    const Ids inputs = {first, second};
    merge_memories(folder / "m", inputs);
  };
  EXPECT_ERROR(merge(half), kCorruptData, "(f32 of depth 2), got bf16 of depth 2");
  EXPECT_ERROR(merge(folder / "c"), kCorruptData, "got f32 of depth 3");
  EXPECT_ERROR(merge_memories(folder / "m", {}), kInvalidArgument, "got none");
  const TensorEntry patterns = SafetensorsFile(first).at("patterns");
  TempFolder::patch(first, static_cast<std::size_t>(patterns.offset), 'x');
  EXPECT_ERROR(merge(first), kCorruptData, "checksum of tensor 'patterns'");
  EXPECT_EQ(folder.num_entries(), 3u);
}

// A log that is sound as a log, but says what no writer would say.
class LyingLog : public ::testing::Test {
 protected:
  using Numbers = std::vector<std::int64_t>;

  static std::vector<std::byte> bytes_of(const Numbers& numbers, const std::vector<float>& tail) {
    std::vector<std::byte> bytes;
    const auto put = [&bytes](std::span<const std::byte> more) {
      bytes.insert(bytes.end(), more.begin(), more.end());
    };
    put(std::as_bytes(std::span(numbers)));
    put(std::as_bytes(std::span(tail)));
    return bytes;
  }

  /// The error of opening the memory a, b, c with one more change.
  Error error_of(std::uint32_t kind, const Numbers& numbers, const std::vector<float>& tail = {}) {
    const TempFolder folder;
    const std::string path = named_memory(folder);
    const std::uint64_t size = TempFolder::read(path).size();
    {
      const auto file = open_for_changes(path);
      ChangeLogWriter log(*file, (size + 63) / 64 * 64, ChangeLog({}, path));
      log.append(kind, bytes_of(numbers, tail));
    }
    return test::error_of([&] { MemoryFile{path}; });
  }

  void expect_corrupt(std::uint32_t kind, const Numbers& numbers,
                      const std::vector<float>& tail = {}) {
    const Error error = error_of(kind, numbers, tail);
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
  }
};

TEST_F(LyingLog, OfAddedPatterns) {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const float name = 1.5;  // four bytes of names, then four of zeros, then two numbers
  const std::vector<float> tail = {name, 0, 1, 2};
  expect_corrupt(1, {});
  expect_corrupt(1, {1});
  for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{2}, huge, -huge - 1,
                               huge / 8, huge / 8 + 1, huge / 2}) {
    expect_corrupt(1, {n, 3, 0, 4}, tail);
  }
  for (const std::int64_t end :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{9}, std::int64_t{17}, huge, -huge - 1}) {
    expect_corrupt(1, {1, 3, 0, end}, tail);
  }
  expect_corrupt(1, {1, 3, 1, 4}, tail);                      // the first name starts at byte 1
  expect_corrupt(1, {1, 2, 0, 4}, tail);                      // numbers go back
  expect_corrupt(1, {1, 3, 0, 4}, {name, 0, 1});              // half a pattern
  expect_corrupt(1, {1, 3, 0, 4}, {name, 0, 1, 2, 3, 4});     // more than one
  expect_corrupt(1, {2, 3, 0, 4, 4}, {name, 0, 1, 2, 3, 4});  // an empty name
  expect_corrupt(1, {2, 3, 0, 5, 4}, {name, 0, 1, 2, 3, 4});  // names overlap
}

TEST_F(LyingLog, OfForgottenAndUpdatedPatterns) {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t position : {std::int64_t{-1}, std::int64_t{3}, huge, -huge - 1}) {
    expect_corrupt(2, {1, position});
    expect_corrupt(3, {1, position}, {1, 2});
  }
  for (const std::int64_t n :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{2}, huge, -huge - 1, huge / 8 + 1}) {
    expect_corrupt(2, {n, 0});
    expect_corrupt(3, {n, 0}, {1, 2});
  }
  expect_corrupt(2, {2, 1, 1});  // forgotten twice
  expect_corrupt(2, {1, 1}, {0});
  expect_corrupt(3, {1, 1}, {1});
  expect_corrupt(3, {1, 1}, {1, 2, 3});
}

TEST_F(LyingLog, OfUnknownKindsAsksForANewerProgram) {
  const Error error = error_of(4, {1, 0});
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(test::contains(error.what(), "newer hopfield")) << error.what();
}

TEST_F(LyingLog, NumbersThatAreNotFiniteAndBadNamesAreFoundByVerify) {
  for (const bool bad_name : {false, true}) {
    const TempFolder folder;
    const std::string path = named_memory(folder);
    const std::uint64_t size = TempFolder::read(path).size();
    {
      const auto file = open_for_changes(path);
      ChangeLogWriter log(*file, (size + 63) / 64 * 64, ChangeLog({}, path));
      if (bad_name) {
        log.append(1, bytes_of({1, 3, 0, 1}, {0, 0, 1, 2}));  // a zero byte as name
      } else {
        log.append(3, bytes_of({1, 1}, {1, std::numeric_limits<float>::infinity()}));
      }
    }
    EXPECT_ERROR(MemoryFile(path).verify(), kCorruptData,
                 bad_name ? "id 4: expected text without control" : "in row 1, column 1");
    EXPECT_ERROR(compact_memory(path), kCorruptData, "");
  }
}

}  // namespace
}  // namespace hopfield::store
