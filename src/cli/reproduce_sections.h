#ifndef HOPFIELD_SRC_CLI_REPRODUCE_SECTIONS_H_
#define HOPFIELD_SRC_CLI_REPRODUCE_SECTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/theory_studies.h"

// The sections of `reproduce theory` and `reproduce memory`: which studies each makes, with which
// parameters.
namespace hopfield::cli {

struct ReproduceSettings {
  bool quick = false;  ///< smaller networks, fewer trials
  std::int64_t seed = 0;
  std::vector<std::string> data;  ///< folders that may hold uci/, mnist/, digits/
};

/// One study of a section; `name` begins the names of its files.
struct Study {
  std::string name;
  Findings findings;
};
using Studies = std::vector<Study>;

// reproduce_continuous.cc
Studies reproduce_energy(const ReproduceSettings& settings, const Context& context);
Studies reproduce_fixed_points(const ReproduceSettings& settings, const Context& context);
Studies reproduce_capacity(const ReproduceSettings& settings, const Context& context);
Studies reproduce_retrieval_error(const ReproduceSettings& settings, const Context& context);

// The others each in the file of their name.
Studies reproduce_dense(const ReproduceSettings& settings, const Context& context);
Studies reproduce_multitask(const ReproduceSettings& settings, const Context& context);
Studies reproduce_attention(const ReproduceSettings& settings, const Context& context);
Studies reproduce_errata(const ReproduceSettings& settings, const Context& context);

// `reproduce memory`. reproduce_pictures.cc
Studies reproduce_pictures(const ReproduceSettings& settings, const Context& context);
// reproduce_spins.cc
Studies reproduce_networks(const ReproduceSettings& settings, const Context& context);
Studies reproduce_static_retrieval(const ReproduceSettings& settings, const Context& context);
// reproduce_memory.cc
Studies reproduce_sphere(const ReproduceSettings& settings, const Context& context);
Studies reproduce_error_bound(const ReproduceSettings& settings, const Context& context);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_REPRODUCE_SECTIONS_H_
