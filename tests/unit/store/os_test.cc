#include "hopfield/base/os.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <span>
#include <sstream>
#include <string>

#include "unit/store/temp_folder.h"

namespace hopfield {
namespace {

using test::TempFolder;

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(MappedFile, ShowsTheBytesAndSurvivesAMove) {
  const TempFolder folder;
  MappedFile first(folder.write("a", "hello"));
  MappedFile second(std::move(first));
  EXPECT_EQ(text_of(second), "hello");
  MappedFile third(folder.write("b", "other"));
  third = std::move(second);
  EXPECT_EQ(text_of(third), "hello");
  EXPECT_EQ(MappedFile(folder.write("empty", "")).bytes().size(), 0u);
}

TEST(MappedFile, ReadsWhatCannotBeMapped) {
  MappedFile file("/dev/null");
  EXPECT_TRUE(file.bytes().empty());
}

/// How much of the mapping at `data` is in this program's memory.
std::size_t resident_bytes(const void* data) {
  std::ifstream maps("/proc/self/smaps");
  std::ostringstream wanted;
  wanted << std::hex << reinterpret_cast<std::uintptr_t>(data) << '-';
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    if (line.starts_with(wanted.str())) found = true;
    if (found && line.starts_with("Rss:")) return std::stoul(line.substr(4)) << 10;
  }
  ADD_FAILURE() << "no such mapping";
  return 0;
}

TEST(MappedFile, ReadFromEndToEndTakesLittleMemory) {
  if (!path_exists("/proc/self/smaps")) GTEST_SKIP() << "no /proc/self/smaps here";
  const TempFolder folder;
  const std::string text(std::size_t{32} << 20, 'x');
  const MappedFile file(folder.write("a", text));
  const std::size_t part = 1'000'003;  // ends within pages
  std::size_t sum = 0, most = 0;
  for (std::size_t begin = 0; begin < text.size(); begin += part) {
    const auto bytes = file.bytes().subspan(begin, std::min(part, text.size() - begin));
    for (const std::byte b : bytes) sum += b == std::byte{'x'} ? 1 : 0;
    file.done_with(bytes);
    most = std::max(most, resident_bytes(file.bytes().data()));
  }
  EXPECT_EQ(sum, text.size());
  // The step that is being read, the part beyond it, and a large page that a touch brings in.
  EXPECT_LE(most, std::size_t{6} << 20);
  EXPECT_TRUE(text_of(file) == text) << "what was let go of does not come back";
}

TEST(MappedFile, NamesThePathAndTheReason) {
  const TempFolder folder;
  EXPECT_ERROR(MappedFile(folder / "missing"), kIo, "missing': no such file");
  EXPECT_ERROR(MappedFile(folder.path()), kInvalidArgument, "expected a file, got the folder");
  EXPECT_ERROR(MappedFile(folder.write("a", "x") + "/b"), kIo, "is not a folder");
}

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const TempFolder folder;
  const std::string path = folder / "out";
  {
    AtomicFile file(path);
    file.write("half");
    EXPECT_FALSE(path_exists(path));
  }
  EXPECT_EQ(folder.num_entries(), 0u) << "an abandoned file leaves a trace";
  AtomicFile file(path);
  file.write("who");
  file.write("le");
  file.overwrite(1, std::as_bytes(std::span<const char>("H", 1)));
  file.commit();
  EXPECT_EQ(TempFolder::read(path), "wHole");
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(AtomicFile, KeepsTheOldContentUntilTheNewIsComplete) {
  const TempFolder folder;
  const std::string path = folder.write("out", "old");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  AtomicFile file(path);
  file.write("new");
  EXPECT_EQ(TempFolder::read(path), "old");
  file.commit();
  EXPECT_EQ(TempFolder::read(path), "new");
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0640u) << "permissions changed";
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(AtomicFile, RefusesToReplaceWhenToldTo) {
  const TempFolder folder;
  const std::string path = folder.write("out", "old");
  EXPECT_ERROR(AtomicFile(path, IfExists::kRefuse), kIo, "the file exists");
  const std::string late = folder / "late";
  AtomicFile file(late, IfExists::kRefuse);
  file.write("new");
  folder.write("late", "somebody else's");
  EXPECT_ERROR(file.commit(), kIo, "the file exists");
  EXPECT_EQ(TempFolder::read(late), "somebody else's");
}

TEST(AtomicFile, FollowsASymbolicLink) {
  const TempFolder folder;
  const std::string target = folder.write("target", "old");
  const std::string link = folder / "link";
  ASSERT_EQ(::symlink("target", link.c_str()), 0);
  atomic_write_file(link, "new");
  EXPECT_EQ(TempFolder::read(target), "new");
  struct stat status;
  ASSERT_EQ(::lstat(link.c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode)) << "the link was replaced";
}

TEST(AtomicFile, SaysWhatIsWrongWithThePath) {
  const TempFolder folder;
  EXPECT_ERROR(AtomicFile(folder / "no/such/folder/out"), kIo, "no such file or folder");
  EXPECT_ERROR(AtomicFile{folder.path()}, kIo, "it is a folder");
  EXPECT_ERROR(AtomicFile(folder / "new/"), kIo, "cannot write");
  EXPECT_ERROR(AtomicFile(""), kIo, "no such file or folder");
}

/// Writes `size` bytes over `path` where only `limit` fit, and expects the error of a full disk.
void expect_full_disk(const std::string& path, std::size_t size, rlim_t limit) {
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {limit, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error = test::error_of([&] { atomic_write_file(path, std::string(size, 'x')); });
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::kIo);
  EXPECT_TRUE(test::contains(error.what(), "no space left")) << error.what();
  EXPECT_TRUE(test::contains(error.what(), "nothing was changed")) << error.what();
}

TEST(AtomicFile, AFullDiskLeavesTheOldFile) {
  const TempFolder folder;
  const std::string path = folder.write("out", "old");
  expect_full_disk(path, 5000, 1000);
  expect_full_disk(path, 9'000'000, 5'000'000);  // full within the second piece of 4 MiB
  EXPECT_EQ(TempFolder::read(path), "old");
  EXPECT_EQ(folder.num_entries(), 1u);
}

TEST(AtomicFile, KeepsWhatIsLongerThanAPiece) {
  const TempFolder folder;
  std::string wanted;
  AtomicFile file(folder / "out");
  for (int k = 0; k < 11; ++k) {  // pieces of 4 MiB end within some and at the end of none
    const std::string part(1'000'003, static_cast<char>('a' + k));
    file.write(part);
    wanted += part;
  }
  file.overwrite(5, std::as_bytes(std::span("head", 4)));
  wanted.replace(5, 4, "head");
  file.write("tail");
  file.commit();
  EXPECT_TRUE(TempFolder::read(folder / "out") == wanted + "tail");  // not 11 MB in a message
}

TEST(AtomicFile, PartsAreFilledInTurn) {
  const TempFolder folder;
  constexpr std::size_t kPart = 6'000'000, kParts = 3;  // each more than a piece of 4 MiB
  std::string wanted(kParts * kPart, '-');
  AtomicFile file(folder / "out");
  for (std::size_t done = 0, count = 1; done < kPart; done += count) {
    count = std::min(kPart - done, 3 * count);  // of any size, also more than a piece
    for (std::size_t part = kParts; part-- > 0;) {
      const std::string bytes(count, static_cast<char>('a' + (done + part) % 26));
      wanted.replace(part * kPart + done, count, bytes);
      file.write_at(part * kPart + done, std::as_bytes(std::span(bytes)));
    }
  }
  EXPECT_FALSE(path_exists(folder / "out"));
  file.commit();
  EXPECT_TRUE(TempFolder::read(folder / "out") == wanted);  // not 18 MB in a message
}

TEST(AtomicFile, WritesDevicesInPlace) {
  if (!path_exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  AtomicFile null("/dev/null");
  null.write("x");
  null.write_at(1, std::as_bytes(std::span("yz", 2)));
  EXPECT_ERROR(null.write_at(4, std::as_bytes(std::span("z", 1))), kUnsupported, "regular file");
  EXPECT_ERROR(atomic_write_file("/dev/full", "x"), kIo, "no space left");
  atomic_write_file("/dev/null", "x");
  struct stat status;
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode)) << "/dev/null was replaced";
}

