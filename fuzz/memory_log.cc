// A sound memory whose log has sound checksums around whatever the input says: first byte whether
// the memory has values or codes, then for each change a byte with its kind, one with its length in
// units of 8 bytes, and its payload.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "hopfield/store/change_log.h"
#include "hopfield/store/memory_file.h"

namespace {

class BytesInMemory final : public hopfield::ChangeableFile {
 public:
  explicit BytesInMemory(std::vector<std::byte> content) : bytes(std::move(content)) {}
  void write_at(std::uint64_t offset, std::span<const std::byte> more) override {
    const auto at = static_cast<std::size_t>(offset);
    bytes.resize(std::max(bytes.size(), at + more.size()));
    std::copy(more.begin(), more.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void sync() override {}
  std::vector<std::byte> bytes;
};

/// Two patterns of depth 2, values of depth 1 if wanted, up to where the log starts.
std::vector<std::byte> body(bool with_values, hopfield::DType dtype) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("hopfield-fuzz-" + std::to_string(::getpid())))
          .string();
  hopfield::store::PatternSource source;
  source.num_patterns = 2;
  source.depth = 2;
  source.rows = [](std::int64_t, std::int64_t count) {
    return std::vector<double>(static_cast<std::size_t>(2 * count), 1.0);
  };
  hopfield::store::PatternSource values = source;
  values.depth = 1;
  values.rows = [](std::int64_t, std::int64_t count) {
    return std::vector<double>(static_cast<std::size_t>(count), 1.0);
  };
  hopfield::store::CreateMemoryOptions options;
  options.dtype = dtype;
  if (with_values) options.attached.values = &values;
  options.if_exists = hopfield::IfExists::kReplace;
  hopfield::store::create_memory(path, source, options);
  std::vector<std::byte> bytes;
  {
    const hopfield::MappedFile file(path);
    bytes.assign(file.bytes().begin(), file.bytes().end());
  }
  std::filesystem::remove(path);
  bytes.resize((bytes.size() + 63) / 64 * 64);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hopfield::DType;
  using hopfield::fuzz::tolerate_errors;
  static const std::vector<std::byte> starts[] = {body(false, DType::kF32), body(true, DType::kF32),
                                                  body(false, DType::kI8)};
  if (size == 0) return 0;
  const std::vector<std::byte>& start = starts[data[0] % 3u];
  BytesInMemory file(start);
  hopfield::store::ChangeLogWriter log(file, start.size(), hopfield::store::ChangeLog({}, "new"));
  for (std::size_t at = 1; at + 2 <= size;) {
    const std::size_t length = std::min(std::size_t{8} * data[at + 1], size - at - 2);
    log.append(data[at] % 7u, hopfield::fuzz::bytes_of(data + at + 2, length));
    at += 2 + length;
  }
  tolerate_errors([&] {
    const hopfield::store::MemoryFile memory(file.bytes, "input");
    tolerate_errors([&] { memory.verify(); });
    (void)memory.patterns();
    (void)memory.values();
    (void)memory.ids();
    for (std::int64_t i = 0; i < memory.num_patterns(); ++i) (void)memory.metadata(i);
    (void)memory.find("1");
  });
  return 0;
}
