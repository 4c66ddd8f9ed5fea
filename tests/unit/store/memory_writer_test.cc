#include "hopfield/store/memory_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
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

/// A row as the kernels get it.
std::vector<double> viewed_row(const PatternView& view, std::int64_t row) {
  std::vector<double> numbers;
  const std::size_t bytes = dtype_bytes(view.dtype);
  for (std::int64_t k = 0; k < view.depth; ++k) {
    const auto* at = static_cast<const std::byte*>(view.data) +
                     static_cast<std::size_t>(row * view.row_stride + k) * bytes;
    float value = 0;
    BF16 half = {};
    std::memcpy(view.dtype == DType::kF32 ? static_cast<void*>(&value) : &half, at, bytes);
    numbers.push_back(view.dtype == DType::kF32    ? value
                      : view.dtype == DType::kBF16 ? to_f32(half)
                                                   : to_f32(F16{half.bits}));
  }
  return numbers;
}

Contents viewed(const MemoryFile& memory) {
  Contents contents = contents_of(memory);
  for (std::int64_t i = 0; i < memory.num_patterns(); ++i) {
    test::Entry& entry = contents[static_cast<std::size_t>(i)];
    entry.numbers = viewed_row(memory.patterns(), i);
    if (memory.has_values()) entry.value = viewed_row(memory.values(), i);
  }
  return contents;
}

void expect_contents(const std::string& path, const Contents& expected) {
  const MemoryFile memory(path);
  EXPECT_EQ(contents_of(memory), expected);
  EXPECT_EQ(viewed(memory), expected);
  EXPECT_NO_THROW(memory.verify());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(memory.find(expected[i].id), static_cast<std::int64_t>(i));
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
  EXPECT_EQ(viewed(before).front().id, "a");
  EXPECT_EQ(viewed(after).front().id, "b");
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
        expected.push_back({writer->add(source_of({x, -x}, 2), ids).front(), {x, -x}});
      } else if (kind < 7 && !expected.empty()) {
        const std::size_t i = random() % expected.size();
        const Ids ids = {expected[i].id};
        if (kind == 4) {
          writer->update(ids, source_of({-x, x}, 2));
          expected[i].numbers = {-x, x};
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

const Contents kAttached = {{"a", {1, 1}, {0.5}, R"({"n":1})"},
                            {"b", {2, 2}, {-0.5}, "{}"},
                            {"c", {3, 3}, {7}, R"({"n":[3, {"m":"}\""}]})"}};

/// A memory that holds `contents`, which have values or metadata.
std::string attached_memory(const std::string& path, const Contents& contents,
                            DType values_dtype = DType::kF32) {
  const test::AttachmentsOf with(contents);
  CreateMemoryOptions options;
  Ids ids;
  std::vector<double> numbers;
  for (const test::Entry& entry : contents) {
    ids.push_back(entry.id);
    numbers.insert(numbers.end(), entry.numbers.begin(), entry.numbers.end());
  }
  options.ids = ids;
  options.attached = with.attached;
  options.values_dtype = values_dtype;
  create_memory(path, source_of(numbers, 2), options);
  return path;
}

TEST(Attachments, AreKeptByEveryChangeAndByCompacting) {
  for (const DType dtype : {DType::kF32, DType::kBF16, DType::kF16}) {
    const TempFolder folder;
    const std::string path = attached_memory(folder / "m", kAttached, dtype);
    expect_contents(path, kAttached);
    EXPECT_EQ(MemoryFile(path).version(), 2);
    Contents expected = kAttached;
    const Contents added = {{"d", {4, 4}, {8}, R"({"n":4})"}, {"e", {5, 5}, {9}, "{}"}};
    {
      MemoryWriter writer(path);
      const test::AttachmentsOf with(added);
      writer.add(source_of({4, 4, 5, 5}, 2), Ids{"d", "e"}, with.attached);
      writer.forget(Ids{"b"});
      writer.update(Ids{"a"}, source_of({-1, -1}, 2));
      const Contents newer = {{"", {}, {1.5}, R"({"new":true})"}};
      const test::AttachmentsOf more(newer);
      writer.update(Ids{"c"}, source_of({-3, -3}, 2), more.attached);
      Attachments only_text;
      only_text.metadata = more.attached.metadata;
      writer.attach(Ids{"d"}, only_text);
      Attachments only_value;
      only_value.values = more.attached.values;
      writer.attach(Ids{"e"}, only_value);
    }
    expected = {{"a", {-1, -1}, {0.5}, R"({"n":1})"},
                {"c", {-3, -3}, {1.5}, R"({"new":true})"},
                {"d", {4, 4}, {8}, R"({"new":true})"},
                {"e", {5, 5}, {1.5}, "{}"}};
    expect_contents(path, expected);
    compact_memory(path);
    expect_contents(path, expected);
    const MemoryFile memory(path);
    EXPECT_EQ(memory.values_dtype(), dtype);
    EXPECT_EQ(memory.values_depth(), 1);
    EXPECT_EQ(memory.values().rows, 4);
    copy_memory(memory, folder / "copy");
    EXPECT_EQ(TempFolder::read(folder / "copy"), TempFolder::read(path));
  }
}

