#include "hopfield/store/csv.h"

#include <string>

#include "fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hopfield::fuzz::with_file(data, size, [](const std::string& path) {
    for (const char delimiter : {',', '\t'}) {
      hopfield::fuzz::tolerate_errors([&] {
        hopfield::store::CsvOptions options;
        options.delimiter = delimiter;
        (void)hopfield::store::read_csv_matrix(path, {}, options);
      });
    }
  });
  return 0;
}
