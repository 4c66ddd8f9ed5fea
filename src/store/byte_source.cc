#include "store/byte_source.h"

#include <algorithm>
#include <cstring>

#include "hopfield/base/error.h"

namespace hopfield::store {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{1} << 18;

}  // namespace

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  if (text.size() < end.size()) return false;
  text.remove_prefix(text.size() - end.size());
  return std::equal(text.begin(), text.end(), end.begin(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

ByteSource::ByteSource(const std::string& path, std::string_view op)
    : op_(op),
      file_(path),
      input_(kBufferBytes),
      must_be_gzip_(ends_with_ignoring_case(path, ".gz")) {
  fill();
  // Two magic bytes; a regular text file never starts with them.
  gzip_ = available_ >= 2 && input_[0] == std::byte{0x1f} && input_[1] == std::byte{0x8b};
  if (must_be_gzip_ && !gzip_) {
    damaged(available_ == 0 ? "expected gzip data, got an empty file"
                            : "expected gzip data (the name ends in .gz), got something else");
  }
  if (gzip_) start_member();
}

ByteSource::~ByteSource() {
  if (gzip_) inflateEnd(&stream_);
}

std::size_t ByteSource::read(std::span<char> out) {
  if (out.empty()) return 0;
  if (gzip_) return inflate_some(out);
  if (used_ == available_) fill();
  const std::size_t count = std::min(out.size(), available_ - used_);
  if (count > 0) std::memcpy(out.data(), input_.data() + used_, count);
  used_ += count;
  return count;
}

void ByteSource::damaged(const std::string& message) const {
  fail(ErrorCode::kCorruptData, op_, "'" + file_.path() + "': " + message);
}

void ByteSource::fill() {
  available_ = 0;
  used_ = 0;
  // Pipes give little at a time; two bytes are needed to know what it is.
  while (available_ < 2) {
    const std::size_t count = file_.read(std::span(input_).subspan(available_));
    if (count == 0) break;
    available_ += count;
  }
}

void ByteSource::start_member() {
  stream_ = {};
  if (inflateInit2(&stream_, 15 + 16) != Z_OK) {
    gzip_ = false;
    fail(ErrorCode::kOutOfMemory, op_, "no memory to decompress '" + file_.path() + "'");
  }
  ended_ = false;
}

std::size_t ByteSource::inflate_some(std::span<char> out) {
  for (;;) {
    if (used_ == available_) fill();
    if (available_ == 0) {
      if (ended_) return 0;
      damaged("the gzip data ends too early, the file is truncated; fetch or compress it again");
    }
    if (ended_) {  // another member, or rubbish
      if (inflateReset(&stream_) != Z_OK) damaged("damaged gzip data");
      ended_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data() + used_);
    stream_.avail_in = static_cast<uInt>(available_ - used_);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    used_ = available_ - stream_.avail_in;
    const std::size_t count = out.size() - stream_.avail_out;
    if (result == Z_STREAM_END) {
      ended_ = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      damaged(std::string("damaged gzip data (") +
              (stream_.msg != nullptr ? stream_.msg : "wrong checksum") +
              "); fetch or compress it again");
    }
    if (count > 0) return count;
  }
}

}  // namespace hopfield::store