TEST(Attachments, AMemoryWithoutThemIsWrittenAndChangedAsVersion1) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  MemoryWriter(path).add(source_of({4, 4}, 2));
  EXPECT_EQ(MemoryFile(path).version(), 1);
  EXPECT_EQ(SafetensorsFile(path, Tail::kAllow).metadata().at("version"), "1");
  EXPECT_FALSE(MemoryFile(path).has_metadata());
  EXPECT_EQ(MemoryFile(path).metadata(0), "{}");
  EXPECT_FALSE(MemoryFile(path).values().given());
  // Metadata may come later; the patterns that were there have none.
  Attachments attached;
  const Ids texts = {R"({"late":1})"};
  attached.metadata = texts;
  MemoryWriter(path).add(source_of({5, 5}, 2), Ids{"e"}, attached);
  EXPECT_EQ(MemoryFile(path).version(), 2);
  compact_memory(path);
  EXPECT_EQ(SafetensorsFile(path).metadata().at("version"), "2");
  EXPECT_EQ(MemoryFile(path).metadata(0), "{}");
  EXPECT_EQ(MemoryFile(path).metadata(4), texts[0]);
}

TEST(Attachments, ThatDoNotFitAreErrorsAndChangeNothing) {
  const TempFolder folder;
  const std::string with = attached_memory(folder / "m", kAttached);
  const std::string without = named_memory(folder, DType::kF32, "n");
  const std::string before = TempFolder::read(with);
  const PatternSource one = source_of({1}, 1), two = source_of({1, 2}, 2);
  Attachments value, wide_value, text;
  value.values = &one;
  wide_value.values = &two;
  EXPECT_ERROR(MemoryWriter(with).add(two), kCorruptData, "expected values");
  EXPECT_ERROR(MemoryWriter(without).add(two, {}, value), kCorruptData, "expected no values");
  EXPECT_ERROR(MemoryWriter(with).add(two, {}, wide_value), kCorruptData,
               "expected values of depth 1");
  EXPECT_ERROR(MemoryWriter(with).attach(Ids{"a", "b"}, value), kInvalidArgument,
               "expected a value for each of 2 patterns, got 1");
  const auto refuse = [&](const std::string& metadata, const std::string& why) {
    const Ids texts = {metadata};
    text.metadata = texts;
    text.metadata_file = "meta.jsonl";
    EXPECT_ERROR(MemoryWriter(with).attach(Ids{"a"}, text), kCorruptData,
                 "'meta.jsonl', line 1: " + why);
    text.metadata_file.clear();
    EXPECT_ERROR(MemoryWriter(with).attach(Ids{"a"}, text), kCorruptData, "metadata 1: " + why);
  };
  refuse("", "expected a JSON object, got an error at byte 1");
  refuse("[1]", "expected a JSON object, got '[1]'");
  refuse("  7", "expected a JSON object, got '7'");
  refuse("{\"a\":}", "expected a JSON object, got an error at byte 6");
  refuse("{\"a\":1} {}", "expected a JSON object, got an error at byte 9");
  refuse("{\"a\":1e999}", "expected a JSON object, got a number out of range");
  refuse("{\"a\":\n1}", "expected JSON in one line");
  refuse("{\"a\":\"\xFF\"}", "expected a JSON object, got an error at byte");
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(depth - 1), '[') +
           std::string(static_cast<std::size_t>(depth - 1), ']') + "}";
  };
  refuse(nested(101), "expected JSON nested at most 100 deep");
  EXPECT_EQ(TempFolder::read(with), before);
  const Ids deep = {nested(100)};
  text.metadata = deep;
  EXPECT_NO_THROW(MemoryWriter(with).attach(Ids{"a"}, text));
  EXPECT_EQ(MemoryFile(with).metadata(0), deep[0]);
}

