// What recall --partial writes: as it comes, then with sound checksums around whatever it says;
// what can be read must merge.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "cli/partial_file.h"
#include "fuzz/target.h"

namespace {

using hopfield::store::SafetensorsFile;

void read_and_merge(std::span<const std::byte> bytes) {
  hopfield::fuzz::tolerate_errors([&] {
    std::vector<hopfield::ShardAnswer> shards(1);
    (void)hopfield::cli::read_partial(SafetensorsFile(bytes, "input"), shards.front());
    shards.push_back(shards.front());
    (void)merge_shards(shards, std::min<std::int64_t>(5, known_top(shards)));
  });
}

/// Puts the right checksums in the place of those that the header states.
void mend(std::span<std::byte> bytes) {
  using hopfield::store::crc32;
  using hopfield::store::crc32_text;
  const SafetensorsFile file(bytes, "input");
  const std::span<std::byte> header = bytes.subspan(8, file.header().size());
  const auto put = [&](const std::string& key, std::string_view stated, const std::string& sum) {
    const std::string pair = "\"" + key + "\":\"" + std::string(stated) + "\"";
    const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
    const std::size_t at = text.find(pair);
    if (at == std::string_view::npos || stated.size() != sum.size()) return;
    std::ranges::copy(std::as_bytes(std::span(sum)),
                      header.begin() + static_cast<std::ptrdiff_t>(at + pair.size() - 9));
  };
  for (const hopfield::store::TensorEntry& entry : file.tensors()) {
    const auto stated = file.metadata().find("crc32." + entry.name);
    if (stated == file.metadata().end()) continue;
    put(stated->first, stated->second, crc32_text(crc32(file.bytes(entry))));
  }
  const std::string key = "crc32.header", zeros = "00000000";
  if (const auto stated = file.metadata().find(key); stated != file.metadata().end()) {
    put(key, stated->second, zeros);
    put(key, zeros, crc32_text(crc32(header)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = hopfield::fuzz::bytes_of(data, size);
  read_and_merge(input);
  std::vector<std::byte> bytes(input.begin(), input.end());
  hopfield::fuzz::tolerate_errors([&] { mend(bytes); });
  read_and_merge(bytes);
  return 0;
}
