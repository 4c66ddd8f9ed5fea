// Whatever happens to a memory or its writer, what was acknowledged is there or its loss is told.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <random>

#include "hopfield/store/memory_writer.h"
#include "hopfield/store/safetensors.h"
#include "unit/store/memory_samples.h"
#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::Contents;
using test::contents_of;
using test::Entry;
using test::source_of;
using test::TempFolder;
using Ids = std::vector<std::string>;

constexpr std::size_t kLogHead = 8192;  // docs/formats/change-log.md

/// What change number k makes of a memory: adds one to three patterns, forgets the first, or
/// overwrites the last. If the memory has values and metadata, so have they; some changes bring
/// none of their own.
Contents changed(Contents contents, int k) {
  const double x = k;
  const bool with = !contents.empty() && !contents.front().metadata.empty();
  const std::string metadata = R"({"k":)" + std::to_string(k) + "}";
  if (k % 5 == 2 && contents.size() > 2) {
    contents.erase(contents.begin(), contents.begin() + 2);
  } else if (k % 5 == 3 && !contents.empty()) {
    contents.back().numbers = {x, -x};
    if (with && k % 2 == 1) {
      contents.back().value = {x};
      contents.back().metadata = metadata;
    }
  } else if (k % 5 != 4) {
    for (int j = 0; j <= k % 3; ++j) {
      contents.push_back({std::to_string(k) + "-" + std::to_string(j), {x, x + j}});
      if (with) {
        contents.back().value = {x / 2};
        contents.back().metadata = k % 2 == 0 ? metadata : "{}";
      }
    }
  }
  return contents;
}

/// The same on a memory that holds `contents`.
void change(MemoryWriter& writer, const Contents& contents, int k) {
  const Contents after = changed(contents, k);
  std::span<const Entry> touched;
  if (after.size() < contents.size()) {
    touched = std::span(contents).first(2);
  } else if (after.size() > contents.size()) {
    touched = std::span(after).subspan(contents.size());
  } else if (after != contents) {
    touched = std::span(after).last(1);
  }
  Ids ids;
  std::vector<double> numbers;
  for (const Entry& entry : touched) {
    ids.push_back(entry.id);
    numbers.insert(numbers.end(), entry.numbers.begin(), entry.numbers.end());
  }
  const test::AttachmentsOf with(touched);
  if (after.size() < contents.size()) {
    writer.forget(ids);
  } else if (after.size() > contents.size()) {
    Attachments attached = with.attached;
    if (k % 2 == 1) attached.metadata = {};
    writer.add(source_of(numbers, 2), ids, attached);
  } else if (!touched.empty()) {
    writer.update(ids, source_of(numbers, 2), k % 2 == 1 ? with.attached : Attachments());
  }
}

const Contents kPlain = {{"a", {1, 1}}, {"b", {2, 2}}, {"c", {3, 3}}};
const Contents kAttached = {{"a", {1, 1}, {0.5}, R"({"n":1})"},
                            {"b", {2, 2}, {-0.5}, "{}"},
                            {"c", {3, 3}, {7}, R"({"n":3})"}};

std::string start(const TempFolder& folder, const Contents& contents, DType dtype = DType::kF32) {
  const Ids ids = {"a", "b", "c"};
  const test::AttachmentsOf with(contents);
  CreateMemoryOptions options;
  options.dtype = dtype;
  options.ids = ids;
  options.if_exists = IfExists::kReplace;
  options.attached = with.attached;
  create_memory(folder / "m", source_of({1, 1, 2, 2, 3, 3}, 2), options);
  return folder / "m";
}

enum class Kind { kPatternsOnly, kWithValuesAndMetadata, kCodesAndExactRows };