TEST(Attachments, DamagedOnesAreFoundByVerify) {
  const TempFolder folder;
  const std::string path = attached_memory(folder / "m", kAttached);
  for (const std::string name : {"values", "metadata.bytes", "metadata.offsets"}) {
    const TensorEntry tensor = SafetensorsFile(path).at(name);
    const std::string before = TempFolder::read(path);
    TempFolder::patch(path, static_cast<std::size_t>(tensor.offset), 'x');
    EXPECT_ERROR(MemoryFile(path).verify(), kCorruptData, "checksum of tensor '" + name + "'");
    EXPECT_ERROR(compact_memory(path), kCorruptData, "checksum of tensor '" + name + "'");
    atomic_write_file(path, before);
  }
  EXPECT_NO_THROW(MemoryFile(path).verify());
}

TEST(Attachments, AreMergedAndDifferentKindsAreErrors) {
  const TempFolder folder;
  const Contents others = {{"x", {9, 9}, {1}, R"({"x":1})"}};
  const Contents values_only = {{"y", {8, 8}, {2}}};
  const Ids inputs = {attached_memory(folder / "a", kAttached),
                      attached_memory(folder / "b", others),
                      attached_memory(folder / "c", values_only)};
  merge_memories(folder / "m", inputs);
  Contents expected = kAttached;
  expected.push_back(others[0]);
  expected.push_back({"y", {8, 8}, {2}, "{}"});
  expect_contents(folder / "m", expected);
  const Ids different = {inputs[0], named_memory(folder, DType::kF32, "plain")};
  EXPECT_ERROR(merge_memories(folder / "n", different), kCorruptData,
               "(f32 of depth 2, values f32 of depth 1), got f32 of depth 2");
}

TEST(RestrictTo, ShowsTheMemoryAsIfTheOthersHadBeenForgotten) {
  for (const bool with_log : {false, true}) {
    const TempFolder folder;
    const std::string path = attached_memory(folder / "m", kAttached);
    Contents contents = kAttached;
    if (with_log) {
      const Contents added = {{"d", {4, 4}, {8}, "{}"}};
      MemoryWriter(path).add(source_of({4, 4}, 2), Ids{"d"}, test::AttachmentsOf(added).attached);
      contents.push_back(added[0]);
    }
    MemoryFile memory(path);
    (void)memory.patterns();
    (void)memory.find("b");
    MemoryWriter(path).update(Ids{"a"}, source_of({7, 7}, 2));  // which `memory` does not see
    const std::int64_t last = std::ssize(contents) - 1;
    memory.restrict_to(std::vector<std::int64_t>{0, last});
    const Contents expected = {contents.front(), contents.back()};
    EXPECT_EQ(contents_of(memory), expected);
    EXPECT_FALSE(memory.find("b"));
    EXPECT_EQ(memory.find(expected[1].id), 1);
    EXPECT_EQ(memory.patterns().rows, 2);
    EXPECT_EQ(memory.tombstones(), 0);
    copy_memory(memory, folder / "copy");
    expect_contents(folder / "copy", expected);
    memory.restrict_to(std::vector<std::int64_t>{1});
    EXPECT_EQ(contents_of(memory), Contents{expected[1]});
    EXPECT_ERROR(memory.restrict_to(std::vector<std::int64_t>{1}), kInvalidArgument, "below 1");
    EXPECT_ERROR(memory.restrict_to(std::vector<std::int64_t>{0, 0}), kInvalidArgument, "ascend");
    contents[0].numbers = {7, 7};
    EXPECT_EQ(contents_of(MemoryFile(path)), contents);
  }
}

