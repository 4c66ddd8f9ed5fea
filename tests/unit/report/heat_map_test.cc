#include "hopfield/report/heat_map.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "hopfield/base/error.h"
#include "unit/report/xml_check.h"

namespace hopfield::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t occurrences(const std::string& text, const std::string& piece) {
  std::size_t count = 0;
  for (std::size_t at = text.find(piece); at != text.npos; at = text.find(piece, at + 1)) ++count;
  return count;
}

/// A grid of three by two with a step of 10, one place of it empty.
HeatMap grid() {
  return {.title = "slide <1>",
          .description = "",
          .x_label = "x",
          .y_label = "y",
          .value_label = "effect",
          .x = {0, 10, 20, 0, 20},
          .y = {0, 0, 0, 10, 10},
          .values = {1, -2, 0, kNan, 0.5}};
}

TEST(HeatMap, IsWellFormedAndEscaped) {
  const std::string text = svg(grid());
  const XmlCheck xml(text);
  EXPECT_EQ(xml.fault(), "");
  EXPECT_NE(xml.all_text().find("slide &lt;1&gt;"), std::string::npos);
  EXPECT_EQ(XmlCheck(standalone_svg(grid())).fault(), "");
  EXPECT_EQ(svg(grid()), text);
}

TEST(HeatMap, TellsSignAndSizeAndWhatIsUnknown) {
  const std::string text = svg(grid());
  // Tips are on squares, not on the steps of the bar.
  const auto square = [&](const std::string& tip) {
    const std::size_t at = text.find("<title>" + tip + "</title>");
    EXPECT_NE(at, text.npos) << tip;
    return text.substr(at, text.find("</g>", at) - at);
  };
  EXPECT_NE(square("1").find("hf-c2"), std::string::npos);
  EXPECT_NE(square("1").find("fill-opacity=\"0.500\""), std::string::npos);
  EXPECT_NE(square("-2").find("hf-c1"), std::string::npos);
  EXPECT_NE(square("-2").find("fill-opacity=\"1.000\""), std::string::npos);
  EXPECT_NE(square("0").find("fill-opacity=\"0.000\""), std::string::npos);
  EXPECT_EQ(occurrences(text, "<title>"), 4u);
  EXPECT_EQ(occurrences(text, "class=\"hf-grid\" fill=\"none\""), 1u);
}

TEST(HeatMap, SquaresHaveTheSideOfTheGrid) {
  // Three by two squares in 366 by 244: 122 each.
  EXPECT_GE(occurrences(svg(grid()), "width=\"122\" height=\"122\""), 5u);
  HeatMap scattered = grid();
  scattered.x = {0, 1.37, 9, 3.3, 10};
  scattered.y = {0, 5, 2.2, 8, 10};
  EXPECT_EQ(XmlCheck(svg(scattered)).fault(), "");
  EXPECT_EQ(occurrences(svg(scattered), "width=\"122\""), 0u);
}

TEST(HeatMap, OnePlaceAndEqualValuesAreDrawn) {
  const HeatMap one = {.title = "",
                       .description = "",
                       .x_label = "",
                       .y_label = "",
                       .value_label = "",
                       .x = {3},
                       .y = {4},
                       .values = {0}};
  const std::string text = svg(one);
  EXPECT_EQ(XmlCheck(text).fault(), "");
  EXPECT_NE(text.find("all 0"), std::string::npos);
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(text.find("inf"), std::string::npos);
}

TEST(HeatMap, RefusesPlacesThatAreNone) {
  HeatMap map = grid();
  map.y.pop_back();
  EXPECT_THROW(svg(map), Error);
  map = grid();
  map.x[2] = kNan;
  EXPECT_THROW(svg(map), Error);
  EXPECT_THROW(svg(HeatMap{}), Error);
}

}  // namespace
}  // namespace hopfield::report
