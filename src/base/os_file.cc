// Files as POSIX systems (and Linux in particular) offer them. Nothing outside base/os_*.cc calls
// the system for files directly.
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/base/os.h"

namespace hopfield {
namespace {

std::string reason(int error) {
  switch (error) {
    case ENOENT:
      return "no such file or folder";
    case EACCES:
    case EPERM:
      return "permission denied";
    case ENOSPC:
      return "no space left on the device";
    case EDQUOT:
      return "no space left in the disk quota";
    case EFBIG:
      return "no space left under the file size limit";
    case EROFS:
      return "the file system is read-only";
    case ENOTDIR:
      return "a part of the path is not a folder";
    case EISDIR:
      return "it is a folder";
    case EEXIST:
      return "the file exists";
    default:
      return std::generic_category().message(error);
  }
}

[[noreturn]] void fail_read(const std::string& path, int error) {
  fail(ErrorCode::kIo, "read", "cannot read '" + path + "': " + reason(error));
}

bool is_full(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

[[noreturn]] void fail_write(const std::string& path, int error, bool direct) {
  std::string message = "cannot write '" + path + "': " + reason(error);
  if (!direct) message += "; nothing was changed";
  if (is_full(error)) message += "; free some space or choose another folder";
  fail(ErrorCode::kIo, "write", message);
}

int open_for_reading(const std::string& path, struct stat& status) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_read(path, errno);
  if (::fstat(descriptor, &status) != 0) {
    const int error = errno;
    ::close(descriptor);
    fail_read(path, error);
  }
  if (S_ISDIR(status.st_mode)) {
    ::close(descriptor);
    fail(ErrorCode::kInvalidArgument, "read", "expected a file, got the folder '" + path + "'");
  }
  return descriptor;
}

ssize_t read_some(int descriptor, void* buffer, std::size_t size) {
  for (;;) {
    const ssize_t count = ::read(descriptor, buffer, size);
    if (count >= 0 || errno != EINTR) return count;
  }
}

/// One descriptor with an exclusive lock, which the system takes off when it is closed: also when
/// the program is killed.
class LockedFile final : public ChangeableFile {
 public:
  LockedFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;
  ~LockedFile() override { ::close(descriptor_); }

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count =
          ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0) {
        if (errno == EINTR) continue;
        fail_change(errno);
      }
      offset += static_cast<std::uint64_t>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  void sync() override {
    if (::fsync(descriptor_) != 0) fail_change(errno);
  }

 private:
  [[noreturn]] void fail_change(int error) const {
    fail(ErrorCode::kIo, "write",
         "cannot change '" + path_ + "': " + reason(error) +
             (is_full(error) ? "; free some space and try again" : ""));
  }

  std::string path_;
  int descriptor_;
};

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Path with its last component's symbolic links followed; unchanged when there are none.
std::string resolve(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0 || !S_ISLNK(status.st_mode)) return path;
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string result = real;
  std::free(real);
  return result;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  struct stat status;
  const int descriptor = open_for_reading(path, status);
  if (S_ISREG(status.st_mode)) {
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size > 0) {
      void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
      const int error = errno;
      ::close(descriptor);
      if (address == MAP_FAILED) fail_read(path, error);
      prefer_large_pages(address, size);  // also read in large pieces where it is not in memory yet
      bytes_ = {static_cast<const std::byte*>(address), size};
      mapped_ = true;
      return;
    }
    ::close(descriptor);
    return;
  }
  std::size_t used = 0;
  for (;;) {
    if (copy_.size() - used < (1u << 16)) copy_.resize(copy_.size() * 2 + (1u << 16));
    const ssize_t count = read_some(descriptor, copy_.data() + used, copy_.size() - used);
    if (count < 0) {
      const int error = errno;
      ::close(descriptor);
      fail_read(path, error);
    }
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  ::close(descriptor);
  copy_.resize(used);
  bytes_ = copy_;
}

MappedFile::MappedFile(MappedFile&& other) noexcept {
  *this = std::move(other);
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this == &other) return *this;
  release();
  path_ = std::move(other.path_);
  copy_ = std::move(other.copy_);  // a moved vector keeps its address, so bytes_ stays right
  bytes_ = std::exchange(other.bytes_, {});
  mapped_ = std::exchange(other.mapped_, false);
  return *this;
}

MappedFile::~MappedFile() {
  release();
}

void MappedFile::done_with(std::span<const std::byte> part) const noexcept {
  // Once a step, so that small parts cost next to nothing; and what the touches since the last
  // time brought in beside them, at most a large page, goes with them.
  constexpr std::size_t kStep = std::size_t{2} << 20;
  if (!mapped_) return;
  const auto begin = static_cast<std::size_t>(part.data() - bytes_.data());
  const std::size_t end = begin + part.size();
  if (begin / kStep == end / kStep) return;
  const std::size_t from = begin / kStep * kStep - std::min(begin / kStep, std::size_t{1}) * kStep;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ::madvise(const_cast<std::byte*>(bytes_.data()) + from, end / page * page - from, MADV_DONTNEED);
}

