#include "hopfield/store/csv.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <clocale>
#include <cmath>

#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

using test::TempFolder;

std::string gzip(const std::string& text) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  std::string in = text;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

/// All rows as "cell|cell;cell|cell;".
std::string all_text(const std::string& path, const CsvOptions& options = {}) {
  CsvReader reader(path, options);
  std::string text;
  while (reader.next()) {
    for (std::size_t i = 0; i < reader.columns().size(); ++i) {
      text += (i > 0 ? "|" : "") + std::string(reader.text(i));
    }
    text += ";";
  }
  return text;
}

TEST(Csv, ReadsNamesNumbersAndText) {
  const TempFolder folder;
  CsvReader reader(folder.write("t.csv", "id,x,y\na,1.5,-2\nb,+3e2,.5\n"));
  EXPECT_EQ(reader.columns(), (std::vector<std::string>{"id", "x", "y"}));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.text(0), "a");
  EXPECT_EQ(reader.number(1), 1.5);
  EXPECT_EQ(reader.integer(2), -2);
  EXPECT_EQ(reader.row(), 1);
  EXPECT_EQ(reader.line(), 2);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.number(1), 300.0);
  EXPECT_EQ(reader.number(2), 0.5);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.column("y"), 2u);
  EXPECT_TRUE(reader.has_column("x"));
  EXPECT_FALSE(reader.has_column("z"));
}

TEST(Csv, NumbersAreExactWhateverTheLocale) {
  const TempFolder folder;
  const std::string path =
      folder.write("t.csv", "a,b,c,d,e\n0.1,1e-310,1e-400,-1e-5000,1.7976931348623157e308\n");
  for (const char* locale : {"C", "de_DE.UTF-8"}) {
    std::setlocale(LC_ALL, locale);
    CsvReader reader(path);
    ASSERT_TRUE(reader.next());
    EXPECT_EQ(reader.number(0), 0.1);
    EXPECT_EQ(reader.number(1), 1e-310);
    EXPECT_EQ(reader.number(2), 0.0);
    EXPECT_EQ(reader.number(3), 0.0);
    EXPECT_EQ(reader.number(4), 1.7976931348623157e308);
  }
  std::setlocale(LC_ALL, "C");
}