/// Each test with and without values and metadata, and with patterns as codes.
class MemoryFaults : public ::testing::TestWithParam<Kind> {
 protected:
  const Contents kStart = GetParam() == Kind::kWithValuesAndMetadata ? kAttached : kPlain;
  const DType kDType = GetParam() == Kind::kCodesAndExactRows ? DType::kI8 : DType::kF32;
};
INSTANTIATE_TEST_SUITE_P(Memory, MemoryFaults,
                         ::testing::Values(Kind::kPatternsOnly, Kind::kWithValuesAndMetadata,
                                           Kind::kCodesAndExactRows),
                         [](const auto& param) {
                           return param.param == Kind::kPatternsOnly ? "OfPatternsOnly"
                                  : param.param == Kind::kWithValuesAndMetadata
                                      ? "WithValuesAndMetadata"
                                      : "OfCodesAndExactRows";
                         });

/// A file of the disk that fails when told to, in the middle of a write.
class FailingFile final : public ChangeableFile {
 public:
  FailingFile(const std::string& path, int calls) : file_(open_for_changes(path)), left_(calls) {}

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (left_-- > 0) return file_->write_at(offset, bytes);
    file_->write_at(offset, bytes.first(bytes.size() / 2));
    fail(ErrorCode::kIo, "write", "no space left on the device");
  }

  void sync() override {
    if (left_-- > 0) return file_->sync();
    fail(ErrorCode::kIo, "write", "the disk is gone");
  }

 private:
  std::unique_ptr<ChangeableFile> file_;
  int left_;
};

TEST_P(MemoryFaults, AnyWriteOrSyncThatFailsLosesNothingAcknowledged) {
  constexpr int kChanges = 4;  // two that add, one that forgets, one that updates
  for (int calls = 0;; ++calls) {
    const TempFolder folder;
    const std::string path = start(folder, kStart, kDType);
    Contents contents = kStart;
    int k = 0;
    {
      MemoryWriter writer(path, std::make_unique<FailingFile>(path, calls));
      const auto error = [&]() -> std::optional<Error> {
        try {
          for (; k < kChanges; ++k) {
            change(writer, contents, k);
            contents = changed(contents, k);
          }
        } catch (const Error& thrown) {
          return thrown;
        }
        return std::nullopt;
      }();
      if (!error) {
        EXPECT_EQ(calls, kChanges * 6) << "a change takes four writes and two syncs";
        break;
      }
      EXPECT_EQ(error->code(), ErrorCode::kIo);
      EXPECT_ERROR(change(writer, contents, 100), kIo, "open the file again");
    }
    const Contents found = contents_of(MemoryFile(path));
    const Contents next = changed(contents, k);
    EXPECT_TRUE(found == contents || found == next) << "call " << calls;
    // The next writer goes on from there.
    MemoryWriter writer(path);
    change(writer, found, 100);
    EXPECT_EQ(contents_of(MemoryFile(path)), changed(found, 100));
    EXPECT_NO_THROW(MemoryFile(path).verify());
  }
}

