#include "hopfield/store/change_log.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "hopfield/store/safetensors.h"
#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::TempFolder;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kHead = 8192, kRecord = 32;  // docs/formats/change-log.md

/// A file in memory that remembers its writes and fails when told to.
class FakeFile final : public ChangeableFile {
 public:
  struct Write {
    std::uint64_t offset = 0;
    Bytes bytes;
  };

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (calls_left-- == 0) {
      apply(content, {offset, Bytes(bytes.begin(), bytes.end())}, bytes.size() / 2);
      fail(ErrorCode::kIo, "write", "no space left on the device");
    }
    if (offset < kHead && writes_synced != writes.size()) commits_are_last = false;
    writes.push_back({offset, Bytes(bytes.begin(), bytes.end())});
    apply(content, writes.back(), bytes.size());
  }

  void sync() override {
    if (calls_left-- == 0) fail(ErrorCode::kIo, "write", "the disk is gone");
    writes_synced = writes.size();
  }

  static void apply(Bytes& to, const Write& write, std::size_t count) {
    if (count == 0) return;
    const auto offset = static_cast<std::size_t>(write.offset);
    if (to.size() < offset + count) to.resize(offset + count);
    std::copy_n(write.bytes.data(), count, to.data() + offset);
  }

  Bytes content;
  std::vector<Write> writes;
  std::size_t writes_synced = 0;
  bool commits_are_last = true;  // no commit was written before its change was durable
  int calls_left = std::numeric_limits<int>::max();
};

/// Payload of change n: n bytes that tell n.
Bytes payload(std::uint64_t n) {
  return Bytes(static_cast<std::size_t>(n), static_cast<std::byte>(n));
}

void append(ChangeLogWriter& writer, std::uint64_t n) {
  writer.append(static_cast<std::uint32_t>(100 + n), payload(n));
}

FakeFile sample(std::uint64_t num_changes) {
  FakeFile file;
  ChangeLogWriter writer(file, 0, ChangeLog({}, "new"));
  for (std::uint64_t n = 1; n <= num_changes; ++n) append(writer, n);
  return file;
}

/// How many changes are there, all of which must be what `append` wrote.
std::uint64_t count_of(const ChangeLog& log) {
  std::uint64_t n = 0;
  for (const Change& change : log.changes()) {
    ++n;
    EXPECT_EQ(change.kind, 100 + n);
    EXPECT_EQ(change.sequence, n);
    EXPECT_EQ(Bytes(change.payload.begin(), change.payload.end()), payload(n));
  }
  return n;
}

std::uint64_t count_in(const Bytes& content) {
  return count_of(ChangeLog(content, "log"));
}

/// Opens what is left of a file, appends one change and looks again.
void expect_usable(const Bytes& content, std::uint64_t num_changes) {
  FakeFile file;
  file.content = content;
  const ChangeLog log(content, "log");
  ChangeLogWriter writer(file, 0, log);
  EXPECT_EQ(writer.num_changes(), num_changes);
  append(writer, num_changes + 1);
  const ChangeLog after(file.content, "log");
  EXPECT_EQ(count_of(after), num_changes + 1);
  EXPECT_FALSE(after.last_is_uncommitted());
}

TEST(ChangeLog, ReturnsWhatWasAppended) {
  for (std::uint64_t n = 0; n <= 9; ++n) {  // payloads of every length modulo 8, an empty log too
    const FakeFile file = sample(n);
    const ChangeLog log(file.content, "log");
    EXPECT_EQ(count_of(log), n);
    EXPECT_EQ(log.end(), n == 0 ? 0 : file.content.size());
    EXPECT_NO_THROW(log.verify());
  }
}

TEST(ChangeLog, AnEmptyPayloadIsAChange) {
  FakeFile file;
  ChangeLogWriter(file, 0, ChangeLog({}, "new")).append(7, {});
  const ChangeLog log(file.content, "log");
  ASSERT_EQ(log.changes().size(), 1u);
  EXPECT_EQ(log.changes()[0].kind, 7u);
  EXPECT_TRUE(log.changes()[0].payload.empty());
}