TEST(RestrictTo, NumberedPatternsKeepTheirNumbers) {
  const TempFolder folder;
  MemoryFile memory(numbered_memory(folder));
  memory.restrict_to(std::vector<std::int64_t>{0, 1});
  EXPECT_FALSE(memory.has_ids());
  memory.restrict_to(std::vector<std::int64_t>{1});
  EXPECT_TRUE(memory.has_ids());
  EXPECT_EQ(memory.id(0), "1");
  EXPECT_EQ(memory.find("1"), 0);
  EXPECT_FALSE(memory.find("0"));
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

TEST(MemoryFile, FingerprintTellsContentsAndPositionsTellPatterns) {
  const TempFolder folder;
  const std::string path = named_memory(folder);
  const std::string created = MemoryFile(path).fingerprint();
  EXPECT_EQ(created.size(), 24u);
  EXPECT_EQ(MemoryFile(named_memory(folder, DType::kF32, "twin")).fingerprint(), created);
  EXPECT_NE(MemoryFile(numbered_memory(folder, "other")).fingerprint(), created);

  std::vector<std::string> seen = {created};
  const auto expect_new = [&] {
    seen.push_back(MemoryFile(path).fingerprint());
    EXPECT_EQ(std::count(seen.begin(), seen.end(), seen.back()), 1) << "change " << seen.size() - 1;
  };
  MemoryWriter(path).forget(Ids{"b"});
  expect_new();
  MemoryWriter(path).add(source_of({4, 4}, 2), Ids{"d"});
  expect_new();

  MemoryFile memory(path);
  const std::vector<std::int64_t> some = {1, 2};
  memory.restrict_to(some);  // of a, c and d
  EXPECT_EQ(memory.fingerprint(), seen.back());
  EXPECT_EQ(memory.position(0), 2);
  EXPECT_EQ(memory.position(1), 3);
  EXPECT_ERROR((void)memory.position(2), kInvalidArgument, "below 2, got 2");

  compact_memory(path);
  expect_new();
  EXPECT_EQ(MemoryFile(path).position(1), 1);
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

  /// The memory a, b, c with one more change.
  static std::string changed_memory(const TempFolder& folder, std::uint32_t kind,
                                    const Numbers& numbers, const std::vector<float>& tail = {}) {
    const std::string path = named_memory(folder);
    const std::uint64_t size = TempFolder::read(path).size();
    {
      const auto file = open_for_changes(path);
      ChangeLogWriter log(*file, (size + 63) / 64 * 64, ChangeLog({}, path));
      log.append(kind, bytes_of(numbers, tail));
    }
    return path;
  }

  /// The error of opening it.
  Error error_of(std::uint32_t kind, const Numbers& numbers, const std::vector<float>& tail = {}) {
    const TempFolder folder;
    const std::string path = changed_memory(folder, kind, numbers, tail);
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

TEST_F(LyingLog, OfPartsThatComeWithAPattern) {
  // Of a memory without values. Offsets, then the text "{}" and zeros.
  const std::int64_t braces = '{' + 256 * '}', huge = std::numeric_limits<std::int64_t>::max();
  const Numbers metadata = {0, 2, braces};
  const auto joined = [](Numbers head, const Numbers& tail) {
    head.insert(head.end(), tail.begin(), tail.end());
    return head;
  };
  const TempFolder folder;
  const std::string sound = changed_memory(folder, 5, joined({1, 4, 0}, metadata));
  EXPECT_NO_THROW(MemoryFile(sound).verify());
  EXPECT_EQ(MemoryFile(sound).metadata(0), "{}");
  for (const std::int64_t parts : {std::int64_t{0}, std::int64_t{2}, std::int64_t{6},
                                   std::int64_t{8}, std::int64_t{-1}, huge}) {
    expect_corrupt(5, joined({1, parts, 0}, metadata));
  }
  expect_corrupt(5, {1, 4});
  expect_corrupt(5, {1, 4, 3, 0, 2, braces});     // no such pattern
  expect_corrupt(5, {1, 4, 0, 0, 0});             // empty metadata
  expect_corrupt(5, {1, 4, 0, 1, 2, braces});     // starts at byte 1
  expect_corrupt(5, {1, 4, 0, 0, 9, braces});     // longer than its bytes
  expect_corrupt(5, {1, 4, 0, 0, 2, braces, 0});  // more bytes than it says
  for (const std::int64_t end : {huge, -huge - 1}) expect_corrupt(5, {1, 4, 0, 0, end, braces});
  const Numbers added = {3, 0, 1, 'd'};
  expect_corrupt(4, joined({1, 4}, joined(added, metadata)));  // no pattern
  expect_corrupt(4, joined({1, 3}, added), {1, 2, 3, 4});      // a value, in a memory without
  expect_corrupt(4, joined({1, 5}, added), {1, 2});            // no metadata
}

TEST_F(LyingLog, OfUnknownKindsAsksForANewerProgram) {
  const Error error = error_of(6, {1, 0});
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