TEST_P(MemoryFaults, AFullDiskIsAnErrorAndLosesNothing) {
  const TempFolder folder;
  const std::string path = start(folder, kStart, kDType);
  MemoryWriter(path).forget(Ids{"b"});
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {TempFolder::read(path).size() + 40, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Contents held = {kStart[0], kStart[2]};
  const Error error = test::error_of([&] {
    MemoryWriter writer(path);
    change(writer, held, 0);
  });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_TRUE(test::contains(error.what(), "no space left")) << error.what();
  EXPECT_EQ(contents_of(MemoryFile(path)), held);
  MemoryWriter writer(path);
  change(writer, held, 0);
  EXPECT_EQ(contents_of(MemoryFile(path)), changed(held, 0));
}

/// Changes a memory until it is killed (an error ends it, too); tells each change by a byte.
[[noreturn]] void change_forever(const std::string& path, Contents contents, int k,
                                 int tell) noexcept {
  for (;; ++k) {
    if (k % 5 == 4) {
      compact_memory(path);
    } else {
      MemoryWriter writer(path);
      change(writer, contents, k);
    }
    contents = changed(contents, k);
    const char done = '.';
    if (::write(tell, &done, 1) != 1) ::_exit(1);
  }
}

TEST_P(MemoryFaults, AProgramKilledAtAnyMomentLosesNothingItAcknowledged) {
  const TempFolder folder;
  const std::string path = start(folder, kStart, kDType);
  Contents contents = kStart;
  std::mt19937 random(11);
  int k = 0;
  for (int round = 0; round < 200; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      change_forever(path, contents, k, ends[1]);
    }
    ::close(ends[1]);
    const auto acknowledge = [&] { contents = changed(contents, k++); };
    char done;
    for (auto wait = random() % 2; wait > 0 && ::read(ends[0], &done, 1) == 1; --wait) {
      acknowledge();
    }
    ::usleep(static_cast<useconds_t>(random() % 2000));  // to hit any moment of a change
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it ended by itself";
    while (::read(ends[0], &done, 1) == 1) acknowledge();
    ::close(ends[0]);
    const MemoryFile memory(path);
    ASSERT_NO_THROW(memory.verify());
    const Contents found = contents_of(memory);
    // Told after it was stored: one change may have been stored and not told.
    if (found != contents) acknowledge();
    ASSERT_EQ(found, contents) << "change " << k << " of round " << round;
  }
  EXPECT_GT(k, 50) << "hardly anything was killed in the middle";
}

TEST(Readers, OpenAMemoryThatGrowsAndIsCompacted) {
  const TempFolder folder;
  const std::string path = start(folder, kPlain);
  constexpr int kChanges = 40;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto write = [&path]() noexcept {
      for (int k = 0; k < kChanges; ++k) {
        MemoryWriter(path).add(source_of({1, 2}, 2));
        if (k % 20 == 19) compact_memory(path);
      }
    };
    write();
    ::_exit(0);
  }
  int status = 0, opened = 0;
  std::int64_t seen = 3;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const MemoryFile memory(path);
    ASSERT_GE(memory.num_patterns(), seen);
    seen = memory.num_patterns();
    ASSERT_EQ(memory.id(seen - 1), seen == 3 ? "c" : std::to_string(seen - 1));
    ++opened;
  }
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_GT(opened, 0);
  EXPECT_EQ(MemoryFile(path).num_patterns(), 3 + kChanges);
}

/// A memory with a body and a log of all kinds of changes, and where its parts are.
struct Sample {
  std::vector<std::byte> bytes;
  std::size_t header_end = 0, body_end = 0, log_start = 0;
  Contents contents;
};

Sample sample(const Contents& begin, DType dtype) {
  const TempFolder folder;
  const std::string path = start(folder, begin, dtype);
  Sample s;
  s.contents = begin;
  s.header_end = 8 + SafetensorsFile(path).header().size();
  s.body_end = TempFolder::read(path).size();
  s.log_start = (s.body_end + 63) / 64 * 64;
  MemoryWriter writer(path);
  for (int k = 0; k < 4; ++k) {
    change(writer, s.contents, k);
    s.contents = changed(s.contents, k);
  }
  const std::string text = TempFolder::read(path);
  const auto all = std::as_bytes(std::span<const char>(text.data(), text.size()));
  s.bytes.assign(all.begin(), all.end());
  return s;
}

TEST_P(MemoryFaults, TruncationAtEveryByteIsFoundOnOpening) {
  const Sample s = sample(kStart, kDType);
  EXPECT_EQ(contents_of(MemoryFile(s.bytes, "m")), s.contents);
  for (std::size_t size = 0; size < s.bytes.size(); ++size) {
    const std::span<const std::byte> cut = std::span(s.bytes).first(size);
    if (size == s.body_end) {  // the one cut that no reader can see: docs/formats/memory.md
      EXPECT_EQ(contents_of(MemoryFile(cut, "m")), kStart);
      continue;
    }
    const Error error = test::error_of([&] { MemoryFile(cut, "m"); });
    ASSERT_EQ(error.code(), ErrorCode::kCorruptData) << size << ": " << error.what();
  }
}

