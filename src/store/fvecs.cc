#include "hopfield/store/fvecs.h"

#include <cstddef>
#include <cstring>

#include "hopfield/base/error.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "fvecs";
constexpr std::int64_t kNumberBytes = 4;

}  // namespace

FvecsFile::FvecsFile(const std::string& path) : file_(path) {
  const auto bytes = static_cast<std::int64_t>(file_.bytes().size());
  if (bytes == 0) return;
  if (bytes < kNumberBytes) {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path + "': expected the depth of a vector, got " + std::to_string(bytes) + " bytes");
  }
  depth_ = depth_of(0);
  if (depth_ < 1) {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path + "', row 0: expected a depth >= 1, got " + std::to_string(depth_));
  }
  const std::int64_t row_bytes = (depth_ + 1) * kNumberBytes;  // below 2^34
  if (bytes % row_bytes != 0) {
    fail(ErrorCode::kCorruptData, kOp,
         "'" + path + "': expected vectors of depth " + std::to_string(depth_) + ", " +
             std::to_string(row_bytes) + " bytes each, got " + std::to_string(bytes) +
             " bytes; the file may be truncated");
  }
  num_vectors_ = bytes / row_bytes;
}

std::int32_t FvecsFile::depth_of(std::int64_t row) const {
  std::int32_t depth;
  std::memcpy(&depth, file_.bytes().data() + row * (depth_ + 1) * kNumberBytes, sizeof(depth));
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
    std::memcpy(row.data(), file_.bytes().data() + (r * (depth_ + 1) + 1) * kNumberBytes,
                row.size() * sizeof(float));
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

}  // namespace hopfield::store
