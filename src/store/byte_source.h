#ifndef HOPFIELD_SRC_STORE_BYTE_SOURCE_H_
#define HOPFIELD_SRC_STORE_BYTE_SOURCE_H_

#include <zlib.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hopfield/base/os.h"

namespace hopfield::store {

bool ends_with_ignoring_case(std::string_view text, std::string_view end);

/// Bytes of a file, decompressed if they are gzip (found by content; a name ending in .gz must be).
/// Errors: kIo; kCorruptData naming `op` and file for damaged or truncated gzip data.
class ByteSource {
 public:
  /// `op` must outlive the source.
  ByteSource(const std::string& path, std::string_view op);
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource();

  /// Up to out.size() bytes; 0 at the end.
  std::size_t read(std::span<char> out);

 private:
  [[noreturn]] void damaged(const std::string& message) const;
  void fill();
  void start_member();
  std::size_t inflate_some(std::span<char> out);

  std::string_view op_;
  InputFile file_;
  std::vector<std::byte> input_;
  std::size_t available_ = 0, used_ = 0;
  bool must_be_gzip_;
  bool gzip_ = false, ended_ = false;
  z_stream stream_ = {};
};

}  // namespace hopfield::store

#endif  // HOPFIELD_SRC_STORE_BYTE_SOURCE_H_