TEST_P(MemoryFaults, FlippedBitsAreFoundAndNeverChangeWhatIsRecalled) {
  Sample s = sample(kStart, kDType);
  int opened = 0;
  for (std::size_t i = 0; i < s.bytes.size(); ++i) {
    // The zeros between the commits are many: some of them.
    if (i > s.log_start + 32 && i < s.log_start + kLogHead && i % 61 != 0) continue;
    for (int bit = 0; bit < 8; ++bit) {
      const std::byte flip = std::byte{1} << bit;
      s.bytes[i] ^= flip;
      try {
        const MemoryFile memory(s.bytes, "m");
        EXPECT_GE(i, s.header_end) << "a damaged header must not open";
        EXPECT_ERROR(memory.verify(), kCorruptData, "");
        if (i >= s.body_end) {
          EXPECT_EQ(contents_of(memory), s.contents) << "byte " << i;
        }
        ++opened;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
        EXPECT_TRUE(i < s.header_end || i >= s.body_end) << "opening does not read the tensors";
      }
      s.bytes[i] ^= flip;
    }
  }
  EXPECT_GT(opened, 0);
  EXPECT_NO_THROW(MemoryFile(s.bytes, "m").verify());
}

/// A memory file of this header (whose checksum is made to fit) and some bytes of tensors.
std::vector<std::byte> with_header(std::string header, std::size_t tensor_bytes) {
  const std::string crc = R"("crc32.header":"00000000")";
  header.resize((header.size() + 7) / 8 * 8, ' ');  // tensors are aligned
  const std::size_t at = header.find(crc);
  const auto bytes_of = [](const std::string& text) {
    return std::as_bytes(std::span<const char>(text.data(), text.size()));
  };
  if (at != std::string::npos) {
    header.replace(at + crc.size() - 9, 8, crc32_text(crc32(bytes_of(header))));
  }
  std::vector<std::byte> file;
  for (std::size_t i = 0; i < 8; ++i)
    file.push_back(static_cast<std::byte>(header.size() >> (8 * i)));
  file.insert(file.end(), bytes_of(header).begin(), bytes_of(header).end());
  file.resize(file.size() + tensor_bytes);
  return file;
}

