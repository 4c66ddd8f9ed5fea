#include "hopfield/store/predicate.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hopfield/store/memory_file.h"
#include "unit/store/memory_samples.h"
#include "unit/store/temp_folder.h"

namespace hopfield::store {
namespace {

const char* const kCat = R"({"label":"cat","year":2019,"ok":true,"gone":null,"w":0.5,)"
                         R"("at":{"lab":{"room":7}},"a b":1,"has":2,"list":[1]})";

bool holds(const std::string& predicate) {
  return Predicate(predicate).matches(kCat);
}

TEST(Predicate, ComparesNumbersTextAndLiterals) {
  for (const char* yes :
       {R"(label == "cat")", R"(label != "dog")", R"(label < "cau")", R"(label >= "cat")",
        "year == 2019", "year == 2019.0", "year < 2020", "year <= 2019", "year > 2018.5",
        "year >= -3", "w < 1", "w > 0", "ok == true", "ok != false", "gone == null", "gone != 0",
        "year == 2.019e3", R"(label == "c\u0061t")"}) {
    EXPECT_TRUE(holds(yes)) << yes;
  }
  for (const char* no :
       {R"(label == "dog")", R"(label == "cat ")", "year == 2018", "year < 2019", "year > 2019",
        "ok == false", "gone == false", R"(year == "2019")", R"(year < "3000")", "label > 3",
        "ok < 2", "gone <= null", R"(label != "cat")", "list == 1"}) {
    EXPECT_FALSE(holds(no)) << no;
  }
}

TEST(Predicate, WholeNumbersCompareExactlyBeyondWhatADoubleHolds) {
  const auto matches = [](const std::string& predicate, const std::string& number) {
    return Predicate(predicate).matches("{\"n\":" + number + "}");
  };
  EXPECT_FALSE(matches("n == 9007199254740993", "9007199254740992"));
  EXPECT_TRUE(matches("n > 9007199254740992", "9007199254740993"));
  EXPECT_TRUE(matches("n > -1", "18446744073709551615"));
  EXPECT_TRUE(matches("n < 18446744073709551615", "-9223372036854775808"));
  EXPECT_TRUE(matches("n == 0", "-0"));
}

TEST(Predicate, AKeyThatIsNotThereMakesEveryComparisonFalse) {
  for (const char* no : {"age == 1", "age != 1", "age < 1", "age >= 1", "age in [1]",
                         "age not in [1]", "has(age)", "at.lab.door == 1", "label.x == 1"}) {
    EXPECT_FALSE(holds(no)) << no;
    EXPECT_TRUE(holds("not " + std::string(no))) << no;
  }
}

TEST(Predicate, KeysAreDottedOrQuoted) {
  for (const char* yes :
       {"at.lab.room == 7", "at . lab . room == 7", R"("a b" == 1)", R"("at"."lab".room == 7)",
        "has(at.lab)", "has ( gone )", "has == 2", "has(has)", "not has(at.room)"}) {
    EXPECT_TRUE(holds(yes)) << yes;
  }
}

TEST(Predicate, InTakesAnyOfTheLiterals) {
  EXPECT_TRUE(holds(R"(label in ["dog", "cat"])"));
  EXPECT_FALSE(holds(R"(label in ["dog"])"));
  EXPECT_TRUE(holds(R"(label not in ["dog", 3, null])"));
  EXPECT_FALSE(holds(R"(year not in [2019.0])"));
}

TEST(Predicate, AndBindsCloserThanOrAndNotCloserThanBoth) {
  EXPECT_TRUE(holds("year == 2019 or year == 1 and year == 2"));
  EXPECT_FALSE(holds("(year == 2019 or year == 1) and year == 2"));
  EXPECT_TRUE(holds("not year == 1 and year == 2019"));
  EXPECT_FALSE(holds("not (year == 1 or year == 2019)"));
  EXPECT_TRUE(holds("not not has(year)"));
  EXPECT_TRUE(holds("\n(\t(has(year)) ) "));
}

TEST(Predicate, ErrorsTellThePlaceAndWhatWasExpected) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "character 1: expected a key, got the end"},
      {"label", "character 6: expected ==, !=, <, <=, >, >= or in, got the end"},
      {"label = 1", "character 7: expected ==, !=, <, <=, >, >= or in, got '= 1'"},
      {"label == cat", "character 10: expected a number, \"text\", true, false or null, got 'cat'"},
      {"label == \"cat", "character 10: expected text in quotes as in JSON, got '\"cat'"},
      {"label == \"\\x\"", "character 10: expected text in quotes"},
      {"label == \"\\", "character 10: expected text in quotes"},
      {"a == 1 b == 2", "character 8: expected 'and', 'or' or the end, got 'b == 2'"},
      {"(a == 1", "character 8: expected 'and', 'or' or ')', got the end"},
      {"a == 1)", "character 7: expected 'and', 'or' or the end, got ')'"},
      {"a in 1", "character 6: expected '[', got '1'"},
      {"a in []", "character 7: expected a number"},
      {"a in [1, 2", "character 11: expected ',' or ']', got the end"},
      {"a not == 1", "character 7: expected 'in', got '== 1'"},
      {"has(", "character 5: expected a key, got the end"},
      {"has(a", "character 6: expected ')', got the end"},
      {"a. == 1", "character 4: expected a key"},
      {"a == 1 and", "character 11: expected a key, got the end"},
      {"a == 01", "character 6: expected a number"},
      {"a == 1e999", "character 6: expected a number"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(text);
    EXPECT_ERROR(Predicate{text}, kInvalidArgument, message);
  }
}

TEST(Predicate, HostileNestingIsAnErrorAndLongTextIsNot) {
  const auto repeated = [](const std::string& text, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  for (const std::string opening : {"(", "not ", "not("}) {
    EXPECT_ERROR(Predicate{repeated(opening, 1'000'000)}, kInvalidArgument,
                 "nested at most 100 deep");
  }
  EXPECT_TRUE(holds(repeated("(", 100) + "has(year)" + repeated(")", 100)));
  EXPECT_TRUE(holds(repeated("has(age) or ", 100'000) + "has(year)"));
}

TEST(Predicate, FindsThePatternsOfAMemory) {
  const test::TempFolder folder;
  const std::vector<std::string> texts = {R"({"n":1})", "{}", R"({"n":3})"};
  CreateMemoryOptions options;
  options.attached.metadata = texts;
  create_memory(folder / "m", test::source_of({1, 2, 3}, 1), options);
  const MemoryFile memory(folder / "m");
  EXPECT_EQ(matching_patterns(memory, Predicate("n >= 1")), (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(matching_patterns(memory, Predicate("n > 3")), std::vector<std::int64_t>{});
  create_memory(folder / "plain", test::source_of({1}, 1));
  EXPECT_ERROR(matching_patterns(MemoryFile(folder / "plain"), Predicate("n > 3")),
               kInvalidArgument, "expected a memory with metadata");
  EXPECT_ERROR((void)Predicate("n > 3").matches("[]"), kCorruptData, "a JSON object");
}

}  // namespace
}  // namespace hopfield::store
