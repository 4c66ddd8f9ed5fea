#ifndef HOPFIELD_BASE_OS_H_
#define HOPFIELD_BASE_OS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hopfield {

/// A whole file, read only. A regular file is mapped (its pages are read when touched, shared with
/// other processes); anything else, such as a pipe, is read into memory at once.
///
/// Errors   kIo with the path and the system's reason; kInvalidArgument for a folder.
/// Threads  const after construction. Nobody may shorten the file while it is mapped: the system
///          ends a process that touches pages which are gone.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

  /// Tells that `part` of bytes() was read. Pages so far leave this program's memory (a few MiB may
  /// stay) and come back when touched: a file read from end to end takes bounded memory.
  void done_with(std::span<const std::byte> part) const noexcept;

 private:
  void release() noexcept;

  std::string path_;
  std::span<const std::byte> bytes_;
  bool mapped_ = false;
  std::vector<std::byte> copy_;
};

/// What AtomicFile does when its path already names a file.
enum class IfExists : std::uint8_t {
  kReplace,  ///< the old content is there until the new one is complete
  kRefuse,   ///< kIo, and the old file stays as it is
};

/// A file that appears under its name complete or not at all. Bytes go to an unnamed (where the
/// system can, else temporary) file in the same folder; `commit` makes them durable, gives the file
/// its name in one step and makes the folder durable. Destroyed without commit, it leaves no trace.
/// A symbolic link is followed; a path that is no regular file (/dev/stdout, a pipe) is written
/// directly.
///
/// Memory   at most 4 MiB of what was written last, so a full disk may be told by a later call.
/// Errors   kIo; the message names the path, the reason and says that nothing was changed.
/// Threads  one at a time.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path, IfExists if_exists = IfExists::kReplace);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Appends.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// Writes bytes [offset, offset + bytes.size()): for parts that are filled in turn, each from its
  /// first byte to its last. A part takes 4 MiB until the file is complete; what nobody writes
  /// reads as zeros. Of a path that is no regular file, only what follows the last byte: else
  /// kUnsupported.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Overwrites bytes [offset, offset + bytes.size()) which were written before: for a header that
  /// is known last. kUnsupported for a path that is no regular file.
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes);

  void commit();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// AtomicFile in one call.
void atomic_write_file(const std::string& path, std::span<const std::byte> bytes,
                       IfExists if_exists = IfExists::kReplace);
void atomic_write_file(const std::string& path, std::string_view text,
                       IfExists if_exists = IfExists::kReplace);

/// An existing file whose bytes are written in place: all that a log of changes asks of the system.
/// An interface, so that tests can stand in for a disk that fails.
///
/// Errors   kIo; some of the bytes may have been written then.
/// Threads  one at a time.
class ChangeableFile {
 public:
  virtual ~ChangeableFile() = default;

  /// Writes bytes [offset, offset + bytes.size()); a gap behind the old end reads as zeros.
  virtual void write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;

  /// Returns when all that was written outlives a loss of power. After an error nobody knows what
  /// does: open the file again.
  virtual void sync() = 0;
};

/// Opens a regular file for the one program that may change it; others are refused until the
/// result is destroyed. Readers are not. The lock belongs to the file that the path names when this
/// returns, also if another program replaces files under that path.
/// Errors: kIo, also if another program (or another object of this one) changes the file now.
std::unique_ptr<ChangeableFile> open_for_changes(const std::string& path);

/// A file opened for reading in pieces. Errors as MappedFile.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  /// Reads up to buffer.size() bytes; 0 means the end.
  std::size_t read(std::span<std::byte> buffer);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int descriptor_ = -1;
};

bool path_exists(const std::string& path);
bool is_folder(const std::string& path);

/// Whether two paths name the same existing file.
bool same_file(const std::string& a, const std::string& b);

/// Asks the system for large pages behind [data, data + bytes), memory or a mapped file that is yet
/// to be touched: the first touch of every 4 KiB costs as much as the work on it. A hint; what the
/// system answers does not matter.
///
/// Threads  any, as for any other use of the memory.
void prefer_large_pages(void* data, std::size_t bytes) noexcept;

// The functions below serve programs; the library never calls them.

/// Whether standard output / standard error is a terminal.
bool stdout_is_terminal();
bool stderr_is_terminal();

/// Absolute path of the running program, empty if the system does not tell.
std::string executable_path();

/// Whether `path` is a file that may be executed.
bool is_executable(const std::string& path);

/// Continues as another program: arguments[0] is its own name. Returns only by throwing kIo.
[[noreturn]] void replace_process(const std::string& path,
                                  const std::vector<std::string>& arguments);

/// What a program did that was started and waited for.
struct ProcessResult {
  int status = 0;              ///< exit status; 128 + N if signal N ended it
  std::string output, errors;  ///< its standard output and standard error
};
/// Runs arguments[0], looked for in PATH if it has no slash, with an empty standard input. Polls
/// `cancelled` ten times a second: true ends the program and all that it started, and throws
/// kCancelled. Errors: kIo if it cannot be started.
ProcessResult run_process(const std::vector<std::string>& arguments,
                          const std::function<bool()>& cancelled);

/// From now on the first SIGINT or SIGTERM only sets a flag that `interrupted` reads; the second
/// ends the program as usual. Also makes a file that exceeds its size limit an error of the write
/// instead of the end of the program.
void install_interrupt_flag();
bool interrupted();

}  // namespace hopfield

#endif  // HOPFIELD_BASE_OS_H_
