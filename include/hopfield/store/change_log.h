#ifndef HOPFIELD_STORE_CHANGE_LOG_H_
#define HOPFIELD_STORE_CHANGE_LOG_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "hopfield/base/os.h"

namespace hopfield::store {

/// One entry of a log. What kinds there are and what a payload holds is the business of whoever
/// keeps the log.
struct Change {
  std::uint32_t kind = 0;
  std::uint64_t sequence = 0;          ///< 1 for the first of a log, then without gap
  std::span<const std::byte> payload;  ///< starts at a multiple of 8 bytes of the log
};

/// A log of changes (docs/formats/change-log.md) as it lies at the end of a file.
///
/// Promise  `changes` are all changes that a ChangeLogWriter acknowledged, in order, and at most
/// one
///          more that was complete when its writer was killed. Half-written ones are not there. One
///          flipped bit is an error or is one that leaves all acknowledged changes as they were; in
///          the second case `verify` finds it.
/// Errors   kCorruptData naming `origin` for a log that was damaged or cut after it was
///          acknowledged. Time and memory stay proportional to the bytes, whatever they claim.
/// Threads  const after construction. The caller keeps the bytes alive. A writer may append to the
///          file meanwhile, since acknowledged bytes never change; but its commit may lie beyond
///          bytes that were mapped before: if the file has grown, map it again before you believe
///          an error.
class ChangeLog {
 public:
  /// `bytes` reach from the start of the log to the end of the file; none is a log without changes.
  ChangeLog(std::span<const std::byte> bytes, std::string origin);

  const std::vector<Change>& changes() const { return changes_; }

  /// Bytes of the log in use; what follows was never acknowledged. 0: there is no log yet.
  std::uint64_t end() const { return end_; }

  /// Whether the last change was complete, but its commit was not.
  bool last_is_uncommitted() const { return last_is_uncommitted_; }

  /// Errors: kCorruptData if a commit or a byte between the commits is damaged though opening could
  /// do without. A commit that is just being written looks damaged, too.
  void verify() const;

 private:
  struct Commit;

  static Commit parse_commit(std::span<const std::byte> bytes, std::size_t index);
  bool read_change(std::uint64_t offset, Change& change, std::uint64_t& next) const;
  [[noreturn]] void corrupt(const std::string& message) const;

  std::span<const std::byte> bytes_;
  std::string origin_;
  std::vector<Change> changes_;
  std::uint64_t end_ = 0;
  bool damaged_commit_ = false, last_is_uncommitted_ = false;
};

/// Appends to a log.
///
/// Errors   kIo if the file refuses. Then the change may or may not be stored, and the writer takes
///          no more (kIo): open the file again to see. Earlier changes are unharmed.
/// Threads  one at a time; `file` must outlive it.
class ChangeLogWriter {
 public:
  /// The log starts at byte `start` of `file` and holds what `log` read there, which is not used
  /// after this call. Completes a commit that was cut short.
  ChangeLogWriter(ChangeableFile& file, std::uint64_t start, const ChangeLog& log);

  /// When this returns, the change outlives a killed program and a loss of power.
  void append(std::uint32_t kind, std::span<const std::byte> payload);

  std::uint64_t num_changes() const { return sequence_; }

 private:
  void commit();

  ChangeableFile* file_;
  std::uint64_t start_, end_, sequence_;
  bool failed_ = false;
};

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_CHANGE_LOG_H_