TEST(Csv, QuotesDelimitersAndLineEnds) {
  const TempFolder folder;
  EXPECT_EQ(all_text(folder.write("q.csv", "a,b\n\"x, y\",\"say \"\"hi\"\"\"\n")),
            "x, y|say \"hi\";");
  EXPECT_EQ(all_text(folder.write("n.csv", "a,b\n\"two\nlines\",1\nz,2\n")), "two\nlines|1;z|2;");
  EXPECT_EQ(all_text(folder.write("crlf.csv", "a,b\r\n1,2\r\n\r\n3,4\r\n")), "1|2;3|4;");
  EXPECT_EQ(all_text(folder.write("cr.csv", "a,b\r1,2\r3,4")), "1|2;3|4;");
  EXPECT_EQ(all_text(folder.write("end.csv", "a,b\n1,2")), "1|2;");
  EXPECT_EQ(all_text(folder.write("space.csv", " a , b \n 1 ,\t2\n   \n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("empty.csv", "a,b\n,\n\"\",x\n")), "|;|x;");
  EXPECT_EQ(all_text(folder.write("t.tsv", "a\tb\n1,5\t2 3\n\t\n")), "1,5|2 3;|;");
  EXPECT_EQ(all_text(folder.write("inch.tsv", "a\tb\n5\" pipe\t2\n")), "5\" pipe|2;");
  EXPECT_EQ(all_text(folder.write("t.TSV", "a\tb\n1\t2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("s.csv", "a;b\n1;2\n"), {';', true}), "1|2;");
  EXPECT_EQ(all_text(folder.write("bom.csv",
                                  "\xEF\xBB\xBF"
                                  "a,b\n1,2\n")),
            "1|2;");
  EXPECT_EQ(all_text(folder.write("header.csv", "a,b\n")), "");
}

TEST(Csv, TheFirstLineShowsTheDelimiter) {
  const TempFolder folder;
  EXPECT_EQ(all_text(folder.write("s.csv", "a;b;c\r\n1;2;x,y\r\n")), "1|2|x,y;");
  EXPECT_EQ(all_text(folder.write("t.csv", "\n\na\tb\n1\t2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("t.txt", "a\tb\r1\t2")), "1|2;");
  EXPECT_EQ(all_text(folder.write("c.tsv", "a,b\n1,2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("q.csv", "\"a;b;c\",d\n1,2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("bom.csv", "\xEF\xBB\xBF\"a, b\";c\n1;2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("s.csv.gz", gzip("a;b\n1;2\n"))), "1|2;");
  // As many of each: the name of the file decides.
  EXPECT_EQ(all_text(folder.write("even.csv", "a;x,b\n1,2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("even.tsv", "a,x\tb\n1\t2\n")), "1|2;");
  EXPECT_EQ(all_text(folder.write("one.csv", "a\n1;2\n")), "1;2;");
  // A first line longer than the buffer.
  EXPECT_EQ(CsvReader(folder.write("long.csv", std::string(300000, 'a') + ";b\n")).columns().size(),
            1u);
  EXPECT_EQ(
      CsvReader(folder.write("long.csv", "b;" + std::string(300000, 'a') + "\n")).columns()[0],
      "b");
}

TEST(Csv, WithoutHeaderColumnsAreNumbered) {
  const TempFolder folder;
  CsvReader reader(folder.write("t.csv", "5,6\n7,8\n"), {0, false});
  EXPECT_EQ(reader.columns(), (std::vector<std::string>{"1", "2"}));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.number(0), 5);
  EXPECT_EQ(reader.row(), 1);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.number(1), 8);
  EXPECT_FALSE(reader.next());
}

TEST(Csv, GzipIsFoundByContent) {
  const TempFolder folder;
  const std::string text = "a,b\n1,2\n3,4\n";
  EXPECT_EQ(all_text(folder.write("t.csv.gz", gzip(text))), "1|2;3|4;");
  EXPECT_EQ(all_text(folder.write("t.csv", gzip(text))), "1|2;3|4;");
  // Members one after the other, as `cat a.gz b.gz` makes them.
  EXPECT_EQ(all_text(folder.write("two.csv.gz", gzip("a,b\n1,") + gzip("2\n3,4\n"))), "1|2;3|4;");
}

TEST(Csv, TruncatedGzipIsFoundAtEveryByte) {
  const TempFolder folder;
  std::string text = "a,b\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(i * i) + "," + std::to_string(i) + "\n";
  const std::string whole = gzip(text);
  const std::string path = folder.write("t.csv.gz", whole);
  EXPECT_NO_THROW(all_text(path));
  for (std::size_t size = whole.size(); size-- > 0;) {
    std::filesystem::resize_file(path, size);
    EXPECT_ERROR(all_text(path), kCorruptData, "t.csv.gz");
  }
  EXPECT_ERROR(all_text(folder.write("t.csv.gz", whole.substr(0, whole.size() / 2))), kCorruptData,
               "the file is truncated");
}

TEST(Csv, DamagedGzipIsFound) {
  const TempFolder folder;
  const std::string whole = gzip("a,b\n1,2\n3,4\n");
  std::string damaged = whole;
  damaged[whole.size() - 6] ^= 1;  // the checksum
  EXPECT_ERROR(all_text(folder.write("t.csv.gz", damaged)), kCorruptData, "damaged gzip data");
  EXPECT_ERROR(all_text(folder.write("t.csv.gz", whole + "rubbish")), kCorruptData,
               "damaged gzip data");
  EXPECT_ERROR(all_text(folder.write("t.csv.gz", "a,b\n1,2\n")), kCorruptData,
               "expected gzip data (the name ends in .gz)");
}

TEST(Csv, ErrorsNameFileLineAndColumn) {
  const TempFolder folder;
  const auto numbers = [&](const std::string& text) {
    read_csv_matrix(folder.write("t.csv", text));
  };
  EXPECT_ERROR(numbers("x,y\n1,2\n3,nan\n"), kCorruptData,
               "t.csv', line 3, column 'y' (row 2): expected a finite number, got 'nan'");
  EXPECT_ERROR(numbers("x,y\n1,\n"), kCorruptData,
               "column 'y' (row 1): expected a finite number, "
               "got an empty cell");
  EXPECT_ERROR(numbers("x,y\n\n1,two\n"), kCorruptData, "line 3, column 'y' (row 1)");
  EXPECT_ERROR(numbers("x,y\n1,inf\n"), kCorruptData, "got 'inf'");
  EXPECT_ERROR(numbers("x,y\n1,1e999\n"), kCorruptData, "got '1e999'");
  EXPECT_ERROR(numbers("x,y\n1,2x\n"), kCorruptData, "got '2x'");
  EXPECT_ERROR(numbers("x,y\n1,0x10\n"), kCorruptData, "got '0x10'");
  EXPECT_ERROR(numbers("x,y\n1,+-2\n"), kCorruptData, "got '+-2'");
  EXPECT_ERROR(numbers("x,y\n1,1 2\n"), kCorruptData, "got '1 2'");
  EXPECT_ERROR(numbers("x,y\n1\n"), kCorruptData,
               "line 2: expected 2 cells, as many as columns, "
               "got 1 (row 1)");
  EXPECT_ERROR(numbers("x,y\n1,2\n1,2,3\n"), kCorruptData, "line 3: expected 2 cells");
  EXPECT_ERROR(numbers("x,y\n\"a\nb\",1\n1\n"), kCorruptData, "line 2, column 'x' (row 1)");
  EXPECT_ERROR(numbers("x,y,x\n1,2,3\n"), kCorruptData,
               "line 1: expected each column name once, got 'x' as column 1 and 3");
  EXPECT_ERROR(numbers("x,,z\n"), kCorruptData, "got none for column 2");
  EXPECT_ERROR(numbers(",x\n0,1\n"), kCorruptData, "got none for column 1; is it the index");
  EXPECT_ERROR(numbers("x,F\xE4rbung\n1,2\n"), kCorruptData,
               "UTF-8, got other bytes in the name of column 2");
  EXPECT_ERROR(numbers("x;y\n1;0,5\n"), kCorruptData, "got '0,5'; write decimals with a point");
  EXPECT_ERROR(numbers(""), kCorruptData, "got an empty file");
  EXPECT_ERROR(numbers("\n\n"), kCorruptData, "got an empty file");
  EXPECT_ERROR(numbers("x,y\n\"1,2\n3,4\n"), kCorruptData, "line 2: expected a closing quote");
  EXPECT_ERROR(numbers("\xFF\xFEx"), kCorruptData, "UTF-16");
  EXPECT_ERROR(CsvReader(folder / "missing.csv"), kIo, "missing.csv': no such file");
  EXPECT_ERROR(CsvReader{folder.path()}, kInvalidArgument, "expected a file");
}

TEST(Csv, ErrorsOfNumbersEndWithTheCallersRemedy) {
  const TempFolder folder;
  CsvReader reader(folder.write("t.csv", "x\nno\n"));
  ASSERT_TRUE(reader.next());
  EXPECT_ERROR(reader.number(0, "try again"), kCorruptData, "got 'no'; try again");
}

TEST(Csv, WholeNumbersMustBeWhole) {
  const TempFolder folder;
  CsvReader reader(folder.write("t.csv", "n\n1.5\n99999999999999999999\n-7\n"));
  ASSERT_TRUE(reader.next());
  EXPECT_ERROR(reader.integer(0), kCorruptData, "expected a whole number, got '1.5'");
  ASSERT_TRUE(reader.next());
  EXPECT_ERROR(reader.integer(0), kCorruptData, "expected a whole number");
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.integer(0), -7);
}

TEST(Csv, UnknownColumnListsAndGuesses) {
  const TempFolder folder;
  const CsvReader reader(folder.write("t.csv", "bag_id,label\n1,0\n"));
  EXPECT_ERROR(reader.column("bag_di"), kInvalidArgument,
               "expected a column 'bag_di', got only 'bag_id', 'label'; did you mean 'bag_id'?");
}

TEST(Csv, MatrixTakesTheColumnsAskedFor) {
  const TempFolder folder;
  const std::string path = folder.write("t.csv", "name,x,y\na,1,2\nb,3,4\n");
  const std::vector<std::string> wanted = {"y", "x"};
  const CsvMatrix matrix = read_csv_matrix(path, wanted);
  EXPECT_EQ(matrix.rows, 2);
  EXPECT_EQ(matrix.columns, wanted);
  EXPECT_EQ(matrix.values, (std::vector<double>{2, 1, 4, 3}));
}

TEST(Csv, LargeFilesCrossManyBuffers) {
  const TempFolder folder;
  // Cells of very different lengths, one longer than the read buffer, so that rows straddle it.
  std::string text = "number,text\n";
  double sum = 0;
  for (int i = 0; i < 50000; ++i) {
    const std::size_t length = i == 25000 ? 700000 : static_cast<std::size_t>(i % 37);
    text += std::to_string(i) + "," + std::string(length, 'x') + "\n";
    sum += i;
  }
  for (const std::string& path :
       {folder.write("t.csv", text), folder.write("t.csv.gz", gzip(text))}) {
    CsvReader reader(path);
    double seen = 0;
    while (reader.next()) {
      const auto i = static_cast<std::int64_t>(reader.row() - 1);
      ASSERT_EQ(reader.line(), i + 2);
      ASSERT_EQ(reader.integer(0), i);
      ASSERT_EQ(reader.text(1).size(), i == 25000 ? 700000u : static_cast<std::size_t>(i % 37));
      seen += reader.number(0);
    }
    EXPECT_EQ(reader.row(), 50000);
    EXPECT_EQ(seen, sum);
  }
}

}  // namespace
}  // namespace hopfield::store