TEST(ChangeLog, PayloadsStartAtMultiplesOfEightBytes) {
  const FakeFile file = sample(9);
  const ChangeLog log(file.content, "log");
  for (const Change& change : log.changes()) {
    EXPECT_EQ((change.payload.data() - file.content.data()) % 8, 0) << change.sequence;
  }
}

TEST(ChangeLog, TheBytesAreAsDocumented) {
  const FakeFile file = sample(1);
  const auto text = [&file](std::size_t at, std::size_t count) {
    return std::string(reinterpret_cast<const char*>(file.content.data()) + at, count);
  };
  const auto number = [&](std::size_t at) { return text(at, 8); };
  const auto crc = [&](std::size_t at, std::size_t count) {
    const std::uint32_t value = crc32(std::span(file.content).subspan(at, count));
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
    return bytes;
  };
  ASSERT_EQ(file.content.size(), kHead + kRecord + 8);
  EXPECT_EQ(text(0, 8), "HFCOMMIT");
  EXPECT_EQ(number(8), std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(number(16), std::string("\x28\x20\0\0\0\0\0\0", 8)) << "8192 + 32 + 8";
  EXPECT_EQ(text(24, 4), std::string(4, '\0'));
  EXPECT_EQ(text(28, 4), crc(0, 28));
  EXPECT_EQ(text(32, kHead - 32), std::string(kHead - 32, '\0'));
  EXPECT_EQ(text(kHead, 8), std::string("HFCH\x65\0\0\0", 8));
  EXPECT_EQ(number(kHead + 8), std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(number(kHead + 16), std::string("\1\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(text(kHead + 24, 4), crc(kHead + 32, 1));
  EXPECT_EQ(text(kHead + 28, 4), crc(kHead, 28));
  EXPECT_EQ(number(kHead + 32), std::string("\1\0\0\0\0\0\0\0", 8));
}

TEST(ChangeLog, ALogInsideAFileLeavesWhatPrecedesIt) {
  FakeFile file;
  file.content.assign(100, std::byte{9});
  ChangeLogWriter writer(file, 128, ChangeLog({}, "new"));
  append(writer, 1);
  append(writer, 2);
  EXPECT_EQ(count_of(ChangeLog(std::span(file.content).subspan(128), "log")), 2u);
  EXPECT_EQ(Bytes(file.content.begin(), file.content.begin() + 100), Bytes(100, std::byte{9}));
}

// Killed: what was written is there, up to some byte of the write in flight. A loss of power may
// also leave the right length with other bytes at the end of that write (earlier ones were synced
// or are of the same change).
TEST(ChangeLog, KilledAtAnyByteItHasWhatWasAcknowledged) {
  const std::uint64_t total = 5;
  FakeFile whole;
  ChangeLogWriter writer(whole, 0, ChangeLog({}, "new"));
  std::vector<std::size_t> writes_of;  // how many writes had been done when change n was stored
  for (std::uint64_t n = 1; n <= total; ++n) {
    append(writer, n);
    writes_of.push_back(whole.writes.size());
  }
  Bytes before;
  for (std::size_t w = 0; w < whole.writes.size(); ++w) {
    const FakeFile::Write& write = whole.writes[w];
    const auto acknowledged = static_cast<std::uint64_t>(
        std::count_if(writes_of.begin(), writes_of.end(), [w](std::size_t n) { return n <= w; }));
    for (std::size_t bytes = 0; bytes < write.bytes.size(); ++bytes) {
      for (const bool garbage : {false, true}) {
        Bytes content = before;
        FakeFile::Write torn = write;
        for (std::size_t i = bytes; garbage && i < torn.bytes.size(); ++i) {
          torn.bytes[i] = ~torn.bytes[i];
        }
        FakeFile::apply(content, torn, garbage ? torn.bytes.size() : bytes);
        const std::uint64_t found = count_in(content);
        EXPECT_GE(found, acknowledged) << "write " << w << ", byte " << bytes;
        EXPECT_LE(found, acknowledged + 1) << "write " << w << ", byte " << bytes;
        expect_usable(content, found);
      }
    }
    FakeFile::apply(before, write, write.bytes.size());
  }
  EXPECT_EQ(count_in(before), total);
}

TEST(ChangeLog, EachChangeIsDurableBeforeItsCommitAndItsCommitWhenAppendReturns) {
  FakeFile file;
  ChangeLogWriter writer(file, 0, ChangeLog({}, "new"));
  for (std::uint64_t n = 1; n <= 3; ++n) {
    append(writer, n);
    EXPECT_EQ(file.writes_synced, file.writes.size());
    EXPECT_LT(file.writes.back().offset, kHead) << "the commit comes last";
  }
  EXPECT_TRUE(file.commits_are_last);
}

TEST(ChangeLog, AnyCallThatFailsLeavesWhatWasAcknowledged) {
  for (int calls = 0;; ++calls) {
    FakeFile file;
    ChangeLogWriter writer(file, 0, ChangeLog({}, "new"));
    file.calls_left = calls;
    std::uint64_t acknowledged = 0;
    bool failed = false;
    while (!failed && acknowledged < 4) {
      try {
        append(writer, acknowledged + 1);
        ++acknowledged;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kIo);
        failed = true;
      }
    }
    if (!failed) {
      EXPECT_EQ(calls, 4 * 6) << "a change takes four writes and two syncs";
      break;
    }
    file.calls_left = std::numeric_limits<int>::max();
    EXPECT_ERROR(append(writer, acknowledged + 1), kIo, "open the file again");
    const std::uint64_t found = count_in(file.content);
    EXPECT_GE(found, acknowledged) << "call " << calls;
    EXPECT_LE(found, acknowledged + 1) << "call " << calls;
    expect_usable(file.content, found);
  }
}

TEST(ChangeLog, ACutCommitIsCompletedBeforeTheNextChange) {
  FakeFile file = sample(3);
  // Change 3 is complete, its commit is not.
  FakeFile::apply(file.content, {0, Bytes(kRecord, std::byte{1})}, kRecord);
  const ChangeLog log(file.content, "log");
  EXPECT_EQ(count_of(log), 3u);
  EXPECT_TRUE(log.last_is_uncommitted());
  EXPECT_ERROR(log.verify(), kCorruptData, "both commits");
  ChangeLogWriter writer(file, 0, log);
  const ChangeLog repaired(file.content, "log");
  EXPECT_EQ(count_of(repaired), 3u);
  EXPECT_FALSE(repaired.last_is_uncommitted());
  EXPECT_NO_THROW(repaired.verify());
}

TEST(ChangeLog, CutAnywhereIsAnError) {
  const FakeFile file = sample(3);
  for (std::size_t size = file.content.size(); size-- > 1;) {
    const Bytes cut(file.content.begin(), file.content.begin() + static_cast<std::ptrdiff_t>(size));
    const Error error = test::error_of([&] { ChangeLog(cut, "log"); });
    ASSERT_EQ(error.code(), ErrorCode::kCorruptData) << size;
  }
}

TEST(ChangeLog, EveryFlippedBitIsAnErrorOrLosesNothingAndIsFound) {
  FakeFile file = sample(4);
  int survived = 0;
  for (std::size_t i = 0; i < file.content.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      const std::byte flip = std::byte{1} << bit;
      file.content[i] ^= flip;
      try {
        const ChangeLog log(file.content, "log");
        EXPECT_EQ(count_of(log), 4u) << "byte " << i;
        ++survived;
        EXPECT_ERROR(log.verify(), kCorruptData, "expected");
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorruptData);
        EXPECT_GE(i, kHead) << "a damaged commit must not lose the memory";
      }
      file.content[i] ^= flip;
    }
  }
  EXPECT_EQ(survived, static_cast<int>(kHead) * 8) << "every byte of a change is covered";
  EXPECT_NO_THROW(ChangeLog(file.content, "log").verify());
}

void put_number(Bytes& bytes, std::size_t at, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<std::byte>(value >> (8 * i));
}

/// Makes the checksum of the record at `at` fit again.
void seal(Bytes& bytes, std::size_t at) {
  const std::uint32_t crc = crc32(std::span(bytes).subspan(at, 28));
  for (std::size_t i = 0; i < 4; ++i) bytes[at + 28 + i] = static_cast<std::byte>(crc >> (8 * i));
}

TEST(ChangeLog, LyingNumbersWithGoodChecksumsAreErrors) {
  const Bytes good = sample(1).content;
  const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
  const auto lie = [&good](std::size_t record, std::size_t field, std::uint64_t value) {
    Bytes bytes = good;
    put_number(bytes, record + field, value);
    seal(bytes, record);
    return test::error_of([&] { ChangeLog(bytes, "log"); });
  };
  for (const std::uint64_t value : {huge, huge - 7, huge - kHead, huge / 2, std::uint64_t{9}}) {
    const Error error = lie(kHead, 16, value);  // length of the payload
    EXPECT_EQ(error.code(), ErrorCode::kCorruptData) << error.what();
    EXPECT_TRUE(test::contains(error.what(), "change 1 of 1")) << error.what();
  }
  for (const std::uint64_t value : {huge, huge - 7, std::uint64_t{0}, std::uint64_t{2}}) {
    EXPECT_EQ(lie(kHead, 8, value).code(), ErrorCode::kCorruptData);  // sequence of the change
  }
  for (const std::uint64_t value : {huge, std::uint64_t{kHead + 41}}) {
    EXPECT_TRUE(test::contains(lie(0, 16, value).what(), "the file was cut"));  // end
  }
  EXPECT_EQ(lie(0, 16, kHead + 32).code(), ErrorCode::kCorruptData);  // end inside the change
  // A commit that claims more changes than there are, but an odd number as its place demands.
  EXPECT_EQ(lie(0, 8, huge).code(), ErrorCode::kCorruptData);
}

TEST(ChangeLog, TwoDamagedCommitsAreAnErrorNotALoss) {
  FakeFile file = sample(4);
  file.content[0] ^= std::byte{1};
  file.content[4096] ^= std::byte{1};
  EXPECT_ERROR(ChangeLog(file.content, "log"), kCorruptData, "got none");
}

std::uint64_t count_in_file(const std::string& path) {
  const MappedFile file(path);
  return count_of(ChangeLog(file.bytes(), path));
}

/// Appends until it is killed (an error kills it, too); tells each acknowledged change by a byte.
[[noreturn]] void append_forever(const std::string& path, int tell) noexcept {
  const auto file = open_for_changes(path);
  const MappedFile mapped(path);
  ChangeLogWriter writer(*file, 0, ChangeLog(mapped.bytes(), path));
  for (;;) {
    append(writer, writer.num_changes() + 1);
    const char done = '.';
    if (::write(tell, &done, 1) != 1) ::_exit(1);
  }
}

TEST(ChangeLog, AKilledProgramLosesNothingItAcknowledged) {
  const TempFolder folder;
  const std::string path = folder.write("log", "");
  std::mt19937 random(5);
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      append_forever(path, ends[1]);
    }
    ::close(ends[1]);
    char done;
    for (auto wait = random() % 4; wait > 0 && ::read(ends[0], &done, 1) == 1; --wait) {
      ++acknowledged;
    }
    ::usleep(static_cast<useconds_t>(random() % 2000));  // to hit any moment of a change
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "it ended by itself";
    while (::read(ends[0], &done, 1) == 1) ++acknowledged;
    ::close(ends[0]);
    const std::uint64_t found = count_in_file(path);
    EXPECT_GE(found, acknowledged);
    // Told after it was stored: one change may have been stored and not told.
    EXPECT_LE(found, acknowledged + 1);
    acknowledged = found;
  }
  EXPECT_GT(acknowledged, 0u);
}

TEST(ChangeLog, AFullDiskIsAnErrorAndLosesNothing) {
  const TempFolder folder;
  const std::string path = folder.write("log", "");
  {
    const auto file = open_for_changes(path);
    ChangeLogWriter writer(*file, 0, ChangeLog({}, path));
    append(writer, 1);
    struct rlimit before;
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    // Room for the record and one byte of the payload: the system writes less than asked, then no
    // more.
    const struct rlimit small = {kHead + 40 + kRecord + 1, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const Error error = test::error_of([&] { append(writer, 2); });
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, handler);
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_TRUE(test::contains(error.what(), "no space left")) << error.what();
    EXPECT_EQ(std::filesystem::file_size(path), kHead + 40 + kRecord + 1) << "not a short write";
  }
  EXPECT_EQ(count_in_file(path), 1u);
}

}  // namespace
}  // namespace hopfield::store
