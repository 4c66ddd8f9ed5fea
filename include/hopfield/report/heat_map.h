#ifndef HOPFIELD_REPORT_HEAT_MAP_H_
#define HOPFIELD_REPORT_HEAT_MAP_H_

#include <string>
#include <vector>

namespace hopfield::report {

/// Numbers at places of a plane: squares whose tint tells the number, with a bar that explains it.
/// 0 has no tint; numbers > 0 tend to one colour, numbers < 0 to another one (told apart by readers
/// who do not tell red from green); NaN is an empty outline. y grows downward, as in pictures; both
/// axes have one scale. The side of a square is the step of the grid that the places lie on, or, if
/// they lie on none, sqrt(area / number of places).
struct HeatMap {
  std::string title;
  std::string description;  ///< for those who cannot see it; empty: title
  std::string x_label, y_label;
  std::string value_label;     ///< of the bar
  std::vector<double> x, y;    ///< [n] places, finite
  std::vector<double> values;  ///< [n]
};

/// One <svg> element for use inside a page; same input, same bytes. Errors: kInvalidArgument if the
/// sizes differ, there is no place, or one is not finite.
std::string svg(const HeatMap& map);

/// The same as a document of its own, for a file .svg.
std::string standalone_svg(const HeatMap& map);

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_HEAT_MAP_H_
