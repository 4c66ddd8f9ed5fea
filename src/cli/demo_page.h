#ifndef HOPFIELD_SRC_CLI_DEMO_PAGE_H_
#define HOPFIELD_SRC_CLI_DEMO_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/demo_digits.h"
#include "hopfield/apps/mil/cv.h"
#include "hopfield/report/page.h"

// What the demo found, as text, page and JSON. Nothing is computed here but what is drawn.
namespace hopfield::cli {

struct BagsResult {
  mil::CvResult cv;
  std::string folds_origin;      ///< a file, or "made by seed N"
  bool published_folds = false;  ///< those that the quoted numbers were measured on
};

/// One line of the table of restorations.
struct RestorationRun {
  std::string title;
  RestoreMethod method = RestoreMethod::kKnownPart;
  double beta = 0;  ///< without meaning for kNearest
  bool iterate = true;
  Restoration result;
};

/// Exact recalls over something.
struct RecallCurve {
  std::string title;
  std::vector<double> x;
  std::vector<double> fraction;  ///< of all pictures
};

/// Energies of the examples along their updates.
struct EnergyTrace {
  double beta = 0;
  std::size_t num_energies = 0;  ///< a cue
  std::vector<double> energies;  ///< [examples, num_energies]
};

struct DigitsResult {
  Digits digits;
  int hidden_rows = 0;
  std::vector<RestorationRun>
      runs;  ///< the first is the main one, the second its first update alone
  std::vector<RecallCurve> over_beta, over_hidden_rows;
  std::vector<std::size_t> examples;  ///< shown as pictures
  std::vector<EnergyTrace> traces;    ///< the first at the beta of the main run
};

struct DemoResult {
  BagsResult bags;
  DigitsResult digits;
  std::uint64_t seed = 0;
  std::string command;
  std::vector<std::pair<std::string, double>> times;  ///< seconds on the clock
};

/// A few lines for the terminal.
std::string demo_text(const DemoResult& result);
report::Page demo_page(const DemoResult& result);
/// Everything but `times` depends on input and options alone.
nlohmann::ordered_json demo_json(const DemoResult& result);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_DEMO_PAGE_H_
