#include "hopfield/report/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

#include "hopfield/base/error.h"
#include "hopfield/report/format.h"

namespace hopfield::report {
namespace {

constexpr int kGreyLevels = 64;

/// 0 for paper, 1..63 for ink, -1 for unknown.
int level_of(float value) {
  if (std::isnan(value)) return -1;
  return static_cast<int>(std::lround(std::clamp(value, 0.0f, 1.0f) * float{kGreyLevels - 1}));
}

/// Rectangles of height 1 over the runs of pixels that `belongs` accepts.
template <class Predicate>
std::string runs(const Picture& picture, const Predicate& belongs) {
  std::string path;
  const auto width = static_cast<std::size_t>(picture.width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(picture.height); ++y) {
    const float* row = picture.pixels.data() + y * width;
    for (std::size_t x = 0; x < width;) {
      const std::size_t from = x;
      while (x < width && belongs(row[x])) ++x;
      if (x > from) {
        const std::string length = std::to_string(x - from);
        path += "M" + std::to_string(from) + " " + std::to_string(y) + "h" + length + "v1h-" +
                length + "z";
      } else {
        ++x;
      }
    }
  }
  return path;
}

/// A diagonal stroke in each unknown pixel.
std::string strokes(const Picture& picture) {
  std::string path;
  const auto width = static_cast<std::size_t>(picture.width);
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
    if (!std::isnan(picture.pixels[i])) continue;
    path += "M" + std::to_string(i % width) + ".2 " + std::to_string(i / width) + ".8l.6 -.6";
  }
  return path;
}

}  // namespace

std::string svg(const Picture& picture, const std::string& label) {
  const auto pixels =
      picture.width >= 1 && picture.height >= 1
          ? static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height)
          : 0;
  require(pixels > 0 && pixels == picture.pixels.size(), "svg",
          "expected width * height pixels, got " + std::to_string(picture.width) + " * " +
              std::to_string(picture.height) + " and " + std::to_string(picture.pixels.size()) +
              " pixels");
  std::array<bool, kGreyLevels> used{};
  bool any_unknown = false;
  for (const float value : picture.pixels) {
    const int level = level_of(value);
    if (level < 0) {
      any_unknown = true;
    } else {
      used[static_cast<std::size_t>(level)] = true;
    }
  }
  const std::string w = std::to_string(picture.width), h = std::to_string(picture.height);
  std::string out =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hf-picture\" viewBox=\"0 0 " + w + " " +
      h + "\" fill=\"currentColor\" shape-rendering=\"crispEdges\" role=\"img\" " +
      "aria-label=\"" + escape(label) + "\">";
  for (int level = 1; level < kGreyLevels; ++level) {
    if (!used[static_cast<std::size_t>(level)]) continue;
    out += "<path d=\"" + runs(picture, [level](float v) { return level_of(v) == level; }) + "\"";
    if (level < kGreyLevels - 1) {
      out += " fill-opacity=\"" + fixed(static_cast<double>(level) / (kGreyLevels - 1), 3) + "\"";
    }
    out += "/>";
  }
  if (any_unknown) {
    out +=
        "<path class=\"hf-unknown\" d=\"" + runs(picture, [](float v) { return std::isnan(v); }) +
        "\"/><path class=\"hf-unknown-mark\" stroke-width=\".12\" shape-rendering=\"auto\" d=\"" +
        strokes(picture) + "\"/>";
  }
  out += "</svg>";
  return out;
}

std::string html(const PictureGrid& grid) {
  std::size_t widest = 1;
  for (const PictureGrid::Row& row : grid.rows) widest = std::max(widest, row.cells.size());
  const int card_width = std::clamp(grid.picture_width, 16, 600) * static_cast<int>(widest) +
                         8 * static_cast<int>(widest - 1) + 22;
  std::string out =
      "<div class=\"hf-cards\" style=\"grid-template-columns:repeat(auto-fill,minmax(min(100%," +
      std::to_string(card_width) + "px),1fr))\">\n";
  for (const PictureGrid::Row& row : grid.rows) {
    out += "<div class=\"hf-card\">";
    if (!row.title.empty()) out += "<p class=\"hf-card-title\">" + escape(row.title) + "</p>";
    out += "<div class=\"hf-cells\">\n";
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const PictureCell& cell = row.cells[c];
      const std::string column = c < grid.column_titles.size() ? grid.column_titles[c] : "";
      std::string label = row.title;
      for (const std::string& part : {column, cell.caption}) {
        if (!part.empty()) label += (label.empty() ? "" : ", ") + part;
      }
      out += "<div class=\"hf-cell\">" + svg(cell.picture, label);
      if (!column.empty()) out += "<span class=\"hf-caption\">" + escape(column) + "</span>";
      if (!cell.caption.empty() || cell.verdict != Verdict::kNone) {
        out += "<span class=\"hf-caption\">";
        if (cell.verdict == Verdict::kGood) out += "<span class=\"hf-good\">✓</span> ";
        if (cell.verdict == Verdict::kBad) out += "<span class=\"hf-bad\">✗</span> ";
        out += escape(cell.caption) + "</span>";
      }
      out += "</div>\n";
    }
    out += "</div></div>\n";
  }
  out += "</div>\n";
  return out;
}

}  // namespace hopfield::report
