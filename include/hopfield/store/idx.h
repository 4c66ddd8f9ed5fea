#ifndef HOPFIELD_STORE_IDX_H_
#define HOPFIELD_STORE_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hopfield::store {

/// An array of bytes, the first dimension outermost.
struct IdxBytes {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;
};

/// Reads a file in the IDX format of MNIST with unsigned bytes: 0, 0, 8, the number of dimensions,
/// each dimension (32-bit, big endian), the bytes. Plain or gzip, found by content; a name ending
/// in .gz must be gzip.
/// Errors   kIo; kCorruptData with the file's name for another magic number, no dimension, damaged
///          gzip data, fewer or more bytes than the shape says; kUnsupported for another type.
///          Memory stays proportional to the bytes that are there, whatever the shape claims.
IdxBytes read_idx(const std::string& path);

}  // namespace hopfield::store

#endif  // HOPFIELD_STORE_IDX_H_