TEST(HostileMemory, HeadersAreErrorsWhateverTheyClaim) {
  const std::string metadata =
      R"("__metadata__":{"format":"hopfield.memory","version":"1","crc32.header":"00000000",)"
      R"("crc32.patterns":"00000000","crc32.ids.bytes":"00000000","crc32.ids.offsets":"00000000")";
  const auto header = [&](const std::string& tensors, const std::string& more = "") {
    return "{" + metadata + more + "}," + tensors + "}";
  };
  const auto patterns = [](const std::string& shape, const std::string& offsets) {
    return R"("patterns":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const std::string ids = R"(,"ids.bytes":{"dtype":"U8","shape":[0],"data_offsets":[8,8]})";
  // Codes: version 3.
  const auto coded = [&](const std::string& tensors) {
    std::string text = header(tensors, R"(,"crc32.scales":"00000000","crc32.exact":"00000000")");
    return text.replace(text.find(R"("version":"1")"), 13, R"("version":"3")");
  };
  const std::string codes = R"("patterns":{"dtype":"I8","shape":[1,4],"data_offsets":[4,8]})";
  const auto scales = [](const std::string& shape, const std::string& offsets) {
    return R"(,"scales":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto exact = [](const std::string& shape, const std::string& offsets) {
    return R"(,"exact":{"dtype":"F16","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  ASSERT_NO_THROW(MemoryFile(with_header(coded(codes + scales("[1]", "[0,4]")), 8), "m"));
  ASSERT_NO_THROW(MemoryFile(
      with_header(coded(codes + scales("[1]", "[0,4]") + exact("[1,4]", "[8,16]")), 16), "m"));
  // A good one, so that the others fail for their own reason.
  ASSERT_NO_THROW(MemoryFile(with_header(header(patterns("[1,2]", "[0,8]")), 8), "m"));
  for (const std::string& bad : {
           header(patterns("[1,2]", "[0,9]")),
           header(patterns("[1,2]", "[8,16]")),
           header(patterns("[1,2]", "[8,0]")),
           header(patterns("[1,2]", "[18446744073709551608,18446744073709551615]")),
           header(patterns("[1,2]", "[0,18446744073709551615]")),
           header(patterns("[4611686018427387904,4]", "[0,0]")),
           header(patterns("[9223372036854775807,9223372036854775807]", "[0,8]")),
           header(patterns("[18446744073709551615,1]", "[0,8]")),
           header(patterns("[0,9223372036854775807]", "[0,0]")),
           header(patterns("[-1,-2]", "[0,8]")),
           header(patterns("[2]", "[0,8]")),
           header(patterns("[2,0]", "[0,0]")),
           header(patterns("[1,1,2]", "[0,8]")),
           header(patterns("[1,2]", "[0,8]") + "," + patterns("[1,2]", "[0,8]")),
           header(patterns("[1,2]", "[0,8]") + ids),
           header(patterns("[1,1]", "[0,4]") +
                  R"(,"ids.bytes":{"dtype":"U8","shape":[8],"data_offsets":[0,8]})"),
           header(patterns("[1,2]", "[0,8]") + ids +
                  R"(,"ids.offsets":{"dtype":"I64","shape":[0],"data_offsets":[8,8]})"),
           header(patterns("[1,2]", "[0,8]"), R"(,"next_number":"-3")"),
           header(patterns("[1,2]", "[0,8]"), R"(,"next_number":"99999999999999999999")"),
           coded(codes + R"(,"ids.bytes":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})"),
           coded(codes + scales("[1,1]", "[0,4]")),
           coded(codes + scales("[0]", "[0,0]")),
           coded(R"("patterns":{"dtype":"I8","shape":[2,2],"data_offsets":[4,8]})" +
                 scales("[1]", "[0,4]")),
           coded(R"("patterns":{"dtype":"I8","shape":[1,4],"data_offsets":[0,4]})" +
                 scales("[1]", "[4,8]") + exact("[1,4]", "[8,16]")),  // beyond the end
           coded(R"("patterns":{"dtype":"I8","shape":[2,0],"data_offsets":[8,8]})" +
                 scales("[2]", "[0,8]")),
           coded(patterns("[1,1]", "[4,8]") + scales("[1]", "[0,4]")),
           coded(R"("patterns":{"dtype":"I8","shape":[1,2],"data_offsets":[4,6]})" +
                 scales("[1]", "[0,4]") + exact("[1,1]", "[6,8]")),
           header(R"("patterns":{"dtype":"I8","shape":[1,8],"data_offsets":[0,8]})"),
           std::string("{") + std::string(100'000, '['),
           std::string("{\"a\":") + std::string(100'000, '{'),
       }) {
    const Error error = test::error_of([&] { MemoryFile(with_header(bad, 8), "m"); });
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << bad.substr(0, 300) << error.what();
  }
  std::vector<std::byte> lengths = with_header(header(patterns("[1,2]", "[0,8]")), 8);
  for (const int byte : {0, 1, 3, 4, 7}) {  // lengths of the header up to 2^63 and beyond
    std::vector<std::byte> file = lengths;
    file[static_cast<std::size_t>(byte)] = std::byte{0xFF};
    EXPECT_ERROR(MemoryFile(file, "m"), kCorruptData, "");
  }
}

}  // namespace
}  // namespace hopfield::store
