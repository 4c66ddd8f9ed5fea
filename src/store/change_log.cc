#include "hopfield/store/change_log.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "hopfield/base/error.h"
#include "hopfield/store/safetensors.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "change log";
constexpr const char* kNoCommit =
    "expected a commit that fits its checksum, got none; restore the file from a copy";
constexpr std::string_view kCommitMagic = "HFCOMMIT", kChangeMagic = "HFCH";

// docs/formats/change-log.md. The commits lie in different sectors of the disk, so that a torn
// write of one leaves the other.
constexpr std::size_t kRecordBytes = 32;  // of a commit, and of what precedes a payload
constexpr std::size_t kCommitDistance = 4096;
constexpr std::size_t kNumCommits = 2;
constexpr std::size_t kHeadBytes = kNumCommits * kCommitDistance;
constexpr std::size_t kCrcAt = kRecordBytes - 4;

using Record = std::array<std::byte, kRecordBytes>;

template <class T>
void put_number(std::span<std::byte> at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::byte>(value >> (8 * i));
}

template <class T>
T number_at(std::span<const std::byte> at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(std::to_integer<T>(at[i]) << (8 * i));
  }
  return value;
}

void put_text(std::span<std::byte> at, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) at[i] = static_cast<std::byte>(text[i]);
}

/// Puts the checksum of a record into its last bytes.
void seal(Record& record) {
  put_number(std::span(record).subspan(kCrcAt), crc32(std::span(record).first(kCrcAt)));
}

bool sealed(std::span<const std::byte> record, std::string_view magic) {
  for (std::size_t i = 0; i < magic.size(); ++i) {
    if (record[i] != static_cast<std::byte>(magic[i])) return false;
  }
  return number_at<std::uint32_t>(record.subspan(kCrcAt)) == crc32(record.first(kCrcAt));
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

/// Zeros that follow a payload.
std::uint64_t padding(std::uint64_t payload_bytes) {
  return (8 - payload_bytes % 8) % 8;
}

std::size_t commit_index(std::uint64_t sequence) {
  return static_cast<std::size_t>((sequence - 1) % kNumCommits);
}

}  // namespace

struct ChangeLog::Commit {
  enum class State : std::uint8_t { kUnused, kDamaged, kValid };
  State state = State::kUnused;
  std::uint64_t sequence = 0, end = 0;
};

void ChangeLog::corrupt(const std::string& message) const {
  fail(ErrorCode::kCorruptData, kOp, "'" + origin_ + "': " + message);
}

ChangeLog::Commit ChangeLog::parse_commit(std::span<const std::byte> bytes, std::size_t index) {
  const std::size_t offset = std::min(index * kCommitDistance, bytes.size());
  const std::span<const std::byte> record =
      bytes.subspan(offset, std::min(kRecordBytes, bytes.size() - offset));
  Commit commit;
  if (all_zero(record)) return commit;
  commit.state = Commit::State::kDamaged;
  if (record.size() < kRecordBytes) return commit;
  // A copy: a writer in another program may be at work on these bytes.
  Record copy;
  std::copy(record.begin(), record.end(), copy.begin());
  if (!sealed(copy, kCommitMagic)) return commit;
  commit.sequence = number_at<std::uint64_t>(std::span(copy).subspan(8));
  commit.end = number_at<std::uint64_t>(std::span(copy).subspan(16));
  if (commit.sequence >= 1 && commit_index(commit.sequence) == index && commit.end >= kHeadBytes) {
    commit.state = Commit::State::kValid;
  }
  return commit;
}

bool ChangeLog::read_change(std::uint64_t offset, Change& change, std::uint64_t& next) const {
  if (offset > bytes_.size() || kRecordBytes > bytes_.size() - offset) return false;
  const auto at = static_cast<std::size_t>(offset);
  const std::span<const std::byte> record = bytes_.subspan(at, kRecordBytes);
  if (!sealed(record, kChangeMagic)) return false;
  change.kind = number_at<std::uint32_t>(record.subspan(4));
  change.sequence = number_at<std::uint64_t>(record.subspan(8));
  const auto payload_bytes = number_at<std::uint64_t>(record.subspan(16));
  const std::uint64_t left = bytes_.size() - offset - kRecordBytes;
  if (payload_bytes > left || padding(payload_bytes) > left - payload_bytes) return false;
  const auto size = static_cast<std::size_t>(payload_bytes);
  change.payload = bytes_.subspan(at + kRecordBytes, size);
  const std::span<const std::byte> filler =
      bytes_.subspan(at + kRecordBytes + size, static_cast<std::size_t>(padding(payload_bytes)));
  if (number_at<std::uint32_t>(record.subspan(24)) != crc32(change.payload)) return false;
  if (!all_zero(filler)) return false;
  next = offset + kRecordBytes + size + filler.size();
  return true;
}

