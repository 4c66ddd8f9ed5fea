#ifndef HOPFIELD_SRC_CLI_REPRODUCE_COMPARE_H_
#define HOPFIELD_SRC_CLI_REPRODUCE_COMPARE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cli/reproduce_sections.h"
#include "hopfield/report/plot.h"
#include "hopfield/theory/simulate.h"

// What the sections of `reproduce theory` use to set numbers beside others.
namespace hopfield::cli {

/// A computed number and what it should be.
struct Known {
  std::string name;
  double value, expected, tolerance;
};

/// One row a number; one check for all.
Findings compare_known(const std::string& title, const std::string& subtitle,
                       const std::string& statement, const std::vector<Known>& numbers);

/// A simulated mean beside the number that theory gives.
struct Compared {
  std::string series;
  double x = 0, theory = 0;
  theory::Estimate measured;
};

/// Curves of theory, points of simulations, and a table with z-scores.
Findings compare_simulated(report::Plot plot, const std::string& x_name,
                           const std::vector<Compared>& points);

/// Over the points where theory has a value.
double largest_difference(const std::vector<Compared>& points);

std::vector<theory::Observable> run_simulation(const theory::Simulation& simulation,
                                               const ReproduceSettings& settings,
                                               const Context& context, std::int64_t replicas);
theory::Estimate estimate_of(const std::vector<theory::Observable>& observables,
                             const std::string& name);

/// y(x) on even steps; NaN leaves a gap.
report::Series curve(const std::string& name, double low, double high, int num_pieces,
                     const std::function<double(double)>& y);

}  // namespace hopfield::cli

#endif  // HOPFIELD_SRC_CLI_REPRODUCE_COMPARE_H_
