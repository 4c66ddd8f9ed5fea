#include "hopfield/store/csv.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/target.h"

// The reader reads files only: one of this process, written anew for each input.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("hopfield-fuzz-" + std::to_string(::getpid())))
          .string();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  for (const char delimiter : {',', '\t'}) {
    hopfield::fuzz::tolerate_errors([&] {
      hopfield::store::CsvOptions options;
      options.delimiter = delimiter;
      (void)hopfield::store::read_csv_matrix(path, {}, options);
    });
  }
  std::filesystem::remove(path);
  return 0;
}
