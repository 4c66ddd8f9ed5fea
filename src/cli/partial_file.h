#ifndef HOPFIELD_SRC_CLI_PARTIAL_FILE_H_
#define HOPFIELD_SRC_CLI_PARTIAL_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hopfield/memory/shards.h"
#include "hopfield/store/safetensors.h"

// The file of `recall --partial`; docs/formats/partial.md. Needs the library only, so that it can
// be fuzzed without the program.
namespace hopfield::cli {

/// What a file holds beside a ShardAnswer.
struct Partial {
  std::string path;
  std::string what;                  ///< is read out: "state" or "values"
  std::string similarity;            ///< as --similarity spells it
  std::string beta;                  ///< shortest decimal number
  std::string memory;                ///< fingerprint of the memory that was asked
  std::vector<std::uint8_t> rows;    ///< bit i % 8 of byte i / 8: position i of it was asked
  std::vector<std::string> top_ids;  ///< [cues, num_top], or empty for a shard without names
};

/// Sets the bit of a position in Partial::rows.
void add_row(std::vector<std::uint8_t>& rows, std::int64_t position);

/// Errors: kIo.
void write_partial(const Partial& partial, const ShardAnswer& answer);

/// Whether that is what wrote a file.
bool is_partial(const store::SafetensorsFile& file);

/// All of a file but ShardAnswer::similarity, which is told by name. Errors: kCorruptData;
/// kUnsupported for another version.
Partial read_partial(const store::SafetensorsFile& file, ShardAnswer& answer);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_PARTIAL_FILE_H_
