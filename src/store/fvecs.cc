#include "hopfield/store/fvecs.h"

#include <cstddef>
#include <cstring>
#include <utility>

#include "hopfield/base/error.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "fvecs";
constexpr std::int64_t kNumberBytes = 4;

}  // namespace

FvecsFile::FvecsFile(const std::string& path) : path_(path), file_(path), bytes_(file_->bytes()) {
  open();
}

FvecsFile::FvecsFile(std::span<const std::byte> bytes, std::string origin)
    : path_(std::move(origin)), bytes_(bytes) {
  open();
}

void FvecsFile::open() {
  const auto bytes = static_cast<std::int64_t>(bytes_.size());
  if (bytes == 0) return;
  if (bytes < kNumberBytes) {
    fail(
        ErrorCode::kCorruptData, kOp,
        "'" + path_ + "': expected the depth of a vector, got " + std::to_string(bytes) + " bytes");
  }
  depth_ = depth_of(0);
  if (depth_ < 1) {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path_ + "', row 0: expected a depth >= 1, got " + std::to_string(depth_));
  }
  const std::int64_t row_bytes = (depth_ + 1) * kNumberBytes;  // below 2^34
  if (bytes % row_bytes != 0) {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path_ + "': expected vectors of depth " + std::to_string(depth_) + ", " +
             std::to_string(row_bytes) + " bytes each, got " + std::to_string(bytes) +
             " bytes; the file may be truncated");
  }
  num_vectors_ = bytes / row_bytes;
}

std::int32_t FvecsFile::depth_of(std::int64_t row) const {
  std::int32_t depth;
  std::memcpy(&depth, bytes_.data() + row * (depth_ + 1) * kNumberBytes, sizeof(depth));
  return depth;
}

std::vector<double> FvecsFile::read_rows(std::int64_t first, std::int64_t count) const {
  std::vector<double> rows;
  rows.reserve(static_cast<std::size_t>(count * depth_));
  std::vector<float> row(static_cast<std::size_t>(depth_));
  for (std::int64_t r = first; r < first + count; ++r) {
    if (depth_of(r) != depth_) {
      fail(ErrorCode::kCorruptData, kOp,
           "'" + path() + "', row " + std::to_string(r) + ": expected depth " +
               std::to_string(depth_) + " as in row 0, got " + std::to_string(depth_of(r)));
    }
    std::memcpy(row.data(), bytes_.data() + (r * (depth_ + 1) + 1) * kNumberBytes,
                row.size() * sizeof(float));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  if (file_) {
    const auto row_bytes = static_cast<std::size_t>((depth_ + 1) * kNumberBytes);
    file_->done_with(bytes_.subspan(static_cast<std::size_t>(first) * row_bytes,
                                    static_cast<std::size_t>(count) * row_bytes));
  }
  return rows;
}

}  // namespace hopfield::store
