#include "hopfield/report/page.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include "hopfield/base/error.h"
#include "unit/report/xml_check.h"

namespace hopfield::report {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Page full_page() {
  Page page("Title <1> & more", "with `code` inside");
  Table table({{"name"}, {"value", Align::kRight}});
  table.add_row({"<script>alert(1)</script>", "1"});
  Plot plot;
  plot.title = "p";
  plot.series = {{.name = "s", .x = {0, 1}, .y = {0, 1}}};
  BarPlot bars;
  bars.categories = {"a"};
  bars.series = {{"b", {1}}};
  PictureGrid grid;
  grid.column_titles = {"cue"};
  grid.rows = {{"digit", {{{2, 1, {0, 1}}, "2 of 2", Verdict::kGood}}}};
  page.section("First")
      .paragraph("a `b < c` d")
      .list({"x", "y"})
      .note("n")
      .note("w", NoteKind::kWarning);
  page.section("Second")
      .heading("Part <1>")
      .tiles({{"1", "one", "detail"}})
      .table(table, "caption")
      .facts({{"k", "v & w"}});
  page.begin_row().plot(plot, "cap").plot(bars).end_row().pictures(grid, "pics").code("a < b\n");
  page.footer("foot");
  return page;
}

TEST(Page, IsWellFormed) {
  const XmlCheck xml(full_page().html());
  EXPECT_EQ(xml.fault(), "");
  EXPECT_EQ(xml.count("section"), 2u);
  EXPECT_EQ(xml.count("h3"), 1u);
  EXPECT_EQ(xml.count("table"), 1u);
  EXPECT_EQ(xml.count("figure"), 4u);
}

TEST(Page, EmptyPageIsWellFormed) {
  EXPECT_EQ(XmlCheck(Page("").html()).fault(), "");
}

TEST(Page, RowLeftOpenIsClosedByTheNextSectionAndByTheEnd) {
  Page page("t");
  page.section("a").begin_row().begin_stack().paragraph("x").section("b").begin_row().begin_stack();
  EXPECT_EQ(XmlCheck(page.html()).fault(), "");
}

TEST(Page, EscapesAllText) {
  const std::string html = full_page().html();
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(html.find("<code>b &lt; c</code>"), std::string::npos);
}

TEST(Page, LoneBacktickStaysText) {
  Page page("t");
  page.paragraph("one ` only");
  EXPECT_NE(page.html().find("one ` only"), std::string::npos);
}

TEST(Page, LoadsNothingAndRunsNothing) {
  const std::string html = full_page().html();
  for (const char* piece : {"http://", "https://", "src=", "@import", "url(", "<script", "<link"}) {
    std::size_t at = html.find(piece);
    // The name of the SVG vocabulary looks like an address and is none.
    while (at != html.npos && html.compare(at, 26, "http://www.w3.org/2000/svg") == 0) {
      at = html.find(piece, at + 1);
    }
    EXPECT_EQ(at, html.npos) << piece;
  }
}

TEST(Page, FollowsTheReadersLightOrDarkAndPrints) {
  const std::string html = full_page().html();
  EXPECT_NE(html.find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_NE(html.find("@media print"), std::string::npos);
  EXPECT_NE(html.find("width=device-width"), std::string::npos);
}

TEST(Page, NumbersFiguresAndTablesApart) {
  const std::string html = full_page().html();
  EXPECT_NE(html.find("<b>Table 1.</b> caption"), std::string::npos);
  EXPECT_NE(html.find("<b>Figure 1.</b> cap"), std::string::npos);
  EXPECT_NE(html.find("<b>Figure 3.</b> pics"), std::string::npos);
}

TEST(Page, SameCallsSameBytes) {
  EXPECT_EQ(full_page().html(), full_page().html());
}

TEST(Page, ListsSectionsOnlyFromTwoOn) {
  EXPECT_NE(full_page().html().find("<nav"), std::string::npos);
  Page page("t");
  page.section("only");
  EXPECT_EQ(page.html().find("<nav"), std::string::npos);
}

TEST(Page, WritesTheWholeFileOrNothing) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("hopfield_page_test_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const auto path = folder / "page.html";
  full_page().write(path);
  std::stringstream read;
  read << std::ifstream(path).rdbuf();
  EXPECT_EQ(read.str(), full_page().html());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
  std::filesystem::remove_all(folder);
  try {
    full_page().write(folder / "page.html");
    FAIL() << "wrote into a folder that is not there";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kIo);
  }
}

TEST(Picture, MergesRunsAndSkipsPaper) {
  const std::string text = svg(Picture{4, 2, {1, 1, 1, 0, 0, 0, 0, 0}}, "x");
  EXPECT_EQ(XmlCheck(text).fault(), "");
  EXPECT_NE(text.find("<path d=\"M0 0h3v1h-3z\"/>"), std::string::npos) << text;
  EXPECT_EQ(XmlCheck(text).count("path"), 1u);
}

TEST(Picture, GreyIsOpacityAndClamped) {
  const std::string text = svg(Picture{3, 1, {-4, 0.5f, 9}}, "x");
  EXPECT_NE(text.find("M2 0h1v1h-1z\"/>"), std::string::npos);                         // full ink
  EXPECT_NE(text.find("M1 0h1v1h-1z\" fill-opacity=\"0.508\"/>"), std::string::npos);  // 32 / 63
  EXPECT_EQ(text.find("M0 0"), std::string::npos);
}

TEST(Picture, UnknownIsUnlikeAnyGrey) {
  const std::string text = svg(Picture{2, 1, {kNan, 0}}, "x");
  EXPECT_NE(text.find("class=\"hf-unknown\" d=\"M0 0h1v1h-1z\""), std::string::npos);
  EXPECT_EQ(XmlCheck(text).fault(), "");
}

TEST(Picture, RefusesWrongSizes) {
  EXPECT_THROW(svg(Picture{2, 2, {0}}, "x"), Error);
  EXPECT_THROW(svg(Picture{0, 0, {}}, "x"), Error);
  EXPECT_THROW(svg(Picture{-1, -1, {0}}, "x"), Error);
}

TEST(Picture, GridSaysVerdictsInSigns) {
  PictureGrid grid;
  grid.rows = {
      {"<t>", {{{1, 1, {1}}, "good", Verdict::kGood}, {{1, 1, {1}}, "bad", Verdict::kBad}}}};
  const std::string text = html(grid);
  EXPECT_EQ(XmlCheck(text).fault(), "");
  EXPECT_NE(text.find("✓</span> good"), std::string::npos);
  EXPECT_NE(text.find("✗</span> bad"), std::string::npos);
  EXPECT_NE(text.find("&lt;t&gt;"), std::string::npos);
}

TEST(XmlCheck, FindsWhatIsWrong) {
  EXPECT_EQ(XmlCheck("<a b=\"c\"><d/>t &amp; u</a>").fault(), "");
  for (const char* bad : {"<a>", "<a></b>", "</a>", "<a b=c></a>", "<a b=\"1\" b=\"2\"/>", "a & b",
                          "<a x=\"<\"/>", "<a x=\"&nope;\"/>", "<a", "< a/>"}) {
    EXPECT_NE(XmlCheck(bad).fault(), "") << bad;
  }
}

}  // namespace
}  // namespace hopfield::report
