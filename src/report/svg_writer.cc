#include "report/svg_writer.h"

#include <array>

#include "hopfield/report/format.h"
#include "report/axis.h"
#include "report/utf8.h"

namespace hopfield::report::internal {

double text_width(std::string_view text) {
  return kColumnWidth * static_cast<double>(display_width(text));
}

std::string shortened(std::string_view text, double width) {
  if (text_width(text) <= width) return std::string(text);
  const auto columns = static_cast<std::size_t>(width / kColumnWidth);
  return std::string(prefix_of_width(text, columns > 1 ? columns - 1 : 0)) + "…";
}

Look look_of(std::size_t index) {
  static constexpr std::array<Look, 6> kLooks = {{{"hf-c1", "", 0},
                                                  {"hf-c2", "8 3", 1},
                                                  {"hf-c3", "2.5 2.5", 2},
                                                  {"hf-c4", "10 3 2.5 3", 3},
                                                  {"hf-c5", "5 2.5", 4},
                                                  {"hf-c6", "1.5 3.5", 5}}};
  return kLooks[index % kLooks.size()];
}

Look muted_look() {
  return {"hf-muted", "4 4", 0};
}

void SvgWriter::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  body_ += "<line x1=\"" + coordinate(x1) + "\" y1=\"" + coordinate(y1) + "\" x2=\"" +
           coordinate(x2) + "\" y2=\"" + coordinate(y2) + "\" ";
  body_ += attributes;
  body_ += "/>\n";
}

void SvgWriter::rect(double x, double y, double width, double height, std::string_view attributes) {
  body_ += "<rect x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\" width=\"" +
           coordinate(width) + "\" height=\"" + coordinate(height) + "\" ";
  body_ += attributes;
  body_ += "/>\n";
}

void SvgWriter::text(double x, double y, std::string_view text, Anchor anchor,
                     std::string_view css_class) {
  body_ += "<text x=\"" + coordinate(x) + "\" y=\"" + coordinate(y) + "\"";
  if (anchor == Anchor::kMiddle) body_ += " text-anchor=\"middle\"";
  if (anchor == Anchor::kEnd) body_ += " text-anchor=\"end\"";
  if (!css_class.empty()) body_ += " class=\"" + std::string(css_class) + "\"";
  body_ += ">" + escape(text) + "</text>\n";
}

void SvgWriter::upward_text(double x, double y, std::string_view text) {
  body_ += "<text transform=\"translate(" + coordinate(x) + " " + coordinate(y) +
           ") rotate(-90)\" text-anchor=\"middle\" class=\"hf-axis-label\">" + escape(text) +
           "</text>\n";
}

void SvgWriter::marker(double x, double y, int shape, std::string_view tip) {
  const auto at = [&](double dx, double dy) {
    return coordinate(x + dx) + " " + coordinate(y + dy);
  };
  std::string element;
  switch (shape) {
    case 1:
      element = "path d=\"M" + at(-3.1, -3.1) + "h6.2v6.2h-6.2z\"";
      break;
    case 2:
      element = "path d=\"M" + at(0, -4.2) + "L" + at(3.9, 2.9) + "L" + at(-3.9, 2.9) + "z\"";
      break;
    case 3:
      element = "path d=\"M" + at(0, -4.4) + "L" + at(4.4, 0) + "L" + at(0, 4.4) + "L" +
                at(-4.4, 0) + "z\"";
      break;
    case 4:
      element = "path d=\"M" + at(0, 4.2) + "L" + at(3.9, -2.9) + "L" + at(-3.9, -2.9) + "z\"";
      break;
    case 5:
      element = "path class=\"hf-open\" d=\"M" + at(-3.4, -3.4) + "l6.8 6.8M" + at(-3.4, 3.4) +
                "l6.8 -6.8\"";
      break;
    default:
      element = "circle cx=\"" + coordinate(x) + "\" cy=\"" + coordinate(y) + "\" r=\"3.4\"";
  }
  const std::string name = element.substr(0, element.find(' '));
  body_ += "<" + element;
  body_ += tip.empty() ? "/>\n" : "><title>" + escape(tip) + "</title></" + name + ">\n";
}

void SvgWriter::open_clip(double x, double y, double width, double height) {
  const std::string w = coordinate(width), h = coordinate(height), px = coordinate(x),
                    py = coordinate(y);
  body_ += "<svg x=\"" + px + "\" y=\"" + py + "\" width=\"" + w + "\" height=\"" + h +
           "\" viewBox=\"" + px + " " + py + " " + w + " " + h + "\" overflow=\"hidden\">\n";
}

double SvgWriter::header(const std::string& title, const std::vector<LegendEntry>& legend) {
  constexpr double kSwatch = 26, kGap = 14, kLineHeight = 19;
  double y = 4;
  if (!title.empty()) {
    y += 14;
    text(4, y, shortened(title, (kPlotWidth - 8) * 0.93), Anchor::kStart, "hf-title");
    y += 6;
  }
  double x = 4;
  bool any = false;
  for (const LegendEntry& entry : legend) {
    if (entry.name.empty()) continue;
    const std::string name = shortened(entry.name, kPlotWidth - kSwatch - 16);
    const double width = kSwatch + 5 + text_width(name);
    if (any && x + width > kPlotWidth - 4) {
      x = 4;
      y += kLineHeight;
    }
    const double middle = y + kLineHeight / 2;
    raw("<g class=\"hf-series " + std::string(entry.look.css_class) + "\">\n");
    if (entry.swatch) rect(x + 6, middle - 5.5, 12, 11, "class=\"hf-bar\"");
    if (entry.line) {
      const std::string dashes =
          *entry.look.dashes ? " stroke-dasharray=\"" + std::string(entry.look.dashes) + "\"" : "";
      line(x, middle, x + kSwatch, middle, "class=\"hf-line\"" + dashes);
    }
    if (entry.marker) marker(x + kSwatch / 2, middle, entry.look.marker);
    raw("</g>\n");
    text(x + kSwatch + 5, middle + 4.5, name, Anchor::kStart);
    x += width + kGap;
    any = true;
  }
  return any ? y + kLineHeight + 4 : y;
}

std::string SvgWriter::finish(double height, const std::string& label) const {
  const std::string w = coordinate(kPlotWidth), h = coordinate(height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hf-plot\" viewBox=\"0 0 " + w + " " +
         h + "\" width=\"" + w + "\" height=\"" + h + "\" role=\"img\" aria-label=\"" +
         escape(label) + "\">\n" + body_ + "</svg>\n";
}

}  // namespace hopfield::report::internal
