#include "hopfield/store/safetensors.h"

#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hopfield::fuzz::tolerate_errors;
  using hopfield::store::SafetensorsFile;
  using hopfield::store::Tail;
  for (const Tail tail : {Tail::kRefuse, Tail::kAllow}) {
    tolerate_errors([&] {
      const SafetensorsFile file(hopfield::fuzz::bytes_of(data, size), "input", tail);
      for (const hopfield::store::TensorEntry& entry : file.tensors()) {
        tolerate_errors([&] { (void)file.read<double>(entry); });
        tolerate_errors([&] { (void)file.read<std::int64_t>(entry.name); });
      }
    });
  }
  return 0;
}