void MappedFile::release() noexcept {
  if (mapped_) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  mapped_ = false;
  bytes_ = {};
}

InputFile::InputFile(const std::string& path) : path_(path) {
  struct stat status;
  descriptor_ = open_for_reading(path, status);
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

std::size_t InputFile::read(std::span<std::byte> buffer) {
  if (buffer.empty()) return 0;
  const ssize_t count = read_some(descriptor_, buffer.data(), buffer.size());
  if (count < 0) fail_read(path_, errno);
  return static_cast<std::size_t>(count);
}

/// Regular files are written in pieces of this size, each at a multiple of it: a system that can
/// then keeps them in large pages, and whoever maps the file pays for few page faults.
constexpr std::size_t kPiece = std::size_t{4} << 20;

struct AtomicFile::State {
  std::string shown;   // as the caller wrote it, for messages
  std::string target;  // links followed
  std::string folder;
  std::string temporary;  // empty: the file has no name yet
  IfExists if_exists = IfExists::kReplace;
  bool direct = false;  // no regular file: written in place
  int descriptor = -1;
  std::uint64_t end = 0;  // of what `write` brought

  /// Bytes that were not written yet; they go to `offset`.
  struct Piece {
    std::uint64_t offset = 0;
    std::vector<std::byte> bytes;
    std::uint64_t end() const { return offset + bytes.size(); }
  };
  std::vector<Piece> pieces;  // each grows at its end

  ~State() {
    if (descriptor >= 0) ::close(descriptor);
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }

  [[noreturn]] void fail_now(int error) const { fail_write(shown, error, direct); }

  /// `offset` counts for regular files only.
  void put(std::uint64_t offset, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const std::size_t most = std::min(bytes.size(), kPiece);
      const ssize_t count =
          direct ? ::write(descriptor, bytes.data(), most)
                 : ::pwrite(descriptor, bytes.data(), most, static_cast<off_t>(offset));
      if (count < 0) {
        if (errno == EINTR) continue;
        fail_now(errno);
      }
      offset += static_cast<std::uint64_t>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  void put_pieces() {
    for (const Piece& piece : pieces) put(piece.offset, piece.bytes);
    pieces.clear();
  }

  Piece& piece_at(std::uint64_t offset) {
    const auto grown = std::find_if(pieces.begin(), pieces.end(),
                                    [offset](const Piece& piece) { return piece.end() == offset; });
    if (grown != pieces.end()) return *grown;
    Piece& piece = pieces.emplace_back();
    piece.offset = offset;
    piece.bytes.reserve(kPiece);  // once: growing would take more than a piece
    return piece;
  }

  [[noreturn]] void fail_direct() const {
    fail(ErrorCode::kUnsupported, "write",
         "expected a regular file, got '" + shown + "'; choose a file on a disk");
  }

  [[noreturn]] void fail_exists() const {
    fail(ErrorCode::kIo, "write",
         "cannot write '" + shown + "': the file exists; nothing was changed");
  }

  std::string fresh_name() const {
    static std::atomic<unsigned> counter{0};
    return target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
  }

  void open_temporary(mode_t mode) {
#ifdef O_TMPFILE
    // Unnamed: even a killed program leaves nothing behind. Needs /proc to be named later.
    descriptor = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (descriptor >= 0) {
      if (::access(proc_name().c_str(), F_OK) == 0) return;
      ::close(descriptor);
      descriptor = -1;
    } else if (errno == ENOENT || errno == EACCES || errno == ENOTDIR || errno == EROFS) {
      fail_now(errno);
    }
#endif
    for (;;) {
      std::string name = fresh_name();
      descriptor = ::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
      if (descriptor >= 0) {
        temporary = std::move(name);
        return;
      }
      if (errno != EEXIST) fail_now(errno);
    }
  }

  std::string proc_name() const {
    return "/proc/self/fd/" + std::to_string(descriptor);
  }

  bool link_unnamed(const std::string& name) const {
    return ::linkat(AT_FDCWD, proc_name().c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  }

  void give_name() {
    if (temporary.empty()) {
      if (if_exists == IfExists::kRefuse) {
        if (link_unnamed(target)) return;
        if (errno == EEXIST) fail_exists();
        fail_now(errno);
      }
      // A hard link cannot replace a file, a rename can: so first a temporary name, then the real.
      std::string name = fresh_name();
      while (!link_unnamed(name)) {
        if (errno != EEXIST) fail_now(errno);
        name = fresh_name();
      }
      temporary = std::move(name);
    }
    if (if_exists == IfExists::kRefuse) {
      if (::link(temporary.c_str(), target.c_str()) == 0) return;  // ~State removes the other name
      if (errno == EEXIST) fail_exists();
      // A file system without hard links: the best it can do.
      if (path_exists(target)) fail_exists();
    }
    if (::rename(temporary.c_str(), target.c_str()) != 0) fail_now(errno);
    temporary.clear();
  }

  void sync_folder() const {
    const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) return;  // a folder we may write but not read: nothing more can be done
    const int result = ::fsync(handle);
    const int error = errno;
    ::close(handle);
    if (result != 0 && error != EINVAL && error != ENOTSUP) {
      fail(ErrorCode::kIo, "write",
           "'" + shown +
               "' was written, but its folder could not be made durable: " + reason(error));
    }
  }
};

AtomicFile::AtomicFile(const std::string& path, IfExists if_exists)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.shown = path;
  s.target = resolve(path);
  s.folder = folder_of(s.target);
  s.if_exists = if_exists;
  if (path.empty()) s.fail_now(ENOENT);
  mode_t mode = 0666;  // the system takes the umask off
  struct stat status;
  const bool exists = ::stat(s.target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) s.fail_now(EISDIR);
  if (!exists && s.target.back() == '/') s.fail_now(EISDIR);
  if (exists && !S_ISREG(status.st_mode)) {
    s.direct = true;
    s.descriptor = ::open(s.target.c_str(), O_WRONLY | O_CLOEXEC);
    if (s.descriptor < 0) s.fail_now(errno);
    return;
  }
  if (exists && if_exists == IfExists::kRefuse) s.fail_exists();
  if (exists && ::access(s.target.c_str(), W_OK) != 0) s.fail_now(errno);
  s.open_temporary(mode);
  if (exists) (void)::fchmod(s.descriptor, status.st_mode & 07777);
}

AtomicFile::~AtomicFile() = default;

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_at(state_->end, bytes);
}