ChangeLog::ChangeLog(std::span<const std::byte> bytes, std::string origin)
    : bytes_(bytes), origin_(std::move(origin)) {
  const std::array<Commit, kNumCommits> commits = {parse_commit(bytes, 0), parse_commit(bytes, 1)};
  Commit newest;
  for (const Commit& commit : commits) {
    damaged_commit_ = damaged_commit_ || commit.state == Commit::State::kDamaged;
    if (commit.state == Commit::State::kValid && commit.sequence > newest.sequence) newest = commit;
  }
  if (newest.sequence == 0 && !damaged_commit_) return;  // killed before its first change: no log
  // Without a valid commit there can only be the first one, cut short; more would leave one valid.
  if (newest.sequence == 0 &&
      (commits[0].state != Commit::State::kDamaged || commits[1].state != Commit::State::kUnused)) {
    corrupt(kNoCommit);
  }
  if (newest.sequence > 0 && newest.end > bytes.size()) {
    corrupt("expected a log of " + std::to_string(newest.end) + " bytes, got " +
            std::to_string(bytes.size()) + "; the file was cut, restore it from a copy");
  }
  std::uint64_t offset = kHeadBytes;
  Change change;
  while (changes_.size() < newest.sequence) {
    const std::uint64_t number = changes_.size() + 1;
    if (!read_change(offset, change, offset) || change.sequence != number || offset > newest.end) {
      corrupt("expected change " + std::to_string(number) + " of " +
              std::to_string(newest.sequence) +
              " to fit its checksum, it does not; the file is damaged, restore it from a copy");
    }
    changes_.push_back(change);
  }
  if (newest.sequence > 0 && offset != newest.end) {
    corrupt("expected the last change to end at byte " + std::to_string(newest.end) + ", got " +
            std::to_string(offset));
  }
  end_ = offset;
  // A commit is written when its change is on the disk: a damaged one may stand for that change.
  if (damaged_commit_ && read_change(offset, change, offset) &&
      change.sequence == changes_.size() + 1) {
    changes_.push_back(change);
    end_ = offset;
    last_is_uncommitted_ = true;
  }
  if (changes_.empty()) {
    corrupt(kNoCommit);
  }
}

void ChangeLog::verify() const {
  if (damaged_commit_) {
    corrupt(
        "expected both commits of the log to fit their checksums, one does not; every change is "
        "there, compact the memory to repair it");
  }
  for (std::size_t i = 0; i < kNumCommits && end_ > 0; ++i) {
    const std::size_t used = i * kCommitDistance + kRecordBytes;
    if (!all_zero(bytes_.subspan(used, kCommitDistance - kRecordBytes))) {
      corrupt("expected zeros between the commits of the log, got other bytes");
    }
  }
}

ChangeLogWriter::ChangeLogWriter(ChangeableFile& file, std::uint64_t start, const ChangeLog& log)
    : file_(&file),
      start_(start),
      end_(std::max<std::uint64_t>(log.end(), kHeadBytes)),
      sequence_(log.changes().size()) {
  if (!log.last_is_uncommitted()) return;
  file_->sync();
  commit();
}

void ChangeLogWriter::append(std::uint32_t kind, std::span<const std::byte> payload) {
  if (failed_) {
    fail(ErrorCode::kIo, kOp,
         "expected a writer whose last change was stored, got one that failed; open the file "
         "again");
  }
  failed_ = true;  // until the end
  Record record = {};
  put_text(record, kChangeMagic);
  put_number(std::span(record).subspan(4), kind);
  put_number(std::span(record).subspan(8), sequence_ + 1);
  put_number(std::span(record).subspan(16), static_cast<std::uint64_t>(payload.size()));
  put_number(std::span(record).subspan(24), crc32(payload));
  seal(record);
  const Record zeros = {};
  const std::uint64_t payload_at = start_ + end_ + kRecordBytes;
  const std::uint64_t filler = padding(payload.size());
  file_->write_at(start_ + end_, record);
  file_->write_at(payload_at, payload);
  file_->write_at(payload_at + payload.size(),
                  std::span(zeros).first(static_cast<std::size_t>(filler)));
  file_->sync();  // the change must be there before a commit says so
  ++sequence_;
  end_ += kRecordBytes + payload.size() + filler;
  commit();
  failed_ = false;
}

void ChangeLogWriter::commit() {
  Record record = {};
  put_text(record, kCommitMagic);
  put_number(std::span(record).subspan(8), sequence_);
  put_number(std::span(record).subspan(16), end_);
  seal(record);
  file_->write_at(start_ + commit_index(sequence_) * kCommitDistance, record);
  file_->sync();
}

}  // namespace hopfield::store
