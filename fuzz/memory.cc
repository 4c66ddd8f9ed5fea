#include <algorithm>
#include <cstring>
#include <vector>

#include "fuzz/target.h"
#include "hopfield/store/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hopfield::fuzz::tolerate_errors;
  std::vector<std::uint64_t> aligned((size + 7) / 8);  // as a mapped file is
  if (size > 0) std::memcpy(aligned.data(), data, size);
  tolerate_errors([&] {
    const hopfield::store::MemoryFile memory(std::as_bytes(std::span(aligned)).first(size),
                                             "input");
    tolerate_errors([&] { memory.verify(); });
    (void)memory.patterns();
    (void)memory.values();
    tolerate_errors([&] { (void)memory.find("1"); });
    for (std::int64_t i = 0; i < std::min<std::int64_t>(memory.num_patterns(), 100); ++i) {
      (void)pattern_source(memory).rows(i, 1);
      tolerate_errors([&] { (void)memory.id(i); });
      tolerate_errors([&] { (void)memory.metadata(i); });
    }
  });
  return 0;
}
