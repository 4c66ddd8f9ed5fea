#ifndef HOPFIELD_REPORT_SVG_WRITER_H_
#define HOPFIELD_REPORT_SVG_WRITER_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hopfield::report::internal {

/// Sizes in units of the drawing; text is 13 high.
inline constexpr double kPlotWidth = 480;
inline constexpr double kTextHeight = 13;
inline constexpr double kColumnWidth = 7.5;  ///< of one character, in the widest of the usual fonts

/// Width that `text` takes, estimated.
double text_width(std::string_view text);
/// `text` cut to `width`, with an ellipsis where something was cut.
std::string shortened(std::string_view text, double width);

/// How series number `index` (0, 1, ...) is told from the others.
struct Look {
  const char* css_class;  ///< gives the colour
  const char* dashes;     ///< stroke-dasharray, empty: solid
  int marker;             ///< 0..5
};
Look look_of(std::size_t index);
Look muted_look();

/// Puts together one <svg>. Text is escaped here; coordinates have two decimals.
class SvgWriter {
 public:
  enum class Anchor : unsigned char { kStart, kMiddle, kEnd };

  void line(double x1, double y1, double x2, double y2, std::string_view attributes);
  void rect(double x, double y, double width, double height, std::string_view attributes);
  void text(double x, double y, std::string_view text, Anchor anchor,
            std::string_view css_class = {});
  /// `text` along an upward line through (x, y), centred.
  void upward_text(double x, double y, std::string_view text);
  /// The marker `shape` at (x, y); `tip` is shown while pointing at it, if not empty.
  void marker(double x, double y, int shape, std::string_view tip = {});
  void raw(std::string_view piece) { body_ += piece; }
  /// A rectangle whose content is clipped at its border; close with raw("</svg>\n").
  void open_clip(double x, double y, double width, double height);

  /// Title and legend from the top down; returns the first free y.
  struct LegendEntry {
    std::string name;
    Look look;
    bool line = true, marker = false, swatch = false;
  };
  double header(const std::string& title, const std::vector<LegendEntry>& legend);

  /// The element around all that was written.
  std::string finish(double height, const std::string& label) const;

 private:
  std::string body_;
};

}  // namespace hopfield::report::internal

#endif  // HOPFIELD_REPORT_SVG_WRITER_H_
