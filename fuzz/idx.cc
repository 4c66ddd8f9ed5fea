#include "hopfield/store/idx.h"

#include <string>

#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hopfield::fuzz::with_file(data, size,
                            [](const std::string& path) { (void)hopfield::store::read_idx(path); });
  return 0;
}
