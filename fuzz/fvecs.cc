#include "hopfield/store/fvecs.h"

#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hopfield::fuzz::tolerate_errors;
  tolerate_errors([&] {
    const hopfield::store::FvecsFile file(hopfield::fuzz::bytes_of(data, size), "input");
    (void)file.read_rows(0, file.num_vectors());
  });
  return 0;
}
