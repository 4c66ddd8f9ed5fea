#include "hopfield/store/idx.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "hopfield/base/error.h"
#include "store/byte_source.h"

namespace hopfield::store {
namespace {

constexpr std::string_view kOp = "idx";
constexpr std::uint8_t kUnsignedBytes = 8;
constexpr std::uint64_t kBlockBytes = std::uint64_t{1} << 20;

[[noreturn]] void corrupt(const std::string& path, const std::string& message) {
  fail(ErrorCode::kCorruptData, kOp, "'" + path + "': " + message);
}

/// Fills `out`; whether there was enough.
bool read_all(ByteSource& source, std::span<char> out) {
  while (!out.empty()) {
    const std::size_t count = source.read(out);
    if (count == 0) return false;
    out = out.subspan(count);
  }
  return true;
}

}  // namespace

IdxBytes read_idx(const std::string& path) {
  ByteSource source(path, kOp);
  std::array<char, 4> word;
  const auto byte = [&word](std::size_t i) { return static_cast<std::uint8_t>(word[i]); };
  if (!read_all(source, word) || byte(0) != 0 || byte(1) != 0 || byte(3) == 0) {
    corrupt(path, "expected an IDX file, got another beginning");
  }
  if (byte(2) != kUnsignedBytes) {
    fail(ErrorCode::kUnsupported, kOp,
         "'" + path + "': expected unsigned bytes (type 8), got type " + std::to_string(byte(2)));
  }
  IdxBytes idx;
  idx.shape.resize(byte(3));
  std::uint64_t size = 1;
  for (std::int64_t& side : idx.shape) {
    if (!read_all(source, word)) corrupt(path, "expected dimensions, got the end of the file");
    std::uint64_t read = 0;
    for (std::size_t i = 0; i < word.size(); ++i) read = read << 8 | byte(i);
    side = static_cast<std::int64_t>(read);
    if (read > 0 && size > std::numeric_limits<std::int64_t>::max() / read) {
      corrupt(path, "expected a size that fits 63 bits, got a larger one");
    }
    size *= read;
  }
  std::uint64_t have = 0;
  while (have < size) {
    const std::uint64_t more = std::min(kBlockBytes, size - have);
    idx.values.resize(have + more);
    if (!read_all(source, {reinterpret_cast<char*>(idx.values.data()) + have, more})) {
      corrupt(path, "expected " + std::to_string(size) + " bytes after the header, got fewer");
    }
    have += more;
  }
  if (source.read(std::span(word).first(1)) != 0) {
    corrupt(path, "expected " + std::to_string(size) + " bytes after the header, got more");
  }
  return idx;
}

}  // namespace hopfield::store