TEST(OpenForChanges, OneWriterAtATime) {
  const TempFolder folder;
  const std::string path = folder.write("log", "");
  {
    const auto first = open_for_changes(path);
    EXPECT_ERROR(open_for_changes(path), kIo, "another program is changing it");
    EXPECT_NO_THROW(MappedFile{path});
    // Another file under the same name has a lock of its own.
    atomic_write_file(path, "new");
    EXPECT_NO_THROW(open_for_changes(path));
  }
  EXPECT_NO_THROW(open_for_changes(path));
}

TEST(OpenForChanges, NamesThePathAndTheReason) {
  const TempFolder folder;
  EXPECT_ERROR(open_for_changes(folder / "missing"), kIo, "missing': no such file");
  EXPECT_ERROR(open_for_changes(folder.path()), kIo, "it is a folder");
  EXPECT_ERROR(open_for_changes("/dev/null"), kIo, "expected a regular file");
}

TEST(Os, SameFileKnowsLinks) {
  const TempFolder folder;
  const std::string a = folder.write("a", "x"), b = folder.write("b", "x"), link = folder / "l";
  ASSERT_EQ(::link(a.c_str(), link.c_str()), 0);
  EXPECT_TRUE(same_file(a, link));
  EXPECT_FALSE(same_file(a, b));
  EXPECT_FALSE(same_file(a, folder / "missing"));
  EXPECT_TRUE(is_folder(folder.path()));
  EXPECT_FALSE(is_folder(a));
}

TEST(Os, KnowsTheRunningProgram) {
  EXPECT_TRUE(is_executable(executable_path()));
  EXPECT_FALSE(is_executable("/"));
  EXPECT_ERROR(replace_process("/no/such/program", {"x"}), kIo, "cannot start");
}

TEST(Os, RunsAProgramAndTellsWhatItSaid) {
  const ProcessResult result =
      run_process({"sh", "-c", "cat; echo out; echo bad >&2; exit 7"}, nullptr);
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.output, "out\n");  // nothing came from the standard input
  EXPECT_EQ(result.errors, "bad\n");
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}, nullptr).status, 128 + 9);
  // More than a pipe holds, on both streams at once.
  const ProcessResult long_one = run_process(
      {"sh", "-c", "head -c 300000 /dev/zero >&2 & head -c 300000 /dev/zero; wait"}, nullptr);
  EXPECT_EQ(long_one.output.size(), 300000u);
  EXPECT_EQ(long_one.errors.size(), 300000u);
  EXPECT_ERROR(run_process({"/no/such/program"}, nullptr), kIo, "cannot start");
}

TEST(Os, AProgramThatIsCancelledEndsWithAllItStarted) {
  const TempFolder folder;
  const std::string started = folder / "started";
  // The inner sleep would hold the pipes for a minute if it were left behind.
  EXPECT_ERROR(run_process({"sh", "-c", "sleep 60 & touch " + started + "; wait"},
                           [&] { return path_exists(started); }),
               kCancelled, "interrupted");
}

}  // namespace
}  // namespace hopfield