void AtomicFile::write(std::string_view text) {
  write(std::as_bytes(std::span<const char>(text.data(), text.size())));
}

void AtomicFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  State& s = *state_;
  HOPFIELD_CHECK(s.descriptor >= 0);
  if (bytes.empty()) return;
  const bool follows = offset == s.end;
  if (s.direct && !follows) s.fail_direct();
  if (follows) s.end += bytes.size();
  if (s.direct) return s.put(offset, bytes);
  State::Piece& piece = s.piece_at(offset);
  while (!bytes.empty()) {
    const std::size_t room = kPiece - static_cast<std::size_t>(piece.end() % kPiece);
    const std::size_t count = std::min(bytes.size(), room);
    piece.bytes.insert(piece.bytes.end(), bytes.begin(),
                       bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (count == room) {
      s.put(piece.offset, piece.bytes);
      piece.offset = piece.end();
      piece.bytes.clear();
    }
  }
}

void AtomicFile::overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  HOPFIELD_CHECK(state_->descriptor >= 0);
  if (state_->direct) state_->fail_direct();
  state_->put_pieces();
  state_->put(offset, bytes);
}

void AtomicFile::commit() {
  State& s = *state_;
  HOPFIELD_CHECK(s.descriptor >= 0);
  if (!s.direct) {
    s.put_pieces();
    if (::fsync(s.descriptor) != 0) s.fail_now(errno);
    s.give_name();
  }
  const int descriptor = std::exchange(s.descriptor, -1);
  // After fsync a close has nothing left to report; without it (direct) it may.
  if (::close(descriptor) != 0 && s.direct && errno != EINTR) s.fail_now(errno);
  if (!s.direct) s.sync_folder();
}

void atomic_write_file(const std::string& path, std::span<const std::byte> bytes,
                       IfExists if_exists) {
  AtomicFile file(path, if_exists);
  file.write(bytes);
  file.commit();
}

void atomic_write_file(const std::string& path, std::string_view text, IfExists if_exists) {
  atomic_write_file(path, std::as_bytes(std::span<const char>(text.data(), text.size())),
                    if_exists);
}

std::unique_ptr<ChangeableFile> open_for_changes(const std::string& path) {
  const auto refuse = [&path](const std::string& why) {
    fail(ErrorCode::kIo, "write", "cannot change '" + path + "': " + why);
  };
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) refuse(reason(errno));
    auto file = std::make_unique<LockedFile>(path, descriptor);
    struct stat opened, named;
    if (::fstat(descriptor, &opened) != 0) refuse(reason(errno));
    if (!S_ISREG(opened.st_mode)) refuse("expected a regular file");
    while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) refuse("another program is changing it; try again later");
      if (errno != EINTR) refuse(reason(errno));
    }
    // Between opening and locking, another program may have put a new file in its place.
    if (::stat(path.c_str(), &named) != 0) refuse(reason(errno));
    if (named.st_dev == opened.st_dev && named.st_ino == opened.st_ino) return file;
  }
}

bool path_exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

bool is_folder(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat status_a, status_b;
  return ::stat(a.c_str(), &status_a) == 0 && ::stat(b.c_str(), &status_b) == 0 &&
         status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino;
}

}  // namespace hopfield
