#include "hopfield/report/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "hopfield/base/error.h"
#include "hopfield/report/table.h"

namespace hopfield::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Format, FixedRoundsToTheDecimalsAsked) {
  EXPECT_EQ(fixed(0.94666, 3), "0.947");
  EXPECT_EQ(fixed(2, 0), "2");
  EXPECT_EQ(fixed(-1.5, 1), "-1.5");
  EXPECT_EQ(signed_fixed(0.0123, 3), "+0.012");
  EXPECT_EQ(signed_fixed(-0.0123, 3), "-0.012");
  EXPECT_EQ(signed_fixed(-0.0001, 3), "+0.000");
  EXPECT_EQ(signed_fixed(std::numeric_limits<double>::quiet_NaN(), 3), "n/a");
  EXPECT_EQ(fixed(1e20, 0), "100000000000000000000");
  EXPECT_EQ(fixed(std::numeric_limits<double>::max(), 17).size(), 309u + 1 + 17);
}

TEST(Format, WhatRoundsToZeroHasNoSign) {
  EXPECT_EQ(fixed(-0.0004, 3), "0.000");
  EXPECT_EQ(fixed(-0.0, 0), "0");
  EXPECT_EQ(fixed(-0.0006, 3), "-0.001");
  EXPECT_EQ(general(-0.0), "0");
}

TEST(Format, NumbersThatAreNoneHaveNames) {
  EXPECT_EQ(fixed(kNan, 3), "n/a");
  EXPECT_EQ(fixed(-kInf, 3), "-inf");
  EXPECT_EQ(general(kInf), "inf");
  EXPECT_EQ(plus_minus(kNan, 0.1, 2), "n/a");
  EXPECT_EQ(plus_minus(0.5, kNan, 2), "0.50");
  EXPECT_EQ(plus_minus(0.5, 0.1, 2), "0.50 ± 0.10");
}

TEST(Format, GeneralKeepsSignificantDigitsOnly) {
  EXPECT_EQ(general(0.000012345, 3), "1.23e-05");
  EXPECT_EQ(general(1234.5678, 6), "1234.57");
  EXPECT_EQ(general(100), "100");
  EXPECT_EQ(general(0.1, 17), "0.10000000000000001");
}

TEST(Format, RefusesImpossibleDigits) {
  EXPECT_THROW(fixed(1, -1), Error);
  EXPECT_THROW(fixed(1, 18), Error);
  EXPECT_THROW(general(1, 0), Error);
}

TEST(Format, GroupsThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1797), "1\u202F797");
  EXPECT_EQ(grouped(-1234567), "-1\u202F234\u202F567");
  EXPECT_EQ(grouped(-123), "-123");
}

TEST(Format, SecondsChangeUnit) {
  EXPECT_EQ(seconds(0.4236), "0.42 s");
  EXPECT_EQ(seconds(9.994), "9.99 s");
  EXPECT_EQ(seconds(9.996), "10 s");
  EXPECT_EQ(seconds(119.4), "119 s");
  EXPECT_EQ(seconds(119.6), "2 min 00 s");
  EXPECT_EQ(seconds(725.2), "12 min 05 s");
  EXPECT_EQ(seconds(kNan), "n/a s");
}

TEST(Format, DisplayWidthCountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("β±ü"), 3u);
  EXPECT_EQ(display_width("e\u0301"), 1u);   // combining accent
  EXPECT_EQ(display_width("記憶"), 4u);      // wide
  EXPECT_EQ(display_width("\xff\xc3"), 2u);  // two broken bytes
  EXPECT_EQ(display_width(""), 0u);
}

TEST(Format, EscapesWhatMeansSomethingToHtml) {
  EXPECT_EQ(escape("<a href=\"x\">'&'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(escape("β is 5 µm"), "β is 5 µm");
  EXPECT_EQ(escape("tab\tline\n"), "tab\tline\n");
}

TEST(Format, EscapeReplacesWhatXmlForbids) {
  EXPECT_EQ(escape(std::string("a\0b\x1b", 4)), "a\uFFFDb\uFFFD");
  EXPECT_EQ(escape("\xff"), "\uFFFD");
  EXPECT_EQ(escape("\xc0\xaf"), "\uFFFD\uFFFD");            // overlong '/'
  EXPECT_EQ(escape("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // surrogate
  EXPECT_EQ(escape("x\xe2\x82"), "x\uFFFD\uFFFD");          // cut
  EXPECT_EQ(escape("\xf4\x90\x80\x80").size(), 4u * 3);     // beyond U+10FFFF
  EXPECT_EQ(escape("\xef\xbf\xbf"), "\uFFFD");              // U+FFFF
}

TEST(Table, AlignsByDisplayWidth) {
  Table table({{"name"}, {"β", Align::kRight}});
  table.add_row({"ü", "1.5"}).add_row({"記憶", "10"});
  EXPECT_EQ(table.text(),
            "name    β\n"
            "────  ───\n"
            "ü     1.5\n"
            "記憶   10\n");
}

TEST(Table, MarksStrongRowsAndRules) {
  Table table({{"a"}, {"b"}});
  table.add_row({"x", "y"}).add_rule().add_row({"z"}, true);
  EXPECT_EQ(table.text(),
            "  a  b\n"
            "  ─  ─\n"
            "  x  y\n"
            "  ─  ─\n"
            "* z\n");
  EXPECT_NE(table.html().find("<tr class=\"hf-strong hf-rule\"><td>z</td><td></td></tr>"),
            std::string::npos);
}

TEST(Table, EscapesCellsOnPagesAndKeepsLinesInTerminals) {
  Table table({{"<b>"}});
  table.add_row({"a\nb & c"});
  EXPECT_EQ(table.text(), "<b>\n───────\na b & c\n");
  EXPECT_NE(table.html().find("&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(table.html().find("<b>"), std::string::npos);
}

TEST(Table, MarkdownHasOneLineARowAndBoldStrongOnes) {
  Table table({{"model"}, {"AUC", Align::kRight}});
  table.add_row({"ours", "0.9"}, /*strong=*/true).add_rule().add_row({"a|b\nc"});
  EXPECT_EQ(table.markdown(),
            "| model | AUC |\n| --- | ---: |\n| **ours** | **0.9** |\n| a\\|b c |  |\n");
}

TEST(Table, RefusesMoreCellsThanColumnsAndNoColumns) {
  Table table({{"a"}});
  EXPECT_THROW(table.add_row({"1", "2"}), Error);
  EXPECT_THROW(Table({}), Error);
  EXPECT_EQ(table.num_rows(), 0u);
}

}  // namespace
}  // namespace hopfield::report
