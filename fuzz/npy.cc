#include "hopfield/store/npy.h"

#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hopfield::fuzz::tolerate_errors;
  tolerate_errors([&] {
    const hopfield::store::NpyFile file(hopfield::fuzz::bytes_of(data, size), "input");
    tolerate_errors([&] { (void)file.read<float>(); });
    tolerate_errors([&] { (void)file.read<std::int64_t>(); });
    if (!file.shape().empty()) {
      tolerate_errors([&] { (void)file.read_rows<double>(0, file.shape()[0]); });
    }
  });
  return 0;
}
