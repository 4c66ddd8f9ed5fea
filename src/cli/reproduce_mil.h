#ifndef HOPFIELD_SRC_CLI_REPRODUCE_MIL_H_
#define HOPFIELD_SRC_CLI_REPRODUCE_MIL_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/theory_output.h"
#include "hopfield/apps/mil/cv.h"
#include "hopfield/report/page.h"
#include "hopfield/report/table.h"

// What `reproduce mil` measured, and how it is shown: reproduce_mil.cc runs, reproduce_mil_page.cc
// shows.
namespace hopfield::cli {

/// All models on one set. The first is stored bags; the others are compared with it.
struct MilSet {
  std::string name;
  double goal = 0;  ///< AUC that stored bags are to reach over five repetitions
  mil::LabelScheme scheme;
  std::int64_t num_bags = 0;
  std::vector<mil::ModelResult> models;
  std::vector<mil::Comparison> comparisons;  ///< of models[1], ...
};

struct MilReproduction {
  std::string command;
  std::vector<std::string> repetitions;
  std::vector<MilSet> sets;
  std::vector<mil::Setting> grid;
  std::string skipped;  ///< why there are no models of scikit-learn; empty: there are
  nlohmann::ordered_json python = nullptr;  ///< versions
  std::uint64_t seed = 0;
  bool quick = false;
  double seconds = 0;  ///< of all units, whenever they were computed
};

/// AUC of every model on every set in per cent, goals, and what others printed.
report::Table mil_auc_table(const MilReproduction& run);
/// Stored bags minus every other model.
report::Table mil_difference_table(const MilReproduction& run);
/// Goals, and the paper's own figures, which stored bags are to reach.
std::vector<Check> mil_checks(const MilReproduction& run);

nlohmann::ordered_json mil_json(const MilReproduction& run);
/// Both tables, ready to be put into a document.
std::string mil_markdown(const MilReproduction& run);
report::Page mil_page(const MilReproduction& run);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_REPRODUCE_MIL_H_
