#ifndef HOPFIELD_REPORT_PICTURE_H_
#define HOPFIELD_REPORT_PICTURE_H_

#include <string>
#include <vector>

namespace hopfield::report {

/// A grey picture, row-major. 0 is paper, 1 is ink; values beyond are clamped; NaN is "unknown" and
/// is drawn as a hatched tint, unlike any grey.
struct Picture {
  int width = 0, height = 0;
  std::vector<float> pixels;  ///< [height, width]
};

enum class Verdict : unsigned char { kNone, kGood, kBad };

/// A picture in a grid. The verdict shows as a tick or a cross before the caption, not by colour
/// alone.
struct PictureCell {
  Picture picture;
  std::string caption = {};
  Verdict verdict = Verdict::kNone;
};

/// Pictures in rows and columns.
struct PictureGrid {
  std::vector<std::string> column_titles;  ///< or empty
  /// One row: its title (may be empty) and its pictures.
  struct Row {
    std::string title;
    std::vector<PictureCell> cells;
  };
  std::vector<Row> rows;
  int picture_width = 72;  ///< of each picture, in CSS pixels; narrow screens shrink it
};

/// One <svg> element of crisp squares (64 grey levels, runs of equal pixels merged), whose ink is
/// the page's text colour. `label` is read to those who cannot see it. Same input, same bytes.
/// Errors: kInvalidArgument if the number of pixels is not width * height or a side is < 1.
std::string svg(const Picture& picture, const std::string& label);

/// A <div> with the grid. Errors: as svg.
std::string html(const PictureGrid& grid);

}  // namespace hopfield::report

#endif  // HOPFIELD_REPORT_PICTURE_H_
