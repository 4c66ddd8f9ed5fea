#ifndef HOPFIELD_SRC_CLI_MEMORY_PROVE_H_
#define HOPFIELD_SRC_CLI_MEMORY_PROVE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hopfield/store/memory_file.h"

namespace hopfield::cli {

/// What was found out about a memory after it forgot; docs/howto/memory.md, "Forget for good".
struct ForgetProof {
  std::uint64_t file_bytes = 0;
  /// Whether the file is, byte for byte, the memory that the remaining patterns alone make.
  bool file_is_fresh = false;
  std::int64_t num_forgotten_cues = 0, num_random_cues = 0, updates = 0;
  std::uint64_t seed = 0;
  std::vector<double> betas;
  std::int64_t num_different = 0;  ///< recalls that differ in a bit
  /// Forgotten patterns (id) with the same numbers as one that stays (id).
  std::vector<std::pair<std::string, std::string>> twins;

  bool holds() const { return file_is_fresh && num_different == 0; }
};

/// The file that stands beside a memory during the proof.
inline std::string fresh_memory_path(const std::string& path) {
  return path + ".fresh";
}

/// Compacts the memory at `path`, writes another, fresh_memory_path, from what `before` holds
/// without `forgotten`, and compares: all bytes, then recalls of forgotten patterns and of random
/// cues. The other file is removed at the end. `before` is the memory as it was, opened before it
/// forgot `forgotten` (ascending). Errors: kIo, also if that file exists.
ForgetProof prove_forgotten(const std::string& path, store::MemoryFile before,
                            const std::vector<std::int64_t>& forgotten);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_MEMORY_PROVE_H_
